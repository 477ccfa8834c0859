"""What can be asked for, in groups: frozen, with what they refuse; plain Python."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from matscore.errors import UsageError
from matscore.grammar import MISSING_VALUES, Grammar
from matscore.names import ITEMS, SCORING, Words

if TYPE_CHECKING:
    from matscore.read.faults import Reject

PathLike: TypeAlias = str | Path
Engine: TypeAlias = Literal["local", "dask"]
DataFormat: TypeAlias = Literal["csv", "tsv", "json", "jsonl", "markdown", "parquet", "arrow"]
Format: TypeAlias = Literal[
    "csv", "tsv", "json", "jsonl", "markdown", "parquet", "arrow", "table", "html"
]  # fmt: skip
FORMATS: tuple[Format, ...] = (
    "table", "csv", "tsv", "json", "jsonl", "markdown", "html", "parquet", "arrow",
)  # fmt: skip
SHOWN: tuple[Format, ...] = ("table", "html")
"""The formats that hold the first rows only, and are made when all rows are done."""
MissingPolicy: TypeAlias = Literal["error", "skip", "zero", "keep"]
Gather: TypeAlias = Literal["page", "plot"]
Metric: TypeAlias = Literal["dot", "cosine"]
Method: TypeAlias = Literal["least-squares", "ridge", "logistic"]
METHODS: tuple[Method, ...] = ("least-squares", "ridge", "logistic")


@dataclass(frozen=True)
class OutputOptions:
    """What is written, and how.

    Attributes
    ----------
    format : str or None
        One of the formats; None takes it from the output's ending, or CSV.
    scores, margin : bool
        Whether there are score columns, and a margin.
    precision : int or None
        Decimals to round to.
    excel_safe : bool
        Whether text that a spreadsheet would take for a formula gets an apostrophe before it.
    max_rows : int
        Rows of a table.
    top_k : int or None
        The best categories of each row that are written, a line each, instead of all scores.
    """

    format: Format | None = None
    scores: bool = True
    margin: bool = False
    precision: int | None = None
    excel_safe: bool = False
    max_rows: int = 20
    top_k: int | None = None


@dataclass(frozen=True)
class RejectOptions:
    """What happens to bad rows.

    Attributes
    ----------
    on_error : {"fail", "reject"}
        Whether a bad row stops the run or is set aside.
    path : str, Path or None
        File of the rows set aside, written whole or not at all.
    max_rows : int or None
        More rejects than that end the run.
    max_share : float or None
        A larger share of rejects, from 0 to 1, ends the run.
    on_rejects : callable or None
        Takes an input's name and the rows set aside of each chunk that has any, in order.
    """

    on_error: Literal["fail", "reject"] = "fail"
    path: str | Path | None = None
    max_rows: int | None = None
    max_share: float | None = None
    on_rejects: Callable[[str, list[Reject]], None] | None = None


@dataclass(frozen=True)
class RunOptions:
    """How the work is done; none of it changes a byte of the output.

    Attributes
    ----------
    n_jobs : int or None
        Processors to keep busy; None is all of them.
    chunk_bytes : int or None
        Size of a chunk; None suits the file and the memory.
    checksum : bool
        Whether the inputs' sha256 is computed on the way.
    gather : tuple of {"page", "plot"}
        What statistics are gathered on the way: what a page shows, what a plot shows.
    memory_bytes : int or None
        Memory that the run aims to stay in, for chunks of fitting size in as many threads as it
        allows; None is 224 MiB.
    engine : {"local", "dask"}
        What does it: threads, or the workers of a Dask cluster.
    scheduler : str or None
        Address of the cluster's scheduler; None starts workers of our own, `n_jobs` of them.
    resume : bool
        Whether parts of an output directory that are there and current are kept.
    """

    n_jobs: int | None = None
    chunk_bytes: int | None = None
    checksum: bool = False
    gather: tuple[Gather, ...] = ()
    memory_bytes: int | None = None
    engine: Engine = "local"
    scheduler: str | None = None
    resume: bool = False


@dataclass(frozen=True)
class ReadOptions:
    """How inputs are read.

    Attributes
    ----------
    delimiter : str or None
        One character; None finds it in the header.
    encoding : str or None
        Name of the text encoding; None is UTF-8.
    headers : bool or None
        Whether the first record is a header; None looks whether all its cells are numbers.
    decimal : str
        The decimal mark, a point or a comma.
    missing : {"error", "skip", "zero", "keep"}
        What a missing cell means.
    missing_values : tuple of str
        Cells that count as missing, besides empty ones.
    """

    delimiter: str | None = None
    encoding: str | None = None
    headers: bool | None = None
    decimal: str = "."
    missing: MissingPolicy = "error"
    missing_values: tuple[str, ...] = MISSING_VALUES

    @property
    def grammar(self) -> Grammar:
        """What a cell is."""
        return Grammar(self.decimal, self.missing_values)


@dataclass(frozen=True)
class PlanOptions:
    """The options that decide how the two sides line up; each is named as on the command line.

    `items` says that the second file has one row an item, as that of ``recommend`` has.

    `truth` names a features column that is read as text and is no feature: the first kept column.
    """

    id_col: str | None = None
    no_id_col: bool = False
    transpose: bool = False
    transpose_features: bool = False
    auto_transpose: bool = False
    strict: bool = False
    keep_cols: tuple[str, ...] = ()
    keep_all: bool = False
    intercept: str | None = None
    no_intercept: bool = False
    truth: str | None = None
    items: bool = False

    @property
    def words(self) -> Words:
        """What people are told in."""
        return ITEMS if self.items else SCORING

    def for_items(self) -> PlanOptions:
        """Return the same for users and items, which are rows; none of them is an intercept.

        Of such options ``transpose`` says that the items are columns.
        """
        turned = not self.transpose
        return replace(self, transpose=turned, auto_transpose=False, no_intercept=True, items=True)


@dataclass(frozen=True)
class ColumnOptions:
    """Which columns of the features are what; each option is named as on the command line."""

    id_col: str | None = None
    no_id_col: bool = False
    target: tuple[str, ...] = ()
    drop_cols: tuple[str, ...] = ()


@dataclass(frozen=True)
class ScoreOptions:
    """What to compute besides the scores.

    Attributes
    ----------
    probabilities : bool
        Whether to compute probabilities.
    threshold : float or None
        A best score (or probability) under it gives no prediction.
    """

    probabilities: bool = False
    threshold: float | None = None


@dataclass(frozen=True)
class RecommendOptions:
    """What is recommended.

    Attributes
    ----------
    k : int
        Items a user, at most.
    min_score : float or None
        Items with a lower score are not recommended.
    """

    k: int = 10
    min_score: float | None = None

    def check(self) -> None:
        """Refuse what has no meaning.

        Raises
        ------
        UsageError
            No item is wanted, or the least score is not a finite number.
        """
        if self.k < 1:
            raise UsageError(f"k cannot be {self.k}", "say how many items a user is to get")
        if self.min_score is not None and not math.isfinite(self.min_score):
            raise UsageError(f"min_score cannot be {self.min_score}", "give it a finite number")


@dataclass(frozen=True)
class ExplainOptions:
    """What to explain.

    Attributes
    ----------
    category : str or None
        The category whose score is taken apart; None takes the predicted one of each row.
    versus : str or None
        A category whose score is taken away from it.
    top_features : int or None
        Features with a line of their own; the others are summed up in one.
    row : str or None
        The label of the only row to explain.
    """

    category: str | None = None
    versus: str | None = None
    top_features: int | None = None
    row: str | None = None


@dataclass(frozen=True)
class FitOptions:
    """How weights are learned.

    Attributes
    ----------
    method : {"least-squares", "ridge", "logistic"} or None
        None is least squares for numbers, logistic regression for categories.
    alpha : float or None
        Penalty of ridge and logistic regression; None is 1.
    intercept : bool or None
        Whether to fit one; None does so, but for least squares and ridge with no more rows than
        features, which the features alone can fit.
    standardize : bool
        Whether to learn on standardised features; the weights are for the features as they are.
    categories : bool or None
        Whether the target holds categories, even if they look like numbers; None looks.
    """

    method: Method | None = None
    alpha: float | None = None
    intercept: bool | None = None
    standardize: bool = False
    categories: bool | None = None

    def check(self) -> None:
        """Refuse options that contradict each other.

        Raises
        ------
        UsageError
            They do.
        """
        if self.method is not None and self.method not in METHODS:
            raise UsageError(
                f"there is no method {self.method!r}", f"say one of {', '.join(METHODS)}"
            )
        if self.method == "logistic" and self.categories is False:
            raise UsageError("logistic regression learns categories, not numbers")
        if self.alpha is None:
            return
        if self.method == "least-squares":
            raise UsageError("least squares has no penalty", "--method ridge has --alpha")
        if not 0 <= self.alpha < math.inf:
            raise UsageError("alpha is not a finite number of 0 or more", "give it 1, say")
