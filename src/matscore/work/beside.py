"""The rows of a second table that belong to the rows of a chunk: truths or targets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NoReturn

import polars as pl

from matscore.errors import InputError
from matscore.names import quote_name
from matscore.work import Fault, Rows

LINE, LABEL, ERROR, SKIPPED = "line", "label", "error", "skipped"


@dataclass(frozen=True)
class Beside:
    """The records of a second table that belong to the records of a chunk.

    Attributes
    ----------
    path : str
        The table's input.
    frame : DataFrame
        One row a record: its line, its label, what is wrong with it, its columns by their index.
    labelled : bool
        Whether labels are to be compared with those of the features.
    """

    path: str
    frame: pl.DataFrame
    labelled: bool

    @property
    def columns(self) -> list[str]:
        """Names of the table's columns in the frame."""
        own = (LINE, LABEL, ERROR, SKIPPED)
        return [name for name in self.frame.columns if name not in own]

    def take(self, start: int, n_records: int) -> Beside:
        """Return those that belong to some of the chunk's records."""
        return replace(self, frame=self.frame[start : start + n_records])

    def of(self, rows: Rows) -> pl.DataFrame:
        """Return the records of some rows.

        Raises
        ------
        InputError
            A label is not that of the features' row.
        """
        frame = self.frame if rows.places is None else self.frame[rows.places]
        if self.labelled and rows.labels.dtype == pl.String:
            other = ~frame[LABEL].eq_missing(rows.labels.fill_null("")) & frame[LABEL].is_not_null()
            if other.any():
                self._refuse_label(frame, rows, int(other.arg_true()[0]))
        return frame

    def find_faults(self, frame: pl.DataFrame) -> list[Fault]:
        """Return the rows whose record cannot be read."""
        bad = frame[ERROR].is_not_null().arg_true().to_list()
        return [Fault(row, frame[row, ERROR], "", skipped=bool(frame[row, SKIPPED])) for row in bad]

    def _refuse_label(self, frame: pl.DataFrame, rows: Rows, row: int) -> NoReturn:
        here, there = frame[row, LABEL], rows.labels[row]
        what = f"the label {quote_name(here)}, where the features have {quote_name(str(there))}"
        hint = "both files must have the same rows in the same order"
        raise InputError(self.path, what, hint, line=frame[row, LINE])
