"""What can be asked of one command alone: the groups of evaluate, explain, fit and recommend."""

# Annotations stay types here (no __future__ import): the command line is made from them.
import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

from matscore.errors import UsageError
from matscore.fields import Options, group, option
from matscore.options import (
    LEARNING,
    LINING_UP,
    SCORED,
    Best,
    LabelOptions,
    Metric,
    PathLike,
    refuse_same,
)

Method: TypeAlias = Literal["least-squares", "ridge", "logistic"]


@group
@dataclass(frozen=True)
class RecommendOptions(Options):
    """What is recommended."""

    # None and not 10, so that `check` can tell whether it was asked for beside a matrix.
    k: int | None = option(
        None, SCORED, "Items a user.", "--top-k", "-k", min=1, metavar="K", show_default="10",
        set_by="MATSCORE_RECOMMEND_TOP_K", doc="Items a user, at most; None is 10.")  # fmt: skip
    min_score: float | None = option(
        None, SCORED, "Leave out items whose score is under S.", "--min-score", metavar="S"
    )
    keep_item_cols: tuple[str, ...] = option(
        (), LINING_UP,
        "Items columns, text or numbers, to carry into the output; they are no features.",
        "--keep-item-cols", metavar="A,B")  # fmt: skip
    drop_item_cols: tuple[str, ...] = option(
        (), LINING_UP, "Items columns to leave out, text or numbers.",
        "--drop-item-cols", metavar="A,B")  # fmt: skip

    @property
    def n_items(self) -> int:
        """Items a user, at most."""
        return 10 if self.k is None else self.k

    def check(self, exclude: PathLike | None = None, *, matrix: bool = False) -> None:
        """Refuse a score that is no number and what a matrix undoes, with a `UsageError`."""
        super().check()
        if self.min_score is not None and not math.isfinite(self.min_score):
            raise UsageError("--min-score is not a finite number", "give it a number")
        refuse_same("--keep-item-cols", self.keep_item_cols, self.drop_item_cols)
        kept = self.keep_item_cols or None
        limits = (
            ("--top-k", self.k), ("--min-score", self.min_score), ("--exclude", exclude),
            ("--keep-item-cols", kept),
        )  # fmt: skip
        for flag, value in limits:
            if matrix and value is not None:
                what = f"{flag} and --matrix contradict each other"
                raise UsageError(what, "a matrix has the score of every user and item")


@group
@dataclass(frozen=True)
class ExplainOptions(Options):
    """What to explain."""

    category: str | None = option(
        None, SCORED, "Category to explain; without it the predicted one of each row.",
        "--category", metavar="NAME")  # fmt: skip
    versus: str | None = option(
        None, SCORED, "Category to compare with: explain the difference of the two scores.",
        "--versus", metavar="NAME")  # fmt: skip
    top_features: int | None = option(
        None, SCORED, "Show the N largest contributions and the sum of the others.",
        "--top-features", min=0, metavar="N", show_default="all; 10 in a table")  # fmt: skip
    row: str | None = option(
        None, SCORED, "Explain the row of that label alone; without labels, of that number.",
        "--row", metavar="LABEL")  # fmt: skip

    def check(self) -> None:
        """Refuse a category that is compared with itself, with a `UsageError`."""
        super().check()
        if self.category is not None and self.category == self.versus:
            what = "--category and --versus are the same"
            raise UsageError(what, "compare it with another")


@group
@dataclass(frozen=True)
class ColumnOptions(LabelOptions):
    """Which columns of the features are what, where weights are learned."""

    no_id_col: bool = option(
        False, LINING_UP, "Take the first column for a feature.", "--no-id-col"
    )
    target: tuple[str, ...] = option(
        (), LINING_UP, "Features column that is learned; several, where they are numbers.",
        "--target", metavar="A,B")  # fmt: skip
    drop_cols: tuple[str, ...] = option(
        (), LINING_UP, "Features columns to leave out.", "--drop-cols", metavar="A,B"
    )


@group
@dataclass(frozen=True)
class FitOptions(Options):
    """How weights are learned."""

    method: Method | None = option(
        None, LEARNING,
        "Without it least squares for numbers, logistic regression for categories.",
        "--method")  # fmt: skip
    alpha: float | None = option(
        None, LEARNING, "Penalty of ridge and logistic regression (1/C); 0 for none.",
        "--alpha", min=0.0, metavar="A", show_default="1")  # fmt: skip
    intercept: bool | None = option(
        None, LEARNING,
        "Whether to fit an intercept; without it, one is fitted unless there are no more rows than "
        "features.",
        "--intercept/--no-intercept", set_by="MATSCORE_FIT_INTERCEPT", show_default=False,
    )  # fmt: skip
    standardize: bool = option(
        False, LEARNING,
        "Learn on features of mean 0 and standard deviation 1; the weights are for them as they "
        "are.",
        "--standardize")  # fmt: skip
    categories: bool | None = option(
        None, LEARNING,
        "Whether the target holds categories or numbers; without it, its first cells tell.",
        "--categories/--numbers", show_default=False)  # fmt: skip
    terms: tuple[str, ...] = option(
        (), LEARNING,
        "Further features: `a:b`, `a^2`, `log(a)`, `30<=a<35`; a column of text stands for each of "
        "its levels.",
        "--terms", metavar="A,B")  # fmt: skip
    max_levels: int = option(
        100, LEARNING, "Levels that a column of text may have.", "--max-levels", min=1, metavar="N"
    )
    rare: int | None = option(
        None, LEARNING, "Put levels of fewer than N rows together, as `(other)`.",
        "--rare", min=1, metavar="N")  # fmt: skip

    def check(self) -> None:
        """Refuse options that contradict each other, with a `UsageError`."""
        super().check()
        if self.method == "logistic" and self.categories is False:
            raise UsageError("logistic regression learns categories, not numbers")
        if self.alpha is None:
            return
        if self.method == "least-squares":
            raise UsageError("least squares has no penalty", "--method ridge has --alpha")
        # NaN and what is under 0 are refused by the field's own limit.
        if self.alpha == math.inf:
            raise UsageError("alpha is not a finite number of 0 or more", "give it 1, say")


@group
@dataclass(frozen=True)
class PairOptions(Options):
    """Which pairs of user and item have a score, and what it is; Python has keywords for them."""

    metric: Metric = option(
        "dot", SCORED,
        "What a score is: the product, or the cosine, which a row of zeros does not have.",
        "--metric")  # fmt: skip
    exclude: str | None = option(
        None, SCORED,
        "File of pairs that are not recommended: users in its first column, items in its second.",
        "--exclude", metavar="FILE")  # fmt: skip
    matrix: bool = option(
        False, SCORED, "Write the score of every user and item: a column an item.", "--matrix"
    )


@group
@dataclass(frozen=True)
class TruthOptions(Options):
    """Where the truth is, what is compared, how good it must be; Python has keywords for them."""

    truth: str | None = option(
        None, LINING_UP,
        "Column with the true category of each row: of FEATURES, or of --truth-file.",
        "--truth", metavar="NAME")  # fmt: skip
    truth_file: str | None = option(
        None, LINING_UP, "File with the true categories of the same rows in the same order.",
        "--truth-file", metavar="FILE")  # fmt: skip
    min_accuracy: float | None = option(
        None, SCORED,
        "End with exit 4 where the accuracy is under X, the measures written all the same.",
        "--min-accuracy", min=0.0, max=1.0, metavar="X")  # fmt: skip
    positive: str | None = option(
        None, SCORED,
        "Category to compare with the rest; of a single category the truth that is positive, "
        "which without it is the category's name.",
        "--positive", metavar="NAME")  # fmt: skip
    one_vs_rest: bool = option(
        False, SCORED, "Compare each category with the rest.", "--one-vs-rest"
    )
    best: Best | None = option(
        None, SCORED,
        "Take for positive what the threshold of the highest F1 on these rows takes, or of the "
        "highest recall + specificity - 1.",
        "--best")  # fmt: skip
