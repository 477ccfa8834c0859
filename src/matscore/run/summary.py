"""What a run did: counts, added up chunk by chunk."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from matscore.errors import InputError
from matscore.options import RejectOptions
from matscore.plan import Plan
from matscore.read.source import SourceFacts
from matscore.read.table import Table
from matscore.run.job import ChunkResult
from matscore.run.work import Preview, Tally, Work
from matscore.write.formats import OutputSpec

Counts = TypeVar("Counts", bound=Tally)


@dataclass(frozen=True)
class Progress:
    """How far a run is.

    Attributes
    ----------
    n_bytes : int
        Bytes read of all inputs, as they are on disk.
    n_total : int or None
        Bytes there are; None where an input is a pipe.
    n_rows : int
        Rows scored.
    """

    n_bytes: int
    n_total: int | None
    n_rows: int


@dataclass(frozen=True)
class Summary(Generic[Counts]):
    """What a run did.

    Attributes
    ----------
    plans : tuple of Plan
        One a features file.
    inputs : tuple of SourceFacts
        The features files, then the weights.
    output : OutputSpec or None
        The columns written; None where no rows are.
    n_rows, n_rejected : int
        Rows scored; rows set aside.
    tally : Tally
        The command's own counts; of ``classify`` a `ScoreTally`.
    previews : tuple of Preview
        The first rows, where the format is ``table``.
    works : tuple of Work
        What was done with the rows of each features file.
    """

    plans: tuple[Plan, ...]
    inputs: tuple[SourceFacts, ...]
    output: OutputSpec | None
    n_rows: int
    n_rejected: int
    tally: Counts
    previews: tuple[Preview, ...] = ()
    works: tuple[Work, ...] = ()


class Totals(Generic[Counts]):
    """Adds up what the chunks report, and stops the run at too many rejects.

    Parameters
    ----------
    zero : Tally
        The counts of no rows.
    limits : RejectOptions
        How many rejects are too many.
    """

    def __init__(self, zero: Counts, limits: RejectOptions) -> None:
        self.tally = zero
        self.n_rows = self.n_rejected = 0
        self.previews: list[Preview] = []
        self._limits = limits
        self._first: InputError | None = None

    def count(
        self, results: Iterable[ChunkResult], report: Callable[[int], None]
    ) -> Iterator[ChunkResult]:
        """Pass results on, counting.

        Raises
        ------
        InputError
            More rejects than the limits allow.
        """
        for result in results:
            self.n_rows += result.n_rows
            self.n_rejected += len(result.rejects)
            self.tally = self.tally + result.tally
            if result.preview is not None:
                self.previews.append(result.preview)
            if result.rejects:
                self._first = self._first or result.rejects[0].as_error(result.path)
                if self._limits.on_rejects is not None:
                    self._limits.on_rejects(result.path, result.rejects)
            most = self._limits.max_rows
            if most is not None and self.n_rejected > most:
                self._give_up(f"more than {_count_rows(most)} rejected")
            yield result
            report(self.n_rows)
        share, n_in = self._limits.max_share, self.n_rows + self.n_rejected
        if share is not None and self.n_rejected > share * n_in:
            self._give_up(
                f"{self.n_rejected} of {_count_rows(n_in)} rejected, more than {100 * share:.6g}%"
            )

    def add(self, n_rows: int, tally: Counts) -> None:
        """Add rows that were scored before."""
        self.n_rows += n_rows
        self.tally = self.tally + tally

    def _give_up(self, what: str) -> None:
        if (first := self._first) is None:
            raise RuntimeError("rows are counted as rejected, but none is known")
        place = ":".join(str(part) for part in (first.line, first.column) if part)
        hint = f"the first: {place}: {first.what}; mend the input, or raise --max-rejects"
        raise InputError(first.path, what, hint)


def _count_rows(n_rows: int) -> str:
    """Return a number of rows in words."""
    return "1 row" if n_rows == 1 else f"{n_rows:,} rows"


def report_progress(
    tables: Sequence[Table],
    on_progress: Callable[[Progress], None] | None,
    n_rows: int,
    *,
    count_read: Callable[[], int] | None = None,
) -> None:
    """Tell how far the reading of some tables is, by their own count or by an engine's."""
    if on_progress is None:
        return
    sizes = [table.source.size for table in tables]
    total = None if None in sizes else sum(size or 0 for size in sizes)
    n_read = sum(table.source.n_read for table in tables) if count_read is None else count_read()
    on_progress(Progress(n_read if total is None else min(n_read, total), total, n_rows))
