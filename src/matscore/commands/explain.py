"""``explain``: what each feature contributed to the scores of rows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
from numpy.typing import NDArray

from matscore.command_options import ExplainOptions
from matscore.commands import FileKeywords, FrameKeywords, settings_of, show
from matscore.commands.output import (
    OVERFLOW,
    ExplainColumns,
    ExplainedRow,
    ExplainPreview,
    find_lacking,
    open_sink,
)
from matscore.errors import InputError, MisfitError
from matscore.frame import Frame, find_text, take
from matscore.kernel import Choices, Column, Masked, Texts
from matscore.model import Model, Scored, score_rows
from matscore.names import quote_name
from matscore.numerics.explain import INTERCEPT, OTHERS, Contributions, explain_rows, find_runner_up
from matscore.options import Format, OutputOptions, PathLike, ScoreOptions
from matscore.plan import Plan
from matscore.read.rows import Rows
from matscore.run.run import Summary
from matscore.run.run import run as run_command
from matscore.run.work import Command, Fault, Outcome, Tally, Work, make_output_spec
from matscore.spelling import suggest_name
from matscore.write.formats import OutputSpec
from matscore.write.whole import BinaryFile

if TYPE_CHECKING:
    import pandas as pd

# Small, as each cell of a chunk becomes a line of the output.
_CHUNK_BYTES = 2**18
_RECORDS_A_CHUNK, _CELL_BYTES = 16, 8


@dataclass(frozen=True)
class ExplainCommand(Command):
    """What each feature contributed, a line each."""

    explain: ExplainOptions = ExplainOptions()
    write: OutputOptions = OutputOptions()
    dashes: str = "--"  # before the options that messages name

    def make_output(self, plan: Plan, form: Format) -> OutputSpec:
        """Return the columns of contributions."""
        # Where one row is chosen the screen waits for it, however late it comes.
        spec = make_output_spec(plan, self._columns(plan), self.write, form)
        return replace(spec, selects=self.explain.row is not None)

    def make_work(self, plan: Plan, model: Model) -> Explain:
        """Return what takes scores apart."""
        return Explain(
            model,
            plan.feature_names,
            plan.n_counting,
            plan.intercept_name or "(Intercept)",
            self._columns(plan),
            _find_category(plan, self.explain.category, f"{self.dashes}category"),
            _find_category(plan, self.explain.versus, f"{self.dashes}versus"),
            self.explain.top_features,
            self.explain.row,
        )

    def suggest_chunk(self, plan: Plan) -> int | None:
        """Return the bytes of a chunk: each cell becomes a line, which takes ten times the room."""
        if self.explain.row is not None:
            return None
        return max(_CHUNK_BYTES, _RECORDS_A_CHUNK * _CELL_BYTES * plan.n_counting)

    def check(self, summary: Summary[ExplainTally]) -> None:
        """Refuse a row that was asked for and is not there."""
        tally, row = summary.tally, self.explain.row
        # Known at the end only; the output is not renamed into its place yet.
        if row is not None and not tally.n_explained + tally.n_empty:
            hint = f"did you mean {quote_name(tally.near)}" if tally.near else ""
            path = summary.plans[0].features.path
            raise InputError(path, f"no row is labelled {quote_name(row)}", hint)

    def _columns(self, plan: Plan) -> ExplainColumns:
        numbered, versus = plan.label_column is None, self.explain.versus is not None
        return ExplainColumns(plan.label_name, numbered=numbered, versus=versus)


def _find_category(plan: Plan, name: str | None, option: str) -> int | None:
    """Return the index of a category that an option names; None where it names none."""
    if name is None or name in plan.categories:
        return None if name is None else plan.categories.index(name)
    hint = suggest_name(name, plan.categories, option)
    raise MisfitError(plan.weights.path, f"no category {quote_name(name)}", hint)


@show(FileKeywords)
def explain_file(
    features: PathLike | Sequence[PathLike],
    weights: PathLike,
    output: PathLike | BinaryFile | None = None,
    *,
    explain: ExplainOptions = ExplainOptions(),
    write: OutputOptions = OutputOptions(),
    **how: Unpack[FileKeywords],
) -> Summary[ExplainTally]:
    """Take the scores of rows apart into what each feature contributed.

    Parameters
    ----------
    features : str, Path or a sequence of them
        Files with one row an item, taken in that order as one table.
    weights : str or Path
        File with one row a feature and one column a category.
    output : str, Path, binary file or None
        Where the lines go: a path is written whole or not at all; None computes the summary only.
    explain : ExplainOptions
        What is explained.
    write : OutputOptions
        How it is written; `scores` and `margin` do not matter.
    **how
        See `FileKeywords`.

    Returns
    -------
    Summary
        Counts, and the first rows of a table. A row without a prediction (a value is missing and
        was kept) has no lines, unless a category is given.

    Raises
    ------
    PlanError, MisfitError
        Shapes or names do not line up; a category is none of the weights'.
    InputError
        A bad row, or too many of them; no row has the label that is asked for.
    FileError, OutputError, UsageError
        As in `matscore.classify_file`.

    Examples
    --------
    >>> import io
    >>> lines = io.BytesIO()
    >>> options = ExplainOptions(row="Thunder Pass")
    >>> _ = explain_file("sample_data/movies.csv", "sample_data/genres.csv", lines, explain=options)
    >>> print(lines.getvalue().decode(), end="")
    film,category,feature,value,weight,contribution
    Thunder Pass,adventure,action,5.0,1.1,5.5
    Thunder Pass,adventure,comedy,2.0,0.2,0.4
    """
    command = ExplainCommand(settings_of(how, explain, write), explain, write)
    return run_command(command, features, weights, open_sink(output))


@show(FrameKeywords)
def explain(
    features: pd.DataFrame,
    weights: pd.DataFrame | Any,
    *,
    category: str | None = None,
    versus: str | None = None,
    top_features: int | None = None,
    **how: Unpack[FrameKeywords],
) -> pd.DataFrame:
    """Take the scores of rows apart into what each feature contributed.

    Parameters
    ----------
    features, weights
        As in `classify`.
    category : str, optional
        The category to explain; without it the predicted one of each row.
    versus : str, optional
        A category whose score is taken away from it.
    top_features : int, optional
        Features with a line of their own; the others are summed up in one.
    **how
        See `FrameKeywords`.

    Returns
    -------
    DataFrame
        With the features' index, one row a contribution, the largest first and the intercept last:
        ``category``, ``versus`` where one is given, ``feature``, ``value``, ``weight``,
        ``contribution``. A row without a prediction (a value is missing and was kept) has none.

    Raises
    ------
    PlanError, MisfitError
        Shapes or names do not line up; a category is none of the weights'.
    InputError, UsageError
        As in `classify`.

    Examples
    --------
    >>> import pandas as pd
    >>> films = pd.DataFrame({"action": [5], "comedy": [2]}, index=["Thunder"])
    >>> genres = pd.DataFrame({"adventure": [1.1, 0.2], "romance": [0.1, 1.2]},
    ...                       index=["action", "comedy"])
    >>> explain(films, genres)
              category feature  value  weight  contribution
    Thunder  adventure  action    5.0     1.1           5.5
    Thunder  adventure  comedy    2.0     0.2           0.4
    """
    from matscore.commands.frames import run_frames

    asked = ExplainOptions(category, versus, top_features)
    asked.check()
    return run_frames(ExplainCommand(explain=asked, dashes=""), features, weights, how)


@dataclass(frozen=True)
class ExplainTally(Tally):
    """Counts of explained rows.

    Attributes
    ----------
    n_explained, n_empty : int
        Rows that have lines; rows without a prediction, which have none.
    near : str or None
        The first label that differs from the one asked for by case and blanks only.
    """

    NAMES = ("rows_explained", "rows_without_prediction")
    KEPT = ("near",)

    n_explained: int = 0
    n_empty: int = 0
    near: str | None = None

    def __add__(self, other: ExplainTally, /) -> ExplainTally:
        return replace(super().__add__(other), near=self.near or other.near)

    def list_facts(self) -> tuple[Any, ...]:
        """Return the values that `NAMES` name."""
        return self.n_explained, self.n_empty


@dataclass(frozen=True)
class Explain(Work):
    """The work of ``explain``."""

    model: Model
    feature_names: tuple[str, ...]  # in canonical order
    n_counting: int  # of these, at most, in a row
    intercept_name: str  # what its line is called
    columns: ExplainColumns
    category: int | None = None  # whose score is taken apart; the predicted one of each row
    versus: int | None = None  # whose score is taken away from it
    top_features: int | None = None  # features with a line of their own
    row: str | None = None  # the only label to explain

    @property
    def line_names(self) -> tuple[str, ...]:
        """Names of the features, then of the other lines, so that their negative numbers fit."""
        # A feature may be called so, too, and two lines of one name could not be told apart.
        others = "(others)"
        while others in self.feature_names:
            others = f"({others})"
        return (*self.feature_names, others, self.intercept_name)

    def zero(self) -> ExplainTally:
        """Return the counts of no rows."""
        return ExplainTally()

    def values_a_row(self) -> tuple[int, int]:
        """Count the values of a row: held at a time besides its features, and written."""
        n_lines = self.n_counting + 2
        n_held = len(self.model.categories) + 8 * self.n_counting
        return n_held, n_lines * len(self.columns.pairs)

    def read_tally(self, facts: Mapping[str, Any]) -> ExplainTally:
        """Return the counts that gave these facts."""
        return ExplainTally(*(facts[name] for name in ExplainTally.NAMES))

    def apply(self, rows: Rows) -> ExplainedRows:
        """Take the scores of rows apart."""
        chosen = self._choose(rows)
        features = rows.features[:, chosen]
        kept = rows.has_missing if self.model.least_present is None else None
        missing = None if kept is None else kept[chosen]
        scored = score_rows(self.model, features, ScoreOptions())
        categories = self._categories_of(scored, missing)
        versus = None if self.versus is None else np.full(len(chosen), self.versus)
        found = explain_rows(
            self.model, scored.features, categories, versus=versus, top_features=self.top_features
        )
        # A contribution may overflow where no score does: one to a difference, say.
        overflow = scored.decision.overflow.copy()
        overflow[found.find_overflow(missing)] = True
        lacking = find_lacking(self.model, scored.features)
        faults = {row: Fault(row, *OVERFLOW) for row in chosen[overflow].tolist()}
        faults |= {(row := int(chosen[one.row])): replace(one, row=row) for one in lacking}
        return ExplainedRows(self, rows, chosen, scored, categories, found, [*faults.values()])

    def _choose(self, rows: Rows) -> NDArray[np.int64]:
        if self.row is None:
            return np.arange(rows.n_rows)
        if isinstance(rows.labels, Texts):
            return np.flatnonzero(find_text(rows.labels, self.row))
        # int() takes more than we write: blanks, signs, zeros in front, digits of other scripts.
        is_number = self.row.isascii() and self.row.isdigit() and self.row[0] != "0"
        return np.flatnonzero(rows.labels == (int(self.row) if is_number else 0))

    def _categories_of(
        self, scored: Scored, missing: NDArray[np.bool_] | None
    ) -> NDArray[np.int64]:
        best = scored.decision.best
        if self.category is not None:
            return np.full_like(best, self.category)
        if len(self.model.categories) > 1:
            return best
        # With one category nothing is predicted, and its score is explained all the same.
        return np.zeros_like(best) if missing is None else np.where(missing, -1, 0)


@dataclass(frozen=True)
class ExplainedRows(Outcome):
    """The outcome of ``explain``."""

    work: Explain
    rows: Rows
    chosen: NDArray[np.int64]  # (n_chosen,): the rows that were asked for
    scored: Scored
    categories: NDArray[np.int64]  # (n_chosen,): what is explained; -1 for nothing
    found: Contributions  # its rows are places in `chosen`
    faults: list[Fault]  # rows whose scores overflow

    def tally(self) -> ExplainTally:
        """Count the rows."""
        n_explained = int((self.categories >= 0).sum())
        return ExplainTally(n_explained, len(self.chosen) - n_explained, self._find_near())

    def _find_near(self) -> str | None:
        if self.work.row is None or len(self.chosen):
            return None
        labels, wanted = self.rows.labels, self.work.row.strip().lower()
        texts = labels if isinstance(labels, Texts) else map(str, labels.tolist())
        return next((text for text in texts if text.strip().lower() == wanted), None)

    def frame(self) -> Frame:
        """Return the lines of all rows."""
        work, found = self.work, self.found
        categories = Texts.from_strings(work.model.categories)
        names, summed = work.line_names, found.entries == OTHERS

        def choose(places: NDArray[np.int64]) -> Choices:
            return Choices(places.astype(np.int32), categories)

        made: dict[str, Column] = {
            work.columns.label_name: take(self.rows.labels, self.chosen[found.rows]),
            "category": choose(self.categories[found.rows]),
        }
        if work.versus is not None:
            made["versus"] = choose(np.full(len(found.rows), work.versus))
        features = (found.entries % len(names)).astype(np.int32)
        made["feature"] = Choices(features, Texts.from_strings(names))
        made["value"] = Masked(found.values, summed)
        made["weight"] = Masked(found.weights, summed)
        made["contribution"] = found.contributions
        return Frame(made)

    def preview(self, n_rows: int) -> ExplainPreview:
        """Return the first rows, each beside its rival."""
        shown = range(min(n_rows, len(self.chosen)))
        frame = self.frame().take(np.flatnonzero(self.found.rows < len(shown)))
        return ExplainPreview(frame, rows=tuple(map(self._show, shown)))

    def _show(self, row: int) -> ExplainedRow:
        work, found = self.work, self.found
        here = found.rows == row
        names = work.line_names
        entries = found.entries[here]
        category, rival = int(self.categories[row]), self._rival_of(row)
        scores = self.scored.scores[:, row]
        categories = work.model.categories
        label = self.rows.labels[int(self.chosen[row])]
        return ExplainedRow(
            label if isinstance(label, str) else int(label),
            None if category < 0 else categories[category],
            float(scores[category]) if category >= 0 else math.nan,
            None if rival is None else categories[rival],
            math.nan if rival is None else float(scores[rival]),
            bool(self.scored.decision.tied[row] and self.scored.decision.best[row] == category),
            entries.tolist(),
            [names[entry % len(names)] for entry in entries.tolist()],
            found.values[here].tolist(),
            found.weights[here].tolist(),
            found.contributions[here].tolist(),
            [] if rival is None or work.versus is not None else self._compare(row, rival, entries),
        )

    def _rival_of(self, row: int) -> int | None:
        category, work = int(self.categories[row]), self.work
        if category < 0 or len(work.model.categories) == 1:
            return None
        if work.versus is not None:
            return work.versus
        scores = self.scored.scores[:, [row]]
        return int(find_runner_up(scores, self.categories[[row]])[0])

    def _compare(self, row: int, rival: int, entries: NDArray[np.int64]) -> list[float]:
        """Return each line's contribution to the difference of two scores."""
        found = explain_rows(
            self.work.model,
            self.scored.features[:, [row]],
            self.categories[[row]],
            versus=np.array([rival]),
        )
        parts = dict(zip(found.entries.tolist(), found.contributions.tolist(), strict=True))
        shown = [parts.pop(entry, math.nan) for entry in entries.tolist()]
        # What has no line of its own goes into the others'; the intercept always has one.
        others = math.fsum(part for entry, part in parts.items() if entry != INTERCEPT)
        return [
            others if entry == OTHERS else part
            for entry, part in zip(entries.tolist(), shown, strict=True)
        ]
