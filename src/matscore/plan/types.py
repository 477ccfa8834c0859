"""What planning is given, two `Side` and `PlanOptions`; what it gives, a `Plan`; and `Misfit`.

An `Axis` is a side as it is read: names, which must be there and differ where they are used, and
perhaps the intercept among them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Literal

from matscore.names import (
    POINT,
    Grammar,
    find_columns,
    is_intercept,
    may_be_term,
    quote_name,
    quote_names,
)
from matscore.options import PlanOptions

if TYPE_CHECKING:
    from matscore.options import Link
    from matscore.plan.terms import Terms, Unread
    from matscore.spelling import MissingName
    from matscore.terms import Term

# All cells of a column are numbers; at least half; some; none; or all are missing.
ColumnKind = Literal["number", "mostly number", "mixed", "text", "empty"]
# By what two files might fit when they are swapped or one of them is transposed.
Turnable = Literal["by name", "by shape"] | None


@dataclass(frozen=True)
class Side:
    """What is known of one matrix before its numbers are used."""

    path: str  # as it was given, for messages
    width: int  # columns in the file, a label column included
    names: tuple[str, ...] | None  # the header's cells; None without a header
    n_rows: int | None  # records after the header; None while unknown (a stream), never for weights
    # The first column's cells as text: known for weights, for features when the file is small.
    first: tuple[str, ...] | None
    grammar: Grammar = POINT
    guessed: bool = False  # whether there is a header was decided from content, not by an option
    # The first column is known to hold labels, as the index of a DataFrame does, or numbers; None
    # when its content is to tell. A column known to hold labels is never a feature, whatever its
    # name, and columns are counted from the next one in messages.
    labelled: bool | None = None
    first_record: tuple[str, ...] | None = None  # of a text, be it a header or data
    kinds: tuple[ColumnKind, ...] = ()  # of the columns, where the first records were looked at
    coded: tuple[bool, ...] = ()  # few different values, all whole numbers: codes, perhaps
    corner: str = ""  # what heads the labels, where `names` does not say: of a DataFrame's index
    # Columns of the file that are none here: left out, or carried into the output; and the only
    # ones that are asked for. Options pick them by name.
    left_out: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    wanted: tuple[str, ...] = ()
    # Looks at the first cells of each column, for what a refusal may say.
    peek: Callable[[], Sequence[Sequence[str]]] | None = field(
        default=None, compare=False, repr=False
    )

    def name_of(self, column: int) -> str:
        """Return a column's name; without a header its number, counted from 1."""
        return str(column + 1) if self.names is None else self.names[column]

    def as_data(self) -> Side:
        """Return the same file with its header read as a record."""
        record = self.first_record or ()
        first = None if self.first is None else (record[0], *self.first)
        n_rows = None if self.n_rows is None else self.n_rows + 1
        return replace(self, width=len(record), names=None, n_rows=n_rows, first=first)


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
        Its name; "row" when there is no label column, "label" in a file without a header.
    kept_columns, kept_names : tuple
        Columns to carry into the output, as they were asked for; with ``keep_all`` in file order.
    feature_names : tuple of str
        The canonical order: by name sorted; by position in file order, with the names of
        whichever side has them, or "1", "2", ….
    feature_columns : tuple of int
        Index of each feature among the features' columns; with `terms`, of the columns that are
        read as numbers.
    text_columns : tuple of int
        With `terms`, index of the columns that are read as text, for their levels.
    terms : Terms or None
        How features are computed, where some are no columns.
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
    link : str or None
        What turns scores into the model's answer, from the weights' corner cell; None is the
        softmax, or the logistic function for a single category.
    missing : tuple of MissingName
        Features that the features file lacks: ``name``, ``close`` (names that may be meant by it,
        best first) and ``reason`` (in what the best one differs; may be empty).
    left_out : tuple of str
        Columns that the weights do not know and that are not kept.
    absent : tuple of str
        Features that the features file lacks and that count 0, as they were asked to; they are not
        among `feature_names`.
    reordered : bool
        The two files list their common features in different orders.
    facts : tuple of str
        Sentences worth knowing.
    said : tuple of str
        What options made of the files' lines and cells, in sentences.
    least_present : int or None
        Features of each category that a row must have, where scores are made up for the others.
    warnings : tuple of str
        What the numbers of the weights give away, in sentences, where they were looked at.
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
    missing: tuple[MissingName, ...] = ()
    left_out: tuple[str, ...] = ()
    text_columns: tuple[int, ...] = ()
    terms: Terms | None = None
    reordered: bool = False
    facts: tuple[str, ...] = ()
    problem: str | None = None
    hint: str = ""
    add_options: tuple[str, ...] = ()
    drop_options: tuple[str, ...] = ()
    swap: bool = False
    link: Link | None = None
    absent: tuple[str, ...] = ()
    said: tuple[str, ...] = ()
    least_present: int | None = None
    warnings: tuple[str, ...] = ()

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
            n_columns = self.features.n_rows or 0
        n_features = len(self.feature_columns if self.terms is None else self.feature_names)
        return n_rows, n_features or n_columns

    @property
    def kept_missing(self) -> tuple[int, ...]:
        """Columns of numbers whose missing cells have a weight."""
        kept = () if self.terms is None else self.terms.kept
        return tuple(self.feature_columns[i] for i in kept)

    @property
    def n_counting(self) -> int:
        """Features of which a row may have others than 0: one of a column's levels."""
        return len(self.feature_names) if self.terms is None else self.terms.n_counting

    @property
    def weights_shape(self) -> tuple[int, int]:
        """Features and categories of the oriented weights: no intercept, nothing that is absent."""
        shape = (self.weights.n_rows or 0, self.weights.width - self.weights_label_column)
        n_features, n_categories = shape[::-1] if self.transpose else shape
        n_features -= len(self.absent)
        return n_features - (self.intercept_index is not None), n_categories

    @property
    def scores_shape(self) -> tuple[int | None, int]:
        """Rows (None while unknown) and categories of the scores."""
        return self.features_shape[0], self.weights_shape[1]


class Misfit(Exception):
    """Ends a reading of two files that do not fit; its plan tells how far the reading came."""

    def __init__(
        self,
        plan: Plan,
        problem: str,
        hint: str,
        *,
        turnable: Turnable = None,
        missing: tuple[str, ...] = (),  # features that the features file lacks
        unused: Collection[str] = (),  # columns that may be meant by them
    ) -> None:
        super().__init__(problem, hint)
        self.plan = replace(plan, problem=problem, hint=hint)
        self.turnable = turnable
        self.missing = missing
        self.unused = unused


def other_turn(plan: Plan, side: Literal["weights", "features"], why: str) -> Misfit:
    """Return the misfit of files that fit when an option to transpose is added, or left out."""
    options, words = plan.options, plan.options.words
    given, option = options.transpose_features, words.turn_features
    if side == "weights":
        given, option = words.is_asked(options.transpose), words.turn_weights
    hint = f"leave {option} out" if given else f"add {option}"
    added, dropped = ((), (option,)) if given else ((option,), ())
    if options.strict and plan.left_out:
        dropped = (*dropped, "--strict")
        unknown = f"{plan.weights.path} does not know {quote_names(plan.left_out)}"
        hint += f" and leave --strict out, as {unknown}"
    plan = replace(plan, add_options=added, drop_options=dropped)
    return Misfit(plan, f"{show_shapes(plan)} do not line up: {why}", hint)


def show_shapes(plan: Plan) -> str:
    """Write both shapes, the labels and the intercept not counted."""
    n_rows, n_features = plan.features_shape
    shown = "?" if n_rows is None else n_rows
    words = plan.options.words
    shape = plan.weights_shape[::-1] if words.in_rows else plan.weights_shape
    second = f"{words.weights} ({shape[0]} × {shape[1]})"
    return f"{words.features} ({shown} × {n_features}) and {second}"


def compare_counts(plan: Plan) -> str:
    """Write how many features each side has."""
    return f"{plan.features_shape[1]} features against {plan.weights_shape[0]}"


@dataclass(frozen=True)
class Axis:
    """The columns of the features as they are scored, or the rows or the columns of the weights."""

    path: str
    kind: Literal["row", "column"]  # what its entries are in the file
    names: tuple[str, ...] | None  # of all entries; None without names
    size: int  # number of entries, in features with a label column
    offset: int = 1  # how people count the first entry in the file
    labelled: bool | None = False  # the first entry holds labels, where no comparing must tell
    has_terms: bool = False  # the weights may name terms of these entries

    @property
    def entries(self) -> range:
        """The entries that are not known to hold labels."""
        return range(bool(self.labelled), self.size)

    def computes(self, name: str) -> bool:
        """Say whether a name is a term of these entries, and not one of them."""
        return name not in self.places and isinstance(self.read(name), tuple)

    def knows(self, name: str) -> bool:
        """Say whether a name is that of an entry or a term of some."""
        return name in self.places or self.computes(name)

    def read(self, name: str) -> Term | Unread | None:
        """Read a name as a term of these entries; None where it has no form of one."""
        if not (self.has_terms and may_be_term(name)):
            return None
        if name not in self._read:
            from matscore.plan.terms import read_name

            self._read[name] = read_name(name, self.places)
        return self._read[name]

    @cached_property
    def _read(self) -> dict[str, Term | Unread]:
        """Names that were read: of many levels each is asked for several times."""
        return {}

    def columns_of(self, name: str) -> tuple[str, ...]:
        """Return the names of the entries that a feature is computed from."""
        term = self.read(name)
        return tuple(f.column for f in term) if isinstance(term, tuple) else (name,)

    @cached_property
    def places(self) -> dict[str, list[int]]:
        """The entries of each name."""
        places: dict[str, list[int]] = {}
        for index, name in islice(enumerate(self.names or ()), self.entries.start, None):
            places.setdefault(name, []).append(index)
        return places

    def count_off(self, indices: list[int]) -> str:
        """Write where entries are, at most five of them."""
        places = [str(index + self.offset) for index in indices]
        shown = ", ".join(places[:5]) + (" …" if len(places) > 5 else "")
        return f"{self.kind}{'s' if len(places) > 1 else ''} {shown}"


def check_named(plan: Plan, axis: Axis, indices: Iterable[int], what: str) -> None:
    """Refuse entries without a name."""
    names = axis.names or ()
    if blank := [index for index in indices if not names[index].strip()]:
        problem = f"{axis.path} has {_one(what)} without a name in {axis.count_off(blank)}"
        raise Misfit(plan, problem, "name it")


def check_once(plan: Plan, axis: Axis, names: Iterable[str], what: str) -> None:
    """Refuse names that several entries have."""
    places = {name: axis.places.get(name, []) for name in names}
    twice = [(name, indices) for name, indices in places.items() if len(indices) > 1]
    if not twice:
        return
    shown = [f"{quote_name(name)} in {axis.count_off(indices)}" for name, indices in twice[:5]]
    rest = f" and {len(twice) - 5} more" if len(twice) > 5 else ""
    problem = f"{axis.path} has {_one(what)} more than once: {'; '.join(shown)}{rest}"
    raise Misfit(plan, problem, "rename one or take it out")


def find_column(plan: Plan, table: Axis, name: str, option: str) -> int:
    """Return the column of the features that an option names; without a header it is numbered."""
    entries = table.entries
    names = None if table.names is None else table.names[entries.start :]
    places = find_columns(name, names, len(entries))
    check_once(plan, table, [name], "column")
    if places:
        return entries[places[0]]
    if table.names is None:
        what = f"{table.path} does not name its {table.kind}s, which are 1 to {len(entries)}"
        raise Misfit(plan, f"{option} {name}: {what}", "give the number of one, or say --headers")
    if table.names[:1] == (name,):  # the labels
        return 0
    from matscore.spelling import suggest_name

    hint = suggest_name(name, table.places, option)
    raise Misfit(plan, f"{table.path} has no column {quote_name(name)}", hint)


def carries_features(plan: Plan, names: Sequence[str], table: Axis) -> bool:
    """Say whether all names but an intercept are columns of the features."""
    asked = plan.options.intercept
    return any(map(table.knows, names)) and all(
        table.knows(name) or is_intercept(name) or name == asked for name in names
    )


def set_intercept(plan: Plan, table: Axis, axis: Axis) -> Plan:
    """Set the intercept among the entries of the weights that are features."""
    names, intercepts = axis.names or (), list_intercepts(plan, table, axis)
    if plan.options.intercept is not None and not intercepts:
        raise _unknown_intercept(plan, axis, plan.options.intercept)
    if len(intercepts) > 1:
        shown = quote_names([names[i] for i in intercepts])
        problem = f"{axis.path} has {len(intercepts)} intercepts: {shown}"
        raise Misfit(plan, problem, "keep only one")
    if len(intercepts) == axis.size:
        problem = f"{axis.path} has an intercept but no features"
        raise Misfit(plan, problem, "give it one row a feature")
    if not intercepts:
        return plan
    return replace(plan, intercept_name=names[intercepts[0]], intercept_index=intercepts[0])


def list_intercepts(plan: Plan, table: Axis, axis: Axis) -> list[int]:
    """Return the entries that may be the intercept; none that is a column of the features."""
    asked = plan.options.intercept
    # A feature may be called like an intercept: this says so.
    if plan.options.no_intercept:
        return []
    if asked is not None:
        return axis.places.get(asked, [])
    # A name that both files have is matched as any feature is.
    taken = {_fold(name) for name in table.places if is_intercept(name)}
    return [
        index
        for index, name in enumerate(axis.names or ())
        if is_intercept(name) and _fold(name) not in taken
    ]


def _unknown_intercept(plan: Plan, axis: Axis, asked: str) -> Misfit:
    from matscore.spelling import suggest_name

    shown = quote_name(asked)
    if axis.names is None:
        problem = f"{axis.path} does not name its features, so it has no intercept {shown}"
        return Misfit(plan, problem, "leave --intercept out")
    hint = suggest_name(asked, axis.names, "--intercept")
    return Misfit(plan, f"{axis.path} has no {axis.kind} {shown}", hint)


def _one(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def _fold(name: str) -> str:
    return name.strip().casefold()
