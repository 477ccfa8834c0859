"""What is computed of the columns that were read, before it is multiplied: terms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from matscore.errors import InputError
from matscore.frame import Levels
from matscore.functions import FUNCTIONS, power
from matscore.kernel import Floats, Texts, write_number
from matscore.names import quote_names
from matscore.plan.terms import Terms, TextColumn
from matscore.read.faults import show_text
from matscore.read.rows import MISSING, UNKNOWN, FrameChunk, Layout, Reject, Rows
from matscore.read.split import Chunk
from matscore.spelling import find_close, suggest
from matscore.terms import (
    Factor,
    Function,
    Interval,
    Missing,
    Power,
    Term,
    write_factor,
    write_term,
)

_DOMAINS = {
    "log": "above 0", "log2": "above 0", "log10": "above 0", "log1p": "above -1",
    "sqrt": "from 0 on",
}  # fmt: skip
_TOO_LARGE = "the number is too large for float64"


def derive_rows(layout: Layout, chunk: Chunk | FrameChunk, rows: Rows) -> Rows:
    """Compute what is stored of the terms; rows for which that cannot be are set aside."""
    terms = layout.terms
    assert terms is not None
    n_numbers, n_read = len(terms.numbers), len(layout.feature_columns)
    numbers, more, codes = np.split(rows.features, [n_numbers, n_read])
    derivation = Derivation(terms, numbers, codes)
    features = derivation.compute()
    if len(more):  # numbers of another use, targets, stay behind what is computed
        features = np.vstack([features, more])
    rows = replace(rows, features=features, odd=derivation.mark())
    rejects = {}
    for row, name, what, hint in derivation.faults:
        if row not in rejects:
            column = layout.feature_columns[terms.numbers.index(name)]
            record = row if rows.places is None else int(rows.places[row])
            text = chunk.record(record).decode()
            rejects[row] = Reject(*chunk.locate(layout.own, record, column), what, hint, text)
    return rows.drop(rejects) if rejects else rows


class Derivation:
    """The terms of some rows, of which numbers and codes are read, (n_columns, n_rows) each."""

    def __init__(self, terms: Terms, numbers: Floats, codes: Floats) -> None:
        self.terms = terms
        self.faults: list[tuple[int, str, str, str]] = []  # row, column, what is wrong, what to do
        self._block = numbers
        self._numbers = dict(zip(terms.numbers, numbers, strict=True))
        self._codes = codes
        self._kept = {terms.numbers[i] for i in terms.kept}
        self._factors: dict[Factor, Floats] = {}

    def compute(self) -> Floats:
        """Return what is stored: products, then codes; of shape (n_stored, n_rows)."""
        terms = self.terms
        stored = np.empty((terms.n_stored, self._codes.shape[1]))
        # Most are columns as they are, of which a block is copied at once.
        stored[list(terms.plain)] = self._block[list(terms.plain.values())]
        for row, product in enumerate(terms.products):
            if row not in terms.plain:
                self._multiply(product, stored[row])
        for row, (texts, known) in enumerate(terms.codes.items(), start=len(terms.products)):
            joined = self._join_codes(texts, known) if len(texts) > 1 else self._codes[texts[0]]
            stored[row] = joined
        # By column in the terms' order: the first fault of a row is the one that is told.
        self.faults.sort(key=lambda fault: (fault[0], terms.numbers.index(fault[1])))
        return stored

    def mark(self) -> NDArray[np.uint8]:
        """Mark the cells that are unknown or missing, of shape (n_columns, n_rows)."""
        kept, sizes = list(self.terms.kept), self.terms.sizes[:, None]
        marks = np.zeros((len(kept) + len(sizes), self._codes.shape[1]), np.uint8)
        marks[: len(kept)][np.isnan(self._block[kept])] = MISSING
        # Codes from the number of levels on, below 0, and NaN, are few.
        rows, cells = np.nonzero(~((self._codes >= 0) & (self._codes < sizes)))
        codes, n_levels = self._codes[rows, cells], self.terms.sizes[rows]
        is_missing = np.isnan(codes) | (codes == n_levels + 1)
        marks[len(kept) + rows, cells] = np.where(is_missing, MISSING, UNKNOWN * (n_levels > 0))
        return marks

    def _multiply(self, product: Term, to: Floats) -> None:
        to[:] = self._compute_factor(product[0])
        with np.errstate(over="ignore", invalid="ignore"):
            for factor in product[1:]:
                to *= self._compute_factor(factor)
        if len(product) > 1:
            for row in np.flatnonzero(np.isinf(to)).tolist():
                what = f"{write_term(product)} overflows"
                self.faults.append((row, product[0].column, what, _TOO_LARGE))

    def _compute_factor(self, factor: Factor) -> Floats:
        if factor not in self._factors:
            self._factors[factor] = self._find_values(factor)
        return self._factors[factor]

    def _find_values(self, factor: Factor) -> Floats:
        """Return a factor's values, (n_rows,): NaN where the cell is missing and has no weight."""
        x = self._numbers[factor.column]
        absent = np.isnan(x)
        values: Floats
        match factor:
            case Missing():
                return np.where(absent, 1.0, 0.0)
            case Power(_, 1):
                values = x
            case Power(_, exponent):
                values = self._check(factor, x, power(x, exponent))
            case Function(name, _):
                values = self._check(factor, x, FUNCTIONS[name](x))
            case Interval(_, low, high, low_closed, high_closed):
                above = x >= low if low_closed else x > low
                below = x <= high if high_closed else x < high
                values = np.where(absent, np.nan, (above & below).astype(np.float64))
        if factor.column in self._kept:
            values = np.where(absent, 0.0, values)
        return values

    def _check(self, factor: Factor, x: Floats, values: Floats) -> Floats:
        """Note the rows in which a number has no power or function, or one that is too large."""
        if np.isfinite(values).all():
            return values
        for row in np.flatnonzero(~np.isfinite(values) & ~np.isnan(x)).tolist():
            shown, written = write_number(float(x[row])).removesuffix(".0"), write_factor(factor)
            if np.isinf(values[row]) and x[row] != 0.0:
                what, hint = f"{shown} is too large for {written}", _TOO_LARGE
            else:
                domain = _DOMAINS[factor.name] if isinstance(factor, Function) else "other than 0"
                what, hint = f"{shown} has no {written}", f"it needs a number {domain}"
            self.faults.append((row, factor.column, what, hint))
        return values

    def _join_codes(self, texts: tuple[int, ...], known: Sequence[tuple[int, ...]]) -> Floats:
        """Return the place of each row's codes among those known, -1 or NaN where there is none."""
        sizes = [len(self.terms.texts[i].levels) + 2 for i in texts]
        keys, joined = np.zeros(len(known), np.int64), np.zeros(self._codes.shape[1])
        columns = np.array(known, np.int64).T
        outside = np.zeros(len(joined), dtype=bool)
        for size, codes, column in zip(sizes, columns, self._codes[list(texts)], strict=True):
            keys = keys * size + codes
            outside |= column == Levels.NONE
            joined = joined * size + column
        places = np.searchsorted(keys, np.nan_to_num(joined)).clip(max=len(keys) - 1)
        is_known = (keys[places] == joined) & ~outside
        return np.where(np.isnan(joined), np.nan, np.where(is_known, places, Levels.NONE))


def explain_unknown(column: TextColumn, text: str) -> tuple[str, str]:
    """Say that a text is no level of its column, and what may be done."""
    shown = f'"{show_text(text)}"'
    what = f"{shown} is none of the levels {quote_names(column.levels)}"
    meant = suggest(find_close([text], column.levels))
    way_out = f"a row {column.name}=(other), or --unknown zero, keep or skip, takes the row"
    return what, f"{meant}; {way_out}" if meant else way_out


def read_codes(
    layout: Layout, chunk: FrameChunk, i: int, refuse: Callable[..., None]
) -> tuple[Floats, NDArray[np.bool_]]:
    """Return the codes of a typed column's levels, NaN for missing, and which cells are missing."""
    assert layout.terms is not None
    column = layout.terms.texts[layout.level_columns.index(i)]
    texts, places = _read_texts(layout, chunk, i, column)
    found = column.table.find(texts, layout.missing_values, layout.decimal)
    codes = found if places is None else found[places]
    gaps, unknown = codes == Levels.MISSING, codes == Levels.UNKNOWN
    codes = np.where(gaps, np.nan, codes)
    if layout.unknown in ("error", "skip"):
        for row in np.flatnonzero(unknown).tolist():
            text = texts[row if places is None else int(places[row])] or ""
            skipped = layout.unknown == "skip"
            refuse(row, i, *explain_unknown(column, text), text, skipped=skipped)
    codes[unknown] = np.nan if layout.unknown == "keep" else Levels.NONE
    return codes, gaps


def _read_texts(
    layout: Layout, chunk: FrameChunk, i: int, column: TextColumn
) -> tuple[Texts, NDArray[np.int64] | None]:
    """Return a typed column's texts, or its different ones and where each row's is among them."""
    cells = chunk.columns[i]
    if isinstance(cells, Texts):
        return cells, None
    if isinstance(cells, np.ndarray):
        values, places = np.unique(cells, return_inverse=True)
        return Texts.from_strings("" if np.isnan(v) else write_number(v) for v in values), places
    from matscore.read.typed import level_texts

    return level_texts(cells, column, chunk.path, i + 1, layout.name_of(i))


def find_code(layout: Layout, path: str, i: int, text: str) -> float:
    """Return the code of a text that is the same in all rows of a file."""
    assert layout.terms is not None
    column = layout.terms.texts[layout.level_columns.index(i)]
    code = float(
        column.table.find(Texts.from_strings([text]), layout.missing_values, layout.decimal)[0]
    )
    if code == Levels.MISSING and layout.missing in ("zero", "keep"):
        return np.nan if layout.missing == "keep" else Levels.NONE
    if code == Levels.UNKNOWN and layout.unknown in ("zero", "keep"):
        return np.nan if layout.unknown == "keep" else Levels.NONE
    if code < 0:
        what, hint = explain_unknown(column, text)
        raise InputError(path, f"the folder's value {what}", hint, name=layout.name_of(i))
    return code
