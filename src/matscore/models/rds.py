"""What an R file (`.rds`, `.RData`) holds, as inert values: nothing in it is evaluated.

The format is R's own (R Internals, "Serialization Formats"; src/main/serialize.c). Environments,
functions and byte code are read over, since no model needs them. The reader keeps its own stack, so
that deep files end in a message; large vectors past a budget are read over too, so that the
training data that R keeps in a model costs no memory.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np

from matscore.models.rds_bytes import BROKEN, NA_INTEGER, Binary, Words, open_r
from matscore.models.refusal import Refusal

MAX_DEPTH = 20_000  # a sum of n terms is n calls deep
MAX_NODES = 500_000  # lists, calls and attributes; numbers are not counted
MAX_STRINGS = 4_000_000
SMALL = 1 << 16  # bytes of a vector that is always kept
BLOCK = 1 << 18  # bytes that are read over at a time
KEPT = 48 << 20  # bytes of all others together


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
Step: TypeAlias = Generator[Any, Any, Any]

_SYMBOL, _PAIRS, _CLOSURE, _ENVIRONMENT, _PROMISE, _CALL = 1, 2, 3, 4, 5, 6
_SPECIAL, _BUILTIN, _TEXT, _LOGICAL, _INTEGER, _DOUBLE, _COMPLEX = 7, 8, 9, 10, 13, 14, 15
_STRINGS, _DOTS, _LIST, _EXPRESSION, _BYTECODE = 16, 17, 19, 20, 21
_POINTER, _WEAK, _RAW, _S4 = 22, 23, 24, 25
_ALTREP, _ATTRIBUTED_PAIRS, _ATTRIBUTED_CALL = 238, 239, 240
_BYTECODE_REFERENCE, _BYTECODE_DEFINITION = 243, 244
_PERSISTENT, _PACKAGE, _NAMESPACE, _REFERENCE = 247, 248, 249, 255
_NOTHING = {
    0: None,
    241: Other("environment"),
    242: Other("environment"),
    250: Other("environment"),
    251: Symbol(""),  # an argument that is left out, as in x[, 1]
    252: Other("unbound value"),
    253: Other("environment"),
    254: None,
}
_NUMBERS = {
    _LOGICAL: ("logical", "integer", 4),
    _INTEGER: ("integer", "integer", 4),
    _DOUBLE: ("double", "double", 8),
    _COMPLEX: ("complex", "complex", 16),
    _RAW: ("raw", "raw", 1),
}


@dataclass(frozen=True)
class RFile:
    """What an R file holds, and the version of R that wrote it."""

    value: RValue
    version: str


def read_r(data: bytes) -> RFile:
    """Return the value in an `.rds` file, or the variables of a workspace as a pair list."""
    try:
        return _Reader(open_r(data)).read()
    except BROKEN as error:
        what = str(error) if isinstance(error, _Damage) else "it is damaged or ends too early"
        raise Refusal(f"an R file that cannot be read: {what}", "save it again in R") from error


class _Damage(ValueError):
    """A fault of the file that we name ourselves."""


class _Reader:
    """Reads one value; its steps are generators, driven by a stack of our own."""

    def __init__(self, source: Binary | Words) -> None:
        self.source = source
        self.references: list[RValue] = []
        self.nodes = self.strings = self.kept = self.kept_text = 0
        self.encoding = "utf-8"
        self.interned: dict[tuple[bytes, str], str] = {}

    def read(self) -> RFile:
        integer = self.source.integer
        version, writer, _ = integer(), integer(), integer()
        if version == 3:
            name = self.source.text(_within(integer(), 64)).decode("ascii").lower()
            self.encoding = "latin-1" if name in {"latin1", "iso-8859-1"} else "utf-8"
        elif version != 2:
            raise _Damage(f"its format is of version {version}, which R does not write")
        value = self._drive(self._item())
        self.source.finish()
        return RFile(value, f"{writer >> 16}.{writer >> 8 & 255}.{writer & 255}")

    def _drive(self, step: Step) -> RValue:
        stack, value = [step], None
        while stack:
            try:
                stack.append(stack[-1].send(value))
                value = None
            except StopIteration as stop:
                stack.pop()
                value = stop.value
            if len(stack) > MAX_DEPTH:
                raise _Damage(f"it is nested more than {MAX_DEPTH} levels deep")
        return value

    def _count(self) -> None:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise _Damage(f"it holds more than {MAX_NODES:,} lists and calls")

    def _length(self) -> int:
        length = self.source.integer()
        if length == -1:
            high, low = self.source.integer(), self.source.integer()
            length = (high << 32) + (low & 0xFFFF_FFFF)
        if length < 0:
            raise _Damage("a length below zero")
        return length

    # One item: flags, then what they say.
    def _item(self, flags: int | None = None) -> Step:
        flags = self.source.integer() if flags is None else flags
        kind, attributed, tagged = flags & 0xFF, bool(flags & 0x200), bool(flags & 0x400)
        if kind in _NOTHING:
            return _NOTHING[kind]
        self._count()
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
        index = (flags >> 8) or self.source.integer()
        if not 1 <= index <= len(self.references):
            raise _Damage("a reference to what is not there")
        return self.references[index - 1]

    def _referable(self, kind: int) -> Step:
        """Read what later references count; an environment counts before what it holds."""
        if kind == _SYMBOL:
            name = yield self._item()
            if not isinstance(name, str):
                raise _Damage("a symbol without a name")
            value: RValue = Symbol(name)
            self.references.append(value)
            return value
        value = Other("external pointer" if kind in {_POINTER, _WEAK} else "environment")
        if kind in {_PACKAGE, _NAMESPACE, _PERSISTENT}:
            self.source.integer()
            for _ in range(self._length()):
                yield self._item()
            self.references.append(value)
            return value
        if kind == _ENVIRONMENT:
            self.source.integer()  # locked or not
        self.references.append(value)
        for _ in range({_ENVIRONMENT: 4, _POINTER: 2, _WEAK: 0}[kind]):
            yield self._item()
        return value

    def _pairs(self, kind: int, attributed: bool, tagged: bool) -> Step:
        """Read a chain of pairs; the first of a call is its function, a closure's are of no use."""
        attributes = _named((yield self._item())) if attributed else {}
        items: list[tuple[str, RValue]] = []
        while True:
            tag = (yield self._item()) if tagged else None
            value = yield self._item()
            items.append((tag.name if isinstance(tag, Symbol) else "", value))
            flags = self.source.integer()
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
            self.source.text(_within(self.source.integer(), 1024))
            return Other("function")
        if kind == _S4:
            return Other("S4")
        raise _Damage(f"a value of type {kind}, which R does not write")

    def _numbers(self, name: str, kind: str, size: int) -> RValue:
        length = self._length()
        if length * size > SMALL:
            self.kept += length * size
            if self.kept > KEPT:
                self.kept -= length * size
                return self._omit(kind, length, size)
        if kind == "raw":
            return Vector(name, self.source.raw(length))
        return Vector(name, self.source.numbers(kind, length))

    def _omit(self, kind: str, length: int, size: int) -> Other:
        while length > 0:
            piece = min(length, BLOCK // size)
            if kind == "raw":
                self.source.raw(piece)
            else:
                self.source.numbers(kind, piece)
            length -= piece
        return Other("vector too large to keep")

    def _string(self) -> str | None:
        flags = self.source.integer()
        if flags & 0xFF != _TEXT or flags & 0x200:
            raise _Damage("a text vector that holds no texts")
        return self._text(flags)

    def _text(self, flags: int) -> str | None:
        self.strings += 1
        if self.strings > MAX_STRINGS:
            raise _Damage(f"it holds more than {MAX_STRINGS:,} texts")
        length = self.source.integer()
        if length == -1:
            return None
        # Levels 4 and 8, bits 2 and 3 above the flags, say Latin-1 and UTF-8.
        encoding = "latin-1" if flags >> 14 & 1 else self.encoding
        encoding = "utf-8" if flags >> 15 & 1 else encoding
        held = self.source.text(_within(length, KEPT))
        if (text := self.interned.get((held, encoding))) is None:
            self.kept_text = _within(self.kept_text + length, KEPT)
            text = held.decode(encoding, "surrogateescape")  # refused where it is used
            self.interned[held, encoding] = text
        return text

    def _bytecode(self) -> Step:
        yield self._item()
        for _ in range(self._length()):
            yield self._constant(self.source.integer())
        return Other("function")

    def _constant(self, kind: int) -> Step:
        """Read a constant of byte code: code again, a call with its own marks, or a plain item."""
        if kind == _BYTECODE:
            yield self._bytecode()
            return None
        while True:
            self._count()
            if kind == _BYTECODE_REFERENCE:
                self.source.integer()
                return None
            if kind == _BYTECODE_DEFINITION:
                self.source.integer()
                kind = self.source.integer()
            if kind not in {_CALL, _PAIRS, _ATTRIBUTED_CALL, _ATTRIBUTED_PAIRS}:
                yield self._item()
                return None
            if kind in {_ATTRIBUTED_CALL, _ATTRIBUTED_PAIRS}:
                yield self._item()
            yield self._item()  # its name
            yield self._constant(self.source.integer())
            kind = self.source.integer()

    def _compact(self) -> Step:
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
        raise _Damage("a text that is too long")
    return size
