"""Read a skops file without skops: a ZIP of ``schema.json``, a tree, and arrays as ``.npy``.

The tree comes out as the records that a pickle of the same model gives. The nodes:
https://github.com/skops-dev/skops, skops/io/_general.py and _numpy.py.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from matscore.models.bounds import Zip, check_depth, open_zip
from matscore.models.records import Array, Name, Record, from_items, read_npy
from matscore.models.refusal import Refusal

SCHEMA = "schema.json"
_MOST_BYTES = 2**25
_MOST_NODES, _MOST_VALUES = 300_000, 2_000_000
_DAMAGED = "its schema.json is not what skops writes"


def read_skops(data: bytes) -> Any:
    """Return what a skops file holds, as records."""
    members = open_zip(data)
    schema = members.read(SCHEMA, _MOST_BYTES)
    if schema.count(b"{") + schema.count(b"[") > _MOST_NODES or schema.count(b",") > _MOST_VALUES:
        raise Refusal("its schema.json holds more than a model has")
    try:
        tree = json.loads(schema)
    except (ValueError, RecursionError) as error:
        raise Refusal("its schema.json is no JSON that can be read") from error
    return _Tree(members).value(tree)


class _Tree:
    """The nodes of a schema, and the files that they name."""

    def __init__(self, members: Zip) -> None:
        self.members = members
        self.made: dict[Any, Any] = {}  # by id, for nodes that repeat another
        self.files: dict[str, Array | Record] = {}
        self.depth = 0

    def value(self, node: Any) -> Any:
        """Return what a node stands for."""
        if not isinstance(node, dict) or not isinstance(node.get("__loader__"), str):
            raise Refusal(_DAMAGED)
        self.depth += 1
        check_depth(self.depth)
        loader, content, key = node["__loader__"], node.get("content"), str(node.get("__id__"))
        found = self.made.get(key) if loader == "CachedNode" else self._make(node, loader, content)
        self.made[key] = found
        self.depth -= 1
        return found

    def _make(self, node: dict[str, Any], loader: str, content: Any) -> Any:  # noqa: PLR0911
        of = Name(str(node.get("__module__")), str(node.get("__class__")))
        match loader, content:
            case "JsonNode", str():
                return _from_json(content)
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
                items = [self.value(part) for part in content]
                return self._objects(items, self.value(node.get("shape")))
            case (("NdArrayNode" | "SparseMatrixNode"), None):
                return self._file(str(node.get("file")), of)
            case _, dict():
                # An object's state is a node; other loaders hold a dict of nodes, or none.
                is_node = isinstance(content.get("__loader__"), str)
                state = self.value(content) if is_node else self._states(content)
                args = state if isinstance(state, tuple) else ()
                return Record(of, args, state)
        return Record(of)

    def _states(self, content: dict[str, Any]) -> dict[str, Any]:
        nodes = {k: v for k, v in content.items() if isinstance(v, dict) and "__loader__" in v}
        return {key: self.value(node) for key, node in nodes.items()}

    def _objects(self, items: list[Any], shape: Any) -> Array:
        """Return an array of objects, written row in row."""
        rank = len(shape) if isinstance(shape, tuple | list) else 1
        for _ in range(rank - 1):
            items = [
                part for item in items for part in (item if isinstance(item, list) else [item])
            ]
        return from_items(items, shape)

    def _file(self, name: str, of: Name) -> Array | Record:
        if name not in self.files:
            data = self.members.read(name)
            self.files[name] = _read_npz(data, of) if name.endswith(".npz") else read_npy(data)
        return self.files[name]


def _from_json(content: str) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise Refusal(_DAMAGED) from error


def _read_npz(data: bytes, of: Name) -> Record:
    """Read a sparse matrix from a file of SciPy."""
    members = open_zip(data)
    parts: dict[str, Any] = {
        key: read_npy(members.read(f"{key}.npy")) for key in ("data", "indices", "indptr", "shape")
    }
    parts["_shape"] = parts.pop("shape").tolist()
    return Record(of, state=parts)
