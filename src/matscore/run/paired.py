"""A second table with the same rows as the features, read in step with them: truths or targets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from matscore.commands.beside import ERROR, LABEL, LINE, SKIPPED, Beside
from matscore.errors import InputError
from matscore.frame import Frame, join, join_frames, take
from matscore.kernel import Column, Texts
from matscore.options import ColumnOptions, ReadOptions
from matscore.plan.learning import Sample, check_header, find_label
from matscore.read.faults import Reject
from matscore.read.rows import FrameChunk, Layout, Rows, parse_sound
from matscore.read.split import Chunk
from matscore.read.table import Table
from matscore.run.job import Job

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
    sample = table.sample(read)
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
        chunks = self.table.iter_chunks(self.layout, chunk_bytes=CHUNK_BYTES)
        held = Frame({})
        for job, chunk in pairs:
            while held.height < chunk.n_records:
                if (following := next(chunks, None)) is None:
                    self._refuse_length(chunk, held.height)
                read = self._read(following)
                held = join_frames([held, read], {}) if held.height else read
            part = held.head(chunk.n_records)
            held = held.take(np.arange(chunk.n_records, held.height))
            beside = Beside(self.table.path, part, self.labelled)
            yield replace(job, work=replace(job.work, beside=beside)), chunk  # type: ignore[type-var]
        rest = held if held.height else None
        if rest is None and (following := next(chunks, None)) is not None:
            rest = self._read(following)
        if rest is not None:
            what, hint = "more rows than the features", "both files must have the same rows"
            raise InputError(self.table.path, what, hint, line=rest.values(LINE)[0])

    def _refuse_length(self, chunk: Chunk | FrameChunk, n_records: int) -> NoReturn:
        what = f"{chunk.row + n_records:,} rows, and the features have more"
        raise InputError(self.table.path, what, "both files must have the same rows")

    def _refuse(self, reject: Reject) -> None:
        if self.stops and not reject.skipped:
            raise reject.as_error(self.table.path)

    def _read(self, chunk: Chunk | FrameChunk) -> Frame:
        """Return one row a record."""
        parsed = parse_sound(self.layout, chunk, self._refuse)
        n_records = chunk.n_records
        good = np.arange(n_records) if parsed.places is None else parsed.places
        bad = np.setdiff1d(np.arange(n_records), good)
        errors = Texts.from_strings([str(r.as_error(chunk.path)) for r in parsed.rejects])
        skipped = np.array([float(r.skipped) for r in parsed.rejects])
        made: dict[str, Column] = {
            LINE: chunk.lines,
            ERROR: _spread(errors, bad, n_records),
            SKIPPED: _spread(skipped, bad, n_records),
        }
        label = self.layout.label_column
        if label is not None:
            labels: Any = parsed.labels
            filled = Texts(labels.offsets, labels.data)  # a label that is empty is one, too
            made[LABEL] = _spread(filled, good, n_records)
        made |= {name: _spread(c, good, n_records) for name, c in _columns_of(self.layout, parsed)}
        return Frame(made)


def _find_label(sample: Sample, label_name: str | None, *, no_id_col: bool) -> int | None:
    """Return the column of the labels: that of the features' name, or a first one of labels."""
    names = sample.names or ()
    if label_name in names and sample.width > 1:
        return names.index(label_name)
    no_id_col = no_id_col and sample.kinds[0] in ("number", "empty")
    return find_label(sample, ColumnOptions(no_id_col=no_id_col), ())


def _columns_of(layout: Layout, parsed: Rows) -> Iterator[tuple[str, Column]]:
    for column, texts in zip(layout.kept_columns, parsed.texts, strict=True):
        yield str(column), texts
    for column, values in zip(layout.feature_columns, parsed.features, strict=True):
        yield str(column), values


def _spread(column: Column, places: NDArray[np.int64], n: int) -> Column:
    """Put values into their places among n, nothing into the others."""
    if len(places) == n:
        return column
    nothing = Texts.from_strings([None]) if isinstance(column, Texts) else np.array([np.nan])
    index = np.full(n, len(places))
    index[places] = np.arange(len(places))
    return take(join([column, nothing]), index)  # type: ignore[no-any-return]
