"""The compiled kernel: text to numbers, scores, what they decide, and numbers to text.

This is all that the rest of the program imports of it. Faults come back as data; the sentences are
made by the callers.
"""

from __future__ import annotations

import json
import os
import tempfile
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from matscore import _kernel

__all__ = [
    "BadRecord",
    "Choices",
    "Column",
    "Decision",
    "Exclusions",
    "Fault",
    "Floats",
    "Gather",
    "Gathers",
    "Items",
    "LevelCounts",
    "Levels",
    "Masked",
    "PackedWeights",
    "Ranking",
    "Recommended",
    "Stop",
    "Table",
    "Texts",
    "count_records",
    "exp",
    "find_cut",
    "open_unnamed",
    "parse",
    "read_number",
    "write_number",
    "write_rows",
]

Floats: TypeAlias = NDArray[np.float64]
Places: TypeAlias = NDArray[np.int64]
Marks: TypeAlias = NDArray[np.bool_]

_ROW_ENDS = {"csv": "\n", "tsv": "\n", "jsonl": "}\n", "json": "},\n"}
Policy: TypeAlias = Literal["error", "skip", "zero", "keep"]
_POLICIES = {"error": 0, "skip": 0, "zero": 1, "keep": 2}


class Fault(IntEnum):
    """What is wrong with a record or, from `NUL` on, with a whole chunk."""

    WIDTH = 1
    DELIMITERS_ONLY = 2
    BYTE_ORDER_MARK = 3
    RETURN = 4
    NUMBER = 5
    MISSING = 6
    LEVEL = 7
    HEADER_AGAIN = 8
    NUL = 9
    NOT_UTF8 = 10
    QUOTE_INSIDE = 11
    TEXT_AFTER_QUOTE = 12
    QUOTE_OPEN = 13


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
        """Make texts of strings; None is absent.

        Examples
        --------
        >>> Texts.from_strings(["a", None, "é"]).to_strings()
        ['a', None, 'é']
        """
        held = list(texts)
        encoded = [(text or "").encode() for text in held]
        offsets = np.zeros(len(held) + 1, np.uint64)
        np.cumsum([len(text) for text in encoded], out=offsets[1:])
        absent = np.array([text is None for text in held], np.bool_)
        data = np.frombuffer(b"".join(encoded), np.uint8)
        return cls(offsets, data, absent if absent.any() else None)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, i: int) -> str:
        start, end = self.offsets[i], self.offsets[i + 1]
        return self.data[int(start) : int(end)].tobytes().decode()

    def __iter__(self) -> Iterator[str]:
        data, ends = self.data.tobytes(), self.offsets.tolist()
        for start, end in pairwise(ends):
            yield data[start:end].decode()

    def to_strings(self) -> list[str | None]:
        """Return the texts, None for those that are absent."""
        texts: list[str | None] = list(self)
        for i in np.flatnonzero(self.absent if self.absent is not None else ()).tolist():
            texts[i] = None
        return texts

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


@dataclass(frozen=True, eq=False)
class Masked:
    """Numbers of which some are absent: CSV has nothing there, JSON null."""

    values: NDArray[np.float64] | NDArray[np.int64]  # (n,)
    absent: NDArray[np.bool_]  # (n,)


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


class Levels:
    """The levels of a text column; threads may share it.

    A cell's code is its level's place; ``len(levels)`` for any other text, where `other`; one more
    for a missing cell, where `missing`. Texts are compared byte for byte. With `numeric` levels are
    numbers, written with a point, and a cell is compared by its value, with blanks around it. A
    cell is missing as for numbers, even where a level has its text.

    Examples
    --------
    >>> regions = Levels(["North", "South"], other=True)
    >>> cells = Texts.from_strings(["South", "", "south"])
    >>> regions.find(cells, []).tolist()
    [1.0, -3.0, 2.0]
    """

    NONE = -1.0  # none of the column's terms counts
    UNKNOWN = -2.0
    MISSING = -3.0

    def __init__(
        self,
        levels: Sequence[str],
        *,
        numeric: bool = False,
        other: bool = False,
        missing: bool = False,
    ) -> None:
        self.levels = tuple(levels)
        self._given = numeric, other, missing
        self._table = _kernel.Levels(self.levels, *self._given)

    def __reduce__(self) -> tuple[Any, ...]:
        return Levels._make, (self.levels, *self._given)

    def __len__(self) -> int:
        return len(self.levels)

    @classmethod
    def _make(cls, levels: Sequence[str], numeric: bool, other: bool, missing: bool) -> Levels:
        return cls(levels, numeric=numeric, other=other, missing=missing)

    def find(self, texts: Texts, missing_values: Sequence[str], decimal: str = ".") -> Floats:
        """Return the code of each text, `UNKNOWN` or `MISSING` where there is none."""
        words = _strip_words(missing_values)
        return self._table.find(texts.offsets, texts.data, words, decimal)


class LevelCounts:
    """How often each text of a column occurs, in the order in which they were first seen.

    Examples
    --------
    >>> counts = LevelCounts()
    >>> counts.add(Texts.from_strings(["b", "a", None, "b"]), ["NA"])
    >>> counts.items(), counts.n_missing, len(counts)
    ([('b', 2), ('a', 1)], 1, 2)
    """

    def __init__(self) -> None:
        self._counts = _kernel.TextCounts()
        self.n_missing = 0

    def __len__(self) -> int:
        return len(self._counts)

    def __getstate__(self) -> tuple[Any, ...]:
        return *self._counts.counted(), self.n_missing

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        LevelCounts.__init__(self)
        offsets, data, counts, self.n_missing = state
        self._counts.add(offsets, data, [], counts)

    def add(self, texts: Texts, missing_values: Sequence[str]) -> None:
        """Count some texts; those that are missing are counted apart."""
        words = _strip_words(missing_values)
        self.n_missing += self._counts.add(texts.offsets, texts.data, words, None)

    def merge(self, other: LevelCounts) -> None:
        """Count what another one has counted."""
        offsets, data, counts = other._counts.counted()
        self._counts.add(offsets, data, [], counts)
        self.n_missing += other.n_missing

    def items(self) -> list[tuple[str, int]]:
        """Return each text and how often it occurs."""
        offsets, data, counts = self._counts.counted()
        return list(zip(Texts(offsets, data), counts.tolist(), strict=True))


def _strip_words(missing_values: Sequence[str]) -> list[str]:
    return sorted({word.strip(" \t") for word in missing_values} - {""})


def parse(
    data: bytes,
    *,
    width: int,
    features: Sequence[int] = (),
    texts: Sequence[int] = (),
    delimiter: str = ",",
    decimal: str = ".",
    kept: Sequence[int] = (),
    levels: Sequence[tuple[int, Levels]] = (),
    missing: Policy = "error",
    unknown: Policy = "error",
    missing_values: Sequence[str] = (),
    names: Sequence[str] | None = None,
    has_labels: bool = False,
) -> Table:
    r"""Read whole records, strictly; the last may lack its line end.

    Columns of `features` are read as numbers, in the order of the result, those of `levels` as the
    codes of their levels, after them, those of `texts` as text; a column may be all of them. A
    missing cell is a fault with "error" and "skip"; with "zero" the number 0 or the code -1; else
    NaN, as it always is in the columns of `kept`. So is an `unknown` text among levels. `names` are
    the header's cells, to name a record that repeats them; a column of labels (`has_labels`) tells
    such a record from a good one where nothing else is wrong with it.

    Examples
    --------
    >>> table = parse(b"x,1,2\ny,3\nz,5,6\n", width=3, features=[2, 1], texts=[0])
    >>> table.features.tolist(), table.texts[0].to_strings()
    ([[2.0, 6.0], [1.0, 5.0]], ['x', 'z'])
    >>> [(bad.line, bad.fault.name, bad.n_cells) for bad in table.bad]
    [(1, 'WIDTH', 2)]
    """
    if width < 1 or delimiter in '\0"\n\r' or (names and len(names) != width):
        raise ValueError("the width, the delimiter or the names do not make a layout")
    for columns in (features, texts, [column for column, _ in levels]):
        if not set(columns) <= set(range(width)) or len(set(columns)) < len(columns):
            raise ValueError("columns are out of range")
    if not set(kept) <= set(features):
        raise ValueError("kept columns are no features")
    values, cells, n_records, rows, has_missing, bad, stop = _kernel.parse(
        data,
        delimiter,
        decimal,
        width,
        list(features),
        list(texts),
        list(kept),
        [(column, known._table) for column, known in levels],
        (_POLICIES[missing], _POLICIES[unknown]),
        _strip_words(missing_values),
        list(names or ()),
        has_labels,
    )
    return Table(
        values,
        tuple(Texts(*parts) for parts in cells),
        n_records,
        rows,
        has_missing,
        list(map(BadRecord._make, bad.tolist())),
        Stop(Fault(stop[0]), *stop[1:]) if stop[0] else None,
    )


def find_cut(data: bytes, delimiter: str, *, at_end: bool = False) -> int:
    r"""Find how many bytes of a buffer that starts at a record boundary can be cut off.

    0 when it holds no whole record. The cut is after the last record that is not blank; before the
    first misplaced quote's line; or after that line alone, where it is the first. With `at_end` the
    input ends here, so that the last record needs no line end.

    Examples
    --------
    >>> find_cut(b'a,b\n"c\nd', ",")
    4
    """
    return _kernel.find_cut(data, delimiter, at_end)


def count_records(data: bytes) -> tuple[int, int]:
    r"""Count the line ends of a run of whole records, and the records.

    Examples
    --------
    >>> count_records(b'a\n"b\nc"\nd')
    (3, 3)
    """
    n_lines, n_quoted = _kernel.count_lines(data)
    n_records = n_lines - n_quoted + (not data.endswith(b"\n"))
    return n_lines, max(n_records, 1)  # the line of a misplaced quote counts as one record


def read_number(text: str, decimal: str = ".") -> float | None:
    """Read a cell as a number, rounded right; None where it is none or no float64 holds it.

    Examples
    --------
    >>> [read_number(text) for text in ("+1", " .5 ", "1E5", "1_000", "inf", "1e400", "1,5")]
    [1.0, 0.5, 100000.0, None, None, None, None]
    >>> read_number("1,5", decimal=",")
    1.5
    """
    return _kernel.read_number(text.encode(errors="replace"), decimal)


def write_number(number: float) -> str:
    """Write a number in the shortest form that reads back to the same float64.

    Examples
    --------
    >>> [write_number(x) for x in (1.0, 0.1, 1e16, 1.5e-7)]
    ['1.0', '0.1', '1e+16', '1.5e-7']
    """
    return _kernel.write_number(number).decode()


def write_rows(
    form: Literal["csv", "tsv", "json", "jsonl"],
    columns: Mapping[str, Column],
    *,
    precision: int | None = None,
    excel_safe: bool = False,
) -> bytearray:
    """Write rows in UTF-8, without what stands once at the start and the end of an output.

    Columns are float64 or int64 of shape (n_rows,), or objects of this module. Floats are rounded
    to at most 22 decimals as by `numpy.round`. In JSON a number that is not finite is null, an
    absent text ""; with "json" a comma stands between rows and not after them. `excel_safe` guards
    text that a spreadsheet takes for a formula by an apostrophe.

    Examples
    --------
    >>> columns = {"id": Texts.from_strings(["a,b", "c"]), "x": np.array([1.25, np.nan])}
    >>> print(write_rows("csv", columns).decode(), end="")
    "a,b",1.25
    c,NaN
    >>> print(write_rows("jsonl", columns, precision=1).decode(), end="")
    {"id":"a,b","x":1.2}
    {"id":"c","x":null}
    """
    if precision is not None and precision > 22:
        raise ValueError("too many decimals")
    delimiter, is_json = "\t" if form == "tsv" else ",", form in ("json", "jsonl")
    keys = [delimiter if i else "" for i in range(len(columns))]  # what stands before a cell
    if is_json:
        names = [json.dumps(name, ensure_ascii=False) for name in columns]
        keys = [f"{',' if i else '{'}{name}:" for i, name in enumerate(names)]
    written = _kernel.write_rows(
        is_json,
        delimiter,
        _ROW_ENDS[form],
        -1 if precision is None else precision,
        excel_safe,
        keys,
        [_take_apart(column) for column in columns.values()],
    )
    if form == "json":
        del written[-2:]  # a comma stands between rows and not after them
    return written


def _take_apart(column: Column) -> tuple[object, ...]:
    match column:
        case Masked(values, absent):
            return np.ascontiguousarray(values), absent
        case Texts(offsets, data, absent):
            return offsets, data, absent, None, False
        case Choices(codes, Texts(offsets, data, absent)):
            return offsets, data, absent, codes, True
        case _ if column.dtype == np.float64:
            return np.ascontiguousarray(column), None
        case _:
            return column, None


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


class PackedWeights:
    """A linear model as it is multiplied; threads may share it.

    A score is ``s = 0``, ``s = fma(x, w, s)`` for each feature in order, then the intercept, each
    step rounded once. Scores that differ by no more than the sum of their error bounds are a tie.
    Weights are of shape (n_features, n_categories), the intercept of (n_categories,), both finite;
    features are of shape (n_features, n_rows), float64: finite, or NaN where one is missing. With
    `gathers` features are stored rows, (n_stored, n_rows), and scores those of what `expand` makes.

    Examples
    --------
    >>> model = PackedWeights(np.array([[1.0, 0.5], [0.25, 2.0]]))
    >>> model.multiply(np.array([[5.0], [2.0]])).tolist()
    [[5.5], [6.5]]
    >>> model = PackedWeights(np.array([[0.3, 0.1], [0.0, 0.2]]))
    >>> _, decision = model.score(np.array([[1.0], [1.0]]))
    >>> decision.best.tolist(), decision.tied.tolist(), decision.margin.tolist()
    ([0], [True], [0.0])
    """

    def __init__(
        self, weights: Floats, intercept: Floats | None = None, gathers: Gathers | None = None
    ) -> None:
        self._given = weights, intercept, gathers
        self._model = _kernel.Model(weights, intercept, gathers)

    def __reduce__(self) -> tuple[Any, ...]:
        return PackedWeights, self._given

    def expand(self, features: Floats) -> Floats:
        """Return the terms of stored rows, of shape (n_terms, n_rows).

        A term without a stored number is 0 but where its group has its code; all are NaN in a row
        with anything missing.
        """
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
        """Return scores, of shape (n_categories, n_rows).

        NaN in every category for a row with a missing feature; an infinity or NaN where a step
        overflows.
        """
        return self.score(features)[0]

    def score(self, features: Floats, *, keep: bool = True) -> tuple[Floats, Decision]:
        """Return the scores, of shape (0, n_rows) where they are not to be kept, and decide."""
        scores, best, margin, tied, overflow = self._model.score(features, keep)
        return scores, Decision(best, margin, tied, overflow)

    def error_bound(self, features: Floats) -> Floats:
        """Bound the rounding error of each score, of shape (n_categories, n_rows).

        The bound is ``gamma * (|weights.T| @ |features| + |intercept|)``, ``gamma = n u / (1 - n
        u)``, with ``n`` roundings and ``u = 2**-53``: Higham, Accuracy and Stability of Numerical
        Algorithms, 2nd ed., section 3.1; and what products that underflow may lose (section 2.1).
        NaN where a feature is NaN.
        """
        return self._model.error_bound(features)

    def mark_ties(self, features: Floats, scores: Floats) -> Marks:
        """Mark, in each row of scores, the highest and those that tie with it.

        The best category alone where nothing ties; none for missing scores.
        """
        return self._model.tied_cells(features, scores)

    def rank(self, features: Floats, scores: Floats, k: int) -> Ranking:
        """Rank the categories of scored rows, ``min(k, n_categories)`` of them.

        Again and again, of what is left, the highest score is taken; what ties with it is tied, and
        the first of the tied in order gets the next rank. So the first rank is the best category,
        and the first k ranks do not depend on how many are asked for. Scores are from `multiply`,
        or minus infinity for a category that is to have no rank.

        Examples
        --------
        >>> features, scores = np.array([[2.0]]), np.array([[0.8], [1.4]])
        >>> PackedWeights(np.array([[0.4, 0.7]])).rank(features, scores, 1).places.tolist()
        [[1]]
        """
        return Ranking(*self._model.rank(features, scores, k))


def exp(values: Floats) -> Floats:
    """Return powers of e of a matrix, within an ulp, with the same bits on every processor."""
    return _kernel.exp(values)


class Exclusions(NamedTuple):
    """Items to leave out, user by user."""

    starts: Places  # (n_users + 1,): where each user's items begin and end in `items`
    items: Places  # duplicates do no harm


class Recommended(NamedTuple):
    """The best items of some users, user after user, best first."""

    counts: Places  # (n_users,): items a user
    items: Places  # (counts.sum(),), as the next two
    scores: Floats
    tied: Marks  # another score was within rounding error when the order settled the rank
    overflow: Places  # users whose scores overflow; nothing is recommended to them

    @property
    def ranks(self) -> Places:
        """From 1 for each user."""
        ends = np.cumsum(self.counts)
        return np.arange(1, len(self.items) + 1) - np.repeat(ends - self.counts, self.counts)


def open_unnamed(owner: object) -> int:
    """Open a temporary file that goes with its owner, and with a kill; return its descriptor."""
    with tempfile.TemporaryFile(buffering=0) as file:
        fd = os.dup(file.fileno())
    weakref.finalize(owner, os.close, fd)
    return fd


class Items:
    """Items to recommend, held as they are multiplied: each once, however many copies it has.

    A score is the chain of `PackedWeights` over the features of a user and an item. For the cosine
    it is divided by the two norms, and there is none where one of them is 0. With `spill` they are
    held in a temporary file, which goes with the object. Threads may share it.

    Examples
    --------
    >>> films = Items(2)
    >>> films.add(np.array([[0.8, 0.1], [0.2, 0.9]]))
    >>> films.recommend(np.array([[0.9, 0.1], [0.2, 0.8]]), 1).items.tolist()
    [0, 1]
    """

    def __init__(self, n_features: int, *, cosine: bool = False, spill: bool = False) -> None:
        self.n_features = n_features
        self.cosine = cosine
        self.spill = spill
        fd = open_unnamed(self) if spill else -1
        self._items = _kernel.Items(n_features, cosine=cosine, spill=fd)

    def __len__(self) -> int:
        return len(self._items)

    def __getstate__(self) -> dict[str, Any]:
        return {
            "n_features": self.n_features,
            "cosine": self.cosine,
            "spill": self.spill,
            "blocks": list(self.iter_rows()),
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        blocks = state.pop("blocks")
        Items.__init__(self, **state)
        for rows in blocks:
            self.add(rows)

    def iter_rows(self) -> Iterator[Floats]:
        """Yield the items, up to 1,024 at a time; for the cosine, scaled by powers of two."""
        for block in range(self._items.n_blocks()):
            yield self._items.unpack(block)

    def add(self, rows: Floats) -> None:
        """Append finite items, of shape (n, n_features); best are multiples of 1,024 at a time."""
        self._items.add(rows)

    def recommend(
        self,
        users: Floats,
        k: int,
        *,
        min_score: float | None = None,
        exclusions: Exclusions | None = None,
    ) -> Recommended:
        """Find the best items, at most k, for each user of `users`, (n_features, n_users), float64.

        Of those that are not left out and whose scores reach the least one, the ones that the rule
        of `PackedWeights.rank` puts first; nothing for a user with a missing feature, which is NaN.
        """
        starts, left_out = exclusions or (None, None)
        least = -np.inf if min_score is None else min_score
        found = self._items.recommend(users, k, min_score=least, starts=starts, excluded=left_out)
        return Recommended(*found)

    def score(self, users: Floats) -> Floats:
        """Return the scores of all items for each user, of shape (n_users, n_items).

        NaN for a user with a missing feature, and where zeros have no cosine; an infinity or NaN
        where a product overflows.
        """
        return self._items.score(users)
