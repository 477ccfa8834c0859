"""What the columns of a file are for, where there are no weights to compare its names with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from matscore.command_options import ColumnOptions, FitOptions
from matscore.errors import MisfitError
from matscore.names import (
    INTERCEPTS,
    MAX_SHOWN,
    Grammar,
    find_columns,
    is_intercept,
    quote_name,
    quote_names,
    write_choice,
)
from matscore.plan.labels import FirstColumn, judge_first_column, judge_first_record
from matscore.plan.types import Side
from matscore.spelling import suggest_name


@dataclass(frozen=True)
class FeatureColumns:
    """The columns of a features file that is learned from."""

    label_column: int | None  # None where there are no labels
    label_name: str | None
    # In canonical order: their names sorted, or the file's order where there are no names.
    feature_columns: tuple[int, ...]
    feature_names: tuple[str, ...]  # as the weights are to have them; x1, x2, … without a header
    target_columns: tuple[int, ...]  # as they were asked for; empty where they have their own file
    facts: tuple[str, ...]  # sentences worth knowing
    text_columns: tuple[int, ...] = ()  # whose levels are features, in the file's order

    @property
    def file_order(self) -> list[int]:
        """Places of the features in canonical order, put in the order of the file."""
        return sorted(range(len(self.feature_columns)), key=self.feature_columns.__getitem__)

    @property
    def named_in_file_order(self) -> list[str]:
        """Names of the features in the order of the file."""
        return [self.feature_names[i] for i in self.file_order]


def sort_columns(sample: Side, options: ColumnOptions) -> FeatureColumns:
    """Tell the features of a file from its labels, its targets and what is to be left out."""
    targets = tuple(find_name(sample, name, "--target") for name in options.target)
    dropped = {find_name(sample, name, "--drop-cols") for name in options.drop_cols}
    label = find_label(sample, options, {*targets, *dropped})
    columns = [i for i in range(sample.width) if i not in {label, *targets, *dropped}]
    if not columns:
        raise MisfitError(sample.path, "there are no features", "give it one column a feature")
    if twice := sorted({sample.name_of(i) for i in targets if targets.count(i) > 1}):
        raise MisfitError(sample.path, f"a target is named twice: {quote_names(twice)}")
    _check_numbers(sample, columns, has_target=bool(targets))
    _check_names(sample, columns)
    texts = tuple(i for i in columns if sample.kinds[i] == "text")
    columns = [i for i in columns if i not in texts]
    label_name = None if label is None else sample.name_of(label)
    facts: tuple[str, ...] = ()
    if label_name is not None and options.id_col is None:
        first = f"the first column of {sample.path} ({quote_name(label_name)})"
        facts = (f"{first} is taken for the labels",)
    if sample.names is not None:
        # As weights are matched: one order for one set of names, so that models can be compared.
        columns.sort(key=sample.names.__getitem__)
    names = name_columns(sample, columns, "x")
    return FeatureColumns(label, label_name, tuple(columns), names, targets, facts, texts)


def check_header(sample: Side, named: Iterable[str | None] = ()) -> None:
    """Refuse a first record that may be a header or data; `named` are columns known to be named."""
    record = sample.first_record
    if record is None or sample.names is None or not sample.guessed:
        return
    known = [name for name in named if name is not None]
    if judge_first_record(record, sample.grammar, named=known) == "doubtful":
        what = f"the first record may be a header or data: {quote_names(record)}"
        raise MisfitError(sample.path, what, "say --headers or --no-headers")


def find_name(sample: Side, name: str, option: str) -> int:
    """Return the column that an option names; without a header it is numbered from 1."""
    places = find_columns(name, sample.names, sample.width)
    if len(places) == 1:
        return places[0]
    if sample.names is None:
        what = f"{option} {name}: the columns have no names, they are 1 to {sample.width}"
        raise MisfitError(sample.path, what, "give the number of one, or say --headers")
    if places:
        what = f"several columns are named {quote_name(name)}"
        raise MisfitError(sample.path, what, "rename them")
    hint = suggest_name(name, sample.names, option)
    raise MisfitError(sample.path, f"no column {quote_name(name)}", hint)


def find_label(sample: Side, options: ColumnOptions, taken: Collection[int]) -> int | None:
    """Return the column of the labels; the first one, where it cannot be anything else."""
    if options.id_col is not None:
        column = find_name(sample, options.id_col, "--id-col")
        if column in taken:
            raise MisfitError(sample.path, f"{quote_name(options.id_col)} is asked for twice")
        return column
    if options.no_id_col or 0 in taken or sample.width == 1:
        return None
    verdict: FirstColumn = "labels"  # text in a columnar file
    if sample.first or sample.kinds[0] != "text":
        verdict = judge_first_column(sample, None)
    if verdict == "doubtful":
        name = sample.name_of(0)
        what = f"cannot tell whether the first column, {quote_name(name)}, holds labels"
        hint = f"say --id-col {name}, or --no-id-col for a feature"
        raise MisfitError(sample.path, what, hint)
    return 0 if verdict == "labels" else None


def name_columns(sample: Side, columns: Sequence[int], letter: str) -> tuple[str, ...]:
    """Return the names of columns; a letter and a number where there is no header."""
    if sample.names is None:
        return tuple(f"{letter}{place}" for place, _ in enumerate(columns, start=1))
    return tuple(sample.names[i] for i in columns)


def name_intercept(feature_names: Collection[str]) -> str:
    """Return a name for the intercept that no feature has, in any case."""
    # A feature of that name would be read back as the intercept.
    taken = {name.strip().casefold() for name in feature_names if is_intercept(name)}
    free = [name for name in INTERCEPTS if name.casefold() not in taken]
    if not free:
        raise MisfitError("features", "every name for the intercept is a feature", "rename one")
    return free[0]


def _check_numbers(sample: Side, columns: Sequence[int], *, has_target: bool) -> None:
    # Without names the rows of weights for levels would be found by nothing.
    kinds = ("mixed",) if sample.names is not None else ("text", "mixed")
    places = [i for i in columns if sample.kinds[i] in kinds]
    if not places:
        return
    bad = [sample.name_of(i) for i in places]
    kind = "a column is" if len(bad) == 1 else f"{len(bad)} columns are"
    cells = () if sample.peek is None else sample.peek()[places[0]]
    odd = next((c for c in cells if sample.grammar.kind_of(c) != "number"), "")
    other = "," if sample.grammar.decimal == "." else "."
    way = write_choice("--drop-cols", bad[:MAX_SHOWN])
    hint = f"{way} leaves {'it' if len(bad) == 1 else 'them'} out"
    if not has_target:
        hint = f"{write_choice('--target', bad[-1:])} learns it; {hint}"
    if Grammar(other).is_number(odd):
        hint = f"--decimal {other} reads such numbers; {hint}"
    there = f"; the first has {quote_name(odd)}" if odd else ""
    raise MisfitError(sample.path, f"{kind} not numbers: {quote_names(bad)}{there}", hint)


def _check_names(sample: Side, columns: Sequence[int]) -> None:
    names = [sample.name_of(i) for i in columns]
    blank = [str(i + 1) for i, name in zip(columns, names, strict=True) if not name.strip()]
    if blank:
        raise MisfitError(sample.path, f"a feature without a name in column {blank[0]}", "name it")
    if twice := sorted(name for name, count in Counter(names).items() if count > 1):
        what = f"a feature is there more than once: {quote_names(twice)}"
        raise MisfitError(sample.path, what, "rename one or take it out")


@dataclass(frozen=True)
class Targets:
    """What is learned: numbers, or a column of categories."""

    names: tuple[str, ...]
    columns: tuple[int, ...]
    is_categories: bool
    warning: str = ""


def settle_targets(sample: Side, columns: tuple[int, ...], fit: FitOptions) -> Targets:
    """Tell numbers from categories; refuse what is neither, and several columns of categories."""
    names = name_columns(sample, columns, "y")
    kinds = {sample.kinds[i] for i in columns}
    categories = fit.categories
    if fit.method == "logistic":
        categories = True
    # A typing error in a column of numbers must not make a thousand categories of it.
    if categories is None and "mixed" in kinds:
        what = f"cannot tell whether {quote_names(names)} holds numbers or categories"
        raise MisfitError(sample.path, what, "say --numbers or --categories")
    if categories is None:
        categories = "text" in kinds
    texts = [name for i, name in zip(columns, names, strict=True) if sample.kinds[i] == "text"]
    if fit.categories is None and 0 < len(texts) < len(columns):
        what = f"text stands beside numbers: {quote_names(texts)}"
        raise MisfitError(sample.path, what, "learn numbers, or one column of categories")
    if categories and len(columns) > 1:
        what = f"several columns of categories: {quote_names(names)}"
        raise MisfitError(sample.path, what, "learn them one by one")
    if not categories and (blank := [n for n in names if not n.strip()]):
        raise MisfitError(sample.path, f"{len(blank)} targets have no name", "name them")
    if not categories and len(set(names)) < len(names):
        raise MisfitError(sample.path, f"targets of one name: {quote_names(names)}", "rename one")
    warning = ""
    if not categories and fit.categories is None and any(sample.coded[i] for i in columns):
        # Codes such as 1, 2, 3 have no distances, which a product would take for granted.
        warning = f"{quote_names(names)} is learned as a number; say --categories if it is a code"
    return Targets(names, columns, bool(categories), warning)
