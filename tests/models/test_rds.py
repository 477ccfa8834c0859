"""R's format: every form of it, and files made to mislead."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from matscore.models import rds
from matscore.models.bounds import ModelFile, Refusal
from matscore.models.options import ImportOptions
from matscore.models.r_language import classes, entries, finite, numbers, texts
from matscore.models.r_models import SOURCE
from matscore.models.rds import Call, Other, RValue, Symbol, Vector, looks_like_r, read_r

HERE = Path(__file__).parent / "r"
HEAD = b"X\n" + struct.pack(">iii", 2, 0x040202, 0x020300)
OPENERS: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "lzma": lambda data: lzma.compress(data, lzma.FORMAT_ALONE),
}


def read_file(name: str) -> RValue:
    return read_r((HERE / name).read_bytes()).value


def pack(*parts: int | bytes) -> bytes:
    return b"".join(p if isinstance(p, bytes) else struct.pack(">i", p) for p in parts)


TEXT_FORMS = ["form_hexadecimal.rds", "form_text.rds"]
FORMS = sorted({path.name for path in HERE.glob("form_*")} - {*TEXT_FORMS, "form_values.rds"})


@pytest.mark.parametrize("name", FORMS)
def test_the_same_model_is_read_from_every_form(name: str) -> None:
    model = SOURCE.read(ModelFile(name, (HERE / name).read_bytes()), ImportOptions())
    expected = SOURCE.read(
        ModelFile("", (HERE / "lm_text.rds").read_bytes()), ImportOptions()
    ).folded
    assert model.folded.terms == expected.terms
    assert (model.folded.weights == expected.weights).all()
    assert model.producer == "R 4.2.2"


@pytest.mark.parametrize("name", TEXT_FORMS)
def test_the_text_form_is_refused_by_name(name: str) -> None:
    file = ModelFile(name, (HERE / name).read_bytes())
    assert SOURCE.recognise(file)
    with pytest.raises(Refusal, match=r"in its text form; save it without ascii = TRUE"):
        SOURCE.read(file, ImportOptions())


def test_values_of_every_type() -> None:
    value = read_file("form_values.rds")
    assert isinstance(value, Vector)
    function, run, spelled, real, text, logical, raw, imaginary, name, *rest = value.values
    assert isinstance(function, Other) and function.what == "function"
    assert finite(run) == list(range(1, 11))
    assert texts(spelled) == ["1", "2", "3", "4", "5"]
    missing, one, nan, infinite = numbers(real)
    assert (missing, one, infinite) == (None, 1.0, -np.inf)
    assert nan is not None and np.isnan(nan)
    assert text.values == [None, "é", "\n\t\\\"' "]
    assert numbers(logical) == [1.0, None]
    assert raw.values.tolist() == [0, 1, 2, 3]
    assert imaginary.values[0] == 1j
    assert name == Symbol("q") or name.name == "q"
    world, new, expression, null, builtin, namespaced, hole, pairs, alternate, sort, k = rest
    assert [type(one) for one in (world, new, builtin, namespaced)] == [Other] * 4
    assert isinstance(expression.values[0], Call)
    assert null is None
    assert [one.name for _, one in hole.arguments if isinstance(one, Symbol)] == ["x", ""]
    assert [key for key, _ in pairs.arguments] == ["a", ""]
    assert finite(alternate) == [1, 2, 3] == finite(sort)
    assert classes(k) == ["k"]


def test_texts_are_in_the_encoding_that_the_file_says() -> None:
    def text(levels: int, held: bytes) -> Any:
        flags = 9 | levels << 12
        return read_r(HEAD + pack(16, 1, flags, len(held), held)).value

    assert texts(text(4, b"\xe9")) == ["é"]  # Latin-1
    assert texts(text(8, "é".encode())) == ["é"]
    assert texts(text(64, b"e")) == ["e"]
    with pytest.raises(Refusal, match="not in the encoding"):
        texts(text(8, b"\xe9"))


@pytest.mark.parametrize(
    "name", ["lm_text.rds", "form_plain.rds", "form_little_endian.rds", "glm_logit.rds"]
)
@pytest.mark.parametrize("opener", OPENERS)
def test_a_file_cut_at_any_byte_is_refused(name: str, opener: str) -> None:
    data = (HERE / name).read_bytes()
    plain = lzma.decompress(data) if data[:1] == b"\xfd" else data
    packed = OPENERS[opener](plain)
    step = 1 if opener == "gzip" and name == "lm_text.rds" else max(1, len(packed) // 60)
    for size in range(0, len(packed), step):
        with pytest.raises(Refusal):
            SOURCE.read(ModelFile("cut", packed[:size]), ImportOptions())


def test_a_changed_byte_gives_a_model_or_a_refusal() -> None:
    plain = lzma.decompress((HERE / "lm_interactions.rds").read_bytes())
    random = np.random.default_rng(7)
    for _ in range(1500):
        data = bytearray(plain)
        for place in random.integers(0, len(data), 2):
            data[place] = random.integers(0, 256)
        try:
            SOURCE.read(ModelFile("changed", bytes(data)), ImportOptions()).folded  # noqa: B018
        except Refusal:
            continue


def nested(depth: int) -> bytes:
    return HEAD + pack(19, 1) * depth + pack(254)


HOSTILE = {
    "deep lists": nested(30_000),
    "deep calls": HEAD + pack(6) * 40_000,
    "endless list": HEAD + pack(19, 2**31 - 1) + pack(19, 0) * 60_000,
    "long vector": HEAD + pack(14, -1, 2**20, 0) + bytes(100),
    "length below zero": HEAD + pack(14, -7),
    "bad reference": HEAD + pack(255 | 9 << 8),
    "unknown type": HEAD + pack(99),
    "text past its end": HEAD + pack(16, 1, 9, 2**30, b"abc"),
    "list for a text": HEAD + pack(16, 1, 19, 0),
    "attributed text": HEAD + pack(16, 1, 9 | 0x200, 1, b"a", 254),
    "byte code that refers to itself": HEAD
    + pack(21, 1, 13, 0, 1, 244, 0, 6)
    + pack(254, 243, 0) * 3,
    "version of the future": b"X\n" + pack(4, 0, 0),
    "nothing without end": HEAD + pack(19, 2**31 - 1) + pack(254) * 60_000,
    "two values": HEAD + pack(254, 254),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_within_bounds(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Tracing memory makes it slow; all 500,000 take 2 s and 100 MB.
    monkeypatch.setattr(rds, "MAX_NODES", 50_000)
    start = time.process_time()
    tracemalloc.start()
    with pytest.raises(Refusal):
        read_r(HOSTILE[name])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 150 << 20
    assert time.process_time() - start < 20


def test_a_bomb_is_read_over_in_little_memory() -> None:
    """A vector of 240 MB of zeros in 240 kB is not kept; what follows it is read."""
    head = HEAD + pack(19, 2, 14, 30_000_000)
    packer = gzip.GzipFile(fileobj=(out := io.BytesIO()), mode="wb")
    packer.write(head)
    for _ in range(240):
        packer.write(bytes(1_000_000))
    packer.write(pack(10, 1, 1))
    packer.close()
    tracemalloc.start()
    value = read_r(out.getvalue()).value
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert isinstance(value, Vector)
    assert isinstance(value.values[0], Other)
    assert finite(value.values[1]) == [1]
    assert peak < 20 << 20


def test_expansion_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("matscore.models.rds.MAX_EXPANDED", 1 << 20)
    bomb = gzip.compress(HEAD + pack(14, 1 << 20) + bytes(8 << 20))
    with pytest.raises(Refusal, match="too many for a model"):
        read_r(bomb)


def test_the_budget_for_texts_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rds, "MAX_STRINGS", 10)
    with pytest.raises(Refusal, match="more than 10 texts"):
        read_r(HEAD + pack(16, 11) + pack(9, 1, b"a") * 11)


@pytest.mark.parametrize(
    "data", [b"", b"X", b"X\n", b"PK\3\4", b"\x80\x04.", gzip.compress(b"feature,a\n", mtime=0)]
)
def test_other_files_are_not_taken_for_r(data: bytes) -> None:
    assert not looks_like_r(data)


def test_lists_have_their_names() -> None:
    value = read_file("lm_text.rds")
    assert {"coefficients", "terms", "xlevels"} <= set(entries(value))
