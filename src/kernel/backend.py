"""scikit-build-core as the build backend, with a compiler from the package index where none is.

Where no C++ compiler is found the build asks for ``ziglang``, which holds one, and hands it to
CMake by three small scripts.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scikit_build_core import build as _core
from scikit_build_core.build import (
    build_sdist,
    get_requires_for_build_sdist,
    prepare_metadata_for_build_editable,
    prepare_metadata_for_build_wheel,
)

__all__ = [
    "build_editable",
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_editable",
    "get_requires_for_build_sdist",
    "get_requires_for_build_wheel",
    "prepare_metadata_for_build_editable",
    "prepare_metadata_for_build_wheel",
]

Settings = dict[str, list[str] | str] | None

_COMPILERS = ("c++", "g++", "clang++")
_ZIG = ["ziglang>=0.13"]
_TOOLS = ("c++", "ar", "ranlib")


def get_requires_for_build_wheel(settings: Settings = None) -> list[str]:
    """Return what the build needs besides ``build-system.requires``."""
    return [*_core.get_requires_for_build_wheel(settings), *_compiler()]


def get_requires_for_build_editable(settings: Settings = None) -> list[str]:
    """Return what the build needs besides ``build-system.requires``."""
    return [*_core.get_requires_for_build_editable(settings), *_compiler()]


def build_wheel(folder: str, settings: Settings = None, metadata: str | None = None) -> str:
    """Build a wheel into a folder and return its name."""
    with _tools():
        wheel: str = _core.build_wheel(folder, settings, metadata)
    return wheel


def build_editable(folder: str, settings: Settings = None, metadata: str | None = None) -> str:
    """Build an editable wheel into a folder and return its name."""
    with _tools():
        wheel: str = _core.build_editable(folder, settings, metadata)
    return wheel


def _compiler() -> list[str]:
    """Return the package to ask for: none where a compiler is, or is named by ``CXX``."""
    has_one = "CXX" in os.environ or any(map(shutil.which, _COMPILERS))
    return [] if has_one else _ZIG


@contextmanager
def _tools() -> Iterator[None]:
    """Put Zig's compiler and archiver first on the path for a build without another compiler."""
    if not _compiler():
        yield
        return
    before = dict(os.environ)
    with tempfile.TemporaryDirectory() as folder:
        for name in _TOOLS:
            script = Path(folder, name)
            script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m ziglang {name} "$@"\n')
            script.chmod(0o755)
        os.environ["PATH"] = os.pathsep.join([folder, os.environ.get("PATH", "")])
        os.environ["CXX"] = str(Path(folder, "c++"))
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)
