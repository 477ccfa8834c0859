"""What is read otherwise where an option asks for it, which few runs do, and what is said of it.

Words for true and false, with what else the first cells of a column tell; columns of a second
matrix that are picked; features whose columns are the rows; pairs of names; empty files.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from matscore.errors import InputError, MisfitError
from matscore.kernel import Booleans, Floats, Records, Texts
from matscore.names import (
    BLANKS,
    MISSING_VALUES,
    Grammar,
    find_columns,
    quote_name,
    quote_names,
    write_choice,
)
from matscore.options import PlanOptions, ReadOptions
from matscore.plan import Plan, Side
from matscore.plan.headings import find_long_form
from matscore.plan.labels import is_integer
from matscore.plan.types import ColumnKind
from matscore.read.inputs import Input, encoding_of, is_address
from matscore.read.rows import FrameChunk, Layout, parse_sound
from matscore.read.source import SourceFacts, open_raw
from matscore.read.table import Table, open_table, read_matrix
from matscore.spelling import suggest_name

_MOST_CODES, _TIMES_EACH = 20, 3
_MOST_EMPTY = 4  # bytes of a byte-order mark
_INDEX_HEADINGS = ("", "unnamed: 0", "index", "level_0")  # that pandas writes
PAIRS = (
    ("True", "False"), ("TRUE", "FALSE"), ("true", "false"), ("T", "F"), ("t", "f"),
    ("Yes", "No"), ("YES", "NO"), ("yes", "no"), ("Y", "N"), ("y", "n"),
)  # fmt: skip
"""What a column may have for 1 and for 0."""

_PAIR_OF = {word: pair for pair in PAIRS for word in pair}


def find_pair(cells: Iterable[str], grammar: Grammar) -> tuple[str, str] | None:
    """Return the spelling of a column by its first cell that is there; None where it has none."""
    there = (cell.strip(BLANKS) for cell in cells if not grammar.is_missing(cell))
    return _PAIR_OF.get(next(there, ""))


def find_booleans(columns: Sequence[Sequence[str]], grammar: Grammar) -> tuple[Booleans, ...]:
    """Return which columns hold such words, and which ones; the cells are the first."""
    found = ((i, find_pair(cells, grammar)) for i, cells in enumerate(columns))
    return tuple((i, pair) for i, pair in found if pair is not None)


def are_booleans(cells: Sequence[str], grammar: Grammar) -> bool:
    """Say whether the cells of a column are words of one spelling, or missing."""
    pair = find_pair(cells, grammar)
    return pair is not None and all(
        cell.strip(BLANKS) in pair or grammar.is_missing(cell) for cell in cells
    )


def kind_of(cells: Sequence[str], read: ReadOptions) -> ColumnKind:
    """Say what the cells of a column are."""
    grammar = read.grammar
    if read.booleans and are_booleans(cells, grammar):
        return "number"
    there = [cell for cell in cells if not grammar.is_missing(cell)]
    n_numbers = sum(map(grammar.is_number, there))
    if not there:
        return "empty"
    if n_numbers == len(there):
        return "number"
    # Numbers that are written in another way are no levels; truths are.
    truths = {"true", "false"}
    meant = (c.casefold() not in truths and grammar.kind_of(c) == "meant" for c in there)
    if not n_numbers and all(meant):
        return "mixed"
    return "mostly number" if 2 * n_numbers >= len(there) else "mixed" if n_numbers else "text"


def are_codes(cells: Sequence[str]) -> bool:
    """Say whether the cells of a column are few whole numbers, each there several times."""
    values = {cell.strip() for cell in cells}
    few = len(values) <= _MOST_CODES and _TIMES_EACH * len(values) <= len(cells)
    return bool(values) and few and all(value.isascii() and value.isdigit() for value in values)


@dataclass(frozen=True)
class Pick:
    """Columns that options name; each option's flag is in a refusal of a name that is not there."""

    only: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()  # as text, beside the numbers
    drop_flag: str = "--drop-weights-cols"
    keep_flag: str = ""

    def __bool__(self) -> bool:
        """Say whether any column is named."""
        return bool(self.only or self.drop or self.keep)

    def choose(self, path: str, names: Sequence[str] | None, width: int) -> Picked:
        """Find the columns; without a header they are numbered from 1."""

        def find(flag: str, asked: Sequence[str]) -> dict[int, str]:
            return {_find_column(path, names, width, name, flag): name for name in asked}

        only, dropped = find("--weights-cols", self.only), find(self.drop_flag, self.drop)
        kept = find(self.keep_flag, self.keep)
        left = [i for i in range(width) if i not in dropped and i not in kept]
        # The first one may hold names, and the plan tells whether it does.
        columns = [i for i in left if i in only or i == left[0]] if only else left
        if not columns:
            raise MisfitError(
                path, "every column is left out", "leave the names and one of numbers"
            )
        shown = [str(i + 1) if names is None else names[i] for i in range(width)]
        out = tuple(shown[i] for i in range(width) if i not in columns and i not in kept)
        beside = tuple(shown[i] for i in kept)
        return Picked(tuple(columns), tuple(kept), out, beside, tuple(shown[i] for i in only))


@dataclass(frozen=True)
class Picked:
    """Columns of a file that are taken for the matrix, kept as text, and left out."""

    columns: tuple[int, ...]
    kept: tuple[int, ...]
    left_out: tuple[str, ...]
    beside: tuple[str, ...]
    wanted: tuple[str, ...]

    def narrow(self, side: Side) -> Side:
        """Return a file's side as if it had the columns of the matrix alone."""

        def take(cells: Sequence[str] | None) -> tuple[str, ...] | None:
            return None if cells is None else tuple(cells[i] for i in self.columns)

        return replace(
            side,
            width=len(self.columns),
            names=take(side.names),
            first_record=take(side.first_record),
            left_out=self.left_out,
            beside=self.beside,
            wanted=self.wanted,
        )


def _find_column(path: str, names: Sequence[str] | None, width: int, name: str, flag: str) -> int:
    places = find_columns(name, names, width)
    if len(places) == 1:
        return places[0]
    if places:
        what = f"a column is there more than once: {quote_name(name)}"
        raise MisfitError(path, what, "rename one or take it out")
    if names is None:
        what = f"{flag} {name}: the columns have no names, and are 1 to {width}"
        raise MisfitError(path, what, "give the number of one, or say --headers")
    hint = suggest_name(name, names, flag)
    raise MisfitError(path, f"there is no column {quote_name(name)}, which {flag} names", hint)


def explain(error: InputError, table: Table, read: ReadOptions, pick: Pick) -> InputError:
    """Return what refuses a cell, with what to do with its column where that holds words."""
    if hint := _find_hint(table, read, error, pick):
        return InputError(
            error.path, error.what, hint, line=error.line, column=error.column, name=error.name
        )
    return error


def _find_hint(table: Table, read: ReadOptions, error: InputError, pick: Pick) -> str:
    """Return what to do with a column of words; empty where it is none, or no header tells."""
    names, column = table.names, error.column
    if names is None or column is None or not error.what.endswith(" is not a number"):
        return ""
    side = table.sample(read)
    if side.kinds[column - 1] != "text":
        return ""
    columns, is_weights = [names[i] for i in table.taken], not pick.keep_flag
    if is_weights and (find_long_form(columns, columns[0]) or find_long_form(columns[1:])):
        return f"matscore import {table.path} -o weights.csv makes one column of each category"
    is_index = columns[0].strip().casefold() in _INDEX_HEADINGS and [*table.taken[:2]] == [0, 1]
    if column == 2 and is_index and all(map(is_integer, side.first or ("",))):
        way = write_choice(pick.drop_flag, columns[:1])
        return f"the first column numbers the rows: leave it out with {way}"
    hint = f"leave a column of words out with {write_choice(pick.drop_flag, [names[column - 1]])}"
    if not is_weights:
        hint += f", or keep it with {write_choice(pick.keep_flag, [names[column - 1]])}"
    return hint


@dataclass(frozen=True)
class Turned:
    """Where the cells of rows stand that are columns of their file."""

    lines: tuple[int, ...]  # the physical line of each record of the file, a column of the rows
    names: tuple[str, ...] | None  # the file's header
    first: int  # columns of the file before the first row
    labelled: int  # columns of the rows before the first record: 1 where the header is labels

    @property
    def width(self) -> int:
        """Columns of the rows."""
        return len(self.lines) + self.labelled

    def locate(self, row: int, column: int | None) -> tuple[int, int, str | None]:
        """Return line, column and the column's name of a cell, or of a whole row."""
        of_record = column is not None and column >= self.labelled
        line = self.lines[column - self.labelled] if of_record and column is not None else 1
        place = self.first + row
        return line, place + 1, None if self.names is None else self.names[place]


@dataclass(frozen=True)
class WideTable:
    """A features file whose columns are the rows, before anything is decided about it."""

    side: Side
    # Records of a text, bytes until the plan says which of them are features, since the others may
    # hold anything; of typed columns numbers, of shape (n_records, n_columns).
    records: list[bytes] | Floats
    lines: tuple[int, ...]  # the physical line of each record
    layout: Layout  # how the records of a text are read

    def turn(self, plan: Plan) -> FrameChunk:
        """Make rows of the columns, as the plan lays them out; only what it uses is kept."""
        named, labelled = int(plan.features_name_column), int(plan.label_column is not None)
        columns: dict[int, Any] = {}
        texts = {*plan.kept_columns, *plan.text_columns}
        for i in {*plan.feature_columns, *texts} - set(range(labelled)):
            columns[i] = _read_record(self, i - labelled, named, as_text=i in texts)
        if labelled:
            columns[0] = Texts.from_strings((self.side.names or ())[named:])
        turned = Turned(self.lines, self.side.names, named, labelled)
        return FrameChunk(self.side.path, columns, 1, 0, self.side.width - named, turned)


def read_wide(table: Table, read: ReadOptions, *, chunk_bytes: int) -> WideTable:
    """Read a features file that is to be transposed; typed columns that it has are all numbers."""
    layout = table.lay_out(read, label=None, kept=(0,), missing="keep")
    if table.source.kind != "csv":
        kept = replace(read, missing="keep")  # of features alone they are to be refused
        matrix = read_matrix(table, kept, chunk_bytes=chunk_bytes)
        values = matrix.values(label_column=matrix.first_values is None)
        return WideTable(matrix.side, values, tuple(range(1, len(values) + 1)), layout)
    first, records, numbers = list[str](), list[bytes](), list[int]()
    for chunk in table.iter_chunks(layout, chunk_bytes=chunk_bytes):
        first += parse_sound(layout, chunk).texts[0]
        records += (chunk.record(i) for i in range(chunk.n_records))
        numbers += chunk.lines.tolist()
    return WideTable(table.side(read, tuple(first)), records, tuple(numbers), layout)


def _read_record(wide: WideTable, i: int, first: int, *, as_text: bool) -> Floats | Texts:
    """Return a record's cells from a column on: as text where asked, or where one is no number."""
    if not isinstance(wide.records, list):
        row: Floats = wide.records[i, first - wide.side.width :]
        return row
    layout, columns = wide.layout, range(first, wide.side.width)
    if not as_text:
        table = Records(
            width=wide.side.width,
            features=columns,
            delimiter=layout.delimiter,
            decimal=layout.decimal,
            missing="keep",
            missing_values=layout.missing_values,
        ).parse(wide.records[i])
        if not table.bad:
            numbers: Floats = table.features[:, 0]
            return numbers
    cells = Records(width=wide.side.width, texts=columns, delimiter=layout.delimiter).parse(
        wide.records[i]
    )
    return Texts.from_strings(texts[0] for texts in cells.texts)


def list_switches(
    table: Table,
    read: ReadOptions,
    features: Sequence[int],
    weights: str = "",
    *,
    unique: bool = False,
) -> Iterator[str]:
    """Yield sentences on what options have made of a table, and of these columns of it."""
    if read.comment is not None:
        yield f"lines that start with {quote_name(read.comment)} are left out"
    if read.skip_lines:
        yield f"the first lines of {table.path} are left out: {read.skip_lines}"
    if read.delimiter == "blanks":
        yield "runs of spaces and tabs are taken for one delimiter"
    if read.missing_values != MISSING_VALUES:
        words = quote_names(read.missing_values) if read.missing_values else "none"
        yield f"words for a missing cell, besides an empty one: {words}"
    for path, has_header in (table.path, read.features_headers), (weights, read.weights_headers):
        if has_header is not None:
            yield f"{path} has {'a' if has_header else 'no'} header, as an option says"
    if unique:
        yield "a label that was there before is refused"
    if read.least_present is not None:
        least = read.least_present
        there = (
            "a feature of each category is"
            if least == 1
            else f"{least} features of each category are"
        )
        yield f"missing cells are made up for where {there} there"
    if (mark := read.weights_delimiter) is not None:
        yield f"cells of {weights} end with {quote_name(mark)}, as an option says"
    if (decimal := read.weights_decimal) is not None:
        yield f"{weights} has decimal {'points' if decimal == '.' else 'commas'}, as an option says"
    names = None if table.names is None else (*table.names, *(name for name, _ in table.keys))
    yield from describe_booleans(table.booleans_of(features), names)


def describe_booleans(booleans: Sequence[Booleans], names: Sequence[str] | None) -> Iterator[str]:
    """Yield a sentence for each column of words for true and false."""
    for i, pair in booleans:
        name = str(i + 1) if names is None else quote_name(names[i])
        yield f'column {name} is read as 1 and 0: "{pair[0]}" and "{pair[1]}"'


def count_left_out(facts: SourceFacts) -> Iterator[str]:
    """Yield how many lines of an input were left out."""
    if facts.n_comments:
        yield f"lines of comments left out of {facts.path}: {facts.n_comments:,}"
    if facts.n_skipped:
        yield f"first lines left out of {facts.path}: {facts.n_skipped:,}"


def pass_over_empty(inputs: Sequence[Input]) -> tuple[list[Input], tuple[str, ...]]:
    """Return the inputs that have a byte, and what is to be said of the others."""
    left = [one for one in inputs if not _is_empty(one.path)]
    if not left:
        hint = "a header line, at least, is needed"
        raise InputError(inputs[0].path, "every features file is empty", hint)
    names = [one.path for one in inputs if one not in left]
    said = f"passed over, as they are empty: {len(names)} ({quote_names(names)})"
    return left, (said,) if names else ()


def _is_empty(path: str) -> bool:
    """Say whether a file has no byte, or a byte-order mark alone; of a pipe nobody knows yet."""
    if not is_address(path) and not Path(path).is_file():
        return False
    raw, stamp = open_raw(path, 0, _MOST_EMPTY)
    with raw:
        is_small = stamp is not None and stamp.size <= _MOST_EMPTY
        head = raw.read(_MOST_EMPTY) if is_small else b"x"
    return len(head) <= encoding_of(head)[1]


def read_renames(align: PlanOptions, read: ReadOptions) -> PlanOptions:
    """Return options with the pairs of their file, the first of which may be its header."""
    if align.rename is None:
        return align
    # Both names are text, whatever they look like, and the plan tells a header from a pair.
    read = replace(read.of_others, headers=False)
    pairs: list[tuple[str, str]] = []
    with contextlib.closing(open_table(str(align.rename), read)) as table:
        if table.width != 2:
            what = f"{table.width} columns, where there are to be two names a line"
            hint = "give the name in the features file, then the one in the weights file; see -d"
            raise InputError(table.path, what, hint, line=1)
        layout = table.lay_out(read, label=0, kept=(1,), missing="keep")
        for chunk in table.iter_chunks(layout, chunk_bytes=2**20):
            rows = parse_sound(layout, chunk)
            pairs += zip(map(str, rows.labels), rows.texts[0], strict=True)
    return replace(align, renames=tuple(pairs))
