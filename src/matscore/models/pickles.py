"""Read a pickle without running any of it: plain, or as joblib writes it.

The opcodes are told apart by `pickletools`, which does nothing with them. What they do is done
here, where nothing can be made but records: a name is a `Name`, a call is a `Record` of what would
be called, and nothing is looked up, imported or called.
"""

from __future__ import annotations

import io
import math
import pickletools
import warnings
from collections.abc import Callable
from itertools import islice
from typing import Any

from matscore.models.bounds import Refusal, check_fit, damaged
from matscore.models.records import (
    Array,
    Name,
    Record,
    as_bytes,
    dtype_of,
    from_bytes,
    shape_of,
)

OLD_JOBLIB = "joblib before 0.10 wrote it", "load it with that version, and save it again"
_FREE_VALUES, _FREE_OBJECTS = 1_500_000, 300_000  # of a small file: about 150 MB
_BYTES_AN_OBJECT = 32
_MOST_KEY = 2**60  # larger integers can be made to share one hash, so that a dict is never done
_MOST_PARTS = 64
_TOO_LARGE = 2**1000  # for a float64
_TOO_MANY = "it holds more objects than a model of its size has"
_MODULES_OF_PYTHON_2 = {"__builtin__": "builtins", "copy_reg": "copyreg"}


def read_pickle(data: bytes, *, size: int | None = None) -> Any:
    """Return what a pickle holds, as records; a `Refusal` where that cannot be told.

    `size` is what the file takes where it is compressed: a small one may not become many objects.
    """
    size = len(data) if size is None else size
    machine = _Machine(io.BytesIO(data), len(data), _FREE_VALUES + size)
    machine.room = _FREE_OBJECTS + size // _BYTES_AN_OBJECT
    with warnings.catch_warnings(action="ignore"):  # of escapes in texts that Python 2 wrote
        found = machine.run()
    if machine.file.tell() != len(data):
        raise Refusal("something follows the end of the pickle")
    return found


class _Machine:
    """What follows one stream of opcodes: its stack and its memo."""

    def __init__(self, file: io.BytesIO, end: int, most: int, *, nested: bool = False) -> None:
        self.file, self.end, self.most, self.nested = file, end, most, nested
        self.room = 0
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: list[Any] = []
        self.sparse: dict[int, Any] = {}  # what is memoized out of turn

    def run(self) -> Any:
        """Follow the opcodes to the end."""
        try:
            for opcode, argument, _ in islice(pickletools.genops(self.file), self.most):
                name = opcode.name
                if name in _VALUES:
                    self.stack.append(argument)
                elif name == "STOP":
                    return self.stack.pop()
                elif name in _ACTIONS:
                    _ACTIONS[name](self, argument)
                else:
                    raise Refusal(f"the pickle refers to what is outside of it ({name})")
        except (LookupError, ValueError, OverflowError) as error:
            raise damaged() from error
        raise Refusal(_TOO_MANY)

    def hold(self, value: Any) -> None:
        """Push an object that takes memory of its own."""
        self.room -= 1
        if self.room < 0:
            raise Refusal(_TOO_MANY)
        self.stack.append(value)

    def pop(self, n: int) -> list[Any]:
        """Take the last things from the stack."""
        start = len(self.stack) - n
        if start < 0:
            raise damaged()
        found = self.stack[start:]
        del self.stack[start:]
        return found

    def pop_mark(self) -> list[Any]:
        """Take what was pushed since the last mark."""
        return self.pop(len(self.stack) - self.marks.pop())

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
        if not isinstance(target, Record):  # what a list of its own class holds, nobody asks for
            check_fit(isinstance(target, list))
            target.extend(items)

    def set_items(self, items: list[Any]) -> None:
        target, pairs = self.stack[-1], zip(items[::2], items[1::2], strict=True)
        if not isinstance(target, Record):
            check_fit(isinstance(target, dict))
            target.update((_key(key), value) for key, value in pairs)

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
            check_fit(not self.nested)
            inner = _Machine(self.file, self.end, self.most, nested=True)
            inner.room = self.room
            found: Record = inner.run()
            self.room = inner.room
            return found
        if parts.get("numpy_array_alignment_bytes") is not None:
            self.file.seek(self.file.read(1)[0], io.SEEK_CUR)
        left = max(self.end - self.file.tell(), 0)
        shape = shape_of(parts.get("shape"), left // max(kind.itemsize, 1))
        data = self.file.read(math.prod(shape) * kind.itemsize)
        return from_bytes(data, kind, shape, str(parts.get("order")))


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


def _name(module: object, name: object) -> Name:
    check_fit(isinstance(module, str) and isinstance(name, str))
    return Name(str(module), str(name))


def _call(of: object, args: Any) -> Any:  # noqa: PLR0911
    """Return the record of a call, or the plain container that the call would make."""
    check_fit(isinstance(args, tuple))
    if not isinstance(of, Name):
        return _make(of, args)
    match (_MODULES_OF_PYTHON_2.get(of.module, of.module), of.name), args:
        case ("copyreg", "_reconstructor"), (Name() as kind, _, state):
            return Record(kind, () if state is None else (state,))
        case ("copyreg", "__newobj__"), (kind, *rest):
            return _make(kind, tuple(rest))
        case ("copyreg", "__newobj_ex__"), (kind, tuple() as rest, *_):
            return _make(kind, rest)
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


def _make(of: object, args: Any) -> Record:
    """Return the record of an object that is made without a call."""
    check_fit(isinstance(args, tuple))
    return Record(of if isinstance(of, Name | Record) else None, args)


def _new(of: object, args: Any, *_: object) -> Any:
    is_container = isinstance(of, Name) and of.module in ("collections", "builtins")
    return _call(of, ()) if is_container else _make(of, args)


def _push_whole(machine: _Machine, number: int) -> None:
    check_fit(abs(number) < _TOO_LARGE)
    machine.stack.append(number)


def _drop(machine: _Machine, _: Any) -> None:
    if machine.marks and machine.marks[-1] == len(machine.stack):
        machine.marks.pop()
    else:
        machine.pop(1)


def _make_dict(machine: _Machine, _: Any) -> None:
    items = machine.pop_mark()
    machine.hold({})
    machine.set_items(items)


_Action = Callable[[_Machine, Any], Any]


def _pack(make: Callable[[list[Any]], Any]) -> _Action:
    """Return what makes one thing of what was pushed since the last mark."""
    return lambda machine, _: machine.hold(make(machine.pop_mark()))


def _take(n: int, make: Callable[..., Any]) -> _Action:
    """Return what makes one thing of the last n."""
    return lambda machine, _: machine.hold(make(*machine.pop(n)))


def _always(value: Any) -> _Action:
    return lambda machine, _: machine.stack.append(value)


# Opcodes that carry what they push.
_PUSHED = """
    BININT BININT1 BININT2 FLOAT BINFLOAT STRING BINSTRING SHORT_BINSTRING UNICODE BINUNICODE
    SHORT_BINUNICODE BINUNICODE8 BINBYTES SHORT_BINBYTES BINBYTES8 BYTEARRAY8
"""
_VALUES = frozenset(_PUSHED.split())
_ACTIONS: dict[str, _Action] = {
    "NONE": _always(None), "NEWTRUE": _always(True), "NEWFALSE": _always(False),
    "EMPTY_TUPLE": _always(()),
    **dict.fromkeys(("INT", "LONG", "LONG1", "LONG4"), _push_whole),
    # containers; a set is a list: nothing of the file is hashed
    "MARK": lambda machine, _: machine.marks.append(len(machine.stack)),
    "EMPTY_LIST": _take(0, list), "EMPTY_SET": _take(0, list), "EMPTY_DICT": _take(0, dict),
    "LIST": _pack(list), "TUPLE": _pack(tuple), "FROZENSET": _pack(tuple), "DICT": _make_dict,
    **{f"TUPLE{n}": _take(n, lambda *parts: parts) for n in (1, 2, 3)},
    "APPEND": lambda machine, _: machine.append(machine.pop(1)),
    "APPENDS": lambda machine, _: machine.append(machine.pop_mark()),
    "ADDITEMS": lambda machine, _: machine.append(machine.pop_mark()),
    "SETITEM": lambda machine, _: machine.set_items(machine.pop(2)),
    "SETITEMS": lambda machine, _: machine.set_items(machine.pop_mark()),
    # objects
    "GLOBAL": lambda machine, names: machine.hold(_name(*names.split(" ", 1))),
    "STACK_GLOBAL": _take(2, _name),
    "INST": lambda machine, names: machine.hold(
        _call(_name(*names.split(" ", 1)), tuple(machine.pop_mark()))
    ),
    "OBJ": _pack(lambda parts: _call(parts[0], tuple(parts[1:]))),
    "REDUCE": _take(2, _call), "NEWOBJ": _take(2, _new), "NEWOBJ_EX": _take(3, _new),
    "BUILD": lambda machine, _: machine.build(*machine.pop(1)),
    # the stack and the memo
    "POP": _drop, "POP_MARK": lambda machine, _: machine.pop_mark(),
    "DUP": lambda machine, _: machine.stack.append(machine.stack[-1]),
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT"), _Machine.put),
    "MEMOIZE": lambda machine, _: machine.memo.append(machine.stack[-1]),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), _Machine.get),
    # what says nothing of the values
    **dict.fromkeys(("PROTO", "FRAME", "READONLY_BUFFER"), lambda *_: None),
}  # fmt: skip
