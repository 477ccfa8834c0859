"""Files that are made to do harm: without end, past their end, into themselves, too deep."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from collections.abc import Iterator, Sequence

Field = tuple[int, int | bytes | float]


def varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value])


def message(*fields: Field) -> bytes:
    """Encode a message of Protocol Buffers: numbers, bytes, and floats of four bytes."""
    found = b""
    for number, value in fields:
        if isinstance(value, float):
            found += varint(number << 3 | 5) + struct.pack("<f", value)
        elif isinstance(value, bytes):
            found += varint(number << 3 | 2) + varint(len(value)) + value
        else:
            found += varint(number << 3) + varint(value)
    return found


def node(operator: str, inputs: Sequence[str], outputs: Sequence[str], *attributes: bytes) -> bytes:
    domain = "ai.onnx.ml" if operator in ("LinearRegressor", "Scaler") else ""
    return message(
        *((1, name.encode()) for name in inputs), *((2, name.encode()) for name in outputs),
        (4, operator.encode()), *((5, one) for one in attributes), (7, domain.encode()),
    )  # fmt: skip


def integer(name: str, value: int) -> bytes:
    return message((1, name.encode()), (3, value), (20, 2))


def floats(name: str, *values: float) -> bytes:
    return message((1, name.encode()), *((7, value) for value in values), (20, 6))


def tensor(name: str, dims: Sequence[int], data: bytes = b"", kind: int = 1) -> bytes:
    return message(*((1, n) for n in dims), (2, kind), (8, name.encode()), (9, data))


def graph(
    nodes: Sequence[bytes], constants: Sequence[bytes] = (), width: int = 2, output: str = "y"
) -> bytes:
    dims = message((1, message((2, b"N"))), (1, message((1, width))))
    given = message((1, b"x"), (2, message((1, message((1, 1), (2, dims))))))
    whole = message(
        *((1, one) for one in nodes), *((5, one) for one in constants), (11, given),
        (12, message((1, output.encode()))),
    )  # fmt: skip
    return message((1, 8), (2, b"hostile"), (7, whole), (8, message((1, b""), (2, 17))))


def iter_hostile() -> Iterator[tuple[str, bytes]]:  # noqa: PLR0915 - a list
    """Yield the name of each file and its bytes."""
    concat = integer("axis", 1)
    doubled = [node("Concat", [f"x{i}", f"x{i}"], [f"x{i + 1}"], concat) for i in range(60)]
    start = node("Identity", ["x"], ["x0"])
    yield "doubles.onnx", graph([start, *doubled], output="x60")
    squares = [node("Mul", [f"x{i}", f"x{i}"], [f"x{i + 1}"]) for i in range(6)]
    total = node("ReduceSum", ["x"], ["x0"], message((1, b"axes"), (8, 1), (20, 7)))
    yield "squares.onnx", graph([total, *squares], width=60, output="x6")
    ones = tensor("w", [300, 300], struct.pack("<f", 0.1) * 90_000)
    products = [node("MatMul", [f"x{i}", "w"], [f"x{i + 1}"]) for i in range(40)]
    yield "products.onnx", graph([start, *products], [ones], width=300, output="x40")
    yield "wide.onnx", graph([node("Identity", ["x"], ["y"])], width=2**40)
    yield "many_scores.onnx", graph([node("Identity", ["x"], ["y"])], width=50_000)
    yield "loop.onnx", graph([node("Add", ["y", "x"], ["y"])])
    yield "two_loops.onnx", graph([node("Add", ["x", "b"], ["a"]), node("Neg", ["a"], ["b"])])
    yield (
        "huge_constant.onnx",
        graph([node("Add", ["x", "c"], ["y"])], [tensor("c", [2**20, 2**20, 2**20], b"\x00" * 16)]),
    )
    many = tensor("c", [2**62, 4], b"\x00" * 16)
    yield "overflowing_shape.onnx", graph([node("Add", ["x", "c"], ["y"])], [many])
    yield (
        "outer.onnx",
        graph(
            [node("Mul", ["a", "b"], ["c"]), node("Add", ["x", "c"], ["y"])],
            [
                tensor("a", [100_000, 1], b"\x00" * 400_000),
                tensor("b", [100_000], b"\x00" * 400_000),
            ],
        ),
    )
    regressor = node("LinearRegressor", ["x"], ["y"], floats("coefficients", 1.0, 2.0))
    yield "targets.onnx", graph([node(
        "LinearRegressor", ["x"], ["y"], floats("coefficients", 1.0, 2.0), integer("targets", 2**40)
    )])  # fmt: skip
    yield "unknown_attribute.onnx", graph([node(
        "LinearRegressor", ["x"], ["y"], floats("coefficients", 1.0, 2.0), integer("clip", 1)
    )])  # fmt: skip
    yield "past_the_end.onnx", graph([regressor])[:-40] + b"\x3a\xff\xff\xff\xff\x0f"
    yield "many_fields.onnx", message((1, 8), (2, b"x")) + b"\x08\x01" * 5_000_000
    nested = b""
    for _ in range(5000):
        nested = message((6, nested))
    deep = message((1, b"body"), (6, nested), (20, 5))
    yield "nested.onnx", graph([node("Loop", ["x"], ["y"], deep)])
    nan = struct.pack("<2f", float("nan"), float("inf"))
    yield "not_a_number.onnx", graph([node("Add", ["x", "c"], ["y"])], [tensor("c", [2], nan)])

    yield "deep.json", b'{"learner":' + b"[" * 200_000
    yield "deep.ubj", b"{L\x00\x00\x00\x00\x00\x00\x00\x07learner" + b"[" * 200_000
    head = b"{L\x00\x00\x00\x00\x00\x00\x00\x07learner"
    huge = struct.pack(">q", 2**50)
    yield "nothings.ubj", head + b"[$Z#L" + huge
    yield "numbers.ubj", head + b"[$d#L" + huge
    yield "negative.ubj", head + b"[#L" + struct.pack(">q", -1)
    yield "text.ubj", head + b"SL" + huge
    learner = {
        "feature_names": [], "objective": {"name": "reg:squarederror"},
        "gradient_booster": {"name": "gblinear", "model": {"weights": [1.0]}},
        "learner_model_param": {"base_score": "0", "num_feature": "999999999", "num_class": "9999"},
    }  # fmt: skip
    yield "features.json", json.dumps({"learner": learner}).encode()

    yield (
        "columns.txt",
        (b"solver_type L2R_LR\nnr_class 999999999\nnr_feature 999999999\nbias -1\nw\n0.5 \n"),
    )
    svm = b"svm_type epsilon_svr\nkernel_type linear\nnr_class 2\ntotal_sv 1\nrho 0\nSV\n"
    yield "index.txt", svm + b"0.5 999999999:1 \n"
    yield "huge_number.txt", svm + b"1e400 1:1 \n"
    vw = b"Version 9.11.9\nId \nMin label:0\nMax label:1\nbits:18\noptions: --oaa 999999\n:0\n"
    yield "classes.txt", vw + b"a:1:0.5\n" * 1000
    yield "backtracking.txt", vw + b"a" * 50_000 + b"\n"

    yield "digits.txt", vw + b"a:1:" + b"1" * 200_000 + b"x\n"

    info = "[info]\nh2o_version = 3\nalgo = glm\nfamily = multinomial\nlink = multinomial\n"
    counts = "n_classes = 999999999\nn_columns = 1\ncats = 999999999\nnums = 999999999\n"
    ini = f"{info}{counts}beta = [1.0]\n\n[columns]\nx\n\n[domains]\n"
    yield "counts.zip", zip_of({"model.ini": ini.encode()})
    yield "bomb.zip", zip_of({"model.ini": b"[info]\n" + b" " * 50_000_000})
    blanks = b"[info]\nx" + b" " * 500_000 + b"y\n"
    yield "blanks.zip", zip_of({"model.ini": blanks})
    domains = "0: 999999999 ../../etc/passwd\n"
    yield "path.zip", zip_of({"model.ini": (ini + domains).encode()})


def zip_of(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return stream.getvalue()
