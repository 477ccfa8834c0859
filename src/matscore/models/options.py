"""What can be said of a model that is imported."""

# Annotations stay types here, as in `matscore.options`: options are made from them.
from dataclasses import dataclass
from typing import Literal, TypeAlias

from matscore.errors import UsageError
from matscore.fields import Options, group, option
from matscore.options import Link

LinkWord: TypeAlias = Literal["none", Link]


@group
@dataclass(frozen=True)
class ImportOptions(Options):
    """What is taken of a model, and how it is proved."""

    sample: str | None = option(
        None, "Proof",
        "Features as they are scored: they name columns that the model knows by position, spell "
        "booleans, and take names such as `regionNorth` apart.",
        "--sample", metavar="FILE")  # fmt: skip
    expect: str | None = option(
        None, "Proof",
        "Predictions of the tool for the rows of --sample; nothing is written where the weights "
        "give others.",
        "--expect", metavar="FILE")  # fmt: skip
    expect_column: str | None = option(
        None, "Proof", "Column of --expect that holds them, where it has several.",
        "--expect-column", metavar="NAME")  # fmt: skip
    coef: tuple[str, ...] = option(
        (), "Model", "Column of a table that holds the coefficients; several, one a category.",
        "--coef", metavar="A,B")  # fmt: skip
    lambda_: str | None = option(
        None, "Model",
        "Penalty of a path of models, such as glmnet's: a number of the path, `lambda.min` or "
        "`lambda.1se`.",
        "--lambda", metavar="L")  # fmt: skip
    at_threshold: bool = option(
        False, "Model",
        "Where the tool's label is not the category of the highest score, shift the intercept so "
        "that it is; probabilities change.",
        "--at-threshold")  # fmt: skip
    categories: tuple[str, ...] = option(
        (), "Model",
        "Names of the categories, in the model's order; two make a table of one coefficient a "
        "feature binary.",
        "--categories", metavar="A,B", set_by="MATSCORE_IMPORT_CATEGORIES")  # fmt: skip
    link: LinkWord | None = option(
        None, "Model", "What turns scores into the tool's answer, where its file does not say so.",
        "--link")  # fmt: skip

    def check(self) -> None:
        """Refuse a proof without rows, with a `UsageError`."""
        super().check()
        if self.expect is not None and self.sample is None:
            raise UsageError("--expect needs --sample", "name the file with the rows that it is of")
        if "-" in (self.sample, self.expect):
            what = "--sample and --expect are read twice, which standard input is not"
            raise UsageError(what, "name a file")
        if self.expect_column is not None and self.expect is None:
            raise UsageError("--expect-column has no effect", "it goes with --expect")
