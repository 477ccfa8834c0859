"""What Python programs save models as: pickles (joblib's too), skops files, MLflow folders."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from matscore.models.bounds import ModelFile, inflate, peek, read_limited
from matscore.models.options import ImportOptions
from matscore.models.pickles import read_pickle
from matscore.models.records import Array, Record, describe, read_npy
from matscore.models.refusal import Refusal, in_step
from matscore.models.sklearn import is_estimator, read_estimator
from matscore.models.skops import SCHEMA, read_skops
from matscore.models.statsmodels import is_results, read_results
from matscore.models.types import ImportedModel, Source

_OLD_JOBLIB = b"ZF0x"  # before 0.10: the length in hexadecimal digits, then zlib
_LZ4 = b"\x04\x22\x4d\x18"
_TEXT_PICKLE = re.compile(
    rb"(?:c|\(i)[A-Za-z_][\w.]*\n[A-Za-z_]\w*\n[pq(N)]|\((?:dp|lp|tp)[0-9]+\n|[\]}]q[\x00\x01]"
)
_FLAVOUR = re.compile(r"^  (sklearn|statsmodels|xgboost|onnx):\n((?:    .*\n)+)", re.MULTILINE)
_PATH = re.compile(r"^    (?:pickled_model|data): *['\"]?([^'\"\n]+?)['\"]? *$", re.MULTILINE)
_VERSION = re.compile(r"^    statsmodels_version: *['\"]?([\w.+]+)['\"]? *$", re.MULTILINE)
_SAVE_MODEL = "save it with its own save_model, as JSON, and import that"
_OTHERS = {
    "xgboost": ("it is a model of XGBoost", _SAVE_MODEL),
    "lightgbm": ("it is a model of LightGBM: trees, not linear", ""),
    "catboost": ("it is a model of CatBoost: trees, not linear", ""),
    "torch": ("it is a model of PyTorch", "export a single linear layer as a table"),
    "keras": ("it is a model of Keras", "export a single dense layer as a table"),
    "tensorflow": ("it is a model of TensorFlow", "export a single dense layer as a table"),
}


def _is_pickle(file: ModelFile) -> bool:
    head = peek(file.data)
    if head[:1] == b"\x80":
        return head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05")
    return head.startswith((_OLD_JOBLIB, _LZ4)) or _TEXT_PICKLE.match(head) is not None


def _read_pickle(file: ModelFile, _: ImportOptions) -> ImportedModel:
    data = file.data
    if data.startswith(_LZ4):
        raise Refusal("it is compressed with lz4", "save it with another compression, such as zlib")
    data = _inflate_old(data) if data.startswith(_OLD_JOBLIB) else inflate(data)
    return read_saved(read_pickle(data, _open_beside(file), size=len(file.data)))


def _inflate_old(data: bytes) -> bytes:
    """Return what joblib before 0.10 compressed: the length stands before it."""
    start = len(b"ZF") + len(hex(2**64))
    body = data[start:].removeprefix(b" ")
    if body[:1] != b"\x78":
        raise Refusal("its zlib is damaged")
    try:
        length = int(data[2:start], 16)
    except ValueError as error:
        raise Refusal("it does not say how long it is") from error
    found = inflate(body)
    if len(found) != length:
        raise Refusal("it is not as long as it says")
    return found


def _open_beside(file: ModelFile) -> Callable[[str], Array]:
    """Return what reads the arrays that joblib before 0.10 wrote into files of their own."""

    def read(name: str) -> Array:
        if Path(name).name != name:
            raise Refusal(f'it names the file "{name}", which is not beside it')
        path = Path(file.name).with_name(name)
        if not path.is_file():
            raise Refusal(f'the file "{name}" is missing beside it')
        return read_npy(read_limited(path), read_pickle)

    return read


def read_saved(found: Any) -> ImportedModel:
    """Return the model that records describe."""
    found = describe(found)
    if not isinstance(found, Record):
        kind = type(found).__name__
        inside = f" of {', '.join(map(str, list(found)[:5]))}" if isinstance(found, dict) else ""
        raise Refusal(f"it holds a {kind}{inside}, no fitted model", "save the fitted model alone")
    if is_estimator(found):
        return read_estimator(found)
    if is_results(found):
        return read_results(found)
    package = str(getattr(found.of, "module", "")).partition(".")[0]
    what, hint = _OTHERS.get(package, (f"{found.of} is no model that is known", ""))
    raise Refusal(what, hint)


def _is_skops(file: ModelFile) -> bool:
    # The directory of names stands at the end of a ZIP.
    return file.head.startswith(b"PK\x03\x04") and SCHEMA.encode() in file.data[-(2**20) :]


def _read_skops(file: ModelFile, _: ImportOptions) -> ImportedModel:
    return read_saved(read_skops(file.data))


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


SOURCES = (
    Source("skops (scikit-learn)", _is_skops, _read_skops),
    Source("pickle, joblib (scikit-learn, statsmodels)", _is_pickle, _read_pickle),
    Source("MLflow folder", _is_mlflow, _read_mlflow),
)
