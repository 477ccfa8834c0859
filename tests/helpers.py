"""Run the program as a user does.

`run` and `run_on_terminal` are for the many cases: each run is a fork of one process that has
everything loaded. `start` starts the program anew, for what the process itself does.
"""

from __future__ import annotations

import atexit
import contextlib
import csv
import fcntl
import functools
import importlib
import io
import json
import os
import pkgutil
import pty
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matscore

SAMPLES = Path(__file__).parents[1] / "sample_data"
PROGRAM = (sys.executable, "-m", "matscore")
# OpenBLAS, NumPy and the C library compute as on an old processor, without AVX and FMA: the last
# bits of sums and functions differ. Unknown names and other machines change nothing.
OLD_PROCESSOR = {
    "OPENBLAS_CORETYPE": "Nehalem",
    "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL AVX512_SPR",
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX,-AVX2,-AVX512F,-FMA,-FMA4",
}
# Nothing of the developer's own: a NO_COLOR or MATSCORE_… of theirs would change the outcome.
ENVIRONMENT = {
    **{name: os.environ[name] for name in OLD_PROCESSOR if name in os.environ},
    "PATH": os.environ["PATH"],
    "PYTHONPATH": str(Path(matscore.__file__).parents[1]),
    "TERM": "xterm",
}
_PATIENCE = 60  # seconds
_STREAMS = ("stdin", "stdout", "stderr")
# What only some runs load, by what they say: much of their time, and each fork pays for memory.
_LIBRARIES = {
    "dask": "distributed",
    ".html": "matplotlib.figure",
    ".svg": "matplotlib.figure",
    "parquet": "pyarrow.parquet",
    "arrow": "pyarrow.parquet",
}

StrPath = str | Path


@dataclass(frozen=True)
class Done:
    """A run that has ended: `code` is minus the signal's number where a signal killed it."""

    code: int
    out: bytes
    err: str

    @property
    def rows(self) -> list[list[str]]:
        """The output as CSV records."""
        return read_csv(self.out)

    @property
    def json(self) -> Any:
        """The output as JSON."""
        return json.loads(self.out)

    def check(self, code: int = 0, *, quiet: bool = False) -> Done:
        """Return itself if the exit code is `code`, with nothing on stderr where `quiet`."""
        assert self.code == code, (self.code, self.err)
        assert "Traceback" not in self.err
        assert not (quiet and self.err), self.err
        return self


def read_csv(data: bytes | Path, delimiter: str = ",") -> list[list[str]]:
    """Read CSV with the standard library."""
    text = (data.read_bytes() if isinstance(data, Path) else data).decode()
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))


def write_csv(path: Path, rows: Iterable[Any]) -> Path:
    """Write CSV with the standard library."""
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
    return path


def list_names(folder: Path) -> list[str]:
    """List a directory, hidden files too."""
    return sorted(file.name for file in folder.iterdir())


def run(
    *argv: StrPath,
    stdin: bytes = b"",
    cwd: StrPath = SAMPLES,
    env: Mapping[str, str] | None = None,
) -> Done:
    """Run the program with files for its streams."""
    server, folder = _find_server(argv)
    paths = [folder / name for name in _STREAMS]
    paths[0].write_bytes(stdin)
    code = _ask(server, argv, cwd, env, paths)
    return Done(code, paths[1].read_bytes(), paths[2].read_bytes().decode())


def run_on_terminal(
    *argv: StrPath,
    terminals: Sequence[str] = _STREAMS,
    cwd: StrPath = SAMPLES,
    env: Mapping[str, str] | None = None,
) -> tuple[int, dict[str, bytes]]:
    """Run the program with a terminal for some of its streams; return its code and all output."""
    server, folder = _find_server(argv)
    paths = {name: folder / name for name in _STREAMS}
    paths["stdin"].write_bytes(b"")
    shown: dict[str, bytes] = {}
    with contextlib.ExitStack() as stack:
        for name in terminals:
            paths[name] = stack.enter_context(_open_terminal(name, shown))
        code = _ask(server, argv, cwd, env, list(paths.values()))
    files = {name: paths[name].read_bytes() for name in _STREAMS[1:] if name not in terminals}
    return code, files | shown


@contextlib.contextmanager
def _open_terminal(name: str, shown: dict[str, bytes]) -> Any:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 80, 0, 0))

    def read() -> None:
        data = b""
        with contextlib.suppress(OSError):  # Linux tells the end of a terminal so
            while block := os.read(ours, 2**16):
                data += block
        shown[name] = data

    reader = threading.Thread(target=read)
    reader.start()
    yield Path(os.ttyname(theirs))
    os.close(theirs)
    reader.join()
    os.close(ours)


def start(*argv: StrPath, **options: Any) -> subprocess.Popen[bytes]:
    """Start the program; the options are those of `subprocess.Popen`."""
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    settings: dict[str, Any] = {**streams, "cwd": SAMPLES, **options}
    settings["env"] = ENVIRONMENT | settings.get("env", {})
    return subprocess.Popen([*PROGRAM, *map(str, argv)], text=False, **settings)


def finish(process: subprocess.Popen[bytes]) -> Done:
    """Wait for a run to end."""
    with process:
        try:
            out, err = process.communicate(timeout=_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    return Done(process.returncode, out or b"", (err or b"").decode())


def _ask(
    server: subprocess.Popen[bytes],
    argv: Sequence[StrPath],
    cwd: StrPath,
    env: Mapping[str, str] | None,
    paths: Sequence[Path],
) -> int:
    """Have a server run the program, its streams being the paths; return the exit code."""
    case = {
        "argv": list(map(str, argv)),
        "cwd": str(cwd),
        "env": ENVIRONMENT | dict(env or {}),
        "paths": list(map(str, paths)),
    }
    assert server.stdin and server.stdout
    server.stdin.write(json.dumps(case).encode() + b"\n")
    server.stdin.flush()
    return int(server.stdout.readline())


def _find_server(argv: Sequence[StrPath]) -> tuple[subprocess.Popen[bytes], Path]:
    """Return the server that has loaded what a run will, and the folder of its streams."""
    said = " ".join(map(str, argv))
    libraries = {library for word, library in _LIBRARIES.items() if word in said}
    return _start_server(*sorted(libraries)[:1])


@functools.cache
def _start_server(*libraries: str) -> tuple[subprocess.Popen[bytes], Path]:
    folder = tempfile.mkdtemp()
    argv = [sys.executable, __file__, *libraries]
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=ENVIRONMENT)
    atexit.register(shutil.rmtree, folder)
    atexit.register(process.communicate)
    return process, Path(folder)


def _serve() -> None:
    """Fork a run for each line of standard input, and answer with its exit code."""
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # as the program says, before NumPy is loaded
    nothing: Any = None
    sys.modules.update(pandas=nothing, pyarrow=nothing)  # nor is what needs them loaded
    _load("numpy.ma", *(one.name for one in pkgutil.walk_packages(matscore.__path__, "matscore.")))
    del sys.modules["pandas"], sys.modules["pyarrow"]
    _load(*sys.argv[1:])
    _make_commands()
    for line in sys.stdin:
        if (child := os.fork()) == 0:
            _become(json.loads(line))
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _load(*names: str) -> None:
    for name in names:
        with contextlib.suppress(ImportError):  # an extra that is not installed, say
            importlib.import_module(name)


def _make_commands() -> None:
    """Let Typer look at all options now: it took half of the time of a small run."""
    import typer.main

    from matscore.cli import main
    from matscore.cli.commands import COMMANDS

    typer.main.get_command = functools.cache(typer.main.get_command)
    make_app = main.make_app
    apps = {name: make_app([name]) for name in COMMANDS}
    for name, app in apps.items():
        files = ["no-file"] * (1 if name == "import" else 2)
        with contextlib.suppress(matscore.MatscoreError):  # Typer makes the rest when it runs
            app([name, *files], standalone_mode=False)
    main.make_app = lambda argv=(): apps.get("".join(argv[:1])) or make_app(argv)


def _become(case: dict[str, Any]) -> None:
    for number, path in enumerate(case["paths"]):
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC if number else os.O_RDONLY
        os.dup2(os.open(path, flags | os.O_NOCTTY, 0o600), number)
    sys.stdin, sys.stdout, sys.stderr = (
        open(number, mode, closefd=False)  # noqa: SIM115
        for number, mode in enumerate("rww")
    )
    os.chdir(case["cwd"])
    os.environ.clear()
    os.environ.update(case["env"])
    sys.argv = ["matscore", *case["argv"]]
    signal.alarm(_PATIENCE)
    matscore.cli.main.main()


if __name__ == "__main__":
    _serve()
