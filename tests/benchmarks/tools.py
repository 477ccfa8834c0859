"""The command lines of matscore, its peers and the floor."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.cases import PEERS, Case, installed_peers
from tests.benchmarks.data import Files

_PACKAGES = ("matscore", "numpy", "polars", "pandas", "duckdb", "scikit-learn", "typer", "rich")
_GXX = ("g++", "-O3", "-march=native", "-std=c++17")
OURS = "matscore"


@dataclass(frozen=True)
class Tool:
    """One way to do a case's work.

    Attributes
    ----------
    name : str
        For people.
    command : tuple of str
        What to run.
    output : Path or None
        The scores it writes.
    prints_seconds : bool
        Whether it measures itself and prints the seconds.
    """

    name: str
    command: tuple[str, ...]
    output: Path | None = None
    prints_seconds: bool = False


def child_environment() -> dict[str, str]:
    """Return the environment of the programs measured: modules are compiled once."""
    return {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}


def score_command(
    features: Path | str, weights: Path, output: Path, *options: str
) -> tuple[str, ...]:
    """Return the command that scores a file with matscore."""
    given = (str(features), str(weights), "-o", str(output))
    return (sys.executable, "-m", "matscore", "classify", "-q", *given, *options)


def tools_of(case: Case, files: Files, folder: Path, floor: Path | None) -> list[Tool]:
    """Return who does a case's work, matscore first.

    Parameters
    ----------
    case : Case
        The work.
    files : Files
        Its inputs.
    folder : Path
        Where the outputs go.
    floor : Path, optional
        The floor's program.

    Returns
    -------
    list of Tool
        Peers whose packages are not installed are left out.
    """
    features = "-" if case.piped else str(files.features)
    outputs = {name: folder / f"{case.name}-{_slug(name)}.csv" for name in (OURS, *PEERS, "floor")}
    command = score_command(features, files.weights, outputs[OURS], *case.options)
    tools = [Tool(OURS, command, outputs[OURS])]
    for name in installed_peers(case):
        given = (features, str(files.weights), str(outputs[name]), *case.options)
        tools.append(Tool(name, (sys.executable, _script(PEERS[name]), *given), outputs[name]))
    if case.floor and floor is not None:
        given = (str(files.features), str(files.weights), str(outputs["floor"]))
        tools.append(Tool("C++ floor", (str(floor), *given), outputs["floor"]))
    if case.product and case.shape is not None:
        sizes = (case.shape.n_rows, case.shape.n_features, case.shape.n_categories)
        command = (sys.executable, _script("numpy_product"), *map(str, sizes))
        tools.append(Tool("NumPy's product alone", command, prints_seconds=True))
    if case.commands:
        ours = (sys.executable, "-m", "matscore")
        tools += [Tool(f"matscore {flag}", (*ours, flag)) for flag in ("--version", "--help")]
        imports = "import typer, rich"
        tools.append(Tool(f'python -c "{imports}"', (sys.executable, "-c", imports)))
    return tools


def build_floor(source: Path, folder: Path) -> Path | None:
    """Build the floor's program; None without a compiler."""
    if shutil.which(_GXX[0]) is None:
        return None
    program = folder / "floor"
    subprocess.run([*_GXX, "-o", str(program), str(source), "-lpthread"], check=True)
    return program


def versions() -> dict[str, str]:
    """Return what is measured, with versions, and on what machine."""
    found = {"python": platform.python_version(), "processors": str(os.cpu_count())}
    found["system"] = f"{platform.system()} {platform.machine()}"
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _script(name: str) -> str:
    return str(Path(__file__).parent / "peers" / f"{name}.py")


def _slug(name: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in name)
