"""The options that commands share; each is declared once, with its environment variable."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

READING = "Reading"
LINING_UP = "Lining up"
SCORING = "Scoring"
LEARNING = "Learning"
OUTPUT = "Output"
BAD_ROWS = "Bad rows"
RUNNING = "Running"

_UNITS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30}


class Format(StrEnum):
    """Output formats."""

    table = "table"
    csv = "csv"
    tsv = "tsv"
    json = "json"
    jsonl = "jsonl"
    markdown = "markdown"
    html = "html"
    parquet = "parquet"
    arrow = "arrow"


class CheckFormat(StrEnum):
    """Formats of ``check``."""

    text = "text"
    json = "json"


class EvaluateFormat(StrEnum):
    """Formats of ``evaluate``."""

    table = "table"
    csv = "csv"
    json = "json"
    markdown = "markdown"


class FitMethod(StrEnum):
    """How weights are learned."""

    least_squares = "least-squares"
    ridge = "ridge"
    logistic = "logistic"


class WeightsFormat(StrEnum):
    """Formats of ``fit``."""

    table = "table"
    csv = "csv"
    tsv = "tsv"
    parquet = "parquet"
    arrow = "arrow"


class FitMissing(StrEnum):
    """What a missing cell means to ``fit``."""

    error = "error"
    skip = "skip"
    zero = "zero"


class Color(StrEnum):
    """When to colour."""

    auto = "auto"
    always = "always"
    never = "never"


class Missing(StrEnum):
    """What a missing cell means."""

    error = "error"
    skip = "skip"
    zero = "zero"
    keep = "keep"


class OnError(StrEnum):
    """What a bad row does."""

    fail = "fail"
    reject = "reject"


class Metric(StrEnum):
    """What a score of user and item is."""

    dot = "dot"
    cosine = "cosine"


class Engine(StrEnum):
    """What runs the work."""

    local = "local"
    dask = "dask"


class Decimal(StrEnum):
    """Decimal marks."""

    point = "."
    comma = ","


def _option(panel: str, help_: str, *names: str, **more: Any) -> Any:
    """Declare an option, with the environment variable named after its long form."""
    long = next(name for name in names if name.startswith("--")).split("/")[0]
    variable = "MATSCORE_" + long[2:].upper().replace("-", "_")
    settings: dict[str, Any] = {"envvar": variable, "show_envvar": False, "rich_help_panel": panel}
    return typer.Option(*names, help=help_, **(settings | more))


def parse_delimiter(text: str) -> str:
    """Read ``-d``: a character, or ``tab``."""
    if text.lower() in ("tab", "\\t"):
        return "\t"
    if len(text) != 1 or not text.isascii() or text in '"\r\n.+-' or text.isalnum():
        raise typer.BadParameter("it is one ASCII character, such as ';', or 'tab'")
    return text


def parse_size(text: str) -> int:
    """Read a number of bytes such as ``65536``, ``256k`` or ``4M``."""
    match = re.fullmatch(r"(\d+) ?([kmg]?)(?:i?b)?", text.strip().lower())
    if match is None or int(match[1]) == 0:
        raise typer.BadParameter("it is a number of bytes, such as 65536, 256k or 4M")
    return int(match[1]) * _UNITS[match[2]]


def parse_encoding(text: str) -> str:
    """Read ``--encoding``: a name that Python knows."""
    import codecs

    try:
        "".encode(text)
        return codecs.lookup(text).name
    except LookupError as error:
        raise typer.BadParameter("it is not a known text encoding; try latin-1") from error


def read_limit(text: str | None) -> tuple[int | None, float | None]:
    """Read ``--max-rejects``: a number of rows, or a share of them in percent."""
    if text is None:
        return None, None
    match = re.fullmatch(r"(\d+)|(\d+(?:\.\d*)?|\.\d+) ?%", text.strip(), re.ASCII)
    if match is None:
        raise typer.BadParameter("it is a number of rows, or a percentage such as 0.1%")
    return (int(match[1]), None) if match[1] else (None, float(match[2]) / 100)


def check_limit(text: str | None) -> str | None:
    """Refuse a ``--max-rejects`` that cannot be read."""
    read_limit(text)
    return text


FeaturesFiles = Annotated[
    list[str],
    typer.Argument(
        metavar="FEATURES...",
        help="Files with one row an item and one column a feature, directories of them and quoted "
        "patterns; `-` is standard input.",
        show_default=False,
    ),
]
FeaturesFile = Annotated[
    str,
    typer.Argument(
        metavar="FEATURES",
        help="File with one row an item and one column a feature; `-` is standard input.",
        show_default=False,
    ),
]
WeightsFile = Annotated[
    str,
    typer.Argument(
        metavar="WEIGHTS",
        help="File with one row a feature and one column a category.",
        show_default=False,
    ),
]

UsersFile = Annotated[
    str,
    typer.Argument(
        metavar="USERS",
        help="File with one row a user and one column a feature; `-` is standard input.",
        show_default=False,
    ),
]
ItemsFile = Annotated[
    str,
    typer.Argument(
        metavar="ITEMS",
        help="File with one row an item and one column a feature; it is held in memory.",
        show_default=False,
    ),
]

Delimiter = Annotated[
    str | None,
    _option(
        READING,
        "Character between cells, or `tab`; without it the header decides.",
        "--delimiter",
        "-d",
        parser=parse_delimiter,
        metavar="CHAR",
    ),
]
Encoding = Annotated[
    str | None,
    _option(
        READING,
        "Text encoding; UTF-8 without it.",
        "--encoding",
        parser=parse_encoding,
        metavar="NAME",
    ),
]
Headers = Annotated[
    bool | None,
    _option(
        READING,
        "Whether the first record is a header; without it, it is one unless all its cells are "
        "numbers.",
        "--headers/--no-headers",
        " /-n",
        show_default=False,
    ),
]
DecimalMark = Annotated[Decimal, _option(READING, "Decimal mark.", "--decimal")]
MissingPolicy = Annotated[
    Missing,
    _option(
        READING,
        "A missing cell: stop; reject its row; read it as 0; keep the row, its scores NaN.",
        "--missing",
    ),
]
MissingValues = Annotated[
    str | None,
    _option(
        READING,
        "Comma-separated words that count as missing, besides an empty cell.",
        "--missing-values",
        metavar="A,B",
        show_default="NA,N/A,NaN,nan,null,NULL,None",
    ),
]
IdCol = Annotated[
    str | None,
    _option(LINING_UP, "Features column that holds the row labels.", "--id-col", metavar="NAME"),
]
NoLabels = Annotated[
    bool,
    _option(LINING_UP, "No first column of numbers holds labels, in any file.", "--no-id-col"),
]
KeepCols = Annotated[
    str | None,
    _option(
        LINING_UP,
        "Features columns to carry into the output unchanged, or `all` that are not features.",
        "--keep-cols",
        metavar="A,B",
    ),
]
Strict = Annotated[
    bool,
    _option(LINING_UP, "Refuse features columns that the weights do not know.", "--strict"),
]
Transpose = Annotated[bool, _option(LINING_UP, "Transpose the weights.", "--transpose")]
TransposeFeatures = Annotated[
    bool,
    _option(
        LINING_UP, "Transpose the features; they are read into memory.", "--transpose-features"
    ),
]
AutoTranspose = Annotated[
    bool,
    _option(
        LINING_UP,
        "Transpose the weights when names or shapes leave no doubt.",
        "--auto-transpose",
    ),
]
Intercept = Annotated[
    str | None,
    _option(
        LINING_UP,
        "Weights row that is the intercept; without it, one named (Intercept), intercept, bias, "
        "const or constant.",
        "--intercept",
        metavar="NAME",
    ),
]
NoIntercept = Annotated[
    bool,
    _option(LINING_UP, "Take a row of such a name for a plain feature.", "--no-intercept"),
]
Probabilities = Annotated[
    bool,
    _option(
        SCORING,
        "Add `probability_<category>`: the softmax of the scores, or the logistic function for a "
        "single category.",
        "--probabilities",
    ),
]
Margin = Annotated[
    bool,
    _option(SCORING, "Add `margin`: the highest score minus the runner-up.", "--margin"),
]
NoScores = Annotated[bool, _option(SCORING, "Leave the score columns out.", "--no-scores")]
Threshold = Annotated[
    float | None,
    _option(
        SCORING,
        "No prediction where the best score is under T (the best probability, with "
        "--probabilities).",
        "--threshold",
        metavar="T",
    ),
]
TopK = Annotated[
    int | None,
    _option(
        SCORING,
        "Write the K best categories of each row, one line each: label, rank, category, score.",
        "--top-k",
        "-k",
        min=1,
        metavar="K",
    ),
]
ItemsK = Annotated[
    int | None,
    _option(
        SCORING,
        "Items a user.",
        "--top-k",
        "-k",
        min=1,
        metavar="K",
        show_default="10",
        envvar="MATSCORE_RECOMMEND_TOP_K",
    ),
]
ScoreMetric = Annotated[
    Metric,
    _option(
        SCORING,
        "What a score is: the product, or the cosine, which a row of zeros does not have.",
        "--metric",
    ),
]
MinScore = Annotated[
    float | None,
    _option(SCORING, "Leave out items whose score is under S.", "--min-score", metavar="S"),
]
ExcludeFile = Annotated[
    str | None,
    _option(
        SCORING,
        "File of pairs that are not recommended: users in its first column, items in its second.",
        "--exclude",
        metavar="FILE",
    ),
]
WholeMatrix = Annotated[
    bool,
    _option(SCORING, "Write the score of every user and item: a column an item.", "--matrix"),
]
TransposeUsers = Annotated[
    bool,
    _option(LINING_UP, "Transpose the users; they are read into memory.", "--transpose-users"),
]
TransposeItems = Annotated[
    bool,
    _option(LINING_UP, "Transpose the items, which then are columns.", "--transpose-items"),
]
UsersIdCol = Annotated[
    str | None,
    _option(LINING_UP, "Users column that holds their labels.", "--id-col", metavar="NAME"),
]
UsersKeepCols = Annotated[
    str | None,
    _option(
        LINING_UP,
        "Users columns to carry into the output unchanged, or `all` that are not features.",
        "--keep-cols",
        metavar="A,B",
    ),
]
StrictUsers = Annotated[
    bool,
    _option(LINING_UP, "Refuse users columns that the items do not have.", "--strict"),
]
UsersMissing = Annotated[
    Missing,
    _option(
        READING,
        "A user's missing cell: stop; reject its row; read it as 0; keep the user, with no items.",
        "--missing",
    ),
]
UserRows = Annotated[
    int, _option(OUTPUT, "Users that a table shows.", "--max-rows", min=0, metavar="N")
]
Truth = Annotated[
    str | None,
    _option(
        LINING_UP,
        "Column with the true category of each row: of FEATURES, or of --truth-file.",
        "--truth",
        metavar="NAME",
    ),
]
TruthFile = Annotated[
    str | None,
    _option(
        LINING_UP,
        "File with the true categories of the same rows in the same order.",
        "--truth-file",
        metavar="FILE",
    ),
]
MinAccuracy = Annotated[
    float | None,
    _option(
        SCORING,
        "End with exit 4 where the accuracy is under X, the measures written all the same.",
        "--min-accuracy",
        min=0.0,
        max=1.0,
        metavar="X",
    ),
]
EvaluateOutput = Annotated[
    EvaluateFormat | None,
    _option(
        OUTPUT,
        "Without it the ending of --output decides; else tables on a terminal, CSV elsewhere.",
        "--format",
        "-f",
        envvar="MATSCORE_EVALUATE_FORMAT",
    ),
]
TargetsFile = Annotated[
    str | None,
    typer.Argument(
        metavar="[TARGETS]",
        help="File with the same rows: columns of numbers, or one column of categories.",
        show_default=False,
    ),
]
Target = Annotated[
    str | None,
    _option(
        LINING_UP,
        "Features column that is learned; several, where they are numbers.",
        "--target",
        metavar="A,B",
    ),
]
DropCols = Annotated[
    str | None,
    _option(LINING_UP, "Features columns to leave out.", "--drop-cols", metavar="A,B"),
]
NoIdCol = Annotated[
    bool,
    _option(LINING_UP, "Take the first column for a feature.", "--no-id-col"),
]
FitMissingPolicy = Annotated[
    FitMissing,
    _option(
        READING,
        "A missing cell: stop; reject its row; read it as 0, unless it is a target.",
        "--missing",
    ),
]
HowToFit = Annotated[
    FitMethod | None,
    _option(
        LEARNING,
        "Without it least squares for numbers, logistic regression for categories; this one needs "
        "`matscore[fit]` and reads all rows into memory.",
        "--method",
    ),
]
Alpha = Annotated[
    float | None,
    _option(
        LEARNING,
        "Penalty of ridge and logistic regression (1/C).",
        "--alpha",
        min=0.0,
        metavar="A",
        show_default="1",
    ),
]
Standardize = Annotated[
    bool,
    _option(
        LEARNING,
        "Learn on features of mean 0 and standard deviation 1; the weights are for them as they "
        "are.",
        "--standardize",
    ),
]
FitIntercept = Annotated[
    bool | None,
    _option(
        LEARNING,
        "Whether to fit an intercept; without it, one is fitted unless there are no more rows than "
        "features.",
        "--intercept/--no-intercept",
        envvar="MATSCORE_FIT_INTERCEPT",
        show_default=False,
    ),
]
AreCategories = Annotated[
    bool | None,
    _option(
        LEARNING,
        "Whether the target holds categories or numbers; without it, its first cells tell.",
        "--categories/--numbers",
        show_default=False,
    ),
]
WeightsOutput = Annotated[
    WeightsFormat | None,
    _option(
        OUTPUT,
        "Without it the ending of --output decides; else a table on a terminal, CSV elsewhere.",
        "--format",
        "-f",
        envvar="MATSCORE_FIT_FORMAT",
    ),
]
Category = Annotated[
    str | None,
    _option(
        SCORING,
        "Category to explain; without it the predicted one of each row.",
        "--category",
        metavar="NAME",
    ),
]
Versus = Annotated[
    str | None,
    _option(
        SCORING,
        "Category to compare with: explain the difference of the two scores.",
        "--versus",
        metavar="NAME",
    ),
]
TopFeatures = Annotated[
    int | None,
    _option(
        SCORING,
        "Show the N largest contributions and the sum of the others.",
        "--top-features",
        min=0,
        metavar="N",
        show_default="all; 10 in a table",
    ),
]
RowLabel = Annotated[
    str | None,
    _option(
        SCORING,
        "Explain the row of that label alone; without labels, of that number.",
        "--row",
        metavar="LABEL",
    ),
]
OutputFormat = Annotated[
    Format | None,
    _option(
        OUTPUT,
        "Without it the ending of --output decides; else a table on a terminal, CSV elsewhere.",
        "--format",
        "-f",
    ),
]
OutputFile = Annotated[
    str | None,
    _option(
        OUTPUT,
        "Write to FILE, whole or not at all; `.gz`, `.zst`, `.bz2`, `.xz` compress. `DIR/` gets "
        "one file an input.",
        "--output",
        "-o",
        metavar="FILE",
    ),
]
Precision = Annotated[
    int | None,
    _option(OUTPUT, "Round numbers to N decimals.", "--precision", min=0, max=17, metavar="N"),
]
MaxRows = Annotated[
    int, _option(OUTPUT, "Rows that a table shows.", "--max-rows", min=0, metavar="N")
]
ExcelSafe = Annotated[
    bool,
    _option(
        OUTPUT,
        "Put an apostrophe before text that starts with = + - @, so that no spreadsheet runs it.",
        "--excel-safe",
    ),
]
ColorWhen = Annotated[Color, _option(OUTPUT, "When to colour.", "--color")]
Resume = Annotated[
    bool,
    _option(
        RUNNING,
        "Keep what an earlier run has written to `DIR/` from the same inputs, weights and options.",
        "--resume",
    ),
]
EngineChoice = Annotated[
    Engine,
    _option(RUNNING, "What does the work: threads, or the workers of a Dask cluster.", "--engine"),
]
Scheduler = Annotated[
    str | None,
    _option(
        RUNNING,
        "The cluster's scheduler, such as `tcp://10.0.0.1:8786`; without it workers are started "
        "on this machine.",
        "--scheduler",
        metavar="ADDRESS",
    ),
]
Jobs = Annotated[
    int | None,
    _option(
        RUNNING,
        "Processors to keep busy, or workers that are started on this machine.",
        "--jobs",
        "-j",
        min=1,
        metavar="N",
        show_default="all",
    ),
]
ChunkSize = Annotated[
    int | None,
    _option(
        RUNNING,
        "Bytes read at a time, such as 4M.",
        "--chunk-size",
        parser=parse_size,
        metavar="SIZE",
        show_default="what --memory allows, 8M at most",
    ),
]
Memory = Annotated[
    int | None,
    _option(
        RUNNING,
        "Memory to stay in, such as 1G: it sets the size of chunks and, where they would be "
        "small, how many threads work on them.",
        "--memory",
        parser=parse_size,
        metavar="SIZE",
        show_default="224M",
    ),
]
Verbose = Annotated[
    bool,
    _option(
        RUNNING, "Say what was found and decided, also where no terminal is.", "--verbose", "-v"
    ),
]
Quiet = Annotated[bool, _option(RUNNING, "Say nothing but errors.", "--quiet", "-q")]
Picture = Annotated[
    bool,
    _option(
        OUTPUT,
        "Draw both matrices as boxes: the sides that must meet, and what a transpose would do.",
        "--picture",
    ),
]
HeatMap = Annotated[
    bool,
    _option(
        OUTPUT,
        "Shade the table's numbers by value: blue is low and orange high; without colours, by "
        "signs of growing density.",
        "--heatmap",
    ),
]
ShowWork = Annotated[
    bool,
    _option(
        OUTPUT,
        "Below the table, write out how each score comes about; for small models.",
        "--show-work",
    ),
]
CheckOutput = Annotated[
    CheckFormat,
    _option(OUTPUT, "Format.", "--format", "-f", envvar="MATSCORE_CHECK_FORMAT"),
]
OnErrorPolicy = Annotated[
    OnError,
    _option(BAD_ROWS, "At a bad row, stop; or write it to --rejects and go on.", "--on-error"),
]
RejectsFile = Annotated[
    str | None,
    _option(
        BAD_ROWS,
        "Where rejected rows go: file, line, column, name, error and text of each, as CSV.",
        "--rejects",
        metavar="FILE",
    ),
]
MaxRejects = Annotated[
    str | None,
    _option(
        BAD_ROWS,
        "Give up past that many rejected rows, or that share of all rows.",
        "--max-rejects",
        metavar="N|N%",
        callback=check_limit,
    ),
]
ReportFiles = Annotated[
    list[Path] | None,
    _option(
        RUNNING,
        "Write what was read, decided and counted, as JSON or as a page to look at; can be given "
        "twice.",
        "--report",
        metavar="FILE.json|FILE.html",
    ),
]
PlotFile = Annotated[
    str | None,
    _option(
        OUTPUT,
        "Draw the scores: a heat map, or of many rows the distributions.",
        "--plot",
        metavar="FILE.svg|FILE.png",
    ),
]
