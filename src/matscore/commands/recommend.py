"""``recommend``: the best items for each user."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Unpack, get_args

import numpy as np

from matscore.command_options import RecommendOptions
from matscore.commands import FileKeywords, options_of, settings_of, show
from matscore.commands.output import RankColumns, ScoreColumns, head_of, open_sink
from matscore.commands.users import Recommend, RecommendTally, ScoreItems, Seen, read_seen
from matscore.errors import MisfitError, PlanError, UsageError
from matscore.frame import read_numbers
from matscore.items import Items
from matscore.kernel import Choices, Texts
from matscore.model import MOST_BYTES, Weights, load_items
from matscore.names import quote_names
from matscore.options import (
    Format,
    Metric,
    MissingPolicy,
    OutputOptions,
    PathLike,
    PlanOptions,
)
from matscore.plan import Plan, require_fit
from matscore.read.source import SourceFacts
from matscore.run.run import Summary
from matscore.run.run import run as run_command
from matscore.run.work import Command, Settings, Work, make_output_spec
from matscore.write.formats import OutputSpec
from matscore.write.whole import BinaryFile

if TYPE_CHECKING:
    import pandas as pd

    from matscore.frame import Frame

_USERS_A_CHUNK = 512
_OWN_COLUMNS = ("user", "rank", "item", "score")
_CELLS_A_CHUNK = 2**22
_BYTES_A_CELL = 12
_MOST_CHUNK_BYTES = 4 * 2**20
_LEAST_BYTES = 2**14


@dataclass(frozen=True)
class RecommendCommand(Command):
    """The best items of each user, or with `matrix` the scores of all items."""

    metric: Metric = "dot"
    recommend: RecommendOptions = RecommendOptions()
    write: OutputOptions = OutputOptions()
    exclude: str | None = None
    matrix: bool = False

    @property
    def others(self) -> tuple[str, ...]:
        """The pairs that are left out."""
        return () if self.exclude is None else (self.exclude,)

    def check_options(self) -> None:
        """Refuse options without a meaning, and columns picked of the wrong side or axis."""
        align, kept = self.how.align, self.recommend.keep_item_cols
        if self.metric == "cosine" and (align.absent or align.absent_zero):
            lengths = "the length of an item, which the cosine divides by"
            hint = "give users a column of zeros, or leave the items' out with --drop-item-cols"
            raise UsageError(f"with --absent {lengths}, has two meanings", hint)
        if align.weights_cols or align.drop_weights_cols:
            raise UsageError("items are no weights", "leave columns out with --drop-item-cols")
        # The second matrix is turned unless items are columns.
        if kept and not align.transpose:
            what = "--keep-item-cols keeps columns, and with --transpose-items a column is an item"
            raise UsageError(what, "leave one of them out")
        self.recommend.check(self.exclude, matrix=self.matrix)
        if self.how.read.missing == "mean":
            what = "--missing mean makes up for what scores lack, and users are no scores"
            raise UsageError(what, "say --missing zero, skip or keep")
        if self.metric not in get_args(Metric):
            raise UsageError(f"metric cannot be {self.metric!r}", "say dot or cosine")

    def load(self, path: str, *, checksum: bool) -> Weights:
        """Read the items, a third of the memory in it and the rest in a temporary file."""
        asked = self.how.run.memory_bytes
        # The rest is for users, their ranks and what is written.
        most_bytes = MOST_BYTES if asked is None else asked // 3
        kept, dropped = self.recommend.keep_item_cols, self.recommend.drop_item_cols
        from matscore.read.switches import Pick

        pick = Pick((), dropped, kept, "--drop-item-cols", "--keep-item-cols")
        return load_items(path, self.how.read, pick, checksum=checksum, most_bytes=most_bytes)

    def take_model(self, plan: Plan, weights: Weights) -> Items:
        """Hold the items, once for all files of users: what was read is gone after that."""
        # Two ways to meet the items would need them twice, which memory may not hold.
        if weights.is_gone:
            what = f"{plan.features.path} meets the items in another way than the files before it"
            raise PlanError(replace(plan, problem=what, hint="do the files one by one"))
        spill = weights.is_spilled
        cosine, texts = self.metric == "cosine", weights.texts
        items = Items(len(plan.weights_index), cosine=cosine, spill=spill, texts=texts)
        for rows in weights.take_items(plan):
            items.add(rows)
        return items

    def make_output(self, plan: Plan, form: Format) -> OutputSpec:
        """Return the columns of ranks, or one an item."""
        columns = self._matrix_columns(plan) if self.matrix else self._rank_columns(plan)
        return make_output_spec(plan, columns, self.write, form)

    def make_work(self, plan: Plan, model: Items) -> Work:
        """Return what finds the best items, or scores all of them."""
        if self.matrix:
            return ScoreItems(model, self._matrix_columns(plan))
        seen, how = None, self.how
        if self.exclude is not None:
            checksum = how.run.checksum
            seen = read_seen(self.exclude, how.read, plan.categories, checksum=checksum)
        return self.rank(plan, model, seen)

    def rank(self, plan: Plan, items: Items, seen: Seen | None) -> Recommend:
        """Return what finds the best items."""
        labels, columns = Texts.from_strings(plan.categories), self._rank_columns(plan)
        gather = self.how.run.gather
        return Recommend(items, labels, self.recommend, columns, seen, gather, items.texts)

    def suggest_chunk(self, plan: Plan) -> int:
        """Return the bytes of a chunk: few users where there is much to do for each of them."""
        n_items, width = len(plan.categories), plan.features.width
        n_users = _CELLS_A_CHUNK // max(n_items, 1) if self.matrix else _USERS_A_CHUNK
        # With few items there is little to do for a user, so a chunk has more of them.
        if not self.matrix and n_items * _USERS_A_CHUNK < _CELLS_A_CHUNK:
            n_users = _CELLS_A_CHUNK // n_items
        return min(max(n_users * width * _BYTES_A_CELL, _LEAST_BYTES), _MOST_CHUNK_BYTES)

    def _matrix_columns(self, plan: Plan) -> ScoreColumns:
        return ScoreColumns(*head_of(plan), categories=plan.categories, prediction=False)

    def _rank_columns(self, plan: Plan) -> RankColumns:
        """Return the columns; that of items is named as in their file, if that name is free."""
        names = plan.weights.names
        found = names[0] if names and plan.weights_label_column and plan.transpose else ""
        beside = plan.weights.beside
        taken = {plan.label_name, *plan.kept_names, "rank", "score", *beside}
        if not found.strip() or found in taken:
            found = "item"
        head, scores = head_of(plan), self.write.scores
        return RankColumns(*head, chosen_name=found, scores=scores, beside=beside)


@show(FileKeywords)
def recommend_file(
    users: PathLike,
    items: PathLike,
    output: PathLike | BinaryFile | None = None,
    *,
    metric: Metric = "dot",
    recommend: RecommendOptions = RecommendOptions(),
    exclude: PathLike | None = None,
    matrix: bool = False,
    write: OutputOptions = OutputOptions(),
    **how: Unpack[FileKeywords],
) -> Summary[RecommendTally]:
    """Find the best items for each user of a file.

    Users and items are rows of the same features; a score is ``users @ items.T``. The users are
    read in chunks, the items are held. A missing value and a bad row are of the users, as an item
    lacks no feature; ``transpose`` of `PlanOptions` is for items that are columns.

    Parameters
    ----------
    users, items : str or Path
        Files with one row a user, one row an item, and one column a feature.
    output : str, Path, binary file or None
        Where the lines go: a path is written whole or not at all; None computes the summary only.
    metric : {"dot", "cosine"}
        What a score is; the cosine is the product divided by the two Euclidean norms, and missing
        where one is zero.
    recommend : RecommendOptions
        How many items a user, and from which score on.
    exclude : str or Path, optional
        File whose first two columns are pairs of user and item that are not recommended.
    matrix : bool
        Whether to write the scores of all items instead, one column an item.
    write : OutputOptions
        What is written.
    **how
        See `FileKeywords`.

    Returns
    -------
    Summary
        Counts, and the first users of a table.

    Raises
    ------
    PlanError
        Shapes or names do not line up.
    InputError, FileError, OutputError, UsageError
        As in `matscore.classify_file`.

    Examples
    --------
    >>> summary = recommend_file("sample_data/users.csv", "sample_data/films.csv")
    >>> summary.n_rows, summary.tally.n_pairs
    (3, 6)
    """
    settings = settings_of(how, write)
    settings = replace(settings, align=_align_items(settings.align))
    pairs = None if exclude is None else str(exclude)
    command = RecommendCommand(settings, metric, recommend, write, pairs, matrix)
    command.check_options()
    # One name for one wish, in manifests.
    command = replace(command, recommend=replace(recommend, k=recommend.n_items))
    summary: Summary[RecommendTally] = run_command(command, users, items, open_sink(output))
    seen = summary.tally.seen
    # The pairs are an input like the others in a report.
    return summary if seen is None else replace(summary, inputs=(*summary.inputs, seen.facts))


def recommend(
    users: pd.DataFrame,
    items: pd.DataFrame,
    k: int = 10,
    *,
    metric: Metric = "dot",
    min_score: float | None = None,
    exclude: pd.DataFrame | None = None,
    missing: MissingPolicy = "error",
    strict: bool = False,
    transpose: bool = False,
    keep_item_cols: Sequence[str] = (),
    drop_item_cols: Sequence[str] = (),
    unique_labels: bool = False,
    rename: Mapping[str, str] | None = None,
    absent: str | Sequence[str] = (),
    max_absent: int | None = None,
    booleans: bool = False,
) -> pd.DataFrame:
    """Find the best items for each user.

    Parameters
    ----------
    users : DataFrame of shape (n_users, n_features)
        One row a user; the index holds the labels.
    items : DataFrame of shape (n_items, n_features)
        One row an item, described by the same features; the index holds the labels.
    k : int
        Items a user, at most.
    metric : {"dot", "cosine"}
        What a score is; the cosine is the product divided by the two Euclidean norms, and missing
        where one is zero.
    min_score : float, optional
        Items with a lower score are left out.
    exclude : DataFrame, optional
        Its first two columns are pairs of user and item that are left out.
    missing : {"error", "skip", "zero", "keep"}
        What a user's missing value means: refuse; leave the user out; read it as 0; recommend
        nothing. An item's is always refused.
    strict : bool
        Refuse columns of the users that the items do not have.
    transpose : bool
        The items are columns.
    keep_item_cols : sequence of str
        Columns of the items that are carried into the result, and are no features.
    drop_item_cols : sequence of str
        Columns of the items that are left out.
    unique_labels : bool
        Refuse a user whose label is there before.
    rename, absent, max_absent
        As in `classify`, of users against items; the cosine has no absent features.
    booleans : bool
        As in `classify`, of both.

    Returns
    -------
    DataFrame
        One row a user and rank, best first: ``user``, ``rank``, ``item``, kept columns, ``score``.
        Scores that differ by no more than rounding error tie; the first item goes first. Users to
        whom nothing is recommended have no row.

    Raises
    ------
    PlanError, InputError, UsageError
        As in `classify`; an argument has no meaning.

    Examples
    --------
    >>> import pandas as pd
    >>> features = ["action", "drama"]
    >>> users = pd.DataFrame([[0.9, 0.1], [0.1, 0.7]], ["Amina", "Bruno"], features)
    >>> films = pd.DataFrame([[0.8, 0.1], [0.2, 0.8]], ["Orbit Nine", "Sunday Lunch"], features)
    >>> recommend(users, films, k=1)
        user  rank          item  score
    0  Amina     1    Orbit Nine   0.73
    1  Bruno     1  Sunday Lunch   0.58
    """
    from matscore.commands.frames import (
        Typed,
        collect_frame,
        drop_columns,
        plan_frames,
        take_matrix,
    )

    kept, dropped = tuple(map(str, keep_item_cols)), tuple(map(str, drop_item_cols))
    options = RecommendOptions(k, min_score, kept, dropped)
    read, align = options_of({
        "missing": missing, "booleans": booleans, "strict": strict, "transpose": transpose,
        "rename": rename, "absent": absent, "max_absent": max_absent,
        "unique_labels": unique_labels,
    })  # fmt: skip
    align = _align_items(align)
    command = RecommendCommand(Settings(read, align), metric, options)
    command.check_options()
    for name in kept:
        if name in _OWN_COLUMNS:
            what = f'two columns of the output would be named "{name}"'
            raise MisfitError("items", what, "rename the column")
    whole = drop_columns(items, dropped, "items", "drop_item_cols")
    items = drop_columns(whole, kept, "items", "keep_item_cols")
    names = list(map(str, whole.columns))
    beside = whole.iloc[:, [names.index(name) for name in kept]]
    if both := [name for name in kept if name in set(map(str, users.columns))]:
        what = f"{quote_names(both)} is kept, and users have it as a feature"
        raise MisfitError("items", what, "copy it under another name")
    plan = require_fit(plan_frames(users, items, align, read, paths=("users", "items")))
    # Users are rows by number, so that their labels come out as they are and may be alike.
    plan = replace(plan, label_name="user", kept_names=())
    values = take_matrix(items, plan.weights.path, "feature of an item", booleans=booleans)
    held = Items(len(plan.weights_index), cosine=metric == "cosine")
    held.add(np.take(values if plan.transpose else values.T, list(plan.weights_index), axis=1))
    labels = items.index if plan.transpose else items.columns
    seen = None if exclude is None else _find_excluded(exclude, users.index, labels)
    columns = [i - 1 for i in plan.feature_columns]
    typed = Typed(users, columns, "users", chunk_rows=_USERS_A_CHUNK, booleans=booleans)
    found = collect_frame(command.rank(plan, held, seen), typed, read.of_cell, unique=unique_labels)
    return _make_table(found, users, labels, beside)


def _find_excluded(exclude: pd.DataFrame, users: pd.Index[Any], items: pd.Index[Any]) -> Seen:
    """Return the pairs whose items are known, by the users' numbers; users may share a label."""
    import pandas as pd

    if exclude.shape[1] < 2:
        raise UsageError("exclude needs two columns", "give it users and items")
    places = pd.Series(np.arange(len(items)), index=items)
    item = exclude.iloc[:, 1].map(places)
    by_user = item.dropna().astype(np.int64).groupby(exclude.iloc[:, 0]).agg(list)
    lists = [by_user.get(user, []) for user in users]
    starts = np.cumsum([0, *map(len, lists)])
    chosen = np.array([i for some in lists for i in some], dtype=np.int64)
    facts = SourceFacts("exclude", None, None, None)
    return Seen(facts, {str(i + 1): i for i in range(len(users))}, starts, chosen)


def _make_table(
    found: Frame, users: pd.DataFrame, items: pd.Index[Any], beside: pd.DataFrame
) -> pd.DataFrame:
    """Return the lines of users to whom something is recommended, with the labels as they are."""
    import pandas as pd

    user, rank, item, score = found.columns
    chosen = found[item]
    if not isinstance(chosen, Choices):
        raise TypeError("items are chosen from a list")
    there = chosen.codes >= 0  # a user to whom nothing is recommended has an empty line
    places = read_numbers(found[user])[there].astype(np.int64) - 1
    made = {
        "user": users.index[places],
        "rank": read_numbers(found[rank])[there].astype(np.int64),
        "item": items.take(chosen.codes[there]),
        **{name: column.array[chosen.codes[there]] for name, column in beside.items()},
        "score": read_numbers(found[score])[there],
    }
    return pd.DataFrame(made)


def _align_items(asked: PlanOptions) -> PlanOptions:
    """Return options for users and items, which both are rows; none of them is an intercept."""
    # The second matrix is turned, unless ``transpose`` says that items are its columns already.
    return replace(
        asked, transpose=not asked.transpose, auto_transpose=False, intercept=None,
        no_intercept=True, items=True,
    )  # fmt: skip
