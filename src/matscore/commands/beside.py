"""The rows of a second table that belong to the rows of a chunk: truths or targets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NoReturn

import numpy as np

from matscore.errors import InputError
from matscore.frame import Frame, data_of, find_absent
from matscore.kernel import Column, Texts
from matscore.names import quote_name
from matscore.run.work import Fault, Rows

LINE, LABEL, ERROR, SKIPPED = "line", "label", "error", "skipped"


@dataclass(frozen=True)
class Beside:
    """The records of a second table that belong to the records of a chunk.

    Attributes
    ----------
    path : str
        The table's input.
    frame : Frame
        One row a record: its line, its label, what is wrong with it, its columns by their index.
    labelled : bool
        Whether labels are to be compared with those of the features.
    """

    path: str
    frame: Frame
    labelled: bool

    @property
    def columns(self) -> list[str]:
        """Names of the table's columns in the frame."""
        own = (LINE, LABEL, ERROR, SKIPPED)
        return [name for name in self.frame.columns if name not in own]

    def take(self, start: int, n_records: int) -> Beside:
        """Return those that belong to some of the chunk's records."""
        return replace(self, frame=self.frame.take(np.arange(start, start + n_records)))

    def of(self, rows: Rows) -> Frame:
        """Return the records of some rows.

        Raises
        ------
        InputError
            A label is not that of the features' row.
        """
        frame = self.frame if rows.places is None else self.frame.take(rows.places)
        labels = frame[LABEL] if self.labelled else None
        if (
            labels is not None
            and isinstance(rows.labels, Texts)
            and not _are_same(labels, rows.labels)
        ):
            pairs = zip(frame.values(LABEL), rows.labels, strict=True)
            for row, (here, there) in enumerate(pairs):
                if here is not None and here != there:
                    self._refuse_label(frame, here, there, row)
        return frame

    def texts_of(self, frame: Frame) -> Texts:
        """Return the first of the table's columns, which is text, of some records."""
        column = frame[self.columns[0]]
        if not isinstance(column, Texts):
            raise TypeError("the column was read as numbers")
        return column

    def find_faults(self, frame: Frame) -> list[Fault]:
        """Return the rows whose record cannot be read."""
        bad = np.flatnonzero(~find_absent(frame[ERROR]))
        errors = frame.take(bad)
        found = zip(bad.tolist(), errors.values(ERROR), errors.values(SKIPPED), strict=True)
        return [Fault(row, error, "", skipped=bool(skipped)) for row, error, skipped in found]

    def _refuse_label(self, frame: Frame, here: str, there: str, row: int) -> NoReturn:
        what = f"the label {quote_name(here)}, where the features have {quote_name(there)}"
        hint = "both files must have the same rows in the same order"
        raise InputError(self.path, what, hint, line=frame.values(LINE)[row])


def _are_same(one: Column, other: Texts) -> bool:
    """Say whether two columns are the same texts, of which none is absent in the first."""
    return (
        isinstance(one, Texts)
        and one.absent is None
        and np.array_equal(one.offsets - one.offsets[0], other.offsets - other.offsets[0])
        and np.array_equal(data_of(one), data_of(other))
    )
