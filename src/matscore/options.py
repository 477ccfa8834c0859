"""What can be asked for: each option once, as a field of the group that it belongs to.

A field says all that the command line, its help, the reference pages and Python need to know.
The groups are frozen, and refuse what contradicts itself in their `check`.
"""

# Annotations stay types here (no __future__ import): the command line is made from them.
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from matscore.errors import UsageError
from matscore.fields import (
    Options,
    group,
    option,
    parse_comment,
    parse_delimiter,
    parse_encoding,
    parse_limit,
    parse_size,
    plain,
    refuse_both,
    refuse_same,
    split_list,
)
from matscore.names import ITEMS, MISSING_VALUES, SCORING, Grammar, Words

if TYPE_CHECKING:
    from matscore.read.rows import Reject

PathLike: TypeAlias = str | Path
Engine: TypeAlias = Literal["local", "dask"]
Format: TypeAlias = Literal[
    "table", "csv", "tsv", "json", "jsonl", "markdown", "html", "parquet", "arrow"
]  # fmt: skip
UnknownPolicy: TypeAlias = Literal["error", "skip", "zero", "keep"]
MissingPolicy: TypeAlias = Literal["error", "skip", "zero", "keep", "mean"]
Gather: TypeAlias = Literal["page", "plot"]
Metric: TypeAlias = Literal["dot", "cosine"]
Best: TypeAlias = Literal["f1", "youden"]
Link: TypeAlias = Literal["one-vs-rest", "logistic", "exp", "identity", "probit", "cloglog"]


@group
@dataclass(frozen=True)
class ReadOptions(Options):
    """How inputs are read."""

    delimiter: str | None = option(
        None, "Reading",
        "Character between cells, `tab`, or `blanks` for runs of spaces and tabs; without it the "
        "header decides.",
        "--delimiter", "-d", parse=parse_delimiter, metavar="CHAR")  # fmt: skip
    encoding: str | None = option(
        None, "Reading", "Text encoding; UTF-8 without it.",
        "--encoding", parse=parse_encoding, metavar="NAME")  # fmt: skip
    headers: bool | None = option(
        None, "Reading",
        "Whether the first record is a header; without it, it is one unless all its cells are "
        "numbers.",
        "--headers/--no-headers", " /-n", show_default=False)  # fmt: skip
    decimal: Literal[".", ","] = option(".", "Reading", "Decimal mark.", "--decimal")
    missing: MissingPolicy = option(
        "error", "Reading",
        "A missing cell: stop; reject its row; read it as 0; keep the row, its scores NaN; score "
        "the row by what it has, made up to all features, for weights of one size.",
        "--missing")  # fmt: skip
    unknown: UnknownPolicy = option(
        "error", "Reading",
        "A text that is no level of its column: stop; reject its row; leave the column out of its "
        "score; keep the row, its scores NaN.",
        "--unknown")  # fmt: skip
    missing_values: tuple[str, ...] = option(
        MISSING_VALUES, "Reading",
        "Comma-separated words that count as missing, besides an empty cell; a number stands for "
        "all that are equal to it.",
        "--missing-values", metavar="A,B", show_default=",".join(MISSING_VALUES))  # fmt: skip
    comment: str | None = option(
        None, "Reading",
        "Leave out the lines that start so, before the header and between records, and count them.",
        "--comment", metavar="TEXT", parse=parse_comment)  # fmt: skip
    skip_lines: int = option(
        0, "Reading", "Leave out the first N lines of each features file.",
        "--skip-lines", min=0, metavar="N")  # fmt: skip
    booleans: bool = option(
        False, "Reading",
        "Read True and False as 1 and 0, also TRUE, true, T, t, Yes, YES, yes, Y, y; a column has "
        "one spelling, that of its first records.",
        "--booleans")  # fmt: skip
    features_headers: bool | None = option(
        None, "Reading", "As --headers, for the features alone.",
        "--features-headers/--no-features-headers", show_default=False)  # fmt: skip
    weights_headers: bool | None = option(
        None, "Reading", "As --headers, for the weights alone.",
        "--weights-headers/--no-weights-headers", show_default=False)  # fmt: skip
    empty_files: Literal["error", "skip"] = option(
        "error", "Reading", "A features file without a byte: stop; or pass over it.",
        "--empty-files")  # fmt: skip
    min_present: int | None = option(
        None, "Reading",
        "With --missing mean, features of each category that a row must have; 1 without it.",
        "--min-present", min=1, metavar="N")  # fmt: skip
    weights_delimiter: str | None = option(
        None, "Reading", "As --delimiter, for the weights alone.",
        "--weights-delimiter", parse=parse_delimiter, metavar="CHAR")  # fmt: skip
    weights_decimal: Literal[".", ","] | None = option(
        None, "Reading", "As --decimal, for the weights alone.", "--weights-decimal"
    )

    @property
    def skipping(self) -> str:
        """The option by which rows are skipped; empty where none are."""
        policies = {"--missing skip": self.missing, "--unknown skip": self.unknown}
        return next((flag for flag, policy in policies.items() if policy == "skip"), "")

    @property
    def of_cell(self) -> UnknownPolicy:
        """What a missing cell is read as; which scores can be made up for, a model knows."""
        return "keep" if self.missing == "mean" else self.missing

    @property
    def least_present(self) -> int | None:
        """Features of each category that a row must have; None where all are needed."""
        return (self.min_present or 1) if self.missing == "mean" else None

    @property
    def grammar(self) -> Grammar:
        """What a cell is."""
        return Grammar(self.decimal, self.missing_values)

    @property
    def rewrites(self) -> bool:
        """Whether lines are left out, or blanks taken together, before a text is cut."""
        return bool(self.comment or self.skip_lines or self.delimiter == "blanks")

    @property
    def is_switched(self) -> bool:
        """Whether something is to be said of how files are read."""
        own = self.features_headers, self.weights_headers, self.weights_delimiter
        has_own = any(one is not None for one in (*own, self.weights_decimal))
        words = self.missing_values != MISSING_VALUES
        return self.rewrites or self.booleans or has_own or words or self.missing == "mean"

    @property
    def of_features(self) -> "ReadOptions":
        """The same for features."""
        return self._of(self.features_headers)

    @property
    def of_weights(self) -> "ReadOptions":
        """The same for weights, or items: their first lines are no titles."""
        return replace(
            self._of(self.weights_headers).of_others,
            delimiter=self.weights_delimiter or self.delimiter,
            decimal=self.weights_decimal or self.decimal,
        )

    @property
    def of_others(self) -> "ReadOptions":
        """The same for a table beside the two."""
        return self if self.skip_lines == 0 else replace(self, skip_lines=0)

    def _of(self, headers: bool | None) -> "ReadOptions":
        own = replace(self, features_headers=None, weights_headers=None)
        return own if headers is None else replace(own, headers=headers)

    def check(self) -> None:
        """Refuse options that contradict each other, with a `UsageError`."""
        super().check()
        if self.min_present is not None and self.missing != "mean":
            raise UsageError("--min-present has no effect", "it goes with --missing mean")
        if self.headers is not None and self._of(None) != self:
            # Commands call the two sides by other names.
            what = "--headers is said of all files, and another option of the header of one"
            raise UsageError(what, "say it of each file, or of all")


@dataclass(frozen=True)
class LabelOptions(Options):
    """Which column holds the row labels."""

    id_col: str | None = option(
        None, "Lining up", "Features column that holds the row labels.", "--id-col", metavar="NAME"
    )
    no_id_col: bool = option(
        False, "Lining up", "No first column of numbers holds labels, in any file.", "--no-id-col"
    )

    def check(self) -> None:
        """Refuse options that contradict each other, with a `UsageError`."""
        super().check()
        refuse_both("--id-col", self.id_col, "--no-id-col", without=self.no_id_col)


@group
@dataclass(frozen=True)
class PlanOptions(LabelOptions):
    """How the two sides line up."""

    transpose: bool = option(False, "Lining up", "Transpose the weights.", "--transpose")
    transpose_features: bool = option(
        False, "Lining up", "Transpose the features; they are read into memory.",
        "--transpose-features")  # fmt: skip
    auto_transpose: bool = option(
        False, "Lining up", "Transpose the weights when names or shapes leave no doubt.",
        "--auto-transpose")  # fmt: skip
    strict: bool = option(
        False, "Lining up", "Refuse features columns that the weights do not know.", "--strict"
    )
    keep_cols: tuple[str, ...] = option(
        (), "Lining up",
        "Features columns to carry into the output unchanged, or `all` that are not features.",
        "--keep-cols", metavar="A,B",
        settle=lambda text: (
            {"keep_all": True} if text == "all"
            else {"keep_cols": split_list("keep-cols", text)}
        ),
        doc="Features columns to carry into the output unchanged.")  # fmt: skip
    keep_all: bool = plain(False, "Whether all columns that are not features are kept.")
    intercept: str | None = option(
        None, "Lining up",
        "Weights row that is the intercept; without it, one named (Intercept), intercept, bias, "
        "const or constant.",
        "--intercept", metavar="NAME")  # fmt: skip
    no_intercept: bool = option(
        False, "Lining up", "Take a row of such a name for a plain feature.", "--no-intercept"
    )
    weights_cols: tuple[str, ...] = option(
        (), "Lining up",
        "Categories to score, of the columns of the weights file, which may be a table of "
        "statistics.",
        "--weights-cols", metavar="A,B")  # fmt: skip
    drop_weights_cols: tuple[str, ...] = option(
        (), "Lining up", "Columns of the weights file to leave out, text or numbers.",
        "--drop-weights-cols", metavar="A,B")  # fmt: skip
    rename: PathLike | None = option(
        None, "Lining up",
        "File of two columns: the name of a column in the features file, its name in the weights "
        "file.",
        "--rename", metavar="FILE")  # fmt: skip
    renames: tuple[tuple[str, str], ...] = plain(
        (), "The same as pairs, of which the first may head a file's columns where `rename` is set."
    )
    absent: tuple[str, ...] = option(
        (), "Lining up",
        "Features of the weights, or columns that their terms read, that count 0 where the "
        "features file lacks them; `zero` for all.",
        "--absent", metavar="zero|A,B",
        settle=lambda text: (
            {"absent_zero": True} if text == "zero" else {"absent": split_list("absent", text)}
        ),
        doc="Features, or columns that terms read, that count 0 where the features lack them.",
    )  # fmt: skip
    absent_zero: bool = plain(False, "Whether every feature that is absent counts 0.")
    max_absent: int | None = option(
        None, "Lining up",
        "Refuse more than N absent features; where more than half are absent it must be said.",
        "--max-absent", min=0, metavar="N")  # fmt: skip
    truth: str | None = plain(
        None, "A features column read as text that is no feature: the first kept column."
    )
    items: bool = plain(False, "Whether the second file has a row an item, as for `recommend`.")
    unique_labels: bool = option(
        False, "Lining up", "Refuse a row whose label is that of a row before it, in any file.",
        "--unique-labels")  # fmt: skip

    @property
    def words(self) -> Words:
        """What people are told in."""
        return ITEMS if self.items else SCORING

    def check(self) -> None:
        """Refuse options that contradict each other, with a `UsageError`."""
        super().check()
        refuse_both("--intercept", self.intercept, "--no-intercept", without=self.no_intercept)
        if self.weights_cols and self.transpose:
            what = "--weights-cols picks columns, and with --transpose a category is a row"
            raise UsageError(what, "keep the rows of those categories")
        refuse_same("--weights-cols", self.weights_cols, self.drop_weights_cols)
        if self.max_absent is not None and not (self.absent or self.absent_zero):
            raise UsageError("--max-absent has no effect", "it goes with --absent")


@group
@dataclass(frozen=True)
class ScoreOptions(Options):
    """What to compute besides the scores."""

    probabilities: bool = option(
        False, "Scoring",
        "Add `probability_<category>`: what the weights' link makes of the scores; without one "
        "their softmax, or the logistic function for a single category.",
        "--probabilities")  # fmt: skip
    threshold: float | None = option(
        None, "Scoring",
        "No prediction where the best score is under T (the best probability, with "
        "--probabilities).",
        "--threshold", metavar="T")  # fmt: skip
    response: bool = option(
        False, "Scoring",
        "Add `response_<category>`: the inverse of the weights' link for each score; without a "
        "link what --probabilities gives.",
        "--response")  # fmt: skip

    def check(self) -> None:
        """Refuse a threshold that no score can be compared with, with a `UsageError`."""
        super().check()
        if self.threshold is None:
            return
        # NaN compares with nothing; an infinite one would predict always or never.
        if not math.isfinite(self.threshold):
            raise UsageError("--threshold is not a finite number", "give it a number")
        if self.probabilities and not 0 <= self.threshold <= 1:
            what = "with --probabilities, --threshold is a probability"
            raise UsageError(what, "give it a number from 0 to 1")


@group
@dataclass(frozen=True)
class OutputOptions(Options):
    """What is written, and how."""

    format: Format | None = option(
        None, "Output",
        "Without it the ending of --output decides; else a table on a terminal, CSV elsewhere.",
        "--format", "-f", doc="None takes it from the output's ending, or CSV.")  # fmt: skip
    scores: bool = option(
        True, "Scoring", "Leave the score columns out.", "--no-scores",
        settle=lambda without: {"scores": not without}, doc="Whether there are score columns.",
    )  # fmt: skip
    margin: bool = option(
        False, "Scoring", "Add `margin`: the highest score minus the runner-up.", "--margin"
    )
    precision: int | None = option(
        None, "Output", "Round numbers to N decimals.", "--precision", min=0, max=17, metavar="N"
    )
    excel_safe: bool = option(
        False, "Output",
        "Put an apostrophe before text that starts with = + - @, so that no spreadsheet runs it.",
        "--excel-safe")  # fmt: skip
    max_rows: int = option(
        20, "Output", "Rows that a table shows.", "--max-rows", min=0, metavar="N")  # fmt: skip
    top_k: int | None = option(
        None, "Scoring",
        "Write the K best categories of each row, one line each: label, rank, category, score.",
        "--top-k", "-k", min=1, metavar="K")  # fmt: skip

    def check(self) -> None:
        """Refuse options that contradict each other, with a `UsageError`."""
        super().check()
        if self.top_k is not None and self.margin:
            what = "--margin and --top-k contradict each other"
            raise UsageError(what, "the ranks of --top-k have scores to compare")


@group
@dataclass(frozen=True)
class RejectOptions(Options):
    """What happens to bad rows."""

    on_error: Literal["fail", "reject"] = option(
        "fail", "Bad rows", "At a bad row, stop; or write it to --rejects and go on.", "--on-error"
    )
    path: str | Path | None = option(
        None, "Bad rows",
        "Where rejected rows go: file, line, column, name, error and text of each, as CSV.",
        "--rejects", metavar="FILE")  # fmt: skip
    max_rows: int | None = option(
        None, "Bad rows", "Give up past that many rejected rows, or that share of all rows.",
        "--max-rejects", metavar="N|N%", parse=parse_limit,
        settle=lambda limit: {"max_rows": limit[0], "max_share": limit[1]},
        doc="Give up past that many rejected rows.")  # fmt: skip
    max_share: float | None = plain(None, "Give up past that share of all rows, from 0 to 1.")
    on_rejects: Callable[[str, "list[Reject]"], None] | None = plain(
        None, "Takes an input's name and the rejected rows of each chunk that has any, in order."
    )

    def check(self, skipping: str = "") -> None:
        """Refuse rows that go nowhere and places where no row goes, with a `UsageError`.

        `skipping` is another option that rejects rows.
        """
        super().check()
        rejecting = self.on_error == "reject" or skipping
        asked = "--on-error reject" if self.on_error == "reject" else skipping
        if rejecting and self.path is None:
            raise UsageError(f"{asked} needs --rejects", "name the file where rejected rows go")
        limit = self.max_rows if self.max_share is None else self.max_share
        for flag, value in (("--rejects", self.path), ("--max-rejects", limit)):
            if value is not None and not rejecting:
                raise UsageError(f"{flag} has no effect", "it goes with --on-error reject")


@group
@dataclass(frozen=True)
class RunOptions(Options):
    """How the work is done; none of it changes a byte of the output."""

    n_jobs: int | None = option(
        None, "Running", "Processors to keep busy, or workers that are started on this machine.",
        "--jobs", "-j", min=1, metavar="N", show_default="all")  # fmt: skip
    chunk_bytes: int | None = option(
        None, "Running", "Bytes read at a time, such as 4M.",
        "--chunk-size", parse=parse_size, metavar="SIZE",
        show_default="what --memory allows, 8M at most")  # fmt: skip
    checksum: bool = plain(False, "Whether the inputs' sha256 is computed on the way.")
    gather: tuple[Gather, ...] = plain(
        (), "Statistics gathered on the way: what a page shows, what a plot shows."
    )
    memory_bytes: int | None = option(
        None, "Running",
        "Memory to stay in, such as 1G: it sets the size of chunks and, where they would be "
        "small, how many threads work on them.",
        "--memory", parse=parse_size, metavar="SIZE", show_default="224M")  # fmt: skip
    engine: Engine = option(
        "local", "Running", "What does the work: threads, or the workers of a Dask cluster.",
        "--engine")  # fmt: skip
    scheduler: str | None = option(
        None, "Running",
        "The cluster's scheduler, such as `tcp://10.0.0.1:8786`; without it workers are started "
        "on this machine.",
        "--scheduler", metavar="ADDRESS")  # fmt: skip
    resume: bool = option(
        False, "Running",
        "Keep what an earlier run has written to `DIR/` from the same inputs, weights and options.",
        "--resume")  # fmt: skip

    def check(self) -> None:
        """Refuse options that contradict each other, with a `UsageError`."""
        super().check()
        if self.scheduler is None:
            return
        if self.engine != "dask":
            raise UsageError("--scheduler has no effect", "it goes with --engine dask")
        if self.n_jobs is not None:
            what = "the cluster at --scheduler has its own workers"
            raise UsageError("--jobs has no effect", what)


def check_options(read: ReadOptions, *groups: Options) -> None:
    """Refuse groups that contradict themselves or each other, with a `UsageError`."""
    read.check()
    for one in groups:
        if isinstance(one, RejectOptions):
            one.check(read.skipping)
        else:
            one.check()
