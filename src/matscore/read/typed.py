"""Parquet and Arrow files as tables, and their typed columns as labels and numbers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from matscore.errors import InputError
from matscore.frame import join
from matscore.kernel import Booleans, Masked, Texts, write_rows
from matscore.names import POINT, Grammar
from matscore.options import ReadOptions
from matscore.plan import Side
from matscore.plan.types import ColumnKind
from matscore.read.columnar import ColumnarFile, iter_parquet, open_columnar
from matscore.read.rows import FrameChunk, Layout
from matscore.read.source import Source
from matscore.read.switches import are_booleans, find_pair
from matscore.read.table import SAMPLED_RECORDS, Table

if TYPE_CHECKING:
    from matscore.plan.terms import TextColumn

_FRAME_CELLS = 2**19
_CELL_BYTES = 8

Writer: TypeAlias = Callable[[Any], Texts]
"""Writes an array of one type as text."""


@dataclass
class TypedTable(Table):
    """An open Parquet or Arrow file."""

    columnar: ColumnarFile = field(kw_only=True)
    peeked: list[list[str]] | None = None  # the first texts, once they were looked at

    def iter_chunks(
        self, layout: Layout, *, chunk_bytes: int, row: int = 0
    ) -> Iterator[FrameChunk]:
        """Yield the rows in chunks."""
        self.wake()
        used = _used_columns(layout)
        names = [self.columnar.names[i] for i in used]
        tables = self.columnar.iter_tables(names, rows_a_frame(layout, chunk_bytes))
        yield from _number_tables(self.path, tables, used, 0, row)

    def record_bytes(self, n_used: int) -> float:
        """Return the size of a row of which some columns are used."""
        return _CELL_BYTES * max(n_used, 1)

    def sample(self, read: ReadOptions) -> Side:
        """Tell what the types tell."""
        kinds: list[ColumnKind] = [
            "number" if is_numeric(dtype) else "text" for dtype in self.columnar.types
        ]
        if self.booleans:
            texts, cells = self._find_texts(), self._peek_columns()
            for i, _ in self.booleans:
                if i not in texts or are_booleans(cells[i], read.grammar):
                    kinds[i] = "number"
        side = replace(self.side(read, ()), n_rows=self.n_rows)
        return replace(side, kinds=tuple(kinds), coded=(False,) * self.width)

    def find_booleans(self, grammar: Grammar) -> tuple[Booleans, ...]:
        """Find the columns that are true or false by their type, or by their first words."""
        typed = [i for i, one in enumerate(self.columnar.types) if pa.types.is_boolean(one)]
        return tuple((i, ("true", "false")) for i in typed) + super().find_booleans(grammar)

    def close(self) -> None:
        """Close the file."""
        self.columnar.close()
        self.source.close()

    def park(self) -> None:
        """Close the file until it is read, unless it is a pipe."""
        # The copy of a pipe could not be made again.
        if self.source.size is not None:
            self.columnar.close()
        self.source.park()

    def wake(self) -> None:
        """Open the file again where it is parked."""
        if self.source.is_parked:
            self.source.wake()
            self.columnar = open_typed(self.source).columnar

    def _peek_labels(self) -> None:
        return None

    def _peek_columns(self) -> list[list[str]]:
        """Return the first texts of each column; none of other types."""
        if self.peeked is None:
            self.wake()
            texts = {i: self.columnar.names[i] for i in self._find_texts()}
            batches = self.columnar.peek(list(texts.values()), SAMPLED_RECORDS) if texts else []
            self.peeked = [[] for _ in range(self.width)]
            for i, name in texts.items() if batches else ():
                column = pa.Table.from_batches(batches)[name].slice(0, SAMPLED_RECORDS)
                self.peeked[i] = list(label_text(column))
        return self.peeked

    def _find_texts(self) -> list[int]:
        return [i for i, one in enumerate(self.columnar.types) if is_text(one)]


def open_typed(source: Source) -> TypedTable:
    """Return the table of a Parquet or Arrow file, or of a pipe."""
    assert source.kind in ("parquet", "arrow")
    file = open_columnar(source.path, source.open_stream(), source.kind)
    return TypedTable(source, file.names, len(file.names), file.n_rows, columnar=file)


def iter_parquet_rows(
    path: str, layout: Layout, start: int, stop: int, *, chunk_bytes: int, row: int
) -> Iterator[FrameChunk]:
    """Yield rows `start` to `stop` of a Parquet file in chunks, as `Table.iter_chunks` does."""
    used, names = _used_columns(layout), layout.own.names or ()
    tables = iter_parquet(
        path, [names[i] for i in used], start, stop, rows_a_frame(layout, chunk_bytes)
    )
    yield from _number_tables(path, tables, used, start, row)


def rows_a_frame(layout: Layout, chunk_bytes: int) -> int:
    """Return the rows of a chunk of typed columns."""
    return max(1, min(_FRAME_CELLS, chunk_bytes // _CELL_BYTES) // len(_used_columns(layout)))


def _used_columns(layout: Layout) -> list[int]:
    own = layout.own
    return sorted({*own.text_columns, *own.feature_columns, *own.level_columns}) or [0]


def _number_tables(
    path: str, tables: Iterator[Any], used: list[int], n_done: int, row: int
) -> Iterator[FrameChunk]:
    for table in tables:
        columns = dict(zip(used, table.columns, strict=True))
        yield FrameChunk(path, columns, n_done + 1, row + n_done, table.num_rows)
        n_done += table.num_rows


def is_numeric(dtype: Any) -> bool:
    """Say whether a type is a number's."""
    types = pa.types
    return bool(types.is_integer(dtype) or types.is_floating(dtype) or types.is_decimal(dtype))


def is_text(dtype: Any) -> bool:
    """Say whether a type is a text's, in a dictionary or not."""
    dtype = dtype.value_type if pa.types.is_dictionary(dtype) else dtype
    return str(dtype) in ("string", "large_string", "string_view")


def label_text(
    column: Any, path: str = "", number: int | None = None, name: str | None = None
) -> Texts:
    """Turn a column into text, of which none is absent.

    Integers become their digits, floats the shortest form that reads back, decimals keep all
    their places, dates and times are in ISO 8601, and null is the empty text. A type that is
    binary or nested is refused, and so is a date out of range; the other arguments are for that.
    """
    kind, write = _find_kind(column.type)
    if write is None:
        what = f"is of type {kind}, which cannot be a label"
        raise InputError(path, what, "store it as text", column=number, name=name)
    try:
        texts = [write(piece) for piece in _pieces_of(column)]
    except (pa.ArrowException, ValueError, OverflowError) as error:
        what = f"holds a {kind} that cannot be written as text"
        raise InputError(path, what, column=number, name=name) from error
    if len(texts) == 1:
        return texts[0]
    found: Texts = join([Texts.from_strings([]), *texts])
    return found


def level_texts(
    column: Any, levels: TextColumn, *place: Any
) -> tuple[Texts, npt.NDArray[np.int64] | None]:
    """Return a column's texts, as `label_text`; of a dictionary, and where each row's is in it.

    Truths are spelt as the levels spell them.
    """
    if pa.types.is_dictionary(column.type):
        whole = pa.chunked_array(_pieces_of(column)).unify_dictionaries().combine_chunks()
        whole = whole.chunk(0) if isinstance(whole, pa.ChunkedArray) else whole
        texts, n = label_text(whole.dictionary, *place), len(whole.dictionary)
        indices = _read_floats(whole.indices.cast(pa.float64()))
        places = np.where(np.isnan(indices), n, indices).astype(np.int64)
        return join([texts, Texts.from_strings([""])]), places
    if not pa.types.is_boolean(column.type):
        return label_text(column, *place), None
    floats = [_read_floats(one.cast(pa.uint8()).cast(pa.float64())) for one in _pieces_of(column)]
    truths = np.concatenate([np.empty(0), *floats])
    return levels.spell_truths(), np.where(np.isnan(truths), 2, truths).astype(np.int64)


def feature_column(
    column: Any, path: str = "", number: int | None = None, name: str | None = None
) -> npt.NDArray[np.float64]:
    """Turn a column into numbers, of shape (n_rows,); maybe read-only.

    NaN where a value is null or NaN; infinities stay. Integers and decimals with more digits than
    float64 holds are rounded to the nearest. A type that is not a number's is refused.
    """
    dtype = column.type
    if not (is_numeric(dtype) or pa.types.is_null(dtype)):
        what = f"is of type {_find_kind(dtype)[0]}, not a number"
        hint = "store it as numbers"
        if pa.types.is_boolean(dtype) or (is_text(dtype) and find_pair(label_text(column), POINT)):
            hint = "--booleans reads it as 1 and 0"
        raise InputError(path, what, hint, column=number, name=name)
    if pa.types.is_decimal(dtype):  # Arrow's own cast does not round to the nearest
        cells = [np.nan if value is None else float(value) for value in column.to_pylist()]
        return np.array(cells, dtype=np.float64)
    values = [_read_floats(one.cast(pa.float64(), safe=False)) for one in _pieces_of(column)]
    return values[0] if len(values) == 1 else np.concatenate([np.empty(0), *values])


def _pieces_of(column: Any) -> list[Any]:
    return column.chunks if isinstance(column, pa.ChunkedArray) else [column]


# PyArrow's own ways to NumPy import pandas, which takes longer than a small job.


def _read_buffer(array: Any, i: int, dtype: Any, n: int) -> npt.NDArray[Any]:
    buffer = array.buffers()[i]
    if n == 0 or buffer is None:
        return np.zeros(n, dtype)
    # A slice shares the buffers of what it was cut from.
    return np.frombuffer(buffer, dtype)[array.offset : array.offset + n]


def _find_valid(array: Any) -> npt.NDArray[np.bool_]:
    """Mark the values that are not null."""
    buffer = array.buffers()[0]
    if array.null_count == 0 or buffer is None:
        return np.full(len(array), array.null_count == 0)
    # Arrow counts the bits of a byte from its lowest.
    bits = np.unpackbits(np.frombuffer(buffer, np.uint8), bitorder="little")
    return bits[array.offset : array.offset + len(array)].view(np.bool_)


def _read_floats(array: Any) -> npt.NDArray[np.float64]:
    values = _read_buffer(array, 1, np.float64, len(array))
    return np.where(_find_valid(array), values, np.nan) if array.null_count else values


def _cast(array: Any) -> Texts:
    if array.type != pa.large_string():
        array = array.cast(pa.large_string())
    data = array.buffers()[2]
    ends = _read_buffer(array, 1, np.uint64, len(array) + 1 if data is not None else 0)
    if data is None:
        return Texts(np.zeros(len(array) + 1, np.uint64), np.empty(0, np.uint8))
    texts = Texts(ends, np.frombuffer(data, np.uint8))
    if not array.null_count:
        return texts
    places = np.where(_find_valid(array), np.arange(len(array)), len(array))
    filled: Texts = join([texts, Texts.from_strings([""])])
    return filled.take(places)


def _write_decoded(write: Writer, array: Any) -> Texts:
    return write(array.dictionary_decode())


def _spell(array: Any, write: Callable[[Any], str]) -> Texts:
    return Texts.from_strings("" if value is None else write(value) for value in array.to_pylist())


def _write_floats(array: Any) -> Texts:
    masked = Masked(_read_buffer(array, 1, np.float64, len(array)), ~_find_valid(array))
    data = np.frombuffer(write_rows("csv", {"x": masked}), np.uint8)
    ends = np.flatnonzero(data == ord("\n"))
    lengths = np.diff(ends, prepend=-1) - 1
    offsets = np.zeros(len(ends) + 1, np.uint64)
    np.cumsum(lengths, out=offsets[1:])
    return Texts(offsets, data[data != ord("\n")])


def _write_short_floats(array: Any) -> Texts:
    dtype = np.float16 if pa.types.is_float16(array.type) else np.float32
    return _spell(array, lambda value: str(dtype(value)))


# A date, a time of day or both, as Arrow writes it, without zeros at the end of a fraction.
_MOMENT = re.compile(
    r"((?!0000)\d{4}-\d\d-\d\d)?( )?(\d\d:\d\d:\d\d)?(\.(?:\d{3})*?)?(?:000)*"
    r"(?:(Z)|([+-]\d\d)(\d\d))?",
    re.ASCII,
)


def _write_moments(array: Any) -> Texts:
    if getattr(array.type, "tz", None) is not None and array.type.tz[:1] in "+-":
        array = array.cast(pa.timestamp(array.type.unit, "UTC"))  # the instant stays the same
    return _spell(array.cast(pa.string()), _write_moment)


def _write_moment(text: str) -> str:
    found = _MOMENT.fullmatch(text)
    if found is None:
        raise ValueError("a year has four digits, and a day 24 hours")
    day, both, time, fraction, is_utc, hours, minutes = (group or "" for group in found.groups())
    offset = "+00:00" if is_utc else f"{hours}:{minutes}" if hours else ""
    return f"{day}{'T' if both else ''}{time}{fraction.rstrip('.')}{offset}"


_KINDS: tuple[tuple[Callable[[Any], bool], str, Writer | None], ...] = (
    (is_text, "String", _cast),
    (pa.types.is_null, "Null", _cast),
    (pa.types.is_boolean, "Boolean", _cast),
    (pa.types.is_integer, "Integer", _cast),
    (pa.types.is_float64, "Float", _write_floats),
    (pa.types.is_floating, "Float", _write_short_floats),
    (pa.types.is_decimal, "Decimal", lambda array: _spell(array, "{:f}".format)),
    (pa.types.is_date, "Date", _write_moments),
    (pa.types.is_timestamp, "Datetime", _write_moments),
    (pa.types.is_time, "Time", _write_moments),
    (pa.types.is_duration, "Duration", None),
    (pa.types.is_struct, "Struct", None),
)


def _find_kind(dtype: Any) -> tuple[str, Writer | None]:
    """Return what people call a type, and what writes its values as text; None where nothing."""
    if pa.types.is_dictionary(dtype):
        inner = _find_kind(dtype.value_type)[1]
        return "Categorical", None if inner is None else partial(_write_decoded, inner)
    for is_one, name, write in _KINDS:
        if is_one(dtype):
            return name, write
    plain = str(dtype).partition("<")[0].partition("[")[0]
    known = (name for name in ("Binary", "List") if name.lower() in plain)
    return next(known, plain.capitalize()), None
