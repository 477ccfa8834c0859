"""The compiled kernel: text to numbers, scores, what they decide, and numbers to text.

Faults come back as data; the sentences are made by the callers.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from matscore import _kernel

Floats: TypeAlias = NDArray[np.float64]
Places: TypeAlias = NDArray[np.int64]
Marks: TypeAlias = NDArray[np.bool_]

# A column, and its words for 1 and for 0.
Booleans: TypeAlias = tuple[int, tuple[str, str]]
Policy: TypeAlias = Literal["error", "skip", "zero", "keep"]

_ROW_ENDS = {"csv": "\n", "tsv": "\n", "jsonl": "}\n", "json": "},\n"}
_POLICIES = {"error": 0, "skip": 0, "zero": 1, "keep": 2}


def exp(values: Floats) -> Floats:
    """Return powers of e, within an ulp, with the same bits on every processor."""
    return _kernel.exp(np.ravel(values)).reshape(values.shape)


class Fault(IntEnum):
    """What is wrong with a record or, from `NUL` on, with a whole chunk."""

    WIDTH, DELIMITERS_ONLY, BYTE_ORDER_MARK, RETURN, NUMBER, MISSING, LEVEL = range(1, 8)
    HEADER_AGAIN, NUL, NOT_UTF8, QUOTE_INSIDE, TEXT_AFTER_QUOTE, QUOTE_OPEN = range(8, 14)


_FAULTS = {int(fault): fault for fault in Fault}  # found sooner than made


class BadRecord(NamedTuple):
    """A record that cannot be used."""

    record: int  # records before it in its chunk
    line: int  # physical lines before it
    start: int  # its bytes in the chunk, without the line end
    end: int
    column: int  # the first cell at fault, from 0; -1 where none alone is
    code: int  # the value of `fault`
    n_cells: int

    @property
    def fault(self) -> Fault:
        """What is wrong."""
        return _FAULTS[self.code]


class Stop(NamedTuple):
    """Damage that makes the rest of a chunk unreadable."""

    fault: Fault  # from `Fault.NUL` on
    at: int  # the byte in the chunk; of a quote that is never closed, the last one there is
    column: int  # the cell of a misplaced quote, from 0; else 0


@dataclass(frozen=True, eq=False)
class Texts:
    """Cells of text."""

    offsets: NDArray[np.uint64]  # (n + 1,): where each text starts and the last one ends
    data: NDArray[np.uint8]  # the texts in UTF-8, one after the other
    # (n,): where nothing stood, not even quotes: CSV has nothing there again, JSON null or "".
    absent: NDArray[np.bool_] | None = None

    @classmethod
    def from_strings(cls, texts: Iterable[str | None]) -> Texts:
        """Make texts of strings; None is absent."""
        held = list(texts)
        encoded = [(text or "").encode() for text in held]
        offsets = np.zeros(len(held) + 1, np.uint64)
        np.cumsum([len(text) for text in encoded], out=offsets[1:])
        absent = np.array([text is None for text in held], np.bool_)
        data = b"".join(encoded)
        return cls(offsets, np.frombuffer(data, np.uint8), absent if absent.any() else None)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, i: int) -> str:
        start, end = self.offsets[i], self.offsets[i + 1]
        return self.data[int(start) : int(end)].tobytes().decode()

    def __iter__(self) -> Iterator[str]:
        data = self.data.tobytes()
        for start, end in pairwise(self.offsets.tolist()):
            yield data[start:end].decode()

    def to_strings(self) -> list[str | None]:
        """Return the texts, None for those that are absent."""
        absent = np.zeros(len(self), bool) if self.absent is None else self.absent
        return [None if gone else text for text, gone in zip(self, absent.tolist(), strict=True)]

    def take(self, rows: NDArray[np.int64]) -> Texts:
        """Return some of the texts, in the order of `rows`."""
        lengths = np.diff(self.offsets)[rows]
        offsets = np.zeros(len(rows) + 1, np.uint64)
        np.cumsum(lengths, out=offsets[1:])
        # Each byte of the result is as far from its text's start as it was.
        shift = np.repeat(self.offsets[:-1][rows] - offsets[:-1], lengths.astype(np.int64))
        data = self.data[np.arange(len(shift), dtype=np.uint64) + shift]
        return Texts(offsets, data, None if self.absent is None else self.absent[rows])


@dataclass(frozen=True, eq=False)
class Choices:
    """Cells that are each one of a few texts, or nothing, which JSON writes as null."""

    codes: NDArray[np.int32]  # (n,): which of the texts; negative for nothing
    texts: Texts

    def __len__(self) -> int:
        return len(self.codes)


@dataclass(frozen=True, eq=False)
class Masked:
    """Numbers of which some are absent: CSV has nothing there, JSON null."""

    values: NDArray[np.float64] | NDArray[np.int64]  # (n,)
    absent: NDArray[np.bool_]  # (n,)

    def __len__(self) -> int:
        return len(self.values)


Column = NDArray[np.float64] | NDArray[np.int64] | Masked | Texts | Choices


@dataclass(frozen=True, eq=False)
class Table:
    """The good rows of a chunk, and what is wrong with the others."""

    # (n_features + n_levels, n_rows), C-contiguous: the numbers, then the codes of levels. NaN
    # where a missing cell, or an unknown text, is kept; else finite.
    features: NDArray[np.float64]
    texts: tuple[Texts, ...]  # of n_rows each
    n_records: int  # good and bad ones
    rows: NDArray[np.int64] | None  # (n_rows,): the good records' places; None when all are good
    has_missing: NDArray[np.bool_] | None  # (n_rows,): a missing cell is kept; None: nowhere
    bad: list[BadRecord]  # in order
    stop: Stop | None  # why the rest could not be read; the rows before it are of no use then

    @property
    def n_rows(self) -> int:
        """Good rows."""
        return int(self.features.shape[1])


def strip_words(missing_values: Sequence[str]) -> list[str]:
    """Return words for a missing cell without the blanks around them, but for the empty one."""
    return sorted({word.strip(" \t") for word in missing_values} - {""})


class Records(NamedTuple):
    """What the records of a text hold, and what is read of them.

    Columns of `features` are read as numbers, in the order of the result, those of `levels` as the
    codes of their levels, after them, those of `texts` as text; a column may be all of them. A
    missing cell is a fault with "error" and "skip"; with "zero" the number 0 or the code -1; else
    NaN, as it always is in the columns of `kept`. So is an `unknown` text among levels. `names` are
    the header's cells, to name a record that repeats them; a column of labels (`has_labels`) tells
    such a record from a good one where nothing else is wrong with it. The features of `booleans`
    hold these words, with blanks around them or not, instead of numbers.
    """

    width: int
    features: Sequence[int] = ()
    texts: Sequence[int] = ()
    delimiter: str = ","
    decimal: str = "."
    kept: Sequence[int] = ()
    levels: Sequence[tuple[int, _kernel.Levels]] = ()
    missing: Policy = "error"
    unknown: Policy = "error"
    missing_values: Sequence[str] = ()
    names: Sequence[str] | None = None
    has_labels: bool = False
    booleans: Sequence[Booleans] = ()

    def parse(self, data: bytes) -> Table:
        """Read whole records, strictly; the last may lack its line end."""
        self._check()
        stop = _find_stop(data, self.delimiter)
        n, n_records, values, cells, has_missing, faults = _kernel.parse(
            b"" if stop else data, self.delimiter, self.decimal, self.width,
            _POLICIES[self.missing], _POLICIES[self.unknown], self.features, self.texts, self.kept,
            self.levels, strip_words(self.missing_values), self.names or (), self.has_labels,
            self.booleans,
        )  # fmt: skip
        # The kernel leaves room for the records that turned out bad.
        n_numbers = len(self.features) + len(self.levels)
        values = np.ascontiguousarray(values.reshape(n_numbers, len(has_missing))[:, :n])
        cut = [(offsets[: n + 1], text, _some(absent[:n])) for offsets, text, absent in cells]
        texts = tuple(Texts(ends, text[: ends[n]], absent) for ends, text, absent in cut)
        faults = faults.reshape(-1, len(BadRecord._fields))
        bad = list(map(BadRecord._make, faults.tolist()))
        rows = np.delete(np.arange(n_records), faults[:, 0]) if bad else None
        return Table(values, texts, n_records, rows, _some(has_missing[:n]), bad, stop)

    def _check(self) -> None:
        """Refuse a layout without sense: the kernel trusts it."""
        width, names, levels = self.width, self.names, [column for column, _ in self.levels]
        if width < 1 or self.delimiter in '\0"\n\r' or (names and len(names) != width):
            raise ValueError("the width, the delimiter or the names do not make a layout")
        for places in (self.features, self.texts, levels):
            if not set(places) <= set(range(width)) or len(set(places)) < len(places):
                raise ValueError("columns are out of range")
        if not {*self.kept, *(column for column, _ in self.booleans)} <= set(self.features):
            raise ValueError("kept columns or booleans are no features")


def _some(marks: Marks) -> Marks | None:
    return marks if marks.any() else None


def _find_stop(data: bytes, delimiter: str) -> Stop | None:
    """Find what makes a chunk unreadable, if anything does."""
    if (at := data.find(b"\0")) >= 0:
        return Stop(Fault.NUL, at, 0)
    if not data.isascii():
        try:
            data.decode()
        except UnicodeDecodeError as error:
            return Stop(Fault.NOT_UTF8, error.start, 0)
    if b'"' not in data:
        return None
    _, _, start, misplaced, is_closing, is_open = _kernel.scan(data, delimiter)
    if misplaced < 0 and not is_open:
        return None
    fault, at = Fault.QUOTE_OPEN, data.rfind(b'"')
    if misplaced >= 0:
        fault, at = (Fault.TEXT_AFTER_QUOTE if is_closing else Fault.QUOTE_INSIDE), misplaced
    outside = data[start:at].split(b'"')[::2]
    return Stop(fault, at, sum(part.count(delimiter.encode()) for part in outside))


def find_cut(data: bytes, delimiter: str, *, at_end: bool = False) -> int:
    """Find how many bytes of a buffer that starts at a record can be cut off: 0 where none can.

    After its last whole record that is not blank; before the line of the first misplaced quote; or
    after that line alone, where it is the first. With `at_end` the last record needs no line end.
    """
    _, _, after_newline, misplaced, _, is_open = _kernel.scan(data, delimiter)
    if misplaced >= 0:
        return after_newline or data.find(b"\n", misplaced) + 1 or (len(data) if at_end else 0)
    cut = len(data) if at_end and not is_open else after_newline
    # Blank lines before a cut are left for the next piece: they may be the file's last.
    end = len(data[:cut].rstrip(b"\r\n"))
    return end and (data.find(b"\n", end, cut) + 1 or cut)


def count_records(data: bytes) -> tuple[int, int]:
    """Count the line ends of a run of whole records, and the records."""
    n_lines, n_quoted = _kernel.scan(data, ",")[:2]
    # The line of a misplaced quote counts as one record.
    return n_lines, max(n_lines - n_quoted + (not data.endswith(b"\n")), 1)


def read_number(text: str, decimal: str = ".") -> float | None:
    """Read a cell as a number, rounded right; None where it is none or no float64 holds it."""
    return _kernel.read_number(text.encode(errors="replace"), decimal)


def write_number(number: float) -> str:
    """Write a number in the shortest form that reads back to the same float64."""
    return _kernel.write_number(number).decode()


def write_rows(
    form: Literal["csv", "tsv", "json", "jsonl"], columns: Mapping[str, Column]
) -> bytearray:
    """Write rows in UTF-8, without what stands once at the start and the end of an output.

    Columns are float64 or int64 of shape (n_rows,), or objects of this module. With "json" a comma
    stands between rows and not after them.
    """
    delimiter, is_json = "\t" if form == "tsv" else ",", form in ("json", "jsonl")
    n_rows = len(next(iter(columns.values()), ()))
    parts = []
    for i, (name, column) in enumerate(columns.items()):
        # What stands before each cell.
        key = f"{json.dumps(name, ensure_ascii=False)}:" if is_json else ""
        parts.append((f"{delimiter if i else '{' * is_json}{key}", *_take_apart(column)))
    written = _kernel.write_rows(is_json, delimiter, _ROW_ENDS[form], parts, n_rows)
    if form == "json":
        del written[-2:]  # a comma stands between rows and not after them
    return written


def _take_apart(column: Column) -> tuple[Any, ...]:
    """Return numbers, whole numbers, texts, codes, what is absent, whether it is null."""
    match column:
        case Masked(values, absent):
            return *_take_apart(values)[:4], absent, False
        case Texts(offsets, data, absent):
            return None, None, (offsets, data), None, absent, False
        case Choices(codes, Texts(offsets, data, absent)):
            return None, None, (offsets, data), codes, absent, True
    held = np.ascontiguousarray(column)
    is_float = held.dtype == np.float64
    return held if is_float else None, None if is_float else held, *(None,) * 3, False


class Decision(NamedTuple):
    """What the scores of some rows decide; each of shape (n_rows,)."""

    best: Places  # the highest score's category, the first of those tied; -1: scores are missing
    margin: Floats  # highest score minus runner-up; 0 for a tie, NaN for missing or one category
    tied: Marks  # another category's score is within rounding error of the highest
    overflow: Marks  # a score is not finite though no feature is missing


class Ranking(NamedTuple):
    """The first ranks of some rows; each of shape (n_rows, k)."""

    places: Places  # what has the first, second, ... rank; -1 where nothing is left
    tied: Marks  # at its rank or before, another was within rounding error of the highest


class Gather(NamedTuple):
    """Terms of which at most one is active in a row: its value is 1 or a stored number."""

    codes: int  # the stored row of codes; negative for none
    values: int  # the stored row of values; -1: the value is 1
    terms: Places  # (n_codes,): the term of each code, -1 none


class Gathers(NamedTuple):
    """How rows of terms are made of the fewer ones that are stored."""

    dense: Places  # (n_dense, 2): a stored row, the term that it is
    groups: tuple[Gather, ...]
    n_stored: int

    def as_groups(self) -> list[Gather]:
        """Return all as groups, in the order of their terms: dense ones have -1 for their codes.

        A stored row that nothing uses is there, too: where it is missing, all is.
        """
        groups = [*self.groups, *(Gather(-1, row, np.array([term])) for row, term in self.dense)]
        used = {row for group in groups for row in group[:2]}
        lowest = min((group.codes for group in self.groups), default=0)
        if min(self.n_stored, lowest, self.dense.min(initial=0)) < 0:
            raise ValueError("a term or row is out of range")
        terms = [term for group in groups for term in {*group.terms.tolist()} if term >= 0]
        if len({*terms}) < len(terms):  # one group may share it
            raise ValueError("a term is there twice")
        unused = sorted(set(range(self.n_stored)) - used)
        groups += [Gather(-1, row, np.array([-1])) for row in unused]
        return sorted(groups, key=lambda group: group.terms.max(initial=-1))


class PackedWeights:
    """A linear model as it is multiplied; threads may share it.

    Scores, bounds and ties are defined in product.hpp and model.hpp of the kernel.
    Weights are of shape (n_features, n_categories), the intercept of (n_categories,), both finite;
    features are of shape (n_features, n_rows), float64: finite, or NaN where one is missing. With
    `gathers` features are stored rows, (n_stored, n_rows), and scores those of what `expand` makes.
    """

    def __init__(
        self, weights: Floats, intercept: Floats | None = None, gathers: Gathers | None = None
    ) -> None:
        self._given = weights, intercept, gathers
        n_stored, groups = len(weights), list[Gather]()
        if gathers is not None:
            n_stored, groups = gathers.n_stored, gathers.as_groups()
        added = np.zeros(weights.shape[1]) if intercept is None else np.ascontiguousarray(intercept)
        self._model = _kernel.Model(weights, added, n_stored, groups)

    def __reduce__(self) -> tuple[Any, ...]:
        return PackedWeights, self._given

    def expand(self, features: Floats) -> Floats:
        """Return the terms of stored rows, (n_terms, n_rows); all NaN where anything is missing."""
        weights, _, gathers = self._given
        if gathers is None:
            return features
        if len(features) != gathers.n_stored:
            raise ValueError("features and weights differ in the number of stored rows")
        terms = np.zeros((len(weights), features.shape[1]))
        terms[gathers.dense[:, 1]] = features[gathers.dense[:, 0]]
        for codes, values, places in gathers.groups:
            if (features[codes] >= len(places)).any():
                raise ValueError("a code is out of range")
            rows = np.flatnonzero(features[codes] >= 0)
            active = places[features[codes, rows].astype(np.int64)]
            rows, active = rows[active >= 0], active[active >= 0]
            terms[active, rows] = 1.0 if values < 0 else features[values, rows]
        terms[:, np.isnan(features).any(axis=0)] = np.nan
        return terms

    def multiply(self, features: Floats) -> Floats:
        """Return scores, (n_categories, n_rows): NaN throughout for a row with anything missing."""
        return self.score(features)[0]

    def score(self, features: Floats, *, keep: bool = True) -> tuple[Floats, Decision]:
        """Return the scores, of shape (0, n_rows) where they are not to be kept, and decide."""
        scores, best, margin, tied, overflow = self._model.score(features, keep)
        n_categories = self._given[0].shape[1] if keep else 0
        scores = scores.reshape(n_categories, features.shape[1])
        return scores, Decision(best, margin, tied, overflow)

    def error_bound(self, features: Floats) -> Floats:
        """Bound the rounding error of each score, (n_categories, n_rows), as product.hpp says."""
        n_categories = self._given[0].shape[1]
        return self._model.error_bound(features).reshape(n_categories, features.shape[1])

    def mark_ties(self, features: Floats, scores: Floats) -> Marks:
        """Mark the best category of each row and what ties with it; none of missing scores."""
        bounds, there = self.error_bound(features), scores > -np.inf  # which NaN is not
        best = np.where(there, scores, -np.inf).argmax(axis=0), np.arange(features.shape[1])
        with np.errstate(invalid="ignore", over="ignore"):
            marks: Marks = scores[best] - scores <= bounds[best] + bounds
        marks[best] = True
        return marks & there

    def rank(self, features: Floats, scores: Floats, k: int) -> Ranking:
        """Rank ``min(k, n_categories)`` categories of scored rows, as model.hpp says.

        The first rank is the best category, and the first k do not depend on how many are asked
        for. Scores are from `multiply`, or minus infinity for what is to have no rank.
        """
        k = min(k, self._given[0].shape[1])
        places, tied = self._model.rank(features, scores, k)
        shape = features.shape[1], k
        return Ranking(places.reshape(shape), tied.reshape(shape))
