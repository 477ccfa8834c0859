"""Read a pickle without running any of it: plain, compressed, or as joblib writes it.

An interpreter of the opcodes of protocols 0 to 5 that can only build records: a name is a `Name`,
a call is a `Record` of what would be called, and nothing is looked up, imported or called. The
opcodes and their meaning: Lib/pickletools.py of CPython.
"""

from __future__ import annotations

import codecs
import math
import struct
from collections.abc import Callable
from typing import Any

from matscore.models.records import (
    Array,
    Name,
    Record,
    as_bytes,
    dtype_of,
    from_bytes,
    shape_of,
)
from matscore.models.refusal import Refusal

_FREE_VALUES, _FREE_OBJECTS = 1_500_000, 300_000  # of a small file: about 150 MB
_BYTES_AN_OBJECT = 32
_BIG_BYTES = 2**16  # from here on bytes are views, so that arrays are not held twice
_MOST_KEY = 2**60  # larger integers can be made to share one hash, so that a dict is never done
_MOST_PARTS = 64
_TOO_MANY = "it holds more objects than a model of its size has"
_ARRAY_WRAPPER = "NumpyArrayWrapper"
_MODULES_OF_PYTHON_2 = {"__builtin__": "builtins", "copy_reg": "copyreg"}
_JOBLIB = tuple(
    f"{root}.{module}"
    for root in ("joblib", "sklearn.externals.joblib")
    for module in ("numpy_pickle", "numpy_pickle_compat")
)


def read_pickle(
    data: bytes,
    open_beside: Callable[[str], Array] | None = None,
    *,
    size: int | None = None,
) -> Any:
    """Return what a pickle holds, as records; a `Refusal` where that cannot be told.

    `open_beside` reads an array that stands in a file of its own; `size` is what the file takes
    where it is compressed: a small one may not become many objects.
    """
    reader = _Reader(data, size=len(data) if size is None else size)
    reader.open_beside = open_beside
    found = reader.run()
    if reader.at != len(data):
        raise Refusal("something follows the end of the pickle")
    return found


class _Reader:
    """One stream of opcodes: its place, its stack and its memo."""

    def __init__(self, data: bytes, at: int = 0, *, size: int, nested: bool = False) -> None:
        self.data = data
        self.view = memoryview(data)
        self.at = at
        self.nested = nested
        self.size = size
        self.room = _FREE_OBJECTS + size // _BYTES_AN_OBJECT
        self.open_beside: Callable[[str], Array] | None = None
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: list[Any] = []
        self.sparse: dict[int, Any] = {}  # what is memoized out of turn

    def run(self) -> Any:
        """Follow the opcodes to the end."""
        data = self.data
        actions = [_ACTIONS.get(code) for code in range(256)]
        try:
            for _ in range(_FREE_VALUES + self.size):
                code = data[self.at]
                self.at += 1
                action = actions[code]
                if action is None:
                    if code == ord("."):
                        return self.stack.pop()
                    raise Refusal(_refusal(code))
                action(self)
        except (IndexError, KeyError, struct.error, UnicodeError, OverflowError) as error:
            raise Refusal("the pickle is cut off or damaged") from error
        except ValueError as error:
            raise Refusal("a number in the pickle cannot be read") from error
        raise Refusal(_TOO_MANY)

    def hold(self, value: Any) -> None:
        """Push an object that takes memory of its own."""
        self.room -= 1
        if self.room < 0:
            raise Refusal(_TOO_MANY)
        self.stack.append(value)

    # What the opcodes carry.

    def take(self, n_bytes: int) -> bytes:
        """Return the next bytes."""
        start = self.at
        end = start + n_bytes
        if n_bytes < 0 or end > len(self.data):
            raise Refusal("the pickle is cut off or damaged")
        self.at = end
        return self.data[start:end]

    def number(self, form: str) -> Any:
        """Return the next number, in a form of `struct`."""
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def line(self) -> bytes:
        """Return the rest of the line."""
        end = self.data.index(b"\n", self.at)
        start, self.at = self.at, end + 1
        return self.data[start:end]

    def text(self, form: str) -> None:
        self.stack.append(self.take(self.number(form)).decode("utf-8", "surrogatepass"))

    def chunk(self, form: str) -> None:
        """Push bytes."""
        n_bytes = self.number(form)
        if n_bytes < _BIG_BYTES:
            self.stack.append(self.take(n_bytes))
            return
        start = self.at
        if n_bytes > len(self.data) - start:
            raise Refusal("the pickle is cut off or damaged")
        self.at = start + n_bytes
        self.stack.append(self.view[start : self.at])

    def since_mark(self) -> list[Any]:
        """Take what was pushed since the last mark."""
        start = self.marks.pop()
        found = self.stack[start:]
        del self.stack[start:]
        return found

    # Memo.

    def put(self, index: int) -> None:
        memo = self.memo
        if index in (len(memo), len(memo) + 1):  # Python 2 counted from 1
            memo.extend([self.stack[-1]] * (index - len(memo) + 1))
        elif 0 <= index < len(memo):
            memo[index] = self.stack[-1]
        else:
            self.sparse[index] = self.stack[-1]

    def get(self, index: int) -> None:
        inside = 0 <= index < len(self.memo)
        self.stack.append(self.memo[index] if inside else self.sparse[index])

    # Containers.

    def append(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if isinstance(target, list):
            target.extend(items)
        elif isinstance(target, Record):
            target.items = target.items or []
            target.items.extend(items)
        else:
            raise Refusal("the pickle appends to what is no list")

    def set_items(self, items: list[Any]) -> None:
        target = self.stack[-1]
        keys, values = items[::2], items[1::2]
        if len(keys) != len(values):
            raise Refusal("the pickle is cut off or damaged")
        if isinstance(target, dict):
            target.update(zip(map(_key, keys), values, strict=True))
        elif isinstance(target, Record):
            target.pairs = target.pairs or []
            target.pairs.extend(zip(keys, values, strict=True))
        else:
            raise Refusal("the pickle sets items of what is no dict")

    # Objects.

    def name(self, module: object, name: object) -> None:
        if not (isinstance(module, str) and isinstance(name, str)):
            raise Refusal("the pickle names a class by what is no text")
        self.hold(Name(module, name))

    def make(self, of: object, args: object) -> None:
        """Push the record of an object or a call."""
        if not isinstance(args, tuple):
            raise Refusal("the pickle calls without arguments")
        self.hold(_call(of, args))

    def build(self) -> None:
        """Give a record its state."""
        state = self.stack.pop()
        target = self.stack[-1]
        if isinstance(target, dict):  # a dict of its own class, with attributes
            return
        if not isinstance(target, Record):
            raise Refusal("the pickle builds what is no object")
        if target.state is not None:
            raise Refusal("the pickle builds an object twice")
        target.state = state
        if isinstance(target.of, Name) and target.of.module in _JOBLIB:
            if target.name == _ARRAY_WRAPPER:
                self.stack[-1] = self.joblib_array(target)
            elif target.name == "NDArrayWrapper" and self.open_beside is not None:
                self.stack[-1] = self.open_beside(str(target.attributes.get("filename")))

    def joblib_array(self, wrapper: Record) -> Array | Record:
        """Read the array that joblib writes behind its wrapper: bytes between two opcodes."""
        parts = wrapper.attributes
        kind = dtype_of(parts.get("dtype"))
        if kind.hasobject:
            if self.nested:
                raise Refusal("arrays of joblib stand in each other")
            inner = _Reader(self.data, self.at, size=self.size, nested=True)
            inner.room = self.room
            found = inner.run()
            self.room = inner.room
            self.at = inner.at
            return found  # type: ignore[no-any-return]
        if parts.get("numpy_array_alignment_bytes") is not None:
            self.take(self.number("<B"))
        shape = shape_of(parts.get("shape"), (len(self.data) - self.at) // max(kind.itemsize, 1))
        start = self.at
        self.at += math.prod(shape) * kind.itemsize
        return from_bytes(self.view[start : self.at], kind, shape, str(parts.get("order")))


def _key(value: Any) -> Any:
    """Return a key that a dict can hold without harm, however the file was made."""
    if isinstance(value, int) and not -_MOST_KEY < value < _MOST_KEY:
        raise Refusal("a key of a dict is too large")
    if isinstance(value, tuple):
        if len(value) > _MOST_PARTS or any(isinstance(part, tuple) for part in value):
            raise Refusal("a key of a dict is too deep")
        return tuple(map(_key, value))
    if value is None or isinstance(value, str | bytes | int | float | Name | Record):
        return value
    raise Refusal("a key of a dict is no plain value")


def _call(of: object, args: tuple[Any, ...]) -> Any:  # noqa: PLR0911
    """Return the record of a call, or the plain container that the call would make."""
    if not isinstance(of, Name):
        return Record(of if isinstance(of, Record) else None, args)
    match (_MODULES_OF_PYTHON_2.get(of.module, of.module), of.name), args:
        case ("copyreg", "_reconstructor"), (Name() as kind, _, state):
            return Record(kind, () if state is None else (state,))
        case ("copyreg", "__newobj__"), (kind, *rest):
            return _made(kind, tuple(rest))
        case ("copyreg", "__newobj_ex__"), (kind, tuple() as rest, *_):
            return _made(kind, rest)
        case ("_codecs", "encode"), (str() as text, *_):  # bytes, in protocols without them
            return text.encode("latin-1")
        case ("collections", "OrderedDict" | "defaultdict"), ([*pairs],):
            return {_key(key): value for key, value in (tuple(pair) for pair in pairs)}
        case ("collections", "OrderedDict" | "defaultdict") | ("builtins", "dict"), _:
            return {}
        case ("builtins", "set" | "frozenset" | "list"), ():
            return []
        case ("builtins", "set" | "frozenset" | "list"), ([*items],):  # never hashed
            return items
        case ("builtins", "bytes" | "bytearray"), ():
            return b""
        case ("builtins", "bytearray"), (data, *_):
            return as_bytes(data)
        case ("builtins", "slice"), (start, stop, step):
            return slice(start, stop, step)
    return Record(of, args)


def _made(of: object, args: tuple[Any, ...]) -> Record:
    return Record(of if isinstance(of, Name | Record) else None, args)


def _refusal(code: int) -> str:
    if code in b"PQ":
        return "the pickle refers to things outside of it (persistent ids)"
    if code in b"\x82\x83\x84":
        return "the pickle uses the registry of extensions"
    if code == 0x97:
        return "the pickle keeps arrays outside of it (buffers out of band)"
    return "the pickle is damaged, or no pickle"


def _unquote(line: bytes) -> str:
    if len(line) < 2 or line[:1] not in b"'\"" or line[:1] != line[-1:]:
        raise Refusal("the pickle is cut off or damaged")
    return codecs.escape_decode(line[1:-1])[0].decode("latin-1")


def _whole(line: bytes) -> int | bool:
    if line in (b"00", b"01"):
        return line == b"01"
    return int(line.rstrip(b"L"))


def _signed(data: bytes) -> int:
    return int.from_bytes(data, "little", signed=True)


_Action = Callable[[_Reader], Any]


def _push(make: Callable[[_Reader], Any]) -> _Action:
    return lambda reader: reader.stack.append(make(reader))


def _hold(make: Callable[[_Reader], Any]) -> _Action:
    return lambda reader: reader.hold(make(reader))


# The usual opcodes do without the helpers of `_Reader`: a text column has millions of them.


def _short_text(reader: _Reader) -> None:
    data, start = reader.data, reader.at + 1
    end = start + data[start - 1]
    if end > len(data):
        raise IndexError
    reader.at = end
    reader.stack.append(data[start:end].decode("utf-8", "surrogatepass"))


def _byte(reader: _Reader) -> int:
    found = reader.data[reader.at]
    reader.at += 1
    return found


def _tuple(n_parts: int) -> _Action:
    def pack(reader: _Reader) -> None:
        stack = reader.stack
        if len(stack) < n_parts:
            raise IndexError
        parts = tuple(stack[-n_parts:])
        del stack[-n_parts:]
        reader.hold(parts)

    return pack


def _instance(reader: _Reader) -> None:
    of = Name(reader.line().decode(), reader.line().decode())
    reader.make(of, tuple(reader.since_mark()))


def _object(reader: _Reader) -> None:
    of, *args = reader.since_mark()
    reader.make(of, tuple(args))


def _new(reader: _Reader) -> None:
    args, of = reader.stack.pop(), reader.stack.pop()
    if not isinstance(args, tuple):
        raise Refusal("the pickle calls without arguments")
    plain_container = isinstance(of, Name) and of.module in ("collections", "builtins")
    reader.hold(_call(of, ()) if plain_container else _made(of, args))


def _stack_global(reader: _Reader) -> None:
    name, module = reader.stack.pop(), reader.stack.pop()
    reader.name(module, name)


def _reduce(reader: _Reader) -> None:
    args, of = reader.stack.pop(), reader.stack.pop()
    reader.make(of, args)


def _new_with_keywords(reader: _Reader) -> None:
    _, args, of = reader.stack.pop(), reader.stack.pop(), reader.stack.pop()
    reader.hold(_made(of, args if isinstance(args, tuple) else ()))


def _pop(reader: _Reader) -> None:
    if reader.marks and reader.marks[-1] == len(reader.stack):
        reader.marks.pop()
    else:
        reader.stack.pop()


def _dict(reader: _Reader) -> None:
    items = reader.since_mark()
    reader.hold({})
    reader.set_items(items)


def _set_item(reader: _Reader) -> None:
    value, key = reader.stack.pop(), reader.stack.pop()
    reader.set_items([key, value])


_ACTIONS: dict[int, _Action] = {
    # numbers and texts
    ord("I"): _push(lambda r: _whole(r.line())),
    ord("L"): _push(lambda r: _whole(r.line())),
    ord("F"): _push(lambda r: float(r.line())),
    ord("J"): _push(lambda r: r.number("<i")),
    ord("K"): _push(_byte),
    ord("M"): _push(lambda r: r.number("<H")),
    ord("G"): _push(lambda r: r.number(">d")),
    0x8A: _push(lambda r: _signed(r.take(r.number("<B")))),
    0x8B: _push(lambda r: _signed(r.take(r.number("<i")))),
    ord("N"): _push(lambda _: None),
    0x88: _push(lambda _: True),
    0x89: _push(lambda _: False),
    ord("V"): _push(lambda r: r.line().decode("raw-unicode-escape")),
    ord("X"): lambda r: r.text("<I"),
    0x8C: _short_text,
    0x8D: lambda r: r.text("<Q"),
    # Python 2 wrote bytes and text alike.
    ord("S"): _push(lambda r: _unquote(r.line())),
    ord("T"): _push(lambda r: r.take(r.number("<i")).decode("latin-1")),
    ord("U"): _push(lambda r: r.take(r.number("<B")).decode("latin-1")),
    ord("B"): lambda r: r.chunk("<I"),
    ord("C"): lambda r: r.chunk("<B"),
    0x8E: lambda r: r.chunk("<Q"),
    0x96: lambda r: r.chunk("<Q"),
    # containers
    ord("("): lambda r: r.marks.append(len(r.stack)),
    ord(")"): _push(lambda _: ()),
    ord("t"): _hold(lambda r: tuple(r.since_mark())),
    0x85: _tuple(1),
    0x86: _tuple(2),
    0x87: _tuple(3),
    ord("]"): _hold(lambda _: []),
    ord("l"): _hold(lambda r: r.since_mark()),
    ord("a"): lambda r: r.append([r.stack.pop()]),
    ord("e"): lambda r: r.append(r.since_mark()),
    ord("}"): _hold(lambda _: {}),
    ord("d"): _dict,
    ord("s"): _set_item,
    ord("u"): lambda r: r.set_items(r.since_mark()),
    0x8F: _hold(lambda _: []),  # a set, as a list: nothing of the file is hashed
    0x90: lambda r: r.append(r.since_mark()),
    0x91: _hold(lambda r: tuple(r.since_mark())),
    # objects
    ord("c"): lambda r: r.name(r.line().decode(), r.line().decode()),
    0x93: _stack_global,
    ord("i"): _instance,
    ord("o"): _object,
    ord("R"): _reduce,
    0x81: _new,
    0x92: _new_with_keywords,
    ord("b"): lambda r: r.build(),
    # the stack and the memo
    ord("0"): _pop,
    ord("1"): lambda r: r.since_mark(),
    ord("2"): _push(lambda r: r.stack[-1]),
    ord("p"): lambda r: r.put(int(r.line())),
    ord("q"): lambda r: r.put(_byte(r)),
    ord("r"): lambda r: r.put(r.number("<I")),
    0x94: lambda r: r.memo.append(r.stack[-1]),
    ord("g"): lambda r: r.get(int(r.line())),
    ord("h"): lambda r: r.get(_byte(r)),
    ord("j"): lambda r: r.get(r.number("<I")),
    # the frame
    0x80: lambda r: r.take(1),
    0x95: lambda r: r.take(8),
    0x98: lambda _: None,  # a buffer that may not be written to
}
