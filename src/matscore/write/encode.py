"""Scored rows into the bytes of an output format."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from matscore.frame import Frame, Kind, list_cells
from matscore.kernel import Choices, Column, Floats, Masked, Texts, write_rows
from matscore.options import Format

_BETWEEN = {"json": b",\n"}
_END = {"json": b"\n]\n"}


class Columns(Protocol):
    """The columns of an output."""

    @property
    def pairs(self) -> list[tuple[str, Kind]]:
        """Names and kinds, in order; a name that is there twice is to be refused."""


@dataclass(frozen=True)
class OutputSpec:
    """The columns of an output and how they are written.

    Attributes
    ----------
    format : str
        One of `FORMATS`; those of `SHOWN` keep the first rows and encode no bytes.
    columns : Columns
        Names and kinds.
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
    def kinds(self) -> dict[str, Kind]:
        """Names and kinds of the columns, in order."""
        return dict(self.columns.pairs)

    def find_duplicates(self) -> list[str]:
        """Return the names that two columns would share."""
        return [
            name for name, n in Counter(name for name, _ in self.columns.pairs).items() if n > 1
        ]


def finish_frame(spec: OutputSpec, frame: Frame) -> Frame:
    """Round numbers and guard text as the options of the output say.

    Parameters
    ----------
    spec : OutputSpec
        The options.
    frame : Frame
        Rows with the columns of ``spec.columns``.

    Returns
    -------
    Frame
        Rows as they are written.
    """
    return Frame({name: _finish(spec, column) for name, column in frame.columns.items()})


def encode_frame(spec: OutputSpec, frame: Frame) -> bytes:
    """Encode rows, without what stands once at the start and the end of the output.

    Parameters
    ----------
    spec : OutputSpec
        The format.
    frame : Frame
        Rows with the columns of ``spec.columns``.

    Returns
    -------
    bytes
        Text in UTF-8; an Arrow stream for the formats that are not text.
    """
    form = spec.format
    if form in ("csv", "tsv", "json", "jsonl"):
        if form in ("csv", "tsv") and len(frame.columns) == 1:  # nothing would be a blank line
            frame = Frame({name: _fill(column) for name, column in frame.columns.items()})
        return write_rows(form, frame.columns, precision=spec.precision, excel_safe=spec.excel_safe)
    finished = finish_frame(spec, frame)
    if form == "markdown":
        return _encode_markdown(finished, spec.kinds)
    from matscore.write.sink import encode_batch

    return encode_batch(finished)


def encode_start(spec: OutputSpec) -> bytes:
    """Return what stands at the start of the output: the header."""
    names = list(spec.kinds)
    if spec.format in ("csv", "tsv"):
        header = {name: Texts.from_strings([name]) for name in names}
        return write_rows(spec.format, header, excel_safe=spec.excel_safe)
    if spec.format == "json":
        return b"[\n"
    if spec.format == "markdown":
        rule = ["---" if kind == "text" else "---:" for kind in spec.kinds.values()]
        cells = [escape_markdown(_guard(name) if spec.excel_safe else name) for name in names]
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


def _finish(spec: OutputSpec, column: Column) -> Column:
    if isinstance(column, Texts):
        return column if not spec.excel_safe else _guard_texts(column)
    if isinstance(column, Choices):
        texts = _guard_texts(column.texts) if spec.excel_safe else column.texts
        return Choices(column.codes, texts)
    if isinstance(column, Masked):
        return Masked(_round(column.values, spec.precision), column.absent)
    rounded: Column = _round(column, spec.precision)
    return rounded


def _fill(column: Column) -> Column:
    return Texts(column.offsets, column.data) if isinstance(column, Texts) else column


def _guard_texts(texts: Texts) -> Texts:
    cells = texts.to_strings()
    return Texts.from_strings(None if cell is None else _guard(cell) for cell in cells)


def _round(values: Any, precision: int | None) -> Any:
    return round_to(values, precision) if values.dtype == np.float64 else values


def _guard(text: str) -> str:
    return f"'{text}" if re.match(r"[=+\-@\t\r]", text) else text


def _encode_markdown(frame: Frame, kinds: Mapping[str, Kind]) -> bytes:
    cells = []
    for name, kind in kinds.items():
        values = list_cells(frame[name])
        cells.append([_write_markdown(value, kind) for value in values])
    return "".join(f"| {' | '.join(row)} |\n" for row in zip(*cells, strict=True)).encode()


def _write_markdown(value: Any, kind: Kind) -> str:
    if value is None:
        return ""
    return escape_markdown(value) if kind == "text" else json.dumps(value)


def escape_markdown(text: str) -> str:
    """Make text safe for a cell of a Markdown table."""
    shown = "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)
    return shown.replace("|", "\\|")
