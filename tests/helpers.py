"""Run the program as a user does.

`run` is for the many cases: each is a fork of one process that has everything loaded. `start` and
`run_on_terminal` start the program anew, for what the process itself does.
"""

from __future__ import annotations

import atexit
import contextlib
import csv
import functools
import io
import json
import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matscore

SAMPLES = Path(__file__).parents[1] / "sample_data"
PROGRAM = (sys.executable, "-m", "matscore")
# Nothing of the developer's own: a NO_COLOR or MATSCORE_… of theirs would change the outcome.
ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "PYTHONPATH": str(Path(matscore.__file__).parents[1]),
    "TERM": "xterm",
}
_PATIENCE = 60  # seconds

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


def write_csv(path: Path, rows: Sequence[Sequence[object]]) -> Path:
    """Write CSV with the standard library."""
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
    return path


def run(
    *argv: StrPath,
    stdin: bytes = b"",
    cwd: StrPath = SAMPLES,
    env: Mapping[str, str] | None = None,
) -> Done:
    """Run the program in a fork of a process that is loaded already."""
    server, folder = _start_server()
    (folder / "0").write_bytes(stdin)
    case = {
        "argv": list(map(str, argv)),
        "cwd": str(cwd),
        "env": ENVIRONMENT | dict(env or {}),
        "folder": str(folder),
    }
    assert server.stdin and server.stdout
    server.stdin.write(json.dumps(case).encode() + b"\n")
    server.stdin.flush()
    code = int(server.stdout.readline())
    return Done(code, (folder / "1").read_bytes(), (folder / "2").read_bytes().decode())


def start(*argv: StrPath, **options: Any) -> subprocess.Popen[bytes]:
    """Start the program; the options are those of `subprocess.Popen`."""
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    settings = streams | {"cwd": SAMPLES} | options
    settings["env"] = ENVIRONMENT | settings.get("env", {})
    return subprocess.Popen([*PROGRAM, *map(str, argv)], **settings)


def finish(process: subprocess.Popen[bytes]) -> Done:
    """Wait for a run to end."""
    with process:
        out, err = process.communicate(timeout=_PATIENCE)
    return Done(process.returncode, out or b"", (err or b"").decode())


def run_on_terminal(
    *argv: StrPath,
    terminals: Sequence[str] = ("stdin", "stdout", "stderr"),
    env: Mapping[str, str] | None = None,
    cwd: StrPath = SAMPLES,
    columns: int = 80,
) -> tuple[int, dict[str, bytes]]:
    """Run the program with each stream on a terminal of its own, or in a pipe."""
    import fcntl
    import struct
    import termios

    ours: dict[str, int] = {}
    theirs: dict[str, int] = {}
    for name in ("stdin", "stdout", "stderr"):
        pair = pty.openpty() if name in terminals else os.pipe()
        if name in terminals:
            fcntl.ioctl(pair[1], termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        ours[name], theirs[name] = pair if name in terminals or name != "stdin" else pair[::-1]
    process = start(*argv, cwd=cwd, env=dict(env or {}), **theirs)
    for descriptor in theirs.values():
        os.close(descriptor)
    if "stdin" not in terminals:
        os.close(ours.pop("stdin"))
    shown = _read_all({ours[name]: name for name in ("stdout", "stderr")})
    for descriptor in ours.values():
        os.close(descriptor)
    return process.wait(_PATIENCE), shown


def _read_all(names: dict[int, str]) -> dict[str, bytes]:
    shown = dict.fromkeys(names.values(), b"")
    opened = list(names)
    deadline = time.monotonic() + _PATIENCE
    while opened and time.monotonic() < deadline:
        for descriptor in select.select(opened, [], [], 1)[0]:
            data = b""
            with contextlib.suppress(OSError):  # Linux tells the end of a terminal so
                data = os.read(descriptor, 2**16)
            shown[names[descriptor]] += data
            if not data:
                opened.remove(descriptor)
    return shown


@functools.cache
def _start_server() -> tuple[subprocess.Popen[bytes], Path]:
    folder = tempfile.mkdtemp()
    process = subprocess.Popen(
        [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=ENVIRONMENT
    )
    atexit.register(shutil.rmtree, folder)
    atexit.register(process.communicate)
    return process, Path(folder)


def _serve() -> None:
    """Fork a run for each line of standard input, and answer with its exit code."""
    import matscore.cli.main
    import matscore.cli.table

    with contextlib.suppress(matscore.FileError):  # this loads the rest, Typer's own too
        matscore.cli.main.app(["classify", "no-file", "no-file"], standalone_mode=False)
    for line in sys.stdin:
        if (child := os.fork()) == 0:
            _become(json.loads(line))
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _become(case: dict[str, Any]) -> None:
    for number, flags in enumerate([os.O_RDONLY, *[os.O_WRONLY | os.O_CREAT | os.O_TRUNC] * 2]):
        os.dup2(os.open(f"{case['folder']}/{number}", flags, 0o600), number)
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
