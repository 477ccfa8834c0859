"""Scored rows into the bytes of an output format."""

from __future__ import annotations

import io
import json
from collections import Counter
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import polars as pl

from matscore.kernel import Floats

DataFormat = Literal["csv", "tsv", "json", "jsonl", "markdown", "parquet", "arrow"]
Format = Literal[
    "csv", "tsv", "json", "jsonl", "markdown", "parquet", "arrow", "table", "html"
]  # fmt: skip
FORMATS: tuple[Format, ...] = (
    "table", "csv", "tsv", "json", "jsonl", "markdown", "html", "parquet", "arrow",
)  # fmt: skip
SHOWN: tuple[Format, ...] = ("table", "html")
"""The formats that hold the first rows only, and are made when all rows are done."""

_DELIMITERS = {"csv": ",", "tsv": "\t"}
_BETWEEN = {"json": b",\n"}
_END = {"json": b"\n]\n"}


class Columns(Protocol):
    """The columns of an output."""

    @property
    def pairs(self) -> list[tuple[str, pl.DataType]]:
        """Names and types, in order; a name that is there twice is to be refused."""

    @property
    def nullable(self) -> tuple[str, ...]:
        """Text columns where nothing is not the same as an empty text."""


@dataclass(frozen=True)
class OutputSpec:
    """The columns of an output and how they are written.

    Attributes
    ----------
    format : str
        One of `FORMATS`; those of `SHOWN` keep the first rows and encode no bytes.
    columns : Columns
        Names and types.
    precision : int or None
        Decimals to round to.
    excel_safe : bool
        Whether text that a spreadsheet would take for a formula gets a leading apostrophe.
    max_rows : int
        Rows kept for a table.
    selects : bool
        Whether only some rows give output, which may come late.
    """

    format: Format
    columns: Columns
    precision: int | None = None
    excel_safe: bool = False
    max_rows: int = 20
    selects: bool = False

    @property
    def schema(self) -> dict[str, pl.DataType]:
        """Names and types of the columns, in order."""
        return dict(self.columns.pairs)

    def find_duplicates(self) -> list[str]:
        """Return the names that two columns would share."""
        return [
            name for name, n in Counter(name for name, _ in self.columns.pairs).items() if n > 1
        ]


def finish_frame(spec: OutputSpec, frame: pl.DataFrame) -> pl.DataFrame:
    """Round numbers and guard text as the options of the output say.

    Parameters
    ----------
    spec : OutputSpec
        The options.
    frame : DataFrame
        Rows with the columns of ``spec.columns``.

    Returns
    -------
    DataFrame
        Rows as they are written.
    """
    if spec.precision is not None:
        numbers = [c for c in frame.iter_columns() if c.dtype == pl.Float64]
        frame = frame.with_columns(_round_column(c, spec.precision) for c in numbers)
    if spec.excel_safe:
        texts = [c for c in frame.iter_columns() if c.dtype == pl.String]
        frame = frame.with_columns(_guard_formulas(c).alias(c.name) for c in texts)
    return frame


def encode_frame(spec: OutputSpec, frame: pl.DataFrame) -> bytes:
    """Encode rows, without what stands once at the start and the end of the output.

    Parameters
    ----------
    spec : OutputSpec
        The format.
    frame : DataFrame
        From `finish_frame`.

    Returns
    -------
    bytes
        Text in UTF-8; an Arrow stream for the formats that are not text.
    """
    out = io.BytesIO()
    if spec.format in _DELIMITERS:
        if frame.width == 1:  # nothing would be a blank line, an empty text is written as ""
            frame = frame.with_columns(c.fill_null("") for c in frame if c.dtype == pl.String)
        frame.write_csv(out, include_header=False, separator=_DELIMITERS[spec.format])
    elif spec.format in ("json", "jsonl"):
        texts = [c for c in frame.iter_columns() if c.dtype == pl.String]
        filled = [c.fill_null("") for c in texts if c.name not in spec.columns.nullable]
        frame.with_columns(filled).write_ndjson(out)
        if spec.format == "json":
            return out.getvalue()[:-1].replace(b"\n", b",\n")
    elif spec.format == "markdown":
        return _encode_markdown(frame)
    else:
        frame.write_ipc_stream(out)
    return out.getvalue()


def encode_start(spec: OutputSpec) -> bytes:
    """Return what stands at the start of the output: the header."""
    names = list(spec.schema)
    if spec.excel_safe:
        names = _guard_formulas(pl.Series(names, dtype=pl.String)).to_list()
    if spec.format in _DELIMITERS:
        empty = pl.DataFrame({name: [] for name in names}, schema=dict.fromkeys(names, pl.String))
        return empty.write_csv(separator=_DELIMITERS[spec.format]).encode()
    if spec.format == "json":
        return b"[\n"
    if spec.format == "markdown":
        rule = ["---:" if t.is_numeric() else "---" for t in spec.schema.values()]
        cells = [escape_markdown(name) for name in names]
        return f"| {' | '.join(cells)} |\n| {' | '.join(rule)} |\n".encode()
    return b""


def encode_between(spec: OutputSpec) -> bytes:
    """Return what stands between the bytes of one chunk and the next."""
    return _BETWEEN.get(spec.format, b"")


def encode_end(spec: OutputSpec) -> bytes:
    """Return what stands at the end of the output."""
    return _END.get(spec.format, b"")


def round_to(values: Floats, precision: int | None) -> Floats:
    """Round to a number of decimals, leaving alone what has none.

    Parameters
    ----------
    values : ndarray, float64
        NaN stays NaN.
    precision : int or None
        Decimals; None leaves the values as they are.

    Returns
    -------
    ndarray, float64
        Rounded values.

    Examples
    --------
    >>> round_to(np.array([2.675, 1e300]), 1).tolist()
    [2.7, 1e+300]
    """
    if precision is None:
        return values
    whole = np.abs(values) >= 2.0**52
    rounded: Floats = np.where(whole, values, np.round(np.where(whole, 0.0, values), precision))
    return rounded


def _round_column(series: pl.Series, precision: int) -> pl.Series:
    rounded = pl.Series(series.name, round_to(series.to_numpy(), precision))
    return rounded.set(series.is_null(), None) if series.null_count() else rounded


def _guard_formulas(series: pl.Series) -> pl.Series:
    if series.dtype != pl.String:
        return series
    risky = series.str.contains(r"^[=+\-@\t\r]")
    return pl.select(pl.when(risky).then(pl.lit("'") + series).otherwise(series)).to_series()


def _encode_markdown(frame: pl.DataFrame) -> bytes:
    cells = []
    for column in frame.iter_columns():
        if column.dtype == pl.String:
            texts = [escape_markdown(text or "") for text in column]
        else:
            texts = ["" if value is None else json.dumps(value) for value in column]
        cells.append(texts)
    return "".join(f"| {' | '.join(row)} |\n" for row in zip(*cells, strict=True)).encode()


def escape_markdown(text: str) -> str:
    """Make text safe for a cell of a Markdown table."""
    shown = "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)
    return shown.replace("|", "\\|")
