"""What the command line names as inputs, as single files in a defined order.

A directory stands for all files under it, a quoted pattern for what it matches; names that start
with a dot or an underscore are left out of both, as everywhere where data lies in folders. Within
an argument files come in the order of their paths' bytes, part by part: what ``LC_ALL=C`` gives in
a shell and what object stores give, the same on every machine. Arguments keep their order.
"""

from __future__ import annotations

import glob
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from matscore.errors import FileError, UsageError, os_errors_about
from matscore.read.cloud import can_list, is_address, list_objects
from matscore.read.recognise import strip_ending

_WILD = re.compile(r"[*?[]")
_KEY = re.compile(r"([^=/]+)=(.*)", re.DOTALL)
_NULL_KEY = "__HIVE_DEFAULT_PARTITION__"


@dataclass(frozen=True)
class Input:
    """One file to read."""

    path: str  # "-" is standard input
    root: str  # the folder that was named, before the first folder or file that was found in it
    place: str  # its path below that folder

    @property
    def keys(self) -> tuple[tuple[str, str], ...]:
        """Names and values of the ``key=value`` folders between the root and the file."""
        found = map(_KEY.fullmatch, self.place.split("/")[:-1])
        return tuple((unquote(m[1]), _value_of(m[2])) for m in found if m)


def list_inputs(arguments: Sequence[str]) -> list[Input]:
    """Return the files that some arguments stand for; what exists under its name is no pattern.

    Examples
    --------
    >>> [found.path for found in list_inputs(["sample_data/*ies.csv", "sample_data/users.csv"])]
    ['sample_data/movies.csv', 'sample_data/users.csv']
    """
    inputs: list[Input] = []
    seen: set[str] = set()
    for argument in arguments:
        found = _list_argument(argument)
        for one in found or [Input(argument, *os.path.split(argument))]:
            name = one.path if is_address(one.path) else os.path.normpath(one.path)
            if found and name in seen:
                raise UsageError(f"{one.path} is given twice", "name it once")
            seen.add(name)
            inputs.append(one)
    return inputs


def name_parts(inputs: Sequence[Input], ending: str) -> list[str]:
    """Name the output of each input, where every input has one of its own.

    ``data/name.csv.gz`` gives ``part-of-name.csv``, in the folders in which the input lies below
    the folders that were named, so that a name depends on what was named and not on what else was
    found there. Only where two inputs of a folder differ in nothing but their endings do both keep
    them: ``part-of-name.csv.gz.csv``.

    Examples
    --------
    >>> name_parts([Input("a/x.csv.gz", "a", "x.csv.gz"), Input("b/x.csv", "b", "x.csv")], ".csv")
    ['a/part-of-x.csv', 'b/part-of-x.csv']
    """
    roots = [os.path.abspath(one.root) for one in inputs if not _is_special(one)]  # noqa: PTH100
    root = os.path.commonpath(roots) if roots else "/"
    places = [_place_of(one, root) for one in inputs]
    stems = [os.path.join(folder, strip_ending(name)) for folder, name in places]  # noqa: PTH118
    shared = {stem for stem, n in Counter(stems).items() if n > 1}
    names: dict[str, str] = {}
    for one, stem, (folder, name) in zip(inputs, stems, places, strict=True):
        kept = name if stem in shared else os.path.basename(stem)  # noqa: PTH119
        part = os.path.join(folder, f"part-of-{kept}{ending}")  # noqa: PTH118
        if part in names:
            what = f"{names[part]} and {one.path} would both be written to {part}"
            raise UsageError(what, "rename one of them, or write two directories")
        names[part] = one.path
    return list(names)


def _is_special(one: Input) -> bool:
    return one.path == "-" or one.path.startswith(("/dev/", "/proc/"))


def _place_of(one: Input, root: str) -> tuple[str, str]:
    if one.path == "-":
        return "", "stdin"
    if _is_special(one):
        return "", Path(one.path).name
    path = os.path.join(os.path.abspath(one.root), one.place)  # noqa: PTH100, PTH118
    return os.path.split(os.path.relpath(path, root))


def _list_argument(argument: str) -> list[Input]:
    """Return what a directory or a pattern stands for; nothing for a plain file."""
    if is_address(argument):
        if not can_list(argument) or not (_WILD.search(argument) or argument.endswith("/")):
            return []
        root = _root_of(argument) if _WILD.search(argument) else argument.rstrip("/")
        paths = [one for one in list_objects(f"{root}/") if _is_meant(one, argument, root)]
        what, hint = "no object is found there", "look at what is there"
    elif os.path.isdir(argument):  # noqa: PTH112 - which is False where it cannot be told
        root, paths = argument, list(_walk(argument))
        what, hint = "is a directory without files", "name its files, or another directory"
    elif _WILD.search(argument) and not os.path.lexists(argument):
        root, paths = _root_of(argument), list(_match(argument))
        what, hint = "no file matches this pattern", "quote it, and look at what is there"
    else:
        return []
    if not paths:
        raise FileError(argument, what, hint)
    if is_address(root):
        found = [Input(path, root, path.removeprefix(f"{root}/")) for path in paths]
    else:
        found = [Input(path, root, os.path.relpath(path, root or ".")) for path in paths]
    return sorted(found, key=lambda one: [os.fsencode(part) for part in one.place.split("/")])


def _is_meant(path: str, argument: str, root: str) -> bool:
    """Say whether an object is what an argument names: not hidden, and as the pattern says."""
    place = path.removeprefix(f"{root}/")
    if _is_hidden(place) or place.endswith("/"):
        return False
    pattern = argument.removeprefix(f"{root}/")
    return argument.endswith("/") or re.fullmatch(_translate(pattern), place) is not None


def _translate(pattern: str) -> str:
    """Turn a pattern into a regular expression for the places of objects."""
    parts = re.split(r"(\*\*/|\*|\?|\[[^\]]+\])", pattern)
    turned = {"**/": "(?:.*/)?", "*": "[^/]*", "?": "[^/]"}
    texts = (
        turned.get(p) or (p if p[:1] == "[" and p[-1:] == "]" else re.escape(p)) for p in parts
    )
    return "".join(text.replace("[!", "[^") for text in texts)


def _match(pattern: str) -> Iterator[str]:
    for path in glob.iglob(pattern, recursive=True):  # noqa: PTH207 - keeps the names as given
        if _is_hidden(os.path.relpath(path, _root_of(pattern) or ".")):
            continue
        if not Path(path).is_dir():
            yield path
        elif "**" not in pattern:  # which finds the files in it by itself
            yield from _walk(path)


def _walk(folder: str) -> Iterator[str]:
    def fail(error: OSError) -> None:
        with os_errors_about(str(error.filename)):
            raise error

    for place, folders, files in os.walk(folder, onerror=fail):
        folders[:] = [name for name in folders if not _is_hidden(name)]
        yield from (os.path.join(place, name) for name in files if not _is_hidden(name))  # noqa: PTH118


def _root_of(pattern: str) -> str:
    """Return the folders before the first part with a wildcard."""
    start = pattern[: _WILD.search(pattern).start()]  # type: ignore[union-attr]
    return start.rpartition("/")[0] or ("/" if start.startswith("/") else "")


def _is_hidden(place: str) -> bool:
    return any(part[:1] in (".", "_") for part in place.split("/") if part not in (".", ".."))


def _value_of(text: str) -> str:
    return "" if text == _NULL_KEY else unquote(text)
