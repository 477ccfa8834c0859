"""Building the kernel where no compiler is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_COMPILERS = ("c++", "g++", "clang++", "cc", "gcc", "clang", "cmake", "ninja", "make")


@pytest.mark.slow
def test_without_a_compiler_the_build_fetches_one(tmp_path: Path) -> None:
    """All commands but compilers and build tools are there; Zig comes from the package index."""
    commands = tmp_path / "bin"
    commands.mkdir()
    for folder in os.environ["PATH"].split(os.pathsep):
        for command in sorted(Path(folder).glob("*")):
            link = commands / command.name
            if not command.name.startswith(_COMPILERS) and not link.is_symlink():
                link.symlink_to(command.resolve())
    hidden = {name: value for name, value in os.environ.items() if name not in ("CC", "CXX")}
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(tmp_path), str(ROOT)],
        check=True,
        env=hidden | {"PATH": str(commands)},
    )
    (wheel,) = tmp_path.glob("*.whl")
    code = "from matscore import kernel; print(kernel.__file__, kernel.write_number(0.1))"
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "install",
            "-q",
            "--no-deps",
            "-t",
            tmp_path / "alone",
            wheel,
        ],
        check=True,
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path[:0] = {_paths(tmp_path)}; {code}"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout.startswith(str(tmp_path)) and done.stdout.endswith("0.1\n")


def _paths(folder: Path) -> list[str]:
    """Return where the new module is, then where its dependencies are."""
    import numpy as np

    return [str(folder / "alone"), str(Path(np.__file__).parents[1])]
