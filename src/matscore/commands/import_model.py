"""``import``: a weights file from the model of another tool."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import matscore
from matscore.errors import InputError, UsageError, os_errors_about
from matscore.models.bounds import ModelFile, Refusal, check_size
from matscore.models.options import ImportOptions, LinkWord
from matscore.models.sample import Sample, read_sample, settle_model
from matscore.models.sources import read_model, read_object
from matscore.models.types import ImportedModel
from matscore.models.weights import WeightsTable, make_table
from matscore.options import PathLike, PlanOptions, ReadOptions, check_options
from matscore.read.inputs import is_address
from matscore.read.source import open_raw
from matscore.run.work import Settings
from matscore.terms import Missing, Other
from matscore.write.formats import find_weights_format, write_weights
from matscore.write.whole import BinaryFile, check_paths, enter_output

if TYPE_CHECKING:
    import pandas as pd

    from matscore.commands.prove import Proof

_READ_BYTES = 2**20


@dataclass(frozen=True)
class ColumnReading:
    """How a column of the raw file is read."""

    name: str
    levels: tuple[str, ...]  # the texts that the model knows, in its order; none of a number
    other: bool  # whether an unknown text has a weight; else it makes a bad row
    missing: bool  # whether a missing cell has one

    def describe(self) -> dict[str, Any]:
        """Return it as plain values."""
        words = {True: "weight", False: "refused"}
        about = {"name": self.name, "read_as": "number", "missing": words[self.missing]}
        if not self.levels:
            return about
        return about | {
            "read_as": "text", "levels": list(self.levels), "other": words[self.other],
        }  # fmt: skip


@dataclass(frozen=True, eq=False)
class Imported:
    """A model of another tool as a weights file has it, and what was done to it.

    Attributes
    ----------
    model : ImportedModel
        What was read.
    table : WeightsTable
        The rows of the weights file.
    path : str
        Where the model came from.
    sha256 : str or None
        Of its file; None of a folder or an object.
    proof : Proof or None
        How it compares with the tool's own predictions.
    """

    model: ImportedModel
    table: WeightsTable
    path: str
    sha256: str | None = None
    sample: Sample | None = None
    proof: Proof | None = None

    @cached_property
    def columns(self) -> tuple[ColumnReading, ...]:
        """How each column of the raw file is read, in the order of the weights."""
        folded, terms = self.model.folded, self.table.terms
        names = dict.fromkeys(factor.column for term in terms for factor in term)
        known = {t[0] for t in terms if len(t) == 1 and isinstance(t[0], Missing | Other)}
        return tuple(
            ColumnReading(
                name,
                folded.levels[name].texts if name in folded.levels else (),
                Other(name) in known,
                Missing(name) in known,
            )
            for name in names
        )

    @property
    def weights(self) -> pd.DataFrame:
        """The weights as `classify` takes them: terms in the index, the intercept last."""
        import pandas as pd

        link = self.model.link
        index = pd.Index(self.table.names, name="feature" if link is None else f"feature ({link})")
        return pd.DataFrame(self.table.values, index=index, columns=list(self.model.categories))

    def describe(self) -> dict[str, Any]:
        """Return the report as plain values; `import.schema.json` in the package describes it."""
        model, threshold = self.model, self.model.threshold
        return {
            "schema_version": 1,
            "program": "matscore",
            "version": matscore.__version__,
            "model": self.path,
            "sha256": self.sha256,
            "producer": model.producer,
            "kind": model.kind,
            "steps": list(model.steps),
            "categories": list(model.categories),
            "link": model.link,
            "threshold": threshold and {"value": threshold.value, "of": threshold.of},
            "rows": len(self.table.names),
            "folded": model.folded.n_folded,
            "rounding": model.rounding,
            "columns": [column.describe() for column in self.columns],
            "named_by": "position" if model.positional else "name",
            "facts": list(model.facts),
            "warnings": list(self.warnings),
            "proof": self.proof and self.proof.describe(),
            "exit": 0,
            "error": None,
        }

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person should know before the weights are used."""
        model, found = self.model, []
        if (threshold := model.threshold) is not None:
            name = model.categories[-1]
            found.append(
                f"the tool's label is {name} where its {threshold.of} is {threshold.value:g} or "
                "more, not where its score is the highest; --at-threshold shifts the intercept"
            )
        if model.positional:
            first, last = model.positional[0], model.positional[-1]
            found.append(
                f"the model knows its columns by position alone: {first} to {last} in its order; "
                "--sample names them"
            )
        if model.uncertainty is not None and np.any(model.uncertainty):
            found.append("its coefficients have few digits, and so have the scores; ask for more")
        return tuple(found)


def describe_failure(path: str, code: int, error: str) -> dict[str, Any]:
    """Return the report of an import that has failed: why, and nothing of the model."""
    schema = resources.files("matscore").joinpath("import.schema.json").read_bytes()
    told = {"schema_version": 1, "program": "matscore", "version": matscore.__version__}
    return dict.fromkeys(json.loads(schema)["required"]) | told | {
        "model": path, "exit": code, "error": error,
    }  # fmt: skip


def import_file(
    model: PathLike,
    output: PathLike | BinaryFile | None = None,
    *,
    take: ImportOptions = ImportOptions(),
    read: ReadOptions = ReadOptions(),
    align: PlanOptions = PlanOptions(),
) -> Imported:
    r"""Make a weights file of a model that another tool has written.

    Nothing of the file is run, and nothing of the tool is needed.

    Parameters
    ----------
    model : str or Path
        The file, a folder of MLflow, or ``-``.
    output : str, Path, binary file or None
        Where the weights go: a path is written whole or not at all, in the format of its ending.
    take : ImportOptions
        What is taken of the model, and how it is proved.
    read : ReadOptions
        How the sample and the predictions are read.
    align : PlanOptions
        How the sample is lined up with the weights.

    Returns
    -------
    Imported
        The weights, and what was done.

    Raises
    ------
    InputError
        The file is damaged, or no linear model; the weights give other predictions than expected.
    PlanError, MisfitError
        The sample does not serve the model.
    FileError, OutputError, UsageError
        A file cannot be read or written; arguments contradict each other.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     _ = Path(folder, "lm.csv").write_text("term,estimate\n(Intercept),2\nage,0.5\n")
    ...     imported = import_file(f"{folder}/lm.csv", f"{folder}/weights.csv")
    ...     print(Path(folder, "weights.csv").read_text())
    feature,estimate
    age,0.5
    (Intercept),2.0
    <BLANKLINE>
    """
    check_options(read, align, take)
    path = str(model)
    inputs = [path, *(str(one) for one in (take.sample, take.expect) if one is not None)]
    check_paths(inputs, output)
    form = find_weights_format(output)
    try:
        file = open_model(path)
    except Refusal as error:
        raise InputError(path, error.what, error.hint) from error
    digest = None if file.folder is not None else hashlib.sha256(file.data).hexdigest()
    imported = _import(path, lambda: read_model(file, take), take, read, align)
    imported = replace(imported, sha256=digest)
    with contextlib.ExitStack() as stack:
        if (out := enter_output(stack, output, inputs)) is not None:
            table, found = imported.table, imported.model
            write_weights(table.names, found.categories, table.values, out, form, found.link)
    return imported


def import_model(
    model: Any,
    *,
    sample: PathLike | None = None,
    expect: PathLike | None = None,
    expect_column: str | None = None,
    coef: Sequence[str] = (),
    lambda_: str | None = None,
    at_threshold: bool = False,
    categories: Sequence[str] = (),
    link: LinkWord | None = None,
) -> Imported:
    """Take over a linear model of another tool.

    Parameters
    ----------
    model : str, Path or a fitted model
        A file as `import_file` takes it, or a fitted scikit-learn model as it is.
    sample, expect : str or Path, optional
        A file of raw features, and the tool's own predictions for its rows.
    expect_column, tuple(coef), lambda_, at_threshold, categories, link
        As `ImportOptions` has them.

    Returns
    -------
    Imported
        Whose `weights` is what `classify` takes.

    Raises
    ------
    InputError, FileError, PlanError, UsageError
        As `import_file`.

    Examples
    --------
    >>> from sklearn.linear_model import LinearRegression
    >>> import pandas as pd
    >>> houses = pd.DataFrame({"rooms": [1, 2, 3]})
    >>> fitted = import_model(LinearRegression().fit(houses, [3, 5, 7]))
    >>> fitted.weights["y"].round(6).to_dict(), fitted.model.link
    ({'rooms': 2.0, '(Intercept)': 1.0}, 'identity')
    """
    take = ImportOptions(
        None if sample is None else str(sample), None if expect is None else str(expect),
        expect_column, tuple(coef), lambda_, at_threshold, tuple(categories), link,
    )  # fmt: skip
    return import_object(model, take)


def import_object(
    fitted: object, take: ImportOptions = ImportOptions(), columns: Iterable[str] = ()
) -> Imported:
    """Take over a model that is in memory, for a frame of these columns, or in a file."""
    if isinstance(fitted, PathLike):
        return import_file(fitted, take=take)
    take.check()
    name = type(fitted).__name__
    return _import(name, lambda: read_object(fitted), take, ReadOptions(), PlanOptions(), columns)


def open_model(path: str) -> ModelFile:
    """Read a model's file whole, within limits; a folder is not read yet."""
    if path != "-" and not is_address(path) and Path(path).is_dir():
        return ModelFile(path, folder=Path(path))
    raw, _ = open_raw(path)
    parts, n_bytes = [], 0
    with os_errors_about(path), contextlib.ExitStack() as stack:
        if path != "-":
            stack.enter_context(raw)
        while block := raw.read(_READ_BYTES):
            n_bytes += len(block)
            check_size(n_bytes)
            parts.append(block)
    return ModelFile(path, b"".join(parts))


def _import(
    path: str,
    read_model: Callable[[], ImportedModel],
    take: ImportOptions,
    read: ReadOptions,
    align: PlanOptions,
    columns: Iterable[str] = (),
) -> Imported:
    """Read a model, settle it, and prove it."""
    try:
        sample = None if take.sample is None else read_sample(take.sample, read, align.id_col)
        model = read_model()
        for option, value, use in (
            ("--coef", take.coef, "it names a column of a table"),
            ("--lambda", take.lambda_, "it names one model of a path"),
        ):
            if value and option not in model.takes:
                raise UsageError(f"{option} has no effect", use)
        model = settle_model(model, take, sample)
        # A column that a model has seen and does not use may be called as a term is written.
        table = make_table(model, {*model.seen, *columns, *(sample.names if sample else ())})
        imported = Imported(model, table, path, sample=sample)
    # Readers do not know the file's name.
    except Refusal as error:
        raise InputError(path, error.what, error.hint) from error
    except RecursionError as error:
        raise InputError(path, "it is nested too deep", "it is no model") from error
    if sample is None:
        return imported
    from matscore.commands.prove import prove

    settings = Settings(read, align)
    proof = prove(model, imported.table, sample.path, take.expect, take.expect_column, settings)
    return replace(imported, proof=proof)
