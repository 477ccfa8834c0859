"""What a run did: counts, added up chunk by chunk."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from matscore.errors import InputError
from matscore.files.encode import OutputSpec
from matscore.files.source import SourceFacts
from matscore.options import RejectOptions
from matscore.pipeline import Preview, ScoredChunk
from matscore.plan import Plan


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
class Summary:
    """What a run did.

    Attributes
    ----------
    plans : tuple of Plan
        One a features file.
    inputs : tuple of SourceFacts
        The features files, then the weights.
    output : OutputSpec
        The columns written.
    n_rows, n_rejected : int
        Rows scored; rows set aside.
    n_ties, n_missing, n_empty : int
        Rows that tie, that have a missing value, that have no prediction.
    counts : dict of str to int
        Rows that each category won, in the weights' order.
    previews : tuple of Preview
        The first rows, where the format is ``table``.
    """

    plans: tuple[Plan, ...]
    inputs: tuple[SourceFacts, ...]
    output: OutputSpec
    n_rows: int
    n_rejected: int
    n_ties: int
    n_missing: int
    n_empty: int
    counts: dict[str, int]
    previews: tuple[Preview, ...] = ()


class Totals:
    """Adds up what the chunks report, and stops the run at too many rejects."""

    def __init__(self, spec: OutputSpec, limits: RejectOptions) -> None:
        self._spec, self._limits = spec, limits
        self._n = np.zeros(5, dtype=np.int64)
        self._counts = np.zeros(len(spec.categories), dtype=np.int64)
        self._previews: list[Preview] = []
        self._first: InputError | None = None

    def count(
        self, results: Iterable[ScoredChunk], report: Callable[[int], None]
    ) -> Iterator[ScoredChunk]:
        """Pass results on, counting.

        Raises
        ------
        InputError
            More rejects than the limits allow.
        """
        for result in results:
            n_rejected = len(result.rejects)
            self._n += (result.n_rows, n_rejected, result.n_ties, result.n_missing, result.n_empty)
            self._counts += result.counts
            if result.preview is not None:
                self._previews.append(result.preview)
            if result.rejects and self._first is None:
                self._first = result.rejects[0].as_error(result.path)
            most = self._limits.max_rows
            if most is not None and self._n[1] > most:
                self._give_up(f"more than {_count_rows(most)} rejected")
            yield result
            report(int(self._n[0]))
        share, n_in = self._limits.max_share, int(self._n[:2].sum())
        if share is not None and self._n[1] > share * n_in:
            self._give_up(
                f"{self._n[1]} of {_count_rows(n_in)} rejected, more than {100 * share:.6g}%"
            )

    def summary(self, plans: tuple[Plan, ...], inputs: tuple[SourceFacts, ...]) -> Summary:
        """Return the sums."""
        counts = dict(zip(self._spec.categories, self._counts.tolist(), strict=True))
        n_rows, n_rejected, n_ties, n_missing, n_empty = self._n.tolist()
        return Summary(
            plans,
            inputs,
            self._spec,
            n_rows,
            n_rejected,
            n_ties,
            n_missing,
            n_empty,
            counts,
            tuple(self._previews),
        )

    def _give_up(self, what: str) -> None:
        if (first := self._first) is None:
            raise RuntimeError("rows are counted as rejected, but none is known")
        place = ":".join(str(part) for part in (first.line, first.column) if part)
        hint = f"the first: {place}: {first.what}; mend the input, or raise --max-rejects"
        raise InputError(first.path, what, hint)


def _count_rows(n_rows: int) -> str:
    """Return a number of rows in words."""
    return "1 row" if n_rows == 1 else f"{n_rows:,} rows"
