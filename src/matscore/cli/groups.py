"""What only the command line says: Python has arguments for it, or no terminal."""

# Annotations stay types here, as in `matscore.options`.
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from matscore.fields import Options, group, option
from matscore.options import LINING_UP, OUTPUT, RUNNING, SCORED, Metric


@group
@dataclass(frozen=True)
class PairOptions(Options):
    """Which pairs of user and item have a score, and what it is."""

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
    """Where the truth is, and how good the predictions must be."""

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


@group
@dataclass(frozen=True)
class FileOptions(Options):
    """The files that the command line writes, besides rejects."""

    output: str | None = option(
        None, OUTPUT,
        "Write to FILE, whole or not at all; `.gz`, `.zst`, `.bz2`, `.xz` compress. `DIR/` gets "
        "one file an input.",
        "--output", "-o", metavar="FILE")  # fmt: skip
    plot: str | None = option(
        None, OUTPUT, "Draw the scores: a heat map, or of many rows the distributions.",
        "--plot", metavar="FILE.svg|FILE.png")  # fmt: skip
    report: tuple[Path, ...] = option(
        (), RUNNING,
        "Write what was read, decided and counted, as JSON or as a page to look at; can be given "
        "twice.",
        "--report", metavar="FILE.json|FILE.html")  # fmt: skip


@group
@dataclass(frozen=True)
class ScreenOptions(Options):
    """What a person sees on a terminal."""

    heatmap: bool = option(
        False, OUTPUT,
        "Shade the table's numbers by value: blue is low and orange high; without colours, by "
        "signs of growing density.",
        "--heatmap")  # fmt: skip
    show_work: bool = option(
        False, OUTPUT,
        "Below the table, write out how each score comes about; for small models.",
        "--show-work")  # fmt: skip
    picture: bool = option(
        False, OUTPUT,
        "Draw both matrices as boxes: the sides that must meet, and what a transpose would do.",
        "--picture")  # fmt: skip
    color: Literal["auto", "always", "never"] = option("auto", OUTPUT, "When to colour.", "--color")
    verbose: bool = option(
        False, RUNNING, "Say what was found and decided, also where no terminal is.",
        "--verbose", "-v")  # fmt: skip
    quiet: bool = option(False, RUNNING, "Say nothing but errors.", "--quiet", "-q")
