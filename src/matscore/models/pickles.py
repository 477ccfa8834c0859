"""Read a pickle without running any of it: plain, or as joblib writes it.

An interpreter of the opcodes of protocols 0 to 5 that can only build records: a name is a `Name`,
a call is a `Record` of what would be called, and nothing is looked up, imported or called. The
opcodes and their meaning: Lib/pickletools.py of CPython.
"""

from __future__ import annotations

import codecs
import math
from collections.abc import Callable
from typing import Any

from matscore.models.reader import Reader, damaged
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

OLD_JOBLIB = "joblib before 0.10 wrote it", "load it with that version, and save it again"
_FREE_VALUES, _FREE_OBJECTS = 1_500_000, 300_000  # of a small file: about 150 MB
_BYTES_AN_OBJECT = 32
_BIG_BYTES = 2**16  # from here on bytes are views, so that arrays are not held twice
_MOST_KEY = 2**60  # larger integers can be made to share one hash, so that a dict is never done
_MOST_PARTS = 64
_TOO_MANY = "it holds more objects than a model of its size has"
_MODULES_OF_PYTHON_2 = {"__builtin__": "builtins", "copy_reg": "copyreg"}


def read_pickle(data: bytes, *, size: int | None = None) -> Any:
    """Return what a pickle holds, as records; a `Refusal` where that cannot be told.

    `size` is what the file takes where it is compressed: a small one may not become many objects.
    """
    size = len(data) if size is None else size
    reader = _Pickle(data, 0, size, _FREE_OBJECTS + size // _BYTES_AN_OBJECT)
    found = reader.run()
    if reader.at != len(data):
        raise Refusal("something follows the end of the pickle")
    return found


class _Pickle(Reader):
    """One stream of opcodes: its place, its stack and its memo."""

    def __init__(self, data: bytes, at: int, size: int, room: int, *, nested: bool = False) -> None:
        super().__init__(data, at)
        self.view = memoryview(data)
        self.size, self.room, self.nested = size, room, nested
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
                    raise Refusal(_REFUSED.get(code, "the pickle is damaged, or no pickle"))
                action(self)
        except (IndexError, KeyError, ValueError, OverflowError) as error:
            raise damaged() from error
        raise Refusal(_TOO_MANY)

    def hold(self, value: Any) -> None:
        """Push an object that takes memory of its own."""
        self.room -= 1
        if self.room < 0:
            raise Refusal(_TOO_MANY)
        self.stack.append(value)

    def line(self) -> bytes:
        """Return the rest of the line."""
        end = self.data.index(b"\n", self.at)
        start, self.at = self.at, end + 1
        return self.data[start:end]

    def chunk(self, n_bytes: int) -> bytes | memoryview:
        """Return the next bytes, without a copy where there are many."""
        if n_bytes < _BIG_BYTES:
            return self.take(n_bytes)
        start = self.skip(n_bytes)
        return self.view[start : self.at]

    def since_mark(self) -> list[Any]:
        """Take what was pushed since the last mark."""
        start = self.marks.pop()
        found = self.stack[start:]
        del self.stack[start:]
        return found

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

    def append(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if isinstance(target, Record):
            target.items = target.items or []
            target.items.extend(items)
        elif isinstance(target, list):
            target.extend(items)
        else:
            raise damaged()

    def set_items(self, items: list[Any]) -> None:
        target, pairs = self.stack[-1], list(zip(items[::2], items[1::2], strict=True))
        if isinstance(target, dict):
            target.update((_key(key), value) for key, value in pairs)
        elif isinstance(target, Record):
            target.pairs = target.pairs or []
            target.pairs.extend(pairs)
        else:
            raise damaged()

    def name(self, module: object, name: object) -> None:
        if not (isinstance(module, str) and isinstance(name, str)):
            raise damaged()
        self.hold(Name(module, name))

    def call(self, of: object, args: object) -> None:
        """Push the record of a call, or the plain container that it would make."""
        if not isinstance(args, tuple):
            raise damaged()
        self.hold(_call(of, args))

    def make(self, of: object, args: object) -> None:
        """Push the record of an object that is made without a call."""
        if not isinstance(args, tuple):
            raise damaged()
        is_container = isinstance(of, Name) and of.module in ("collections", "builtins")
        self.hold(_call(of, ()) if is_container else _made(of, args))

    def build(self, state: Any) -> None:
        """Give a record its state."""
        target = self.stack[-1]
        if isinstance(target, dict):  # a dict of its own class, with attributes
            return
        if not isinstance(target, Record) or target.state is not None:
            raise damaged()
        target.state = state
        if target.is_of("joblib") or target.is_of("sklearn.externals.joblib"):
            if target.name == "NumpyArrayWrapper":
                self.stack[-1] = self.joblib_array(target)
            elif target.name == "NDArrayWrapper":
                raise Refusal(*OLD_JOBLIB)

    def joblib_array(self, wrapper: Record) -> Array | Record:
        """Read the array that joblib writes behind its wrapper: bytes between two opcodes."""
        parts = wrapper.attributes
        kind = dtype_of(parts.get("dtype"))
        if kind.hasobject:
            if self.nested:
                raise damaged()
            inner = _Pickle(self.data, self.at, self.size, self.room, nested=True)
            found: Record = inner.run()
            self.room, self.at = inner.room, inner.at
            return found
        if parts.get("numpy_array_alignment_bytes") is not None:
            self.take(self.number("<B"))
        shape = shape_of(parts.get("shape"), (len(self.data) - self.at) // max(kind.itemsize, 1))
        start = self.skip(math.prod(shape) * kind.itemsize)
        return from_bytes(self.view[start : self.at], kind, shape, str(parts.get("order")))


def _key(value: Any) -> Any:
    """Return a key that a dict can hold without harm, however the file was made."""
    if isinstance(value, tuple) and len(value) <= _MOST_PARTS:
        if not any(isinstance(part, tuple) for part in value):
            return tuple(map(_key, value))
    elif isinstance(value, int):
        if -_MOST_KEY < value < _MOST_KEY:
            return value
    elif value is None or isinstance(value, str | bytes | float | Name | Record):
        return value
    raise Refusal("a key of a dict is no plain value, or too large")


def _call(of: object, args: tuple[Any, ...]) -> Any:  # noqa: PLR0911
    """Return the record of a call, or the plain container that the call would make."""
    if not isinstance(of, Name):
        return _made(of, args)
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


def _unquote(line: bytes) -> str:
    if len(line) < 2 or line[:1] not in b"'\"" or line[:1] != line[-1:]:
        raise ValueError
    return codecs.escape_decode(line[1:-1])[0].decode("latin-1")


def _whole(line: bytes) -> int | bool:
    return line == b"01" if line in (b"00", b"01") else int(line.rstrip(b"L"))


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogatepass")


def _signed(data: bytes) -> int:
    return int.from_bytes(data, "little", signed=True)


_Action = Callable[[_Pickle], Any]


def _push(make: Callable[[_Pickle], Any]) -> _Action:
    return lambda reader: reader.stack.append(make(reader))


def _hold(make: Callable[[_Pickle], Any]) -> _Action:
    return lambda reader: reader.hold(make(reader))


def _pop(n: int, do: Callable[..., Any]) -> _Action:
    """Return what is done with the last things on the stack, the first of them first."""

    def act(reader: _Pickle) -> None:
        parts = [reader.stack.pop() for _ in range(n)]
        do(reader, *reversed(parts))

    return act


def _mark(do: Callable[..., Any]) -> _Action:
    """Return what is done with what was pushed since the last mark."""
    return lambda reader: do(reader, reader.since_mark())


# The usual opcodes do without the helpers of `_Pickle`: a text column has millions of them.


def _short_text(reader: _Pickle) -> None:
    data, start = reader.data, reader.at + 1
    end = start + data[start - 1]
    if end > len(data):
        raise IndexError
    reader.at = end
    reader.stack.append(data[start:end].decode("utf-8", "surrogatepass"))


def _byte(reader: _Pickle) -> int:
    found = reader.data[reader.at]
    reader.at += 1
    return found


def _tuple(n_parts: int) -> _Action:
    def pack(reader: _Pickle) -> None:
        stack = reader.stack
        if len(stack) < n_parts:
            raise IndexError
        parts = tuple(stack[-n_parts:])
        del stack[-n_parts:]
        reader.hold(parts)

    return pack


def _drop(reader: _Pickle) -> None:
    if reader.marks and reader.marks[-1] == len(reader.stack):
        reader.marks.pop()
    else:
        reader.stack.pop()


def _dict(reader: _Pickle, items: list[Any]) -> None:
    reader.hold({})
    reader.set_items(items)


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
    ord("X"): _push(lambda r: _text(r.take(r.number("<I")))),
    0x8C: _short_text,
    0x8D: _push(lambda r: _text(r.take(r.number("<Q")))),
    # Python 2 wrote bytes and text alike.
    ord("S"): _push(lambda r: _unquote(r.line())),
    ord("T"): _push(lambda r: r.take(r.number("<i")).decode("latin-1")),
    ord("U"): _push(lambda r: r.take(r.number("<B")).decode("latin-1")),
    ord("B"): _push(lambda r: r.chunk(r.number("<I"))),
    ord("C"): _push(lambda r: r.chunk(r.number("<B"))),
    0x8E: _push(lambda r: r.chunk(r.number("<Q"))),
    0x96: _push(lambda r: r.chunk(r.number("<Q"))),
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
    ord("e"): _mark(_Pickle.append),
    ord("}"): _hold(lambda _: {}),
    ord("d"): _mark(_dict),
    ord("s"): _pop(2, lambda r, key, value: r.set_items([key, value])),
    ord("u"): _mark(_Pickle.set_items),
    0x8F: _hold(lambda _: []),  # a set, as a list: nothing of the file is hashed
    0x90: _mark(_Pickle.append),
    0x91: _hold(lambda r: tuple(r.since_mark())),
    # objects
    ord("c"): lambda r: r.name(r.line().decode(), r.line().decode()),
    0x93: _pop(2, _Pickle.name),
    ord("i"): lambda r: r.call(
        Name(r.line().decode(), r.line().decode()), tuple(r.since_mark())
    ),
    ord("o"): _mark(lambda r, parts: r.call(parts[0], tuple(parts[1:]))),
    ord("R"): _pop(2, _Pickle.call),
    0x81: _pop(2, _Pickle.make),
    0x92: _pop(3, lambda r, of, args, _: r.make(of, args)),
    ord("b"): _pop(1, _Pickle.build),
    # the stack and the memo
    ord("0"): _drop,
    ord("1"): _mark(lambda *_: None),
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
}  # fmt: skip
_OUTSIDE = "the pickle refers to what is outside of it"
_EXTENSIONS = "the pickle uses the registry of extensions"
_REFUSED = {
    **dict.fromkeys((*b"PQ", 0x97), _OUTSIDE),
    **dict.fromkeys((0x82, 0x83, 0x84), _EXTENSIONS),
}
