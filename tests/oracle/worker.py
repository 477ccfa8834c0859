"""Run the program for many cases in one process, a command each: several ms a case.

As a script it is that process: it answers each line of standard input, a list of arguments, with
the exit code; standard output and error go to the files `out` and `err` of the directory.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

from tests.helpers import ENVIRONMENT, Done
from tests.oracle.cases import list_arguments
from tests.oracle.reading import Case

_CASES = 2000  # until a process is replaced
_PATIENCE = 60  # seconds a case
_ROOT = Path(__file__).parents[2]


class Worker:
    """A process that runs the cases of one command."""

    def __init__(self, command: str) -> None:
        self.command = command
        memory = Path("/dev/shm")
        self.folder = Path(tempfile.mkdtemp(dir=memory if memory.is_dir() else None))
        self.process: subprocess.Popen[bytes] | None = None
        self.count = 0

    def run(self, case: Case) -> tuple[Done, list[str] | None]:
        """Run a case; return how it ended and the text of the file of rejects."""
        inside = self.folder / "in"
        shutil.rmtree(inside, ignore_errors=True)
        inside.mkdir()
        for name, data in case.files.items():
            (inside / name).write_bytes(data)
        code = self._ask(list_arguments(case))
        rejects = inside / "rejects.csv"
        text = rejects.read_text() if rejects.exists() else None
        out, err = ((self.folder / name).read_bytes() for name in ("out", "err"))
        return Done(code, out, err.decode(errors="replace")), None if text is None else [text]

    def _ask(self, arguments: list[str]) -> int:
        if self.process is None or self.count >= _CASES:
            self.close(keep=True)
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.oracle.worker", self.command, str(self.folder)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                cwd=_ROOT,
                env=ENVIRONMENT | {"PYTHONPATH": f"{_ROOT}:{ENVIRONMENT['PYTHONPATH']}"},
            )
        assert self.process.stdin and self.process.stdout
        self.count += 1
        self.process.stdin.write(json.dumps(arguments).encode() + b"\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if answer:
            return int(answer)
        code = self.process.wait()
        self.process = None
        return code or 1

    def close(self, *, keep: bool = False) -> None:
        """End the process."""
        if self.process is not None:
            self.process.communicate()
            self.process = None
        self.count = 0
        if not keep:
            shutil.rmtree(self.folder)


class _EndedError(BaseException):
    """The program has asked the process to end."""


def _end(code: int) -> None:
    raise _EndedError(code)


def _serve(command: str, folder: Path) -> None:
    answers = os.fdopen(os.dup(1), "w")
    lines = os.fdopen(os.dup(0), "r")
    (folder / "in").mkdir(exist_ok=True)
    os.chdir(folder / "in")
    sys.argv = ["matscore", command]
    import matscore.cli.main

    os._exit = _end  # type: ignore[assignment]
    for line in lines:
        for number, name in ((1, "out"), (2, "err")):
            handle = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            os.dup2(handle, number)
            os.close(handle)
        sys.stdin, sys.stdout, sys.stderr = (
            open(number, mode, closefd=False)  # noqa: SIM115
            for number, mode in enumerate("rww")
        )
        sys.argv = ["matscore", *json.loads(line)]
        os.chdir(folder / "in")
        signal.alarm(_PATIENCE)
        print(_run(matscore.cli.main.main), file=answers, flush=True)


def _run(main: object) -> int:
    assert callable(main)
    try:
        main()
        code: object = 0
    except SystemExit as end:
        code = end.code or 0
    except _EndedError as end:
        code = end.args[0]
    except BaseException:
        traceback.print_exc()
        code = 1
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    return code if isinstance(code, int) else 1


if __name__ == "__main__":
    _serve(sys.argv[1], Path(sys.argv[2]))
