"""The kinds of files that models come in, in the order in which they are tried.

Models that are known and not linear, or not read, are refused by name, with the reason.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from typing import NoReturn

from matscore.models.bounds import ModelFile, Refusal, has_member
from matscore.models.options import ImportOptions
from matscore.models.types import ImportedModel, Source

# Modules of this room with a `SOURCE`, or several in `SOURCES`; what is refused by name stands
# below, and tables take what is left.
_MODULES = (
    "saved", "r_models", "pmml", "onnx", "text_models", "h2o", "xgboost", "sources",
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


# ------------------------------------------------------------------------------ refused by name

_TREES = "it is a model of trees, which is not linear"
_LAYERS = "it is a network, whose file says its numbers and not what is done with them"
_ONNX = "where it is one linear layer, save it as ONNX"


def _begins(*heads: bytes) -> Callable[[ModelFile], bool]:
    return lambda file: file.head.startswith(heads)


def _holds(pattern: bytes) -> Callable[[ModelFile], bool]:
    found = re.compile(pattern, re.DOTALL)
    return lambda file: found.match(file.head) is not None


def _zips(*members: str) -> Callable[[ModelFile], bool]:
    return lambda file: has_member(file, *members)


def _has(*parts: str) -> Callable[[ModelFile], bool]:
    """Recognise a folder by a file in it, for which the last part may be a pattern."""
    *folders, pattern = parts

    def recognise(file: ModelFile) -> bool:
        if file.folder is None:
            return False
        return next(file.folder.joinpath(*folders).glob(pattern), None) is not None

    return recognise


def _has_header(file: ModelFile) -> bool:
    """Recognise a JSON object behind its length in eight bytes."""
    size = int.from_bytes(file.head[:8], "little")
    return size <= len(file.data) - 8 and file.head[8:10] == b'{"'


def _refuse(what: str, hint: str, _: ModelFile, __: ImportOptions) -> NoReturn:
    raise Refusal(what, hint)


def _make(name: str, recognise: Callable[[ModelFile], bool], what: str, hint: str = "") -> Source:
    return Source(name, recognise, partial(_refuse, f"{name}: {what}", hint))


SOURCES = (
    _make("LightGBM", _begins(b"tree\nversion="), _TREES),
    _make("LightGBM", _holds(rb'\s*\{\s*"name"\s*:\s*"tree"\s*,\s*"version"'), _TREES),
    _make("CatBoost", _begins(b"CBM1"), _TREES),
    _make("CatBoost", _holds(rb'\s*\{.*"(?:oblivious_trees|features_info|ctr_data)"\s*:'), _TREES),
    _make("XGBoost", _begins(b"binf", b"bs64"), "it is in the binary format of old versions",
          "load it in XGBoost and save it as JSON"),
    _make("fastText", _begins(b"\xba\x16\x4f\x2f"),
          "it averages the vectors of words and their parts, which no columns are"),
    _make("TensorFlow Lite", lambda file: file.head[4:8] == b"TFL3", _LAYERS, _ONNX),
    _make("safetensors", _has_header, _LAYERS, _ONNX),
    _make("TensorFlow.js", _holds(rb'\s*\{.*"modelTopology"\s*:'), _LAYERS, _ONNX),
    _make("PyTorch", _zips("data.pkl", "constants.pkl"), _LAYERS, _ONNX),
    _make("Keras", _zips("model.weights.h5"), _LAYERS, _ONNX),
    _make("HDF5 (Keras)", _begins(b"\x89HDF\r\n\x1a\n"), _LAYERS, _ONNX),
    _make("MLeap", _zips("bundle.json"), "its bundles are not read",
          "save the model as PMML or its coefficients as a table"),
    _make("Excel", _zips("xl/workbook.xml"), "it is a workbook", "save the sheet as CSV"),
    _make("Spark", _zips("metadata/part-00000"), "its models are not read",
          "write its coefficients as a table, or save it as PMML or ONNX"),
    _make("Spark", _has("metadata", "part-*"), "its models are not read",
          "write its coefficients as a table, or save it as PMML or ONNX"),
    _make("TensorFlow", _has("saved_model.pb"), _LAYERS, _ONNX),
    _make("SPSS data", _begins(b"$FL2", b"$FL3"), "it is a table of data", "export it as CSV"),
    _make("Stata data", _begins(b"<stata_dta>"), "it is a table of data", "export it as CSV"),
)  # fmt: skip
