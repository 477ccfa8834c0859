"""What an R file (`.rds`, `.RData`) holds, as inert values: nothing in it is evaluated.

The format is R's own (R Internals, "Serialization Formats"; src/main/serialize.c). Environments,
functions and byte code are read over, since no model needs them. The reader keeps its own stack, so
that deep files end in a message; large vectors past a budget are read over too, so that the
training data that R keeps in a model costs no memory.
"""

from __future__ import annotations

import struct
from collections.abc import Generator
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np

from matscore.models.bounds import Refusal, check_depth, iter_inflated

MAX_EXPANDED = 2 << 30  # bytes; a model with its training data is far smaller
MAX_DEPTH = 20_000  # a sum of n terms is n calls deep
MAX_NODES = 500_000  # lists, calls and attributes; numbers are not counted
MAX_STRINGS = 4_000_000
SMALL = 1 << 16  # bytes of a vector that is always kept
BLOCK = 1 << 18  # bytes that are read over at a time
KEPT = 48 << 20  # bytes of all others together
NA_INTEGER = -(2**31)


@dataclass(frozen=True, eq=False, slots=True)
class Symbol:
    """A name in R's language."""

    name: str


@dataclass(frozen=True, eq=False, slots=True)
class Call:
    """A call in R's language, or a pair list (`function` is None); arguments with their names."""

    function: RValue
    arguments: list[tuple[str, RValue]]
    attributes: dict[str, RValue] = field(default_factory=dict)


@dataclass(frozen=True, eq=False, slots=True)
class Vector:
    """Numbers as an array, texts (None where NA) and lists as a list; `kind` as R's `typeof`."""

    kind: str
    values: Any
    attributes: dict[str, RValue] = field(default_factory=dict)


@dataclass(frozen=True, eq=False, slots=True)
class Other:
    """What is read over: an environment, a function, a vector too large to keep, an S4 object."""

    what: str
    attributes: dict[str, RValue] = field(default_factory=dict)


RValue: TypeAlias = Vector | Call | Symbol | Other | None
# A step of the reader gives the steps that it needs, and is sent what they found.
Task: TypeAlias = Generator[Any, Any, Any]

_SYMBOL, _PAIRS, _CLOSURE, _ENVIRONMENT, _PROMISE, _CALL = 1, 2, 3, 4, 5, 6
_SPECIAL, _BUILTIN, _TEXT, _LOGICAL, _INTEGER, _DOUBLE, _COMPLEX = 7, 8, 9, 10, 13, 14, 15
_STRINGS, _DOTS, _LIST, _EXPRESSION, _BYTECODE = 16, 17, 19, 20, 21
_POINTER, _WEAK, _RAW, _S4 = 22, 23, 24, 25
_ALTREP, _ATTRIBUTED_PAIRS, _ATTRIBUTED_CALL = 238, 239, 240
_BYTECODE_REFERENCE, _BYTECODE_DEFINITION = 243, 244
_PERSISTENT, _PACKAGE, _NAMESPACE, _REFERENCE = 247, 248, 249, 255
_NOTHING: dict[int, RValue] = {
    **dict.fromkeys((0, 254)),
    **dict.fromkeys((241, 242, 250, 252, 253), Other("environment")),
    251: Symbol(""),  # an argument that is left out, as in x[, 1]
}
_NUMBERS = {
    _LOGICAL: ("logical", "i4"),
    _INTEGER: ("integer", "i4"),
    _DOUBLE: ("double", "f8"),
    _COMPLEX: ("complex", "c16"),
    _RAW: ("raw", "u1"),
}
_AS_TEXT = ""
_ORDERS = {b"X\n": ">", b"B\n": "<", b"A\n": _AS_TEXT}
_WORKSPACES = {b"X2\n", b"X3\n", b"A2\n", b"A3\n", b"B2\n", b"B3\n"}
_BROKEN = (EOFError, ValueError, struct.error, OverflowError)


@dataclass(frozen=True)
class RFile:
    """What an R file holds, and the version of R that wrote it."""

    value: RValue
    version: str


def read_r(data: bytes) -> RFile:
    """Return the value in an `.rds` file, or the variables of a workspace as a pair list."""
    try:
        return _Reader(data).read()
    except _BROKEN as error:
        what = "an R file that cannot be read: it is damaged or ends too early"
        raise Refusal(what, "save it again in R") from error


def looks_like_r(data: bytes) -> bool:
    """Return whether a file starts as R's `saveRDS` or `save` would have it."""
    try:
        reader = _Reader(data)
        if reader.order == _AS_TEXT:
            return reader.stream.read(2) in {b"2\n", b"3\n"}
        return reader.integer() in {2, 3}
    except (Refusal, *_BROKEN):
        return False


class _Stream:
    """A file's bytes, decompressed as they are asked for; EOFError where they end too early."""

    def __init__(self, data: bytes) -> None:
        # Large vectors are read over: what sorted training data comes to takes no memory.
        self._blocks = iter_inflated(data, MAX_EXPANDED, ratio=1100)
        self._held = b""
        self._at = 0

    def read(self, size: int) -> bytes:
        """Return exactly `size` bytes."""
        pieces = [self._held[self._at : self._at + size]]
        self._at += size
        left = self._at - len(self._held)
        if left <= 0:
            return pieces[0]
        while left > 0:
            block = next(self._blocks, None)
            if block is None:
                raise EOFError
            self._held = block
            self._at = min(left, len(self._held))
            pieces.append(self._held[: self._at])
            left -= self._at
        return b"".join(pieces)

    def finish(self) -> None:
        """Refuse what follows; that reads a compressed file to its end, which is a checksum."""
        if self._held[self._at :].strip() or any(block.strip() for block in self._blocks):
            raise ValueError


class _Reader:
    """Reads one value; its steps are generators, driven by a stack of our own."""

    def __init__(self, data: bytes) -> None:
        self.stream = _Stream(data)
        start = self.stream.read(2)
        if start == b"RD" and self.stream.read(3) in _WORKSPACES:
            start = self.stream.read(2)
        if start not in _ORDERS:
            raise ValueError
        self.order = _ORDERS[start]
        self.packed = struct.Struct(f"{self.order}i")
        self.references: list[RValue] = []
        self.strings = self.kept = self.kept_text = 0
        self.nodes = 0.0
        self.encoding = "utf-8"
        self.interned: dict[tuple[bytes, str], str] = {}

    def read(self) -> RFile:
        if self.order == _AS_TEXT:
            raise Refusal("an R file in its text form", "save it without ascii = TRUE")
        version, writer, _ = self.integer(), self.integer(), self.integer()
        if version == 3:
            name = self.stream.read(_within(self.integer(), 64)).decode("ascii").lower()
            self.encoding = "latin-1" if name in {"latin1", "iso-8859-1"} else "utf-8"
        elif version != 2:
            raise ValueError
        value = self._drive(self._item())
        self.stream.finish()
        return RFile(value, f"{writer >> 16}.{writer >> 8 & 255}.{writer & 255}")

    def integer(self) -> int:
        return int(self.packed.unpack(self.stream.read(4))[0])

    def _drive(self, step: Task) -> RValue:
        stack, value = [step], None
        while stack:
            try:
                stack.append(stack[-1].send(value))
                value = None
            except StopIteration as stop:
                stack.pop()
                value = stop.value
            check_depth(len(stack), MAX_DEPTH)
        return value

    def _count(self, weight: float = 1) -> None:
        self.nodes += weight
        if self.nodes > MAX_NODES:
            raise Refusal(f"an R file that holds more than {MAX_NODES:,} lists and calls")

    def _length(self) -> int:
        length = self.integer()
        if length == -1:
            high, low = self.integer(), self.integer()
            length = (high << 32) + (low & 0xFFFF_FFFF)
        return _within(length, 1 << 50)

    # One item: flags, then what they say.
    def _item(self, flags: int | None = None) -> Task:
        flags = self.integer() if flags is None else flags
        kind, attributed, tagged = flags & 0xFF, bool(flags & 0x200), bool(flags & 0x400)
        self._count(0.1 if kind in _NOTHING else 1)  # nothing takes no memory
        if kind in _NOTHING:
            return _NOTHING[kind]
        if kind == _REFERENCE:
            return self._reference(flags)
        if kind in {_PAIRS, _CALL, _CLOSURE, _PROMISE, _DOTS}:
            return (yield self._pairs(kind, attributed, tagged))
        if kind == _ALTREP:
            return (yield self._compact())
        if kind in {_SYMBOL, _ENVIRONMENT, _PACKAGE, _NAMESPACE, _PERSISTENT, _POINTER, _WEAK}:
            value = yield self._referable(kind)
        elif kind in {_LIST, _EXPRESSION}:
            values = []
            for _ in range(self._length()):
                values.append((yield self._item()))
            value = Vector("list" if kind == _LIST else "expression", values)
        elif kind == _BYTECODE:
            self._length()  # of a table of what is used twice, which nothing here needs
            value = yield self._bytecode()
        else:
            value = self._leaf(kind, flags)
        if attributed and kind != _ENVIRONMENT:
            value = _with(value, (yield self._item()))
        return value

    def _reference(self, flags: int) -> RValue:
        index = (flags >> 8) or self.integer()
        if not 1 <= index <= len(self.references):
            raise ValueError
        return self.references[index - 1]

    def _referable(self, kind: int) -> Task:
        """Read what later references count; an environment counts before what it holds."""
        if kind == _SYMBOL:
            name = yield self._item()
            if not isinstance(name, str):
                raise ValueError
            value: RValue = Symbol(name)
            self.references.append(value)
            return value
        value = Other("external pointer" if kind in {_POINTER, _WEAK} else "environment")
        if kind in {_PACKAGE, _NAMESPACE, _PERSISTENT}:
            self.integer()
            for _ in range(self._length()):
                yield self._item()
            self.references.append(value)
            return value
        if kind == _ENVIRONMENT:
            self.integer()  # locked or not
        self.references.append(value)
        for _ in range({_ENVIRONMENT: 4, _POINTER: 2, _WEAK: 0}[kind]):
            yield self._item()
        return value

    def _pairs(self, kind: int, attributed: bool, tagged: bool) -> Task:
        """Read a chain of pairs; the first of a call is its function, a closure's are of no use."""
        attributes = _named((yield self._item())) if attributed else {}
        items: list[tuple[str, RValue]] = []
        while True:
            tag = (yield self._item()) if tagged else None
            value = yield self._item()
            items.append((tag.name if isinstance(tag, Symbol) else "", value))
            flags = self.integer()
            if flags & 0xFF != _PAIRS or kind in {_CLOSURE, _PROMISE}:
                break
            self._count()
            tagged = bool(flags & 0x400)
            if flags & 0x200:
                yield self._item()
        yield self._item(flags)
        if kind in {_CLOSURE, _PROMISE}:
            return Other("function", attributes)
        if kind == _CALL:
            return Call(items[0][1], items[1:], attributes)
        return Call(None, items, attributes)

    def _leaf(self, kind: int, flags: int) -> Any:
        if kind in _NUMBERS:
            return self._numbers(*_NUMBERS[kind])
        if kind == _TEXT:
            return self._text(flags)
        if kind == _STRINGS:
            return Vector("character", [self._string() for _ in range(self._length())])
        if kind in {_SPECIAL, _BUILTIN}:
            self.stream.read(_within(self.integer(), 1024))
            return Other("function")
        if kind == _S4:
            return Other("S4")
        raise ValueError

    def _numbers(self, name: str, code: str) -> RValue:
        dtype = np.dtype(self.order + code)
        left = self._length() * dtype.itemsize
        if left <= SMALL or self.kept + left <= KEPT:
            self.kept += left if left > SMALL else 0
            return Vector(name, np.frombuffer(self.stream.read(left), dtype))
        while left > 0:
            left -= len(self.stream.read(min(left, BLOCK)))
        return Other("vector too large to keep")

    def _string(self) -> str | None:
        flags = self.integer()
        if flags & 0xFF != _TEXT or flags & 0x200:
            raise ValueError
        return self._text(flags)

    def _text(self, flags: int) -> str | None:
        self.strings += 1
        if self.strings > MAX_STRINGS:
            raise Refusal(f"an R file that holds more than {MAX_STRINGS:,} texts")
        length = self.integer()
        if length == -1:
            return None
        # Levels 4 and 8, bits 2 and 3 above the flags, say Latin-1 and UTF-8.
        encoding = "latin-1" if flags >> 14 & 1 else self.encoding
        encoding = "utf-8" if flags >> 15 & 1 else encoding
        held = self.stream.read(_within(length, KEPT))
        if (text := self.interned.get((held, encoding))) is None:
            self.kept_text = _within(self.kept_text + length, KEPT)
            text = held.decode(encoding, "surrogateescape")  # refused where it is used
            self.interned[held, encoding] = text
        return text

    def _bytecode(self) -> Task:
        yield self._item()
        for _ in range(self._length()):
            yield self._constant(self.integer())
        return Other("function")

    def _constant(self, kind: int) -> Task:
        """Read a constant of byte code: code again, a call with its own marks, or a plain item."""
        if kind == _BYTECODE:
            yield self._bytecode()
            return None
        while True:
            self._count()
            if kind == _BYTECODE_REFERENCE:
                self.integer()
                return None
            if kind == _BYTECODE_DEFINITION:
                self.integer()
                kind = self.integer()
            if kind not in {_CALL, _PAIRS, _ATTRIBUTED_CALL, _ATTRIBUTED_PAIRS}:
                yield self._item()
                return None
            if kind in {_ATTRIBUTED_CALL, _ATTRIBUTED_PAIRS}:
                yield self._item()
            yield self._item()  # its name
            yield self._constant(self.integer())
            kind = self.integer()

    def _compact(self) -> Task:
        """Read R's short forms (ALTREP): runs of numbers, wrapped vectors, numbers as texts."""
        about, state, attributes = (yield self._item()), (yield self._item()), (yield self._item())
        first = about.arguments[0][1] if isinstance(about, Call) else None
        name = first.name if isinstance(first, Symbol) else ""
        return _with(_expand(name, state), attributes)


def _expand(name: str, state: RValue) -> RValue:
    """Return the vector that a short form stands for."""
    if name in {"compact_intseq", "compact_realseq"} and isinstance(state, Vector):
        length, start, step = (float(number) for number in state.values[:3])
        if not 0 <= length <= KEPT / 8:
            return Other("vector too large to keep")
        kind = "integer" if name == "compact_intseq" else "double"
        return Vector(kind, start + step * np.arange(int(length)))
    held: RValue = None
    if isinstance(state, Call):
        held = state.arguments[0][1]
    elif isinstance(state, Vector) and state.kind == "list" and state.values:
        held = state.values[0]
    if name.startswith("wrap_"):
        return held
    if name == "deferred_string" and isinstance(held, Vector) and held.kind == "integer":
        return Vector("character", [None if n == NA_INTEGER else str(int(n)) for n in held.values])
    return Other(f"vector in R's short form {name!r}")


def _with(value: Any, attributes: Any) -> Any:
    """Return a value with its attributes, a pair list, which texts do without."""
    if isinstance(value, Vector | Call | Other) and attributes is not None:
        return replace(value, attributes={**value.attributes, **_named(attributes)})
    return value


def _named(pairs: Any) -> dict[str, RValue]:
    return dict(pairs.arguments) if isinstance(pairs, Call) else {}


def _within(size: int, most: int) -> int:
    if not 0 <= size <= most:
        raise ValueError
    return size
