"""A second table with the same rows as the features, read in step with them: truths or targets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, NoReturn

import numpy as np
import polars as pl

from matscore.errors import InputError
from matscore.files.parse import Layout, ParsedRows, Reject
from matscore.files.records import find_records
from matscore.files.rows import FrameChunk, parse_sound
from matscore.files.sample import sample_table
from matscore.files.split import Chunk
from matscore.files.table import ReadOptions, Table, iter_table
from matscore.pipeline import Job
from matscore.plan.learning import ColumnOptions, Sample, check_header, find_label
from matscore.work.beside import ERROR, LABEL, LINE, SKIPPED, Beside

CHUNK_BYTES = 2**20


def make_companion(
    table: Table,
    read: ReadOptions,
    *,
    label_name: str | None,
    choose: Callable[[Sample, int | None], tuple[tuple[int, ...], tuple[int, ...]]],
    stops: bool,
    no_id_col: bool,
    named: str | None = None,
) -> Companion:
    """Make a companion of a table that has the same rows as the features.

    Parameters
    ----------
    table : Table
        Open, its records unread.
    read : ReadOptions
        How it is read.
    label_name : str or None
        What the features call their labels; None where they have none.
    choose : callable
        Takes a look at the table and its label column, and gives the columns to read as text and
        those to read as numbers.
    stops : bool
        Whether a bad record stops the run.
    no_id_col : bool
        Whether a first column of numbers holds no labels.
    named : str or None
        A column that an option names.

    Returns
    -------
    Companion
        Ready to be read once.

    Raises
    ------
    MisfitError
        Its columns do not serve what they are for.
    """
    sample = sample_table(table, read)
    check_header(sample, (label_name, named))
    label = _find_label(sample, label_name, no_id_col=no_id_col)
    texts, numbers = choose(sample, label)
    layout = Layout(
        table.names,
        table.width,
        label,
        texts,
        numbers,
        table.delimiter,
        read.decimal,
        "skip" if read.missing == "skip" else "error",
        read.missing_values,
        "--missing skip leaves such rows out",
    )
    return Companion(table, layout, label is not None and label_name is not None, stops)


@dataclass(frozen=True)
class Companion:
    """A second table that is read in step with the features.

    Attributes
    ----------
    table : Table
        Open, its records unread.
    layout : Layout
        Its columns: a label or none, and texts or numbers.
    labelled : bool
        Whether labels are to be compared with those of the features.
    stops : bool
        Whether a bad record stops the run.
    """

    table: Table
    layout: Layout
    labelled: bool
    stops: bool

    def attach(self, pairs: Iterator[tuple[Job, Any]]) -> Iterator[tuple[Job, Any]]:
        """Give each chunk's work the records that belong to it.

        Raises
        ------
        InputError
            A bad record that stops the run; one of the two tables is longer.
        """
        chunks = iter_table(self.table, self.layout, chunk_bytes=CHUNK_BYTES)
        held = pl.DataFrame()
        for job, chunk in pairs:
            while held.height < chunk.n_records:
                if (following := next(chunks, None)) is None:
                    self._refuse_length(chunk, held.height)
                read = self._read(following)
                held = pl.concat([held, read]) if held.height else read
            part, held = held[: chunk.n_records], held[chunk.n_records :]
            beside = Beside(self.table.path, part, self.labelled)
            yield replace(job, work=replace(job.work, beside=beside)), chunk  # type: ignore[type-var]
        rest = held if held.height else None
        if rest is None and (following := next(chunks, None)) is not None:
            rest = self._read(following)
        if rest is not None:
            what, hint = "more rows than the features", "both files must have the same rows"
            raise InputError(self.table.path, what, hint, line=rest[0, LINE])

    def _refuse_length(self, chunk: Chunk | FrameChunk, n_records: int) -> NoReturn:
        what = f"{chunk.row + n_records:,} rows, and the features have more"
        raise InputError(self.table.path, what, "both files must have the same rows")

    def _refuse(self, reject: Reject) -> None:
        if self.stops and not reject.skipped:
            raise reject.as_error(self.table.path)

    def _read(self, chunk: Chunk | FrameChunk) -> pl.DataFrame:
        """Return one row a record."""
        parsed = parse_sound(self.layout, chunk, self._refuse)
        n_records = chunk.n_records
        good = np.arange(n_records) if parsed.rows is None else parsed.rows
        bad = np.setdiff1d(np.arange(n_records), good)
        errors = pl.Series([str(r.as_error(chunk.path)) for r in parsed.rejects], dtype=pl.String)
        skipped = pl.Series([r.skipped for r in parsed.rejects], dtype=pl.Boolean)
        made = {
            LINE: pl.Series(_lines_of(chunk, self.layout)),
            ERROR: _spread(errors, bad, n_records),
            SKIPPED: _spread(skipped, bad, n_records),
        }
        label = self.layout.label_column
        if label is not None:
            made[LABEL] = _spread(parsed.texts[label].fill_null(""), good, n_records)
        made |= {name: _spread(s, good, n_records) for name, s in _columns_of(self.layout, parsed)}
        return pl.DataFrame(made)


def _find_label(sample: Sample, label_name: str | None, *, no_id_col: bool) -> int | None:
    """Return the column of the labels: that of the features' name, or a first one of labels."""
    names = sample.names or ()
    if label_name in names and sample.width > 1:
        return names.index(label_name)
    no_id_col = no_id_col and sample.kinds[0] in ("number", "empty")
    return find_label(sample, ColumnOptions(no_id_col=no_id_col), ())


def _columns_of(layout: Layout, parsed: ParsedRows) -> Iterator[tuple[str, pl.Series]]:
    for column in layout.kept_columns:
        yield str(column), parsed.texts[column]
    for column, values in zip(layout.feature_columns, parsed.features, strict=True):
        yield str(column), pl.Series(values)


def _spread(series: pl.Series, places: np.ndarray[Any, Any], n: int) -> pl.Series:
    """Put values into their places among n, nothing into the others."""
    if len(places) == n:
        return series
    index = np.full(n, len(series))
    index[places] = np.arange(len(series))
    return series.extend_constant(None, 1).gather(index)


def _lines_of(chunk: Chunk | FrameChunk, layout: Layout) -> np.ndarray[Any, Any]:
    if isinstance(chunk, Chunk) and chunk.n_records > 1 and b'"' in chunk.data:
        return chunk.line + find_records(chunk.data, layout.delimiter).lines
    return chunk.line + np.arange(chunk.n_records)
