"""Models that are known and not read are refused by name, by their content alone."""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
from pathlib import Path

import pytest

from matscore.models.bounds import ModelFile, Refusal
from matscore.models.sources import read_model


def zip_of(*names: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in names:
            archive.writestr(name, b"x")
    return stream.getvalue()


# As these tools begin their files.
FILES = {
    "LightGBM: it is a model of trees": b"tree\nversion=v4\nnum_tree_per_iteration=1\n",
    "LightGBM: it is a model": b'{"name":"tree",\n"version":"v4",\n"tree_info":[]}',
    "CatBoost: it is a model of trees": b"CBM1" + bytes(20),
    "CatBoost: it is a model": b'{\n"features_info":{"float_features":[]},"oblivious_trees":[]}',
    "XGBoost: it is in the binary format": b"binf" + bytes(40),
    "fastText: it averages the vectors of words": struct.pack("<2i", 793712314, 12) + bytes(40),
    "TensorFlow Lite: it is a network": struct.pack("<i", 28) + b"TFL3" + bytes(40),
    "safetensors: it is a network": struct.pack("<q", 29) + b'{"fc.weight":{"dtype":"F32"}}',
    "TensorFlow.js: it is a network": b'{"format":"layers-model","modelTopology":{}}',
    "PyTorch: it is a network": zip_of("model/data.pkl", "model/version", "model/data/0"),
    "Keras: it is a network": zip_of("metadata.json", "config.json", "model.weights.h5"),
    "HDF5 (Keras): it is a network": b"\x89HDF\r\n\x1a\n" + bytes(40),
    "MLeap: its bundles are not read": zip_of("bundle.json", "root/model.json"),
    "Excel: it is a workbook": zip_of("[Content_Types].xml", "xl/workbook.xml"),
    "Spark: its models are not read": zip_of("model/metadata/part-00000", "model/data/x.parquet"),
    "SPSS data: it is a table of data": b"$FL2@(#) SPSS DATA FILE",
    "Stata data: it is a table of data": b"<stata_dta><header><release>118</release>",
}


@pytest.mark.parametrize("reason", FILES)
def test_a_file_is_refused_by_name(reason: str) -> None:
    with pytest.raises(Refusal) as error:
        read_model(ModelFile("model", FILES[reason]))
    assert str(error.value).startswith(reason)


@pytest.mark.parametrize(("parts", "reason"), [
    (("metadata", "part-00000"), "Spark: its models are not read"),
    (("saved_model.pb",), "TensorFlow: it is a network"),
])  # fmt: skip
def test_a_folder_is_refused_by_name(parts: tuple[str, ...], reason: str, tmp_path: Path) -> None:
    path = tmp_path.joinpath(*parts)
    path.parent.mkdir(exist_ok=True)
    path.write_text("{}")
    with pytest.raises(Refusal, match=reason):
        read_model(ModelFile(str(tmp_path), folder=tmp_path))


@pytest.mark.parametrize(
    "data",
    [
        b"term,estimate\nage,0.5\n",
        pickle.dumps({"a": 1}),
        b"",
        b"PK\x03\x04",
        b'{"age": 1}',
        b'{"name": "tree", "coef": 0.5}',
        b'        {"a": {"b": 1}}',
    ],
)
def test_nothing_else_is_taken_for_one(data: bytes) -> None:
    try:
        read_model(ModelFile("model", data))
    except Refusal as error:
        assert not str(error).startswith(tuple(reason.split(":")[0] for reason in FILES))


@pytest.mark.parametrize("data", [b"", b" \n"])
def test_an_empty_file_is_called_empty(data: bytes) -> None:
    with pytest.raises(Refusal, match="it is empty"):
        read_model(ModelFile("model", data))
