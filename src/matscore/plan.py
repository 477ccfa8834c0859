"""Names and shapes of features and weights → one `Plan`. Pure: nothing is read or computed here.

A reading of the two files goes from the sides' tables to the axis that carries the features, then
matches by name or by position. What does not fit ends the reading; `make_plan` then looks whether
the files swapped, or one of them transposed, would fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from typing import Literal, NoReturn

from matscore.errors import PlanError
from matscore.names import (
    find_close,
    find_long_form,
    fold_name,
    has_numbered_columns,
    holds_labels,
    is_intercept,
    is_number,
    looks_like_data,
    looks_like_number,
    quote_name,
    quote_names,
)

_MOST_FOLDED = 10_000
_Turn = Literal["--transpose", "--transpose-features"]
_Turnable = Literal["by name", "by shape"] | None


@dataclass(frozen=True)
class Side:
    """What planning knows of one matrix before its numbers are used.

    Attributes
    ----------
    path : str
        The file as it was given, for messages.
    width : int
        Columns in the file, a label column included.
    names : tuple of str or None
        The header's cells; None without a header.
    n_rows : int or None
        Records after the header; None while unknown (a stream).
    first : tuple of str or None
        The first column's cells as text; always known for weights, for features only when the
        file is small.
    first_numeric : bool
        `first` is known and every cell of it is a number.
    guessed_header : bool
        That there is a header was decided from content, not by an option.
    labelled : bool or None
        The first column is known to hold labels, as the index of a DataFrame does (True), or
        numbers (False); None when its content is to tell. A column known to hold labels is never a
        feature, whatever its name, and columns are counted from the next one in messages.
    """

    path: str
    width: int
    names: tuple[str, ...] | None
    n_rows: int | None
    first: tuple[str, ...] | None
    first_numeric: bool = False
    guessed_header: bool = False
    labelled: bool | None = None


@dataclass(frozen=True)
class PlanOptions:
    """The options that decide how the two sides line up; each is named as on the command line."""

    id_col: str | None = None
    transpose: bool = False
    transpose_features: bool = False
    auto_transpose: bool = False
    strict: bool = False
    keep_cols: tuple[str, ...] = ()
    keep_all: bool = False
    intercept: str | None = None
    no_intercept: bool = False


@dataclass(frozen=True)
class MissingFeature:
    """A feature of the weights that the features file lacks.

    Attributes
    ----------
    name : str
        Its name in the weights.
    close : tuple of str
        Close matches among the columns that are not in use, best first.
    reason : str
        In what the best one differs, for example ``differs only by case``; may be empty.
    """

    name: str
    close: tuple[str, ...] = ()
    reason: str = ""


@dataclass(frozen=True)
class Plan:
    """How the columns of the features meet the entries of the weights.

    With ``transpose_features`` all column numbers are those of the *oriented* table, which has one
    row a column of the file and one column a record of the file. When the file has a header,
    column 0 of that table holds its cells as labels (without the first one, when the file's first
    column holds the feature names), ``label_column`` is 0 and the file's records are columns 1, 2,
    … in their order. Without a header there are no labels: ``label_column`` is None and the
    records are columns 0, 1, …. The oriented names are ``features.first`` when that column holds
    names: when its cells are no numbers, or are names in the weights. The corner cell stays the
    label column's name.

    When ``problem`` is set, the other fields tell how far the reading came.

    Attributes
    ----------
    features, weights : Side
        The two sides, as in their files.
    options : PlanOptions
        What was asked for.
    matched_by : {"name", "position"}
        How features and weights find each other.
    label_column : int or None
        Index of the label column among the features' columns.
    label_name : str
        Its name; "row" when there is no label column, "label" when it has no name.
    kept_columns, kept_names : tuple
        Columns to carry into the output, as they were asked for; with ``keep_all`` in file order.
    feature_names : tuple of str
        The canonical order: by name sorted; by position in file order, with the names of
        whichever side has them, or "1", "2", ….
    feature_columns : tuple of int
        Index of each feature among the features' columns.
    weights_label_column : bool
        The first column of the weights file holds names.
    transpose, transpose_features : bool
        The weights, the features are to be transposed.
    features_name_column : bool
        The features are to be transposed and the first column of their file holds names.
    weights_index : tuple of int
        Position of each feature along the weights' feature axis; label column and header are not
        counted.
    intercept_name : str or None
        Name of the intercept.
    intercept_index : int or None
        Its position along the same axis.
    categories : tuple of str
        In the weights' order; "1", "2", … without names.
    missing : tuple of MissingFeature
        Features that the features file lacks.
    left_out : tuple of str
        Columns that the weights do not know and that are not kept.
    reordered : bool
        The two files list their common features in different orders.
    facts : tuple of str
        Sentences worth knowing.
    problem : str or None
        What does not fit; None when all does.
    hint : str
        What to do about it.
    add_options, drop_options : tuple of str
        Options to add to, and to take from, the command so that it works.
    swap : bool
        The command works with the two files exchanged.
    """

    features: Side
    weights: Side
    options: PlanOptions
    matched_by: Literal["name", "position"] = "position"
    label_column: int | None = None
    label_name: str = "row"
    kept_columns: tuple[int, ...] = ()
    kept_names: tuple[str, ...] = ()
    feature_names: tuple[str, ...] = ()
    feature_columns: tuple[int, ...] = ()
    weights_label_column: bool = False
    transpose: bool = False
    transpose_features: bool = False
    features_name_column: bool = False
    weights_index: tuple[int, ...] = ()
    intercept_name: str | None = None
    intercept_index: int | None = None
    categories: tuple[str, ...] = ()
    missing: tuple[MissingFeature, ...] = ()
    left_out: tuple[str, ...] = ()
    reordered: bool = False
    facts: tuple[str, ...] = ()
    problem: str | None = None
    hint: str = ""
    add_options: tuple[str, ...] = ()
    drop_options: tuple[str, ...] = ()
    swap: bool = False

    @property
    def ok(self) -> bool:
        """Whether features and weights fit."""
        return self.problem is None

    @property
    def features_shape(self) -> tuple[int | None, int]:
        """Rows (None while unknown) and features of the oriented features."""
        n_rows: int | None = self.features.n_rows
        labels = {self.label_column, 0 if self.features.labelled else None} - {None}
        n_columns = self.features.width - len(labels)
        if self.transpose_features:
            n_rows = self.features.width - self.features_name_column
            n_columns = _count_rows(self.features)
        return n_rows, len(self.feature_columns) or n_columns

    @property
    def weights_shape(self) -> tuple[int, int]:
        """Features and categories of the oriented weights, the intercept not counted."""
        shape = (_count_rows(self.weights), self.weights.width - self.weights_label_column)
        n_features, n_categories = shape[::-1] if self.transpose else shape
        return n_features - (self.intercept_index is not None), n_categories

    @property
    def scores_shape(self) -> tuple[int | None, int]:
        """Rows (None while unknown) and categories of the scores."""
        return self.features_shape[0], self.weights_shape[1]


_DEFAULTS = PlanOptions()


def make_plan(features: Side, weights: Side, options: PlanOptions = _DEFAULTS) -> Plan:
    """Line the columns of the features up with the weights.

    Never raises: what does not fit is in the plan's ``problem``.

    Parameters
    ----------
    features, weights : Side
        What is known of the two files.
    options : PlanOptions
        What was asked for.

    Returns
    -------
    Plan
        How they fit, or why not and what would.

    Examples
    --------
    >>> movies = Side("movies.csv", 3, ("film", "action", "comedy"), 3, None)
    >>> genres = Side("genres.csv", 3, ("feature", "family", "romance"), 2, ("comedy", "action"))
    >>> plan = make_plan(movies, genres)
    >>> plan.ok, plan.label_name, plan.scores_shape
    (True, 'film', (3, 2))
    >>> plan.feature_names, plan.feature_columns, plan.weights_index
    (('action', 'comedy'), (1, 2), (1, 0))
    """
    plan, misfit = _read(features, weights, options)
    if misfit is None:
        return plan
    if misfit.turnable and (better := _find_way_out(plan, misfit.turnable)):
        return better
    return _explain_missing(plan, misfit.missing) if misfit.missing else plan


def require_fit(plan: Plan) -> Plan:
    """Return a plan that fits.

    Raises
    ------
    PlanError
        When the plan has a problem.

    Examples
    --------
    >>> side = Side("a.csv", 1, ("x",), 1, ("2",), first_numeric=True)
    >>> require_fit(make_plan(side, side))
    Traceback (most recent call last):
        ...
    matscore.errors.PlanError: the same file is given as features and weights: a.csv; ...
    """
    if not plan.ok:
        raise PlanError(plan)
    return plan


class _Misfit(Exception):
    """Ends a reading; ``turnable`` when swapped or transposed files might fit, and by what."""

    def __init__(
        self, plan: Plan, *, turnable: _Turnable = None, missing: tuple[str, ...] = ()
    ) -> None:
        super().__init__(plan)
        self.plan = plan
        self.turnable = turnable
        self.missing = missing


def _refuse(plan: Plan, problem: str, hint: str, *, turnable: _Turnable = None) -> NoReturn:
    raise _Misfit(replace(plan, problem=problem, hint=hint), turnable=turnable)


@dataclass(frozen=True)
class _Table:
    """The oriented features: names and width count a label column in."""

    names: tuple[str, ...] | None
    width: int
    transposed: bool = False
    labelled: bool | None = None  # that column 0 holds labels, where no comparing must tell

    @cached_property
    def places(self) -> dict[str, list[int]]:
        """The columns of each name."""
        places: dict[str, list[int]] = {}
        for index in self.columns if self.names is not None else ():
            places.setdefault(self.names[index], []).append(index)
        return places

    @property
    def columns(self) -> range:
        """The columns that are not known to hold labels."""
        return range(bool(self.labelled), self.width)

    def place(self, index: int) -> int:
        """Return the number of a column as people count it in the file."""
        return index + (not self.labelled)


@dataclass(frozen=True)
class _Axis:
    """One axis of the weights; ``offset`` is how people count its first entry in the file."""

    kind: Literal["row", "column"]
    names: tuple[str, ...] | None
    size: int
    offset: int = 1


def _read(features: Side, weights: Side, options: PlanOptions) -> tuple[Plan, _Misfit | None]:
    """Return the plan of one reading, and what ended it early."""
    try:
        return _line_up(Plan(features, weights, options)), None
    except _Misfit as misfit:
        return misfit.plan, misfit


def _line_up(plan: Plan) -> Plan:
    _check_request(plan)
    plan, table = _orient_features(plan)
    _check_headers(plan, table)
    plan, rows, columns = _read_weights(plan, table)
    turned = _find_carrier(plan, table, rows, columns)
    if turned is None:
        return _match_by_position(plan, table, rows, columns)
    _check_long_form(plan, table, columns)
    axis, other = (columns, rows) if turned else (rows, columns)
    return _match_by_name(replace(plan, transpose=turned), table, axis, other)


def _check_request(plan: Plan) -> None:
    options = plan.options
    if options.intercept is not None and options.no_intercept:
        plan = replace(plan, drop_options=("--no-intercept",))
        _refuse(plan, "--intercept and --no-intercept contradict each other", "leave one out")
    turned = options.transpose or options.auto_transpose or options.transpose_features
    if plan.features.path == plan.weights.path != "-" and not turned:
        _refuse(
            plan,
            f"the same file is given as features and weights: {plan.features.path}",
            "name the weights file, or add --transpose to compare its rows with each other",
        )


def _orient_features(plan: Plan) -> tuple[Plan, _Table]:
    """Return the features' table, turned when asked; see `Plan` for how it is laid out."""
    side = plan.features
    if not plan.options.transpose_features:
        table = _Table(side.names, side.width, labelled=side.labelled)
        named = side.labelled and plan.options.id_col is None
        return _set_label(plan, table, 0) if named else plan, table
    plan = replace(plan, transpose_features=True)
    if side.first is None:
        _refuse(plan, f"the rows of {side.path} are not known", "transpose it in a file first")
    named = _find_feature_names(plan, side.first)
    plan = replace(plan, features_name_column=named)
    labelled = side.names is not None
    names = side.first if named else None
    if named and side.names is not None:
        names = (side.names[0], *side.first)
    table = _Table(names, len(side.first) + labelled, transposed=True, labelled=labelled)
    return _set_label(plan, table, 0) if labelled else plan, table


def _find_feature_names(plan: Plan, cells: tuple[str, ...]) -> bool:
    """Say whether the first column of features that are to be transposed holds names."""
    side, asked = plan.features, plan.options.id_col
    if asked is not None:
        allowed = "1" if side.names is None else side.names[0]
        if asked != allowed:
            _refuse(
                plan,
                f"--id-col {asked} is not the first column of {side.path}",
                f"features that are transposed have their names there: --id-col {allowed}",
            )
        return True
    if side.labelled is not None:
        return side.labelled
    known = {*(plan.weights.first or ()), *(plan.weights.names or ())} - {""}
    named = holds_labels(cells, side.names, known, width=side.width, all_numbers=side.first_numeric)
    if named is None:
        _refuse_unclear(plan, side, cells, "say --id-col when it holds names")
    return named


def _check_headers(plan: Plan, table: _Table) -> None:
    """Refuse a header that was guessed, may as well be data, and is confirmed by no names."""
    for side, confirmed in (
        (plan.features, _confirm_features_header),
        (plan.weights, _confirm_weights_header),
    ):
        guessed = side.guessed_header and side.labelled is None
        if guessed and side.names is not None and looks_like_data(side.names):
            if confirmed(plan, table, side.names):
                continue
            _refuse(
                plan,
                f"the first record of {side.path} may be a header or data:"
                f" {quote_names(side.names)}",
                "say --headers or --no-headers",
                turnable="by name",
            )


def _confirm_features_header(plan: Plan, table: _Table, header: tuple[str, ...]) -> bool:
    weights = plan.weights
    if table.transposed:
        names = {*(weights.first or ()), *(weights.names or ())}
        return has_numbered_columns(header, names)
    numbers = [cell for cell in header if is_number(cell)]
    if len(set(numbers)) < len(numbers):
        return False
    axes = (weights.first or (), weights.names or (), (weights.names or ())[1:])
    return any(_carries_features(plan, axis, table) for axis in axes)


def _confirm_weights_header(plan: Plan, table: _Table, header: tuple[str, ...]) -> bool:
    return (
        _carries_features(plan, header, table)
        or _carries_features(plan, header[1:], table)
        or has_numbered_columns(header, table.places.keys())
    )


def _carries_features(plan: Plan, names: Sequence[str], table: _Table) -> bool:
    """Say whether all names but an intercept are columns of the features."""
    return any(name in table.places for name in names) and all(
        name in table.places or is_intercept(name) or name == plan.options.intercept
        for name in names
    )


def _read_weights(plan: Plan, table: _Table) -> tuple[Plan, _Axis, _Axis]:
    """Return the weights' row axis and column axis."""
    side = plan.weights
    cells = side.first or ()
    known = table.places.keys() | {plan.options.intercept or ""}
    labelled = side.labelled
    if labelled is None:
        labelled = holds_labels(
            cells, side.names, known - {""}, width=side.width, all_numbers=side.first_numeric
        )
    if labelled is None:
        _refuse_unclear(plan, side, cells, _hint_at_names(plan, table))
    plan = replace(plan, weights_label_column=labelled)
    header = None if side.names is None else side.names[labelled:]
    rows = _Axis("row", cells if labelled else None, _count_rows(side))
    counted = labelled and side.labelled is None
    columns = _Axis("column", header, side.width - labelled, 1 + counted)
    if rows.size == 0:
        _refuse(plan, f"{side.path} has no rows", "give it one row a feature")
    if columns.size == 0:
        _refuse(plan, f"{side.path} has names but no weights", "give it one column a category")
    return plan, rows, columns


def _hint_at_names(plan: Plan, table: _Table) -> str:
    if table.names is None:
        return (
            f"say --headers when the first record of {plan.features.path} is its header, or give"
            " every row of the weights a name that is no number"
        )
    numbers_only = all(map(looks_like_number, plan.weights.first or ()))
    otherwise = "leave the column out" if numbers_only else "correct what should be a number"
    return f"name every row after a column of {plan.features.path}, or {otherwise}"


def _refuse_unclear(plan: Plan, side: Side, cells: Sequence[str], hint: str) -> NoReturn:
    numbers = [cell for cell in cells if looks_like_number(cell)]
    names = [cell for cell in cells if not looks_like_number(cell)]
    shown = quote_names([*numbers[:1], *names[:1]] if names else numbers)
    _refuse(
        plan,
        f"cannot tell whether the first column of {side.path} holds names or numbers: {shown}",
        hint,
        turnable="by name",
    )


def _find_carrier(plan: Plan, table: _Table, rows: _Axis, columns: _Axis) -> bool | None:
    """Say whether the weights' columns carry the features; None when names cannot decide."""
    asked = plan.options.transpose
    if table.names is None or (rows.names is None and columns.names is None):
        return None
    on_rows, on_columns = (_count_hits(axis.names or (), table) for axis in (rows, columns))
    if rows.names is None:
        plain = [name for name in columns.names or () if not is_intercept(name)]
        near = max(on_columns, _count_near(plain, table))
        return True if asked or (near and 2 * near >= len(plain)) else None
    if columns.names is None:
        return None if asked and not on_rows else False
    if asked and _carries_features(plan, columns.names, table):
        return True
    if on_rows == on_columns == 0:
        on_rows, on_columns = (_count_near(names, table) for names in (rows.names, columns.names))
        return asked if on_rows == on_columns else on_columns > on_rows
    return on_columns > on_rows


def _count_hits(names: Sequence[str], table: _Table) -> int:
    return sum(name in table.places for name in names)


def _count_near(names: Sequence[str], table: _Table) -> int:
    """Count names that differ invisibly, at most, from columns; of so many as cost no time."""
    near = {fold_name(name) for name in islice(table.places, _MOST_FOLDED)}
    return sum(fold_name(name) in near for name in names[:_MOST_FOLDED])


def _check_long_form(plan: Plan, table: _Table, columns: _Axis) -> None:
    if telling := find_long_form(columns.names or ()):
        if any(name in table.places for name in telling):
            return
        _refuse(
            plan,
            f"{plan.weights.path} is a coefficient table in long form, with the columns"
            f" {quote_names(telling)}",
            "keep the names and one column of weights for each category",
        )


def _match_by_name(plan: Plan, table: _Table, axis: _Axis, other: _Axis) -> Plan:
    plan = _set_intercept(replace(plan, matched_by="name"), table, axis)
    entries = [(i, n) for i, n in enumerate(axis.names or ()) if i != plan.intercept_index]
    wanted = {name: index for index, name in entries}
    plan = _label_by_name(plan, table, wanted)
    _check_blank(plan, entries, axis, "feature")
    if missing := tuple(name for name in wanted if name not in table.places):
        # With most of them there, other files are no likelier than a slip in the names.
        turnable: _Turnable = "by name" if 2 * len(missing) > len(wanted) else None
        raise _Misfit(
            replace(plan, problem="features are missing"), turnable=turnable, missing=missing
        )
    _check_twice(plan, entries, axis, "feature")
    _check_columns_twice(plan, table, wanted)
    names = tuple(sorted(wanted))
    plan = replace(
        plan,
        feature_names=names,
        feature_columns=tuple(table.places[name][0] for name in names),
        weights_index=tuple(wanted[name] for name in names),
    )
    pairs = sorted(zip(plan.feature_columns, plan.weights_index, strict=True))
    in_file_order = [index for _, index in pairs]
    plan = replace(plan, reordered=in_file_order != sorted(in_file_order))
    return _finish(plan, table, axis, other)


def _label_by_name(plan: Plan, table: _Table, wanted: dict[str, int]) -> Plan:
    asked = plan.options.id_col
    if table.transposed or (asked is None and table.labelled is not None):
        return plan
    if asked is None:
        named = table.names is not None and table.names[0] not in wanted
        return _set_label(plan, table, 0) if named else plan
    if asked in wanted:
        _refuse(
            plan,
            f"{quote_name(asked)} cannot be both the label column and a feature of"
            f" {plan.weights.path}",
            "leave --id-col out; --keep-cols carries a feature into the output",
        )
    return _set_label(plan, table, _find_column(plan, table, asked, "--id-col"))


def _set_label(plan: Plan, table: _Table, index: int) -> Plan:
    name = table.names[index] if table.names is not None else ""
    return replace(plan, label_column=index, label_name=name if name.strip() else "label")


def _match_by_position(plan: Plan, table: _Table, rows: _Axis, columns: _Axis) -> Plan:
    if not table.transposed and plan.options.id_col is not None:
        index = _find_column(plan, table, plan.options.id_col, "--id-col")
        plan = _set_label(plan, table, index)
    elif table.labelled is None and _is_text(plan.features):
        plan = _set_label(plan, table, 0)
    fits = {turned: _fit(plan, table, rows if not turned else columns) for turned in (False, True)}
    asked = plan.options.transpose
    turned = asked if fits[asked] else not asked
    axis, other = (columns, rows) if turned else (rows, columns)
    plan = replace(plan, transpose=turned)
    if not fits[turned]:
        _refuse_shapes(replace(plan, transpose=asked), table, rows, columns)
    plan = _set_intercept(plan, table, axis)
    if fits[turned] == "with a label":
        _check_label_doubt(plan, other_fits=fits[not turned] == "exactly")
        plan = _set_label(plan, table, 0)
    return _finish(_number_features(plan, table, axis), table, axis, other)


def _fit(plan: Plan, table: _Table, axis: _Axis) -> Literal["exactly", "with a label", ""]:
    """Say how the width of the features fits an axis of the weights."""
    if axis.names is not None and table.names is not None:
        return ""  # their names, which differ, would decide
    n_features = axis.size - min(1, len(_list_intercepts(plan, table, axis)))
    spare = len(_list_open(plan, table)) - n_features
    if n_features and spare == 0:
        return "exactly"
    guessing = plan.label_column is None and table.labelled is None
    return "with a label" if n_features and spare == 1 and guessing else ""


def _check_label_doubt(plan: Plan, *, other_fits: bool) -> None:
    """Refuse to take the first column for labels when another reading is as likely."""
    path = plan.features.path
    odd_labels = any(not cell.strip().isdigit() for cell in plan.features.first or ())
    if other_fits and (odd_labels or not plan.weights_label_column):
        other = "not transposed" if plan.transpose else "transposed"
        _refuse(
            plan,
            f"{_show_shapes(plan)} fit in two ways: with the first column of {path} as"
            f" labels, or with the weights {other}",
            "say --id-col for the first; for the second"
            + (" leave --transpose out" if plan.options.transpose else " add --transpose"),
        )
    if plan.intercept_name is not None and plan.options.intercept is None:
        _refuse(
            plan,
            f"cannot tell whether the first column of {path} holds labels or"
            f" {quote_name(plan.intercept_name)} is one of the features",
            "say --id-col for the first, --no-intercept for the second",
        )


def _list_open(plan: Plan, table: _Table) -> tuple[int, ...]:
    """Return the columns that are no labels."""
    return tuple(index for index in table.columns if index != plan.label_column)


def _number_features(plan: Plan, table: _Table, axis: _Axis) -> Plan:
    columns = _list_open(plan, table)
    index = tuple(i for i in range(axis.size) if i != plan.intercept_index)
    plan = replace(plan, feature_columns=columns, weights_index=index)
    if axis.names is not None:
        entries = [(i, axis.names[i]) for i in index]
        _check_blank(plan, entries, axis, "feature")
        _check_twice(plan, entries, axis, "feature")
        names = tuple(name for _, name in entries)
    elif table.names is not None:
        names = tuple(table.names[i] for i in columns)
        if any(not name.strip() for name in names):
            blank = [table.place(i) for i in columns if not table.names[i].strip()]
            _refuse_blank(plan, plan.features.path, blank, "feature", _kind(table))
        _check_columns_twice(plan, table, names)
    else:
        names = tuple(str(number) for number in range(1, len(columns) + 1))
    return replace(plan, feature_names=names)


def _finish(plan: Plan, table: _Table, axis: _Axis, other: _Axis) -> Plan:
    """Check what is left when the features are matched."""
    plan = _sort_out_rest(_name_categories(plan, other), table)
    allowed = plan.options.transpose or (plan.transpose and plan.options.auto_transpose)
    if plan.transpose != allowed:
        _refuse_turn(plan, axis, other)
    if plan.options.strict and plan.left_out:
        plan = replace(plan, drop_options=("--strict",))
        _refuse(
            plan,
            f"{plan.features.path} has columns that {plan.weights.path} does not know:"
            f" {quote_names(plan.left_out)}",
            "keep them with --keep-cols, or leave --strict out",
        )
    return replace(plan, facts=_list_facts(plan, table, axis))


def _name_categories(plan: Plan, other: _Axis) -> Plan:
    if other.names is None:
        return replace(plan, categories=tuple(str(i) for i in range(1, other.size + 1)))
    entries = list(enumerate(other.names))
    _check_blank(plan, entries, other, "category")
    _check_twice(plan, entries, other, "category")
    return replace(plan, categories=other.names)


def _sort_out_rest(plan: Plan, table: _Table) -> Plan:
    """Tell the columns to keep from those that are left out."""
    used = {*plan.feature_columns, plan.label_column}
    names = table.names or tuple(str(table.place(index)) for index in range(table.width))
    rest = [index for index in table.columns if index not in used]
    kept = [_find_column(plan, table, name, "--keep-cols") for name in plan.options.keep_cols]
    kept = list(dict.fromkeys(index for index in kept if index != plan.label_column))
    if plan.options.keep_all:
        kept = list(dict.fromkeys([*kept, *rest]))
    for index in kept:
        _check_column_once(plan, table, names[index])
    taken = set(kept)
    return replace(
        plan,
        kept_columns=tuple(kept),
        kept_names=tuple(names[index] for index in kept),
        left_out=tuple(names[index] for index in rest if index not in taken),
    )


def _find_column(plan: Plan, table: _Table, name: str, option: str) -> int:
    """Return the column that an option names; without a header it is numbered from 1."""
    path, n_columns = plan.features.path, len(table.columns)
    if table.names is None:
        if name.isascii() and name.isdigit() and 1 <= int(name[:9]) <= n_columns:
            return table.columns[int(name) - 1]
        _refuse(
            plan,
            f"{option} {name}: {path} has no header, and its columns are 1 to {n_columns}",
            "give the number of the column, or say --headers",
        )
    if name == table.names[0] and name not in table.places:
        return 0
    if name not in table.places:
        _refuse_unknown(
            plan, f"{path} has no column {quote_name(name)}", name, table.places, option
        )
    _check_column_once(plan, table, name)
    return table.places[name][0]


def _refuse_unknown(
    plan: Plan, problem: str, name: str, names: Sequence[str] | dict[str, list[int]], option: str
) -> NoReturn:
    [(close, reason)] = find_close([name], names)
    hint = f"{option} has the name of one of: {quote_names(names)}"
    _refuse(plan, problem, _suggest(name, close, reason) if close else hint)


def _set_intercept(plan: Plan, table: _Table, axis: _Axis) -> Plan:
    asked, path = plan.options.intercept, plan.weights.path
    found = _list_intercepts(plan, table, axis)
    names = axis.names or ()
    if asked is not None and axis.names is None:
        _refuse(
            plan,
            f"{path} does not name its features, so it has no intercept {quote_name(asked)}",
            "leave --intercept out",
        )
    if asked is not None and not found:
        problem = f"{path} has no {axis.kind} {quote_name(asked)}"
        _refuse_unknown(plan, problem, asked, names, "--intercept")
    if len(found) > 1:
        _refuse(
            plan,
            f"{path} has {len(found)} intercepts: {quote_names([names[i] for i in found])}",
            "name one with --intercept, or take the others out",
        )
    if len(found) == axis.size:
        _refuse(plan, f"{path} has an intercept but no features", "give it one row a feature")
    if not found:
        return plan
    return replace(plan, intercept_name=names[found[0]], intercept_index=found[0])


def _list_intercepts(plan: Plan, table: _Table, axis: _Axis) -> list[int]:
    names, asked = axis.names or (), plan.options.intercept
    if plan.options.no_intercept:
        return []
    if asked is not None:
        return [index for index, name in enumerate(names) if name == asked]
    taken = {name.strip().casefold() for name in table.places if is_intercept(name)}
    return [
        index
        for index, name in enumerate(names)
        if is_intercept(name) and name.strip().casefold() not in taken
    ]


def _check_blank(plan: Plan, entries: list[tuple[int, str]], axis: _Axis, what: str) -> None:
    blank = [axis.offset + index for index, name in entries if not name.strip()]
    if blank:
        _refuse_blank(plan, plan.weights.path, blank, what, axis.kind)


def _check_twice(plan: Plan, entries: list[tuple[int, str]], axis: _Axis, what: str) -> None:
    places: dict[str, list[int]] = {}
    for index, name in entries:
        places.setdefault(name, []).append(axis.offset + index)
    _refuse_twice(plan, plan.weights.path, places, what, axis.kind)


def _check_columns_twice(plan: Plan, table: _Table, names: Sequence[str] | dict[str, int]) -> None:
    places = {
        name: [table.place(index) for index in table.places[name]]
        for name in names
        if len(table.places[name]) > 1
    }
    _refuse_twice(plan, plan.features.path, places, "feature", _kind(table))


def _check_column_once(plan: Plan, table: _Table, name: str) -> None:
    places = [table.place(index) for index in table.places.get(name, ())]
    _refuse_twice(plan, plan.features.path, {name: places}, "column", _kind(table))


def _refuse_blank(plan: Plan, path: str, places: list[int], what: str, kind: str) -> NoReturn:
    _refuse(plan, f"{path} has a {what} without a name in {_count_off(kind, places)}", "name it")


def _refuse_twice(
    plan: Plan, path: str, places: dict[str, list[int]], what: str, kind: str
) -> None:
    twice = [(name, found) for name, found in places.items() if len(found) > 1]
    if not twice:
        return
    shown = [f"{quote_name(name)} in {_count_off(kind, found)}" for name, found in twice[:5]]
    rest = f" and {len(twice) - 5} more" if len(twice) > 5 else ""
    _refuse(
        plan,
        f"{path} has a {what} more than once: {'; '.join(shown)}{rest}",
        "rename one or take it out",
    )


def _count_off(kind: str, places: list[int]) -> str:
    shown = ", ".join(map(str, places[:5])) + (" …" if len(places) > 5 else "")
    return f"{kind}{'s' if len(places) > 1 else ''} {shown}"


def _refuse_turn(plan: Plan, axis: _Axis, other: _Axis) -> NoReturn:
    """Refuse a reading that fits, but not as the weights were asked to be turned."""
    path, turned = plan.weights.path, plan.transpose
    plan = replace(
        plan,
        transpose=not turned,
        weights_index=(),
        categories=(),
        intercept_name=None,
        intercept_index=None,
        add_options=("--transpose",) if turned else (),
        drop_options=() if turned else ("--transpose",),
    )
    if plan.matched_by == "name":
        shown = f": {quote_names(other.names)}" if other.names else ""
        why = (
            f"the {axis.kind}s of {path} are the features ({quote_names(axis.names or ())}),"
            f" its {other.kind}s are not{shown}"
        )
    else:
        fits = "with the weights transposed" if turned else "without --transpose"
        why = f"{_compare_counts(plan)}; they fit {fits}"
    hint = "add --transpose" if turned else "leave --transpose out"
    if plan.options.strict and plan.left_out:
        plan = replace(plan, drop_options=(*plan.drop_options, "--strict"))
        hint += f"; and leave --strict out: {path} does not know {quote_names(plan.left_out)}"
    _refuse(plan, f"{_show_shapes(plan)} do not line up: {why}", hint)


def _refuse_shapes(plan: Plan, table: _Table, rows: _Axis, columns: _Axis) -> NoReturn:
    axis = columns if plan.transpose else rows
    plan = _set_intercept(plan, table, axis)
    _refuse(
        plan,
        f"{_show_shapes(plan)} do not line up: {_compare_counts(plan)}",
        "give weights with one row for each column of the features, or name both",
        turnable="by shape",
    )


def _show_shapes(plan: Plan) -> str:
    n_rows, n_features = plan.features_shape
    shown = "?" if n_rows is None else n_rows
    n_weights, n_categories = plan.weights_shape
    return f"features ({shown} × {n_features}) and weights ({n_weights} × {n_categories})"


def _compare_counts(plan: Plan) -> str:
    return f"{plan.features_shape[1]} features against {plan.weights_shape[0]}"


def _find_way_out(plan: Plan, turnable: _Turnable) -> Plan | None:
    """Return the plan with what would make it fit, if files swapped or transposed would."""
    options = plan.options
    if plan.features.first is not None:
        swapped, _ = _read(plan.weights, plan.features, options)
        if swapped.ok and swapped.matched_by == "name":
            return _suggest_swap(plan)
    turned = replace(options, transpose_features=not options.transpose_features)
    other, _ = _read(plan.features, plan.weights, turned)
    if other.ok and (other.matched_by == "name" or turnable == "by shape"):
        return _suggest_turn(plan, other, "--transpose-features", "features")
    if plan.weights.names is None:
        turned = replace(options, transpose=not options.transpose)
        other, _ = _read(plan.features, plan.weights, turned)
        if other.ok:
            return _suggest_turn(plan, other, "--transpose", "weights")
    return None


def _suggest_swap(plan: Plan) -> Plan:
    features, weights = plan.features.path, plan.weights.path
    return replace(
        plan,
        swap=True,
        problem=f"{features} holds the weights and {weights} the features: they are swapped",
        hint=f"give {weights} first, then {features}",
    )


def _suggest_turn(plan: Plan, other: Plan, option: _Turn, what: str) -> Plan:
    given = plan.options.transpose if option == "--transpose" else plan.options.transpose_features
    how = f"without {option}" if given else f"with the {what} transposed"
    names = f" by name ({quote_names(other.feature_names)})" if other.matched_by == "name" else ""
    return replace(
        plan,
        problem=f"{_show_shapes(plan)} do not line up, but they fit{names} {how}",
        hint=f"leave {option} out" if given else f"add {option}",
        add_options=() if given else (option,),
        drop_options=(option,) if given else (),
    )


def _explain_missing(plan: Plan, names: tuple[str, ...]) -> Plan:
    """Write the problem of missing features, with close matches; the slow part, done once."""
    used = set((plan.weights.names if plan.transpose else plan.weights.first) or ())
    unused = [name for name in _orient_features(plan)[1].places if name not in used]
    missing = tuple(
        MissingFeature(name, close, reason)
        for name, (close, reason) in zip(names, find_close(names, unused), strict=True)
    )
    count = "a feature" if len(names) == 1 else f"{len(names)} features"
    suggestions = [_suggest(m.name, m.close, m.reason) for m in missing if m.close]
    hint = ", ".join(suggestions) or f"add to {plan.features.path} what the weights need"
    if plan.transpose != plan.options.transpose and not plan.options.auto_transpose:
        hint += "; and add --transpose" if plan.transpose else "; and leave --transpose out"
    return replace(
        plan,
        missing=missing,
        problem=f"{plan.features.path} lacks {count} of {plan.weights.path}: {quote_names(names)}",
        hint=hint,
    )


def _suggest(name: str, close: tuple[str, ...], reason: str) -> str:
    meant = " or ".join(quote_name(match) for match in close)
    return f"did you mean {meant} for {quote_name(name)}" + (f" ({reason})" if reason else "")


def _list_facts(plan: Plan, table: _Table, axis: _Axis) -> tuple[str, ...]:
    facts = []
    features, weights = plan.features.path, plan.weights.path
    if plan.matched_by == "position":
        path, lack = (
            (features, "column names") if table.names is None else (weights, "feature names")
        )
        facts.append(f"features are matched by position, as {path} has no {lack}")
    if plan.reordered:
        facts.append("features are matched by name; the two files list them in different orders")
    if plan.transpose:
        facts.append(f"the weights are transposed: the columns of {weights} are the features")
    if plan.transpose_features:
        facts.append(f"the features are transposed: the rows of {features} are the features")
    elif plan.label_column is not None and plan.options.id_col is None and table.labelled is None:
        named = f" ({quote_name(table.names[0])})" if table.names is not None else ""
        facts.append(f"the first column of {features}{named} is taken for the labels")
    if plan.intercept_name is not None:
        facts.append(f"the {axis.kind} {quote_name(plan.intercept_name)} is the intercept")
    if plan.left_out:
        count = "a column" if len(plan.left_out) == 1 else f"{len(plan.left_out)} columns"
        facts.append(f"{count} that {weights} does not know left out: {quote_names(plan.left_out)}")
    return tuple(facts)


def _is_text(side: Side) -> bool:
    """Say whether a first column is known and none of its cells was meant as a number."""
    return bool(side.first) and not any(map(looks_like_number, side.first or ()))


def _count_rows(side: Side) -> int:
    return len(side.first) if side.first is not None else side.n_rows or 0


def _kind(table: _Table) -> Literal["row", "column"]:
    return "row" if table.transposed else "column"
