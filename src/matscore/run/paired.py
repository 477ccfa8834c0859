"""A second table with the same rows as the features, read in step with them: truths or targets."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from matscore.command_options import ColumnOptions
from matscore.errors import InputError
from matscore.frame import Frame, data_of, find_absent, join, join_frames, take
from matscore.kernel import Column, Texts
from matscore.model import CHUNK_BYTES
from matscore.names import quote_name
from matscore.options import ReadOptions
from matscore.plan import Plan, Side
from matscore.plan.learning import check_header, find_label
from matscore.read.rows import FrameChunk, Layout, Reject, Rows, parse_sound
from matscore.read.split import Chunk
from matscore.read.table import Table, open_table
from matscore.run.work import Fault, Job, Settings

# The table's own columns are called by their index, which none of these words is.
_LINE, _LABEL, _ERROR, _SKIPPED = "line", "label", "error", "skipped"  # columns of the frame
_SAME_ROWS = "both files must have the same rows"


Choose: TypeAlias = Callable[[Side, int | None], tuple[tuple[int, ...], tuple[int, ...]]]
"""Looks at a table and its label column, and gives the columns to read as text, and as numbers."""


def pair_table(
    table: Table,
    read: ReadOptions,
    choose: Choose,
    *,
    label_name: str | None,
    stops: bool,
    no_id_col: bool,
    named: str | None = None,
    answers: Collection[str] = (),
) -> PairedTable:
    """Look at a table that has the same rows as the features, which call their labels `label_name`.

    `named` is a column that an option names. A first column of that
    name, or one of `answers`, holds no labels.
    """
    sample = table.sample(read)
    check_header(sample, (label_name, named))
    is_answer = sample.names is not None and sample.names[0] in {named, *answers}
    label = _find_label(sample, label_name, no_id_col=no_id_col, taken={0} if is_answer else ())
    texts, numbers = choose(sample, label)
    layout = table.lay_out(
        read,
        label=label,
        kept=texts,
        features=numbers,
        missing="skip" if read.missing == "skip" else "error",
        hint="--missing skip leaves such rows out",
    )
    return PairedTable(table, layout, label is not None and label_name is not None, stops)


def open_pair(
    stack: contextlib.ExitStack,
    path: str,
    plan: Plan,
    how: Settings,
    choose: Choose,
    *,
    named: str | None = None,
    answers: Collection[str] = (),
) -> PairedTable:
    """Open a table that has the same rows as the features of a plan; the stack closes it."""
    table = open_table(path, how.read.of_others, checksum=how.run.checksum)
    return pair_table(
        stack.enter_context(contextlib.closing(table)),
        how.read,
        choose,
        label_name=None if plan.label_column is None else plan.label_name,
        stops=how.rejects.on_error == "fail",
        no_id_col=how.align.no_id_col,
        named=named,
        answers=answers,
    )


@dataclass(frozen=True)
class PairedTable:
    """A second table that is read in step with the features; open, its records unread."""

    table: Table
    layout: Layout  # a label or none, and texts or numbers
    labelled: bool  # whether labels are to be compared with those of the features
    stops: bool  # whether a bad record stops the run

    def attach(self, pairs: Iterator[tuple[Job, Any]]) -> Iterator[tuple[Job, Any]]:
        """Give each chunk's work the records that belong to it; both tables end together."""
        chunks = self.table.iter_chunks(self.layout, chunk_bytes=CHUNK_BYTES)
        held = Frame({})
        for job, chunk in pairs:
            # The two files are cut at different records; what is left over waits for the next
            # chunk.
            while held.height < chunk.n_records:
                if (following := next(chunks, None)) is None:
                    what = f"{chunk.row + held.height:,} rows, and the features have more"
                    raise InputError(self.table.path, what, _SAME_ROWS)
                read = self._read(following)
                held = join_frames([held, read], {}) if held.height else read
            part = held.head(chunk.n_records)
            held = held.take(np.arange(chunk.n_records, held.height))
            beside = PairedRows(self.table.path, part, self.labelled)
            yield replace(job, beside=beside), chunk
        # Rows too many are refused, too: they may say that the files do not belong together.
        rest = held if held.height else None
        if rest is None and (following := next(chunks, None)) is not None:
            rest = self._read(following)
        if rest is not None:
            what = "more rows than the features"
            raise InputError(self.table.path, what, _SAME_ROWS, line=rest.values(_LINE)[0])

    def _refuse(self, reject: Reject) -> None:
        if self.stops and not reject.skipped:
            raise reject.as_error(self.table.path)

    def _read(self, chunk: Chunk | FrameChunk) -> Frame:
        """Return one row a record."""
        parsed = parse_sound(self.layout, chunk, self._refuse)
        n_records = chunk.n_records
        good = np.arange(n_records) if parsed.places is None else parsed.places
        bad = np.delete(np.arange(n_records), good)
        errors = Texts.from_strings([str(r.as_error(chunk.path)) for r in parsed.rejects])
        skipped = np.array([float(r.skipped) for r in parsed.rejects])
        made: dict[str, Column] = {
            _LINE: chunk.lines,
            _ERROR: _spread(errors, bad, n_records),
            _SKIPPED: _spread(skipped, bad, n_records),
        }
        label = self.layout.label_column
        if label is not None:
            labels: Any = parsed.labels
            filled = Texts(labels.offsets, labels.data)  # a label that is empty is one, too
            made[_LABEL] = _spread(filled, good, n_records)
        indices = (*self.layout.kept_columns, *self.layout.feature_columns)
        columns = zip(indices, (*parsed.texts, *parsed.features), strict=True)
        return Frame(made | {str(i): _spread(column, good, n_records) for i, column in columns})


@dataclass(frozen=True)
class PairedRows:
    """The records of a second table that belong to the records of a chunk."""

    path: str
    frame: Frame  # a row a record: line, label, what is wrong with it, the columns by their index
    labelled: bool  # whether labels are to be compared with those of the features

    @property
    def columns(self) -> list[str]:
        """Names of the table's columns in the frame."""
        own = (_LINE, _LABEL, _ERROR, _SKIPPED)
        return [name for name in self.frame.columns if name not in own]

    def take(self, start: int, n_records: int) -> PairedRows:
        """Return those that belong to some of the chunk's records."""
        return replace(self, frame=self.frame.take(np.arange(start, start + n_records)))

    def of(self, rows: Rows) -> Frame:
        """Return the records of some rows; refuse a label that is not the features'."""
        frame = self.frame if rows.places is None else self.frame.take(rows.places)
        theirs = rows.labels if self.labelled else None
        if isinstance(theirs, Texts) and not _are_same(frame[_LABEL], theirs):
            # Slower, and only to find the row to tell of.
            lines = zip(frame.values(_LABEL), theirs, frame.values(_LINE), strict=True)
            for here, there, line in lines:
                if here is not None and here != there:
                    what = f"the label {quote_name(here)}"
                    what += f", where the features have {quote_name(there)}"
                    raise InputError(self.path, what, f"{_SAME_ROWS} in the same order", line=line)
        return frame

    def texts_of(self, frame: Frame) -> Texts:
        """Return the first of the table's columns, which is text, of some records."""
        column = frame[self.columns[0]]
        if not isinstance(column, Texts):
            raise TypeError("the column was read as numbers")
        return column

    def find_faults(self, frame: Frame) -> list[Fault]:
        """Return the rows whose record cannot be read."""
        bad = np.flatnonzero(~find_absent(frame[_ERROR]))
        errors = frame.take(bad)
        found = zip(bad.tolist(), errors.values(_ERROR), errors.values(_SKIPPED), strict=True)
        return [Fault(row, error, "", skipped=bool(skipped)) for row, error, skipped in found]


def _find_label(
    sample: Side, label_name: str | None, *, no_id_col: bool, taken: Collection[int]
) -> int | None:
    """Return the column of the labels: that of the features' name, or a first one of labels."""
    names = sample.names or ()
    # One column alone is what is read, whatever its name.
    if label_name in names and sample.width > 1:
        return names.index(label_name)
    # The option is about numbers: words in a first column are labels here in any case.
    no_id_col = no_id_col and sample.kinds[0] in ("number", "empty")
    return find_label(sample, ColumnOptions(no_id_col=no_id_col), taken)


def _spread(column: Column, places: NDArray[np.int64], n: int) -> Column:
    """Put values into their places among n, nothing into the others."""
    if len(places) == n:
        return column
    nothing = Texts.from_strings([None]) if isinstance(column, Texts) else np.array([np.nan])
    # The place after the last is the one cell of nothing that is joined to the values.
    index = np.full(n, len(places))
    index[places] = np.arange(len(places))
    return take(join([column, nothing]), index)  # type: ignore[no-any-return]


def _are_same(one: Column, other: Texts) -> bool:
    """Say whether two columns are the same texts, of which none is absent in the first."""
    return (
        isinstance(one, Texts)
        and one.absent is None
        and np.array_equal(one.offsets - one.offsets[0], other.offsets - other.offsets[0])
        and np.array_equal(data_of(one), data_of(other))
    )
