"""``classify``: rows into scores and the category that scores highest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
from numpy.typing import NDArray

from matscore.commands import FileKeywords, FrameKeywords, settings_of, show
from matscore.commands.output import (
    RankColumns,
    RankedRows,
    ScoreColumns,
    find_faults,
    head_of,
    make_frame,
    make_long_frame,
    open_sink,
)
from matscore.errors import MisfitError
from matscore.frame import Frame
from matscore.kernel import Ranking, Texts
from matscore.model import Model, Scored, score_rows
from matscore.options import Format, OutputOptions, PathLike, ScoreOptions
from matscore.plan import Plan
from matscore.read.rows import Rows
from matscore.run.run import Summary
from matscore.run.run import run as run_command
from matscore.run.work import (
    Command,
    Fault,
    Outcome,
    Preview,
    Tally,
    Work,
    make_output_spec,
)
from matscore.write.formats import OutputSpec
from matscore.write.whole import BinaryFile

if TYPE_CHECKING:
    import pandas as pd

    from matscore.numerics.statistics import ScoreStatistics
    from matscore.options import Gather


@dataclass(frozen=True)
class ClassifyCommand(Command):
    """Scores and predictions; with ``top_k`` the best categories of each row instead."""

    score: ScoreOptions = ScoreOptions()
    write: OutputOptions = OutputOptions()

    def make_output(self, plan: Plan, form: Format) -> OutputSpec:
        """Return the columns of scores, or of ranks."""
        ranks = self.write.top_k is not None
        columns = self._rank_columns(plan) if ranks else self._score_columns(plan)
        return make_output_spec(plan, columns, self.write, form)

    def make_work(self, plan: Plan, model: Model) -> Work:
        """Return what scores rows, or what ranks their categories."""
        if self.score.probabilities:
            what, hint = model.refuse_probabilities()
            if what:
                raise MisfitError(plan.weights.path, what, f"leave --probabilities out; {hint}")
        # Ranks need the score columns, too: what is gathered for pages and plots is of all scores.
        columns, gather = self._score_columns(plan), self.how.run.gather
        if self.write.top_k is None:
            return Classify(model, self.score, columns, gather)
        k, ranks = self.write.top_k, self._rank_columns(plan)
        return ClassifyTop(model, self.score, columns, gather, k=k, ranks=ranks)

    def _score_columns(self, plan: Plan) -> ScoreColumns:
        return ScoreColumns(
            *head_of(plan),
            categories=plan.categories,
            scores=self.write.scores,
            # One category wins every row, which says nothing, unless a score must be reached.
            prediction=len(plan.categories) > 1 or self.score.threshold is not None,
            probabilities=self.score.probabilities,
            margin=self.write.margin,
            response=self.score.response,
        )

    def _rank_columns(self, plan: Plan) -> RankColumns:
        return RankColumns(
            *head_of(plan),
            scores=self.write.scores,
            probabilities=self.score.probabilities,
            response=self.score.response,
        )


@show(FileKeywords)
def classify_file(
    features: PathLike | Sequence[PathLike],
    weights: PathLike,
    output: PathLike | BinaryFile | None = None,
    *,
    score: ScoreOptions = ScoreOptions(),
    write: OutputOptions = OutputOptions(),
    **how: Unpack[FileKeywords],
) -> Summary[ScoreTally]:
    """Score the rows of files and name the best category of each.

    Parameters
    ----------
    features : str, Path or a sequence of them
        Files with one row an item, scored in that order as one table.
    weights : str or Path
        File with one row a feature and one column a category; after the heading of its first
        column may stand its link, as in ``feature (probit)``.
    output : str, Path, binary file or None
        Where the scores go: a path is written whole or not at all, and is a directory of one output
        a file where a text ends with a slash; None computes the summary only.
    score : ScoreOptions
        What is computed.
    write : OutputOptions
        What is written.
    **how
        See `FileKeywords`.

    Returns
    -------
    Summary
        Counts, and the first rows of a table.

    Raises
    ------
    PlanError
        Shapes or names do not line up.
    InputError
        A bad row, or too many of them; rows before its chunk may have been written to a binary
        file, none to a path.
    FileError, OutputError, UsageError
        A file cannot be read or written; arguments contradict each other.

    Examples
    --------
    >>> summary = classify_file("sample_data/movies.csv", "sample_data/genres.csv")
    >>> summary.tally.counts, summary.tally.n_ties
    ({'adventure': 2, 'family': 0, 'romance': 1}, 1)
    """
    command = ClassifyCommand(settings_of(how, score, write), score, write)
    return run_command(command, features, weights, open_sink(output))


@show(FrameKeywords)
def classify(
    features: pd.DataFrame,
    weights: pd.DataFrame | Any,
    *,
    probabilities: bool = False,
    margin: bool = False,
    scores: bool = True,
    threshold: float | None = None,
    response: bool = False,
    keep_cols: Sequence[str] = (),
    **how: Unpack[FrameKeywords],
) -> pd.DataFrame:
    """Score rows and name the best category of each.

    Parameters
    ----------
    features : DataFrame of shape (n_rows, n_features)
        One row an item; the index holds the labels.
    weights : DataFrame of shape (n_features, n_categories)
        One row a feature, named in the index, and one column a category; a row named as an
        intercept is added to the product; the index may be named with a link,
        ``"feature (probit)"``. A fitted model of
        scikit-learn, or the file of a model, is taken over as `import_model` does.
    probabilities, margin, scores, response : bool
        Which columns the result has besides the prediction.
    threshold : float, optional
        A best score (or probability, with `probabilities`) under it gives no prediction.
    keep_cols : sequence of str
        Columns carried into the result unchanged.
    **how
        See `FrameKeywords`.

    Returns
    -------
    DataFrame
        With the features' index: kept columns, a score a category, ``prediction``,
        ``probability_<category>``, ``response_<category>``, ``margin``. Without a prediction it is
        missing.

    Raises
    ------
    PlanError, MisfitError
        Shapes or names do not line up, or two columns of the result would have one name; the link
        gives no probabilities.
    InputError
        A value is missing or not a number, or a row's scores overflow.
    UsageError
        An argument has no meaning.

    Notes
    -----
    The numbers that pandas gives an axis by itself are no names, so such features are matched by
    position; as soon as the columns or the weights' rows are numbered otherwise, by number.

    Examples
    --------
    >>> import pandas as pd
    >>> films = pd.DataFrame({"action": [5, 1], "comedy": [2, 5]}, index=["Thunder", "Umbrella"])
    >>> genres = pd.DataFrame({"adventure": [1.1, 0.2], "romance": [0.1, 1.2]},
    ...                       index=["action", "comedy"])
    >>> classify(films, genres)
              adventure  romance prediction
    Thunder         5.9      2.9  adventure
    Umbrella        2.1      6.1    romance
    """
    # pandas takes longer to import than a small file to score.
    from matscore.commands.frames import run_frames

    score = ScoreOptions(probabilities, threshold, response)
    # Here there is no command line that has checked it before.
    score.check()
    command = ClassifyCommand(score=score, write=OutputOptions(None, scores, margin))
    return run_frames(command, features, weights, how, keep_cols)


@dataclass(frozen=True)
class ScoreTally(Tally):
    """Counts of scored rows.

    Attributes
    ----------
    categories : tuple of str
        In the weights' order.
    n_ties, n_missing, n_empty : int
        Rows that tie, that have a missing value, that have no prediction.
    won : ndarray of shape (n_categories,), int64
        Rows that each category won.
    statistics : ScoreStatistics or None
        Where they are asked for.
    """

    NAMES = ("rows_tied", "rows_missing", "rows_without_prediction", "rows_a_category")
    KEPT = ("categories",)

    categories: tuple[str, ...]
    n_ties: int
    n_missing: int
    n_empty: int
    won: NDArray[np.int64]
    statistics: ScoreStatistics | None = None

    @property
    def counts(self) -> dict[str, int]:
        """Rows that each category won, in the weights' order."""
        return dict(zip(self.categories, self.won.tolist(), strict=True))

    def list_facts(self) -> tuple[Any, ...]:
        """Return the values that `NAMES` name."""
        return self.n_ties, self.n_missing, self.n_empty, self.counts


@dataclass(frozen=True)
class Classify(Work):
    """The work of ``classify``."""

    model: Model
    options: ScoreOptions
    columns: ScoreColumns
    gather: tuple[Gather, ...] = ()

    def zero(self) -> ScoreTally:
        """Return the counts of no rows."""
        categories, statistics = self.model.categories, None
        if self.gather:
            from matscore.numerics.statistics import gather_nothing

            statistics = gather_nothing(self.model, self.gather)
        return ScoreTally(categories, 0, 0, 0, np.zeros(len(categories), np.int64), statistics)

    def values_a_row(self) -> tuple[int, int]:
        """Count the values of a row: held at a time besides its features, and written."""
        n_categories = len(self.model.categories)
        # 1.5 numbers a category for scores, 4 with what a link makes of them; measured.
        n_asked = self.options.probabilities + self.options.response
        n_held = n_categories * (3 + 5 * n_asked) // 2
        return n_held, len(self.columns.pairs)

    def read_tally(self, facts: Mapping[str, Any]) -> ScoreTally:
        """Return the counts that gave these facts."""
        n_ties, n_missing, n_empty, counts = (facts[name] for name in ScoreTally.NAMES)
        won = np.array([counts[name] for name in self.model.categories], dtype=np.int64)
        return ScoreTally(self.model.categories, n_ties, n_missing, n_empty, won)

    def apply(self, rows: Rows) -> ScoredRows:
        """Score rows and name the best category of each."""
        # Scores that nobody reads need not be kept once they have decided.
        keep = self.columns.scores or bool(self.gather)
        scored = score_rows(self.model, rows.features, self.options, keep=keep)
        return ScoredRows(self, rows, scored, find_faults(self.model, scored))


@dataclass(frozen=True)
class ScoredRows(Outcome):
    """The outcome of ``classify``."""

    work: Classify
    rows: Rows
    scored: Scored
    faults: list[Fault]  # rows whose scores overflow

    def tally(self) -> ScoreTally:
        """Count the rows."""
        decision, missing = self.scored.decision, self.rows.has_missing
        categories, statistics = self.work.model.categories, None
        if gather := self.work.gather:
            from matscore.numerics.statistics import gather_scores

            rows, measured = self.rows, self.work.model.take_measured(self.rows.features)
            statistics = gather_scores(measured, self.scored, rows.numbers, rows.labels, gather)
        return ScoreTally(
            categories,
            int(decision.tied.sum()),
            0 if missing is None else int(missing.sum()),
            int((decision.best < 0).sum()),
            np.bincount(decision.best[decision.best >= 0], minlength=len(categories)),
            statistics,
        )

    def frame(self) -> Frame:
        """Return the score table."""
        return make_frame(self.work.columns, self.rows.labels, self.rows.texts, self.scored)

    def preview(self, n_rows: int) -> Preview:
        """Return the first rows, with the highest cells of each marked, both of a tie."""
        marks = self.scored.mark_ties(self.work.model, n_rows)
        # A copy, or a view of a few rows would keep the whole chunk in memory.
        features = self.scored.features[:, :n_rows].copy()
        return Preview(self.frame().head(n_rows), marks, self.work, features)


@dataclass(frozen=True, kw_only=True)
class ClassifyTop(Classify):
    """The work of ``classify --top-k``."""

    k: int
    ranks: RankColumns

    def values_a_row(self) -> tuple[int, int]:
        """Count the values of a row: held at a time besides its features, and written."""
        n_held, _ = super().values_a_row()
        # With a threshold, ranks are made from a copy of the scores.
        return 2 * n_held, self.k * len(self.ranks.pairs)

    def apply(self, rows: Rows) -> TopRows:
        """Score rows and rank the categories of each."""
        scored = score_rows(self.model, rows.features, self.options)
        ranking = scored.rank(self.model, self.k, self.options.threshold)
        return TopRows(self, rows, scored, find_faults(self.model, scored), ranking)


@dataclass(frozen=True)
class TopRows(ScoredRows):
    """The outcome of ``classify --top-k``."""

    work: ClassifyTop
    ranking: Ranking

    def frame(self) -> Frame:
        """Return the long table."""
        names = Texts.from_strings(self.work.model.categories)
        return make_long_frame(self.work.ranks, self.rows, names, self._ranked)

    def preview(self, n_rows: int) -> Preview:
        """Return the lines of the first rows."""
        return self._ranked.preview(self.frame(), n_rows)

    @cached_property
    def _ranked(self) -> RankedRows:
        there, scored, ranks = self.ranking.places >= 0, self.scored, self.work.ranks
        row, _ = np.nonzero(there)
        chosen = self.ranking.places[there]
        asked = scored.scores if ranks.scores else None, scored.probabilities, scored.response
        numbers = tuple(one[chosen, row] for one in asked if one is not None)
        missing = self.rows.has_missing if self.work.model.least_present is None else None
        undefined = np.zeros(self.rows.n_rows, dtype=bool) if missing is None else missing
        return RankedRows(there.sum(axis=1), chosen, numbers, undefined, self.ranking.tied[there])
