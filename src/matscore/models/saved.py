"""What Python programs save models as: pickles (joblib's too), skops files, MLflow folders.

A skops file is read without skops: a ZIP of ``schema.json``, a tree, and arrays as ``.npy``. The
tree comes out as the records that a pickle of the same model gives. The nodes:
https://github.com/skops-dev/skops, skops/io/_general.py and _numpy.py.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import numpy as np

from matscore.models.bounds import (
    ModelFile,
    Refusal,
    Zip,
    check_depth,
    in_step,
    inflate,
    peek,
)
from matscore.models.options import ImportOptions
from matscore.models.pickles import OLD_JOBLIB, read_pickle
from matscore.models.records import Array, Name, Record, describe, from_items, read_npy
from matscore.models.sklearn import read_estimator
from matscore.models.statsmodels import read_results
from matscore.models.types import ImportedModel, Source

_OLD_JOBLIB = b"ZF0x"
_LZ4 = b"\x04\x22\x4d\x18"
_TEXT_PICKLE = re.compile(
    rb"(?:c|\(i)[A-Za-z_][\w.]*\n[A-Za-z_]\w*\n[pq(N)]|\((?:dp|lp|tp)[0-9]+\n|[\]}]q[\x00\x01]"
)
_FLAVOUR = re.compile(r"^  (sklearn|statsmodels|xgboost|onnx):\n((?:    .*\n)+)", re.MULTILINE)
_PATH = re.compile(r"^    (?:pickled_model|data): *['\"]?([^'\"\n]+?)['\"]? *$", re.MULTILINE)
_VERSION = re.compile(r"^    statsmodels_version: *['\"]?([\w.+]+)['\"]? *$", re.MULTILINE)
_SAVE_MODEL = "save it with its own save_model, as JSON, and import that"
_EXPORT = "export a single linear layer as ONNX"
_OTHERS = {
    "xgboost": ("it is a model of XGBoost", _SAVE_MODEL),
    "lightgbm": ("it is a model of LightGBM: trees, not linear", ""),
    "catboost": ("it is a model of CatBoost: trees, not linear", ""),
    "torch": ("it is a model of PyTorch", _EXPORT),
    "keras": ("it is a model of Keras", _EXPORT),
    "tensorflow": ("it is a model of TensorFlow", _EXPORT),
}


def read_saved(found: Any) -> ImportedModel:
    """Return the model that records, or an object in memory, describe."""
    is_live, found = not isinstance(found, Record), describe(found)
    if not isinstance(found, Record):
        kind = type(found).__name__
        inside = f" of {', '.join(map(str, list(found)[:5]))}" if isinstance(found, dict) else ""
        raise Refusal(f"it holds a {kind}{inside}, no fitted model", "save the fitted model alone")
    if found.is_of("sklearn"):
        return read_estimator(found)
    if found.is_of("statsmodels"):
        if is_live:
            what = "results of statsmodels are read from a file"
            raise Refusal(what, 'save them: fit.save("fit.pkl")')
        return read_results(found)
    package = found.of.module.partition(".")[0] if isinstance(found.of, Name) else ""
    raise Refusal(*_OTHERS.get(package, (f"{found.of} is no model that is known", "")))


# ----------------------------------------------------------------------------- pickles and folders


def _is_pickle(file: ModelFile) -> bool:
    head = peek(file.data)
    if head[:1] == b"\x80":
        return head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05")
    return head.startswith((_OLD_JOBLIB, _LZ4)) or _TEXT_PICKLE.match(head) is not None


def _read_pickle(file: ModelFile, _: ImportOptions) -> ImportedModel:
    if file.head.startswith(_LZ4):
        raise Refusal("it is compressed with lz4", "save it with another compression, such as zlib")
    if file.head.startswith(_OLD_JOBLIB):
        raise Refusal(*OLD_JOBLIB)
    return read_saved(read_pickle(inflate(file.data), size=len(file.data)))


def _is_mlflow(file: ModelFile) -> bool:
    return file.folder is not None and (file.folder / "MLmodel").is_file()


def _read_mlflow(file: ModelFile, options: ImportOptions) -> ImportedModel:
    """Read the model that an MLflow folder names; a few lines of its YAML say which."""
    from matscore.models.sources import read_model

    text = file.open_member("MLmodel").data.decode("utf-8", "replace")
    flavour = _FLAVOUR.search(text)
    path = flavour and _PATH.search(flavour[2])
    if not (flavour and path):
        known = "sklearn, statsmodels, xgboost, onnx"
        raise Refusal(f"its MLmodel names no model of the flavours {known}")
    with in_step(path[1], f"MLflow, {flavour[1]}"):
        found = read_model(file.open_member(*path[1].split("/")), options)
    version = _VERSION.search(flavour[2])
    return replace(found, producer=f"statsmodels {version[1]}") if version else found


# ------------------------------------------------------------------------------------------- skops

_SCHEMA = "schema.json"
_MOST_BYTES = 2**25
_MOST_NODES, _MOST_VALUES, _MOST_DIGITS = 300_000, 2_000_000, 300
_DAMAGED = "its schema.json is not what skops writes"


def _is_skops(file: ModelFile) -> bool:
    if not file.head.startswith(b"PK\x03\x04"):
        return False
    try:
        return _SCHEMA in Zip(file.data).names
    except Refusal:
        return True  # a ZIP that nobody can open, which `Zip` says again when it is read


def _read_skops(file: ModelFile, _: ImportOptions) -> ImportedModel:
    members = Zip(file.data)
    schema = members.read(_SCHEMA, _MOST_BYTES)
    if schema.count(b"{") + schema.count(b"[") > _MOST_NODES or schema.count(b",") > _MOST_VALUES:
        raise Refusal("its schema.json holds more than a model has")
    return read_saved(_Tree(members).value(_read_json(schema)))


def _read_json(content: str | bytes) -> Any:
    try:
        return json.loads(content, parse_int=_read_whole)
    except (ValueError, RecursionError) as error:
        raise Refusal(_DAMAGED) from error


def _read_whole(digits: str) -> int:
    if len(digits) > _MOST_DIGITS:
        raise ValueError(digits)
    return int(digits)


class _Tree:
    """The nodes of a schema, and the files that they name."""

    def __init__(self, members: Zip) -> None:
        self.members = members
        self.made: dict[str, Any] = {}  # by id, for nodes that repeat another
        self.files: dict[str, Array | Record] = {}
        self.depth = 0

    def value(self, node: Any) -> Any:
        """Return what a node stands for."""
        if not isinstance(node, dict):
            raise Refusal(_DAMAGED)
        self.depth += 1
        check_depth(self.depth)
        key = str(node.get("__id__"))
        if node.get("__loader__") != "CachedNode":
            self.made[key] = self._make(node, node.get("content"))
        self.depth -= 1
        return self.made.get(key)

    def _make(self, node: dict[str, Any], content: Any) -> Any:  # noqa: PLR0911
        of = Name(str(node.get("__module__")), str(node.get("__class__")))
        match node.get("__loader__"), content:
            case "JsonNode", str():
                return _read_json(content)
            case (("ListNode" | "SetNode"), list()):
                return [self.value(part) for part in content]
            case "TupleNode", list():
                return tuple(self.value(part) for part in content)
            case (("DictNode" | "DefaultDictNode" | "OrderedDictNode"), dict()):
                main = content.get("main")  # of a defaultdict
                content = main.get("content", {}) if isinstance(main, dict) else content
                return {key: self.value(part) for key, part in content.items()}
            case (("TypeNode" | "FunctionNode"), _):
                return of
            case "SliceNode", dict():
                return slice(*(content.get(key) for key in ("start", "stop", "step")))
            case "DTypeNode", dict():
                found = self.value(content)
                return found.dtype if isinstance(found, np.ndarray) else of
            case "NdArrayNode", list():
                return _pack([self.value(part) for part in content], self.value(node.get("shape")))
            case (("NdArrayNode" | "SparseMatrixNode"), None):
                return self._file(str(node.get("file")), of)
            case str(), dict():
                # An object's state is a node; other loaders hold a dict of nodes, or none.
                is_node = isinstance(content.get("__loader__"), str)
                nodes = {k: v for k, v in content.items() if isinstance(v, dict)}
                state = (
                    self.value(content)
                    if is_node
                    else {k: self.value(v) for k, v in nodes.items() if "__loader__" in v}
                )
                return Record(of, state if isinstance(state, tuple) else (), state)
            case str(), _:
                return Record(of)
        raise Refusal(_DAMAGED)

    def _file(self, name: str, of: Name) -> Array | Record:
        if name not in self.files:
            data = self.members.read(name)
            self.files[name] = _read_sparse(data, of) if name.endswith(".npz") else read_npy(data)
        return self.files[name]


def _pack(items: list[Any], shape: Any) -> Array:
    """Return an array of objects, which are written row in row."""
    for _ in range(len(shape) - 1 if isinstance(shape, tuple | list) else 0):
        items = [part for item in items for part in (item if isinstance(item, list) else [item])]
    return from_items(items, shape)


def _read_sparse(data: bytes, of: Name) -> Record:
    """Read a sparse matrix from a file of SciPy."""
    members = Zip(data)
    names = ("data", "indices", "indptr", "shape")
    parts: dict[str, Any] = {name: read_npy(members.read(f"{name}.npy")) for name in names}
    parts["_shape"] = parts.pop("shape").tolist()
    return Record(of, state=parts)


SOURCES = (
    Source("skops (scikit-learn)", _is_skops, _read_skops),
    Source("pickle, joblib (scikit-learn, statsmodels)", _is_pickle, _read_pickle),
    Source("MLflow folder", _is_mlflow, _read_mlflow),
)
