"""Scored rows into the bytes of an output format."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl

from matscore.product import Floats
from matscore.score import Scored

DataFormat = Literal["csv", "tsv", "json", "jsonl", "markdown", "parquet", "arrow"]
Format = Literal["csv", "tsv", "json", "jsonl", "markdown", "parquet", "arrow", "table"]
FORMATS: tuple[Format, ...] = (
    "table", "csv", "tsv", "json", "jsonl", "markdown", "parquet", "arrow",
)  # fmt: skip
_DELIMITERS = {"csv": ",", "tsv": "\t"}
_BETWEEN = {"json": b",\n"}
_END = {"json": b"\n]\n"}


@dataclass(frozen=True)
class OutputSpec:
    """The columns of an output and how they are written.

    Attributes
    ----------
    format : str
        One of `FORMATS`; ``table`` keeps the first rows for the screen and writes no bytes.
    label_name : str
        Name of the label column.
    kept_names : tuple of str
        Names of the columns carried through.
    categories : tuple of str
        Names of the score columns.
    numbered : bool
        Whether labels are row numbers.
    scores, prediction, probabilities, margin : bool
        Which columns there are.
    precision : int or None
        Decimals to round to.
    excel_safe : bool
        Whether text that a spreadsheet would take for a formula gets a leading apostrophe.
    max_rows : int
        Rows kept for a table.
    """

    format: Format
    label_name: str
    kept_names: tuple[str, ...]
    categories: tuple[str, ...]
    numbered: bool = False
    scores: bool = True
    prediction: bool = True
    probabilities: bool = False
    margin: bool = False
    precision: int | None = None
    excel_safe: bool = False
    max_rows: int = 20

    @property
    def schema(self) -> dict[str, pl.DataType]:
        """Names and types of the columns, in order."""
        label: pl.DataType = pl.Int64() if self.numbered else pl.String()
        numbers = self.score_names
        last = self.probability_names + (("margin",) if self.margin else ())
        schema = {self.label_name: label}
        schema |= dict.fromkeys(self.kept_names, pl.String())
        schema |= dict.fromkeys(numbers, pl.Float64())
        if self.prediction:
            schema["prediction"] = pl.String()
        return schema | dict.fromkeys(last, pl.Float64())

    @property
    def score_names(self) -> tuple[str, ...]:
        """Names of the score columns; none when they are left out."""
        return self.categories if self.scores else ()

    @property
    def probability_names(self) -> tuple[str, ...]:
        """Names of the probability columns."""
        return tuple(f"probability_{c}" for c in self.categories) if self.probabilities else ()

    def find_duplicates(self) -> list[str]:
        """Return the names that two columns would share."""
        names = [self.label_name, *self.kept_names, *self.score_names, *self.probability_names]
        names += ["prediction"] * self.prediction + ["margin"] * self.margin
        return [name for name, n in Counter(names).items() if n > 1]


def make_frame(
    spec: OutputSpec, labels: pl.Series, kept: Iterable[pl.Series], scored: Scored
) -> pl.DataFrame:
    """Put scored rows into the output's columns.

    Parameters
    ----------
    spec : OutputSpec
        The columns.
    labels : Series
        Labels, or row numbers.
    kept : iterable of Series of str
        Columns carried through.
    scored : Scored
        The rows' scores.

    Returns
    -------
    DataFrame
        With the columns of ``spec.schema``.
    """
    columns: dict[str, pl.Series] = {spec.label_name: labels}
    columns |= dict(zip(spec.kept_names, kept, strict=True))
    if spec.excel_safe:
        columns = {name: _guard_formulas(series) for name, series in columns.items()}
    columns |= _number_columns(spec.score_names, scored.scores, spec.precision)
    if spec.prediction:
        names = pl.Series([*spec.categories, None], dtype=pl.String)
        if spec.excel_safe:
            names = _guard_formulas(names)
        best = scored.decision.best
        columns["prediction"] = names.gather(np.where(best < 0, len(spec.categories), best))
    if scored.probabilities is not None:
        columns |= _number_columns(spec.probability_names, scored.probabilities, spec.precision)
    if spec.margin:
        columns |= _number_columns(("margin",), scored.decision.margin[None], spec.precision)
    return pl.DataFrame(columns)


def encode_frame(spec: OutputSpec, frame: pl.DataFrame) -> bytes:
    """Encode rows, without what stands once at the start and the end of the output.

    Parameters
    ----------
    spec : OutputSpec
        The format.
    frame : DataFrame
        From `make_frame`.

    Returns
    -------
    bytes
        Text in UTF-8; an Arrow stream for the formats that are not text.
    """
    out = io.BytesIO()
    if spec.format in _DELIMITERS:
        frame.write_csv(out, include_header=False, separator=_DELIMITERS[spec.format])
    elif spec.format in ("json", "jsonl"):
        frame.with_columns(pl.col(pl.String).exclude("prediction").fill_null("")).write_ndjson(out)
        if spec.format == "json":
            return out.getvalue()[:-1].replace(b"\n", b",\n")
    elif spec.format == "markdown":
        return _encode_markdown(spec, frame)
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
        cells = [_escape_markdown(name) for name in names]
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


def _number_columns(
    names: tuple[str, ...], values: Floats, precision: int | None
) -> dict[str, pl.Series]:
    rounded = round_to(values, precision)
    return {name: pl.Series(column) for name, column in zip(names, rounded, strict=False)}


def _guard_formulas(series: pl.Series) -> pl.Series:
    if series.dtype != pl.String:
        return series
    risky = series.str.contains(r"^[=+\-@\t\r]")
    return pl.select(pl.when(risky).then(pl.lit("'") + series).otherwise(series)).to_series()


def _encode_markdown(spec: OutputSpec, frame: pl.DataFrame) -> bytes:
    cells = []
    for column in frame.iter_columns():
        if column.dtype == pl.String:
            texts = [_escape_markdown(text or "") for text in column]
        elif spec.precision is not None and column.dtype == pl.Float64:
            texts = [f"{value:.{spec.precision}f}" for value in column]
        else:
            texts = [json.dumps(value) for value in column]
        cells.append(texts)
    return "".join(f"| {' | '.join(row)} |\n" for row in zip(*cells, strict=True)).encode()


def _escape_markdown(text: str) -> str:
    shown = "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)
    return shown.replace("|", "\\|")
