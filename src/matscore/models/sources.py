"""The kinds of files that models come in, in the order in which they are tried."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module

from matscore.models.bounds import ModelFile
from matscore.models.options import ImportOptions
from matscore.models.refusal import Refusal
from matscore.models.types import ImportedModel, Source

# Modules of this room with a `SOURCE`, or several in `SOURCES`; tables take what is left.
_MODULES: tuple[str, ...] = (
    "saved",
    "r_models",
    "pmml",
    "onnx",
    "liblinear",
    "vowpal_wabbit",
    "h2o",
    "xgboost",
    "foreign",
    "tables",
)  # fmt: skip


def iter_sources() -> Iterator[Source]:
    """Yield the sources; the module of each is loaded when it is its turn."""
    for name in _MODULES:
        module = import_module(f"matscore.models.{name}")
        yield from getattr(module, "SOURCES", None) or (module.SOURCE,)


def read_model(file: ModelFile, options: ImportOptions = ImportOptions()) -> ImportedModel:
    """Read a model of whatever kind it is."""
    if file.folder is None and not file.data.strip():
        raise Refusal("it is empty", "give it a model, or a table of coefficients")
    for source in iter_sources():
        if source.recognise(file):
            return source.read(file, options)
    raise Refusal("it is no model that is known", "the page import.md lists what is")


def read_object(fitted: object) -> ImportedModel:
    """Take over a fitted model that is in memory, such as a scikit-learn pipeline."""
    from matscore.models.saved import read_saved

    return read_saved(fitted)
