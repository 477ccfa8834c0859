"""What the process does: streams that close, signals, terminals, a bare environment."""

from __future__ import annotations

import contextlib
import os
import random
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pytest

from tests.helpers import (
    ENVIRONMENT,
    PROGRAM,
    SAMPLES,
    Done,
    finish,
    list_names,
    read_csv,
    run,
    run_on_terminal,
    start,
    write_csv,
)

MOVIES = ("movies.csv", "genres.csv")
HEADER = b"id,action,comedy\n"
BLOCK = 20_000 * b"some film,1.25,3.5\n"
CLOSED = -1


def shell(command: str, **options: Any) -> Done:
    """Run a command line in which MATSCORE stands for the program."""
    text = command.replace("MATSCORE", shlex.join(PROGRAM))
    settings: dict[str, Any] = {"cwd": SAMPLES, "env": ENVIRONMENT, "stdin": subprocess.DEVNULL}
    done = subprocess.run(
        ["bash", "-c", text], capture_output=True, check=False, text=False, **settings | options
    )
    return Done(done.returncode, done.stdout, done.stderr.decode())


def feed(pipe: IO[bytes], n_blocks: int | None = None) -> None:
    """Write a features file, endless without a number of blocks, until nobody reads it."""
    with contextlib.suppress(BrokenPipeError), pipe:
        pipe.write(HEADER)
        while n_blocks is None or n_blocks > 0:
            pipe.write(BLOCK)
            n_blocks = None if n_blocks is None else n_blocks - 1


@contextlib.contextmanager
def feeding(pipe: IO[bytes] | None, n_blocks: int | None = None) -> Iterator[None]:
    assert pipe is not None
    thread = threading.Thread(target=feed, args=(pipe, n_blocks))
    thread.start()
    yield
    thread.join()


# Pipes


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_reader_that_leaves_ends_the_run_quietly(jobs: str) -> None:
    """The input never ends, so the run does only if it notices."""
    process = start("classify", "-", "genres.csv", "-j", jobs, stdin=subprocess.PIPE)
    with feeding(process.stdin):
        assert process.stdout and process.stderr
        assert process.stdout.readline() == b"id,adventure,family,romance,prediction\n"
        process.stdout.close()
        process.wait(60)
    with process.stderr:
        assert process.stderr.read() == b""
    assert process.returncode == 128 + signal.SIGPIPE


def test_head(tmp_path: Path) -> None:
    with (tmp_path / "f.csv").open("wb") as file:
        feed(file, 130)
    assert (tmp_path / "f.csv").stat().st_size > 45e6
    command = f"MATSCORE classify {tmp_path}/f.csv genres.csv | head -1; echo ${{PIPESTATUS[0]}}"
    done = shell(command).check(quiet=True)
    assert done.out.splitlines() == [b"id,adventure,family,romance,prediction", b"141"]


def test_pipes_on_both_sides() -> None:
    done = shell("cat movies.csv | MATSCORE classify - genres.csv | tail -n +2 | sort")
    assert [row[0] for row in done.check(quiet=True).rows] == sorted(
        row[0] for row in read_csv(SAMPLES / "movies.csv")[1:]
    )


def test_a_full_pipe_that_does_not_block() -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    process = start("classify", "-", "genres.csv", stdin=subprocess.PIPE, stdout=writer)
    os.close(writer)
    with feeding(process.stdin, 20), open(reader, "rb") as out:  # noqa: PTH123
        time.sleep(1)
        data = out.read()
    assert process.wait(60) == 0
    assert data.count(b"\n") == 1 + 20 * 20_000
    assert process.stderr
    process.stderr.close()


@pytest.mark.parametrize("argv", ["classify movies.csv genres.csv", "check movies.csv genres.csv"])
@pytest.mark.parametrize("where", [">&-", ">/dev/full", "-f json >&-"])
def test_standard_output_that_cannot_be_written(argv: str, where: str) -> None:
    done = shell(f"MATSCORE {argv} {where}").check(5)
    assert done.out == b""
    assert done.err.count("\n") == 1
    assert ("closed" if "&" in where else "no space left") in done.err


def test_closed_streams_that_are_not_needed(tmp_path: Path) -> None:
    command = f"MATSCORE classify movies.csv genres.csv -v -o {tmp_path}/out.csv"
    expected = run("classify", *MOVIES).out
    for closed in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-", "2>/dev/full"):
        shell(f"{command} {closed}").check()
        assert (tmp_path / "out.csv").read_bytes() == expected
        (tmp_path / "out.csv").unlink()


def test_closed_standard_input_that_is_needed() -> None:
    done = shell("MATSCORE classify - genres.csv <&-").check(5)
    assert "standard input is closed" in done.err and done.err.count("\n") == 1


@pytest.mark.parametrize("where", ["2>&-", "2>/dev/full"])
def test_exit_codes_do_not_depend_on_standard_error(where: str, tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_text("id,action,comedy\nx,1,?\n")
    for command, code in (
        ("classify users.csv films.csv", 3),
        (f"classify {tmp_path}/bad.csv genres.csv", 4),
        ("classify none.csv genres.csv", 5),
        ("classify movies.csv genres.csv --jobs 0", 2),
        ("classify movies.csv genres.csv -v", 0),
    ):
        assert shell(f"MATSCORE {command} {where}").code == code


@pytest.mark.parametrize("target", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "/dev/null"])
def test_special_files_are_written_straight(target: str) -> None:
    done = run("classify", *MOVIES, "-o", target, "-f", "csv").check(quiet=True)
    assert done.out == (b"" if target == "/dev/null" else run("classify", *MOVIES).out)


def test_output_into_a_fifo(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    process = start("classify", *MOVIES, "-o", tmp_path / "fifo")
    assert (tmp_path / "fifo").read_bytes() == run("classify", *MOVIES).out
    finish(process).check(quiet=True)
    assert (tmp_path / "fifo").is_fifo()


# Signals


SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextlib.contextmanager
def midway(folder: Path, *options: str, **settings: Any) -> Iterator[subprocess.Popen[bytes]]:
    """Start a run that has written a part of its output and waits for more input."""
    (folder / "out.csv").write_bytes(b"old")
    os.mkfifo(folder / "fifo")
    inputs = (folder / "fifo", SAMPLES / "genres.csv")
    process = start(
        "classify",
        *inputs,
        "-o",
        "out.csv",
        *options,
        "--chunk-size",
        "64k",
        cwd=folder,
        **settings,
    )
    with (folder / "fifo").open("wb") as fifo:
        fifo.write(HEADER + 10 * BLOCK)
        fifo.flush()
        while not any(file.suffix == ".tmp" and file.stat().st_size for file in folder.iterdir()):
            time.sleep(0.01)
            assert process.poll() is None
        yield process
        with contextlib.suppress(BrokenPipeError):
            fifo.close()


@pytest.mark.parametrize("jobs", ["1", "3"])
@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_signals(tmp_path: Path, number: signal.Signals, jobs: str) -> None:
    options = ("-j", jobs, "--on-error", "reject", "--rejects", "r.csv")
    with midway(tmp_path, *options) as process:
        process.send_signal(number)
        done = finish(process).check(128 + number)
    assert done.out == b""
    assert done.err == f"matscore: stopped by {number.name}\n"
    assert list_names(tmp_path) == ["fifo", "out.csv"]
    assert (tmp_path / "out.csv").read_bytes() == b"old"


def test_a_second_signal_changes_nothing(tmp_path: Path) -> None:
    with midway(tmp_path) as process:
        for number in (*SIGNALS, *SIGNALS):
            process.send_signal(number)
        done = finish(process)
    assert done.code in (130, 143, 129)
    assert done.err.count("\n") == 1
    assert list_names(tmp_path) == ["fifo", "out.csv"]


def test_signals_at_random_moments(tmp_path: Path) -> None:
    """The input never ends, so the run does only if the signal gets through."""
    draw = random.Random()
    for number in (signal.SIGINT, signal.SIGINT, *SIGNALS, *SIGNALS):
        argv = ("classify", "-", SAMPLES / "genres.csv", "-o", "out.csv", "--chunk-size", "64k")
        process = start(*argv, cwd=tmp_path, stdin=subprocess.PIPE)
        with feeding(process.stdin):
            while not list_names(tmp_path):
                time.sleep(0.001)
            time.sleep(draw.uniform(0, 0.2))
            process.send_signal(number)
            process.wait(60)
        process.stdin = None
        done = finish(process).check(128 + number)
        assert done.err == f"matscore: stopped by {number.name}\n"
        assert list_names(tmp_path) == []


LOSSY = """
import os, signal, time
from matscore.cli.process import Stopped, find_stop, guard_process

class Lossy:
    def __del__(self):  # whose exceptions Python drops, as some libraries do
        os.kill(os.getpid(), signal.SIGTERM)
        sum(range(1000))

guard_process()
try:
    Lossy()
    time.sleep(20)
    print("the signal is lost")
except Stopped as stopped:
    print(stopped.number, find_stop(TypeError("what a library made of it")).number)
"""


def test_a_signal_that_a_library_loses_is_sent_again() -> None:
    argv = [sys.executable, "-c", LOSSY]
    done = subprocess.run(argv, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == (f"{int(signal.SIGTERM)} {int(signal.SIGTERM)}\n", "")


def test_a_signal_before_the_input_is_there(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    process = start("classify", tmp_path / "fifo", "genres.csv", "-o", tmp_path / "out.csv")
    time.sleep(1)
    process.send_signal(signal.SIGTERM)
    done = finish(process)
    assert done.code in (143, -signal.SIGTERM) and done.err.count("\n") <= 1
    assert list_names(tmp_path) == ["fifo"]


def test_nohup_is_obeyed(tmp_path: Path) -> None:
    def ignore() -> None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    with midway(tmp_path, preexec_fn=ignore) as process:
        process.send_signal(signal.SIGHUP)
        time.sleep(0.2)
        assert process.poll() is None
    finish(process).check(quiet=True)
    assert (tmp_path / "out.csv").read_bytes().count(b"\n") == 1 + 10 * 20_000


def kill_often(folder: Path, n_kills: int) -> None:
    """Kill runs at random moments of their writing: the output is old or new, and never a part."""
    with (folder / "f.csv").open("wb") as file:
        feed(file, 12)
    argv = ("classify", "f.csv", SAMPLES / "genres.csv", "-o", "out.csv", "--chunk-size", "100k")
    started = time.monotonic()
    finish(start(*argv, cwd=folder)).check(quiet=True)
    lasts = time.monotonic() - started
    new, draw, n_killed = (folder / "out.csv").read_bytes(), random.Random(), 0
    for _ in range(n_kills):
        (folder / "out.csv").write_bytes(b"old")
        process = start(*argv, cwd=folder)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(draw.uniform(0.2 * lasts, 1.2 * lasts))
        process.kill()
        n_killed += finish(process).code == -signal.SIGKILL
        assert (folder / "out.csv").read_bytes() in (b"old", new)
    assert n_killed > n_kills / 4
    finish(start(*argv, cwd=folder)).check(quiet=True)
    assert (folder / "out.csv").read_bytes() == new


def test_killed_at_random_moments(tmp_path: Path) -> None:
    kill_often(tmp_path, 20)


@pytest.mark.slow
def test_killed_at_a_hundred_random_moments(tmp_path: Path) -> None:
    kill_often(tmp_path, 100)


# Cron


def test_cron(tmp_path: Path) -> None:
    for name in ("digits.csv", "digits_weights.csv"):
        (tmp_path / name).write_bytes((SAMPLES / name).read_bytes())
    (tmp_path / "é.csv").write_bytes((SAMPLES / "movies.csv").read_bytes())
    (tmp_path / "out").mkdir()
    tmp_path.chmod(0o555)
    environment = {name: ENVIRONMENT[name] for name in ("PATH", "PYTHONPATH")} | {"LANG": "C"}
    for files in (("digits.csv", "digits_weights.csv"), ("é.csv", SAMPLES / "genres.csv")):
        words = shlex.join(map(str, files))
        command = f"MATSCORE classify {words} <&-; MATSCORE classify {words} -o out/x.csv <&-"
        done = shell(command, cwd=tmp_path, env=environment).check(quiet=True)
        assert done.out == run("classify", *files, cwd=tmp_path).out
        assert (tmp_path / "out" / "x.csv").read_bytes() == done.out
        assert list_names(tmp_path / "out") == ["x.csv"]
    tmp_path.chmod(0o755)


def test_table_where_no_unicode_is() -> None:
    environment = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = finish(start("classify", *MOVIES, "-f", "table", env=environment)).check(quiet=True)
    assert done.out.isascii()
    assert b"(3 x 2) * (2 x 3) -> (3 x 3)" in done.out
    done = finish(start("explain", "--help", env=environment)).check(quiet=True)
    assert rb"value \xd7 weight" in done.out


# Help, version, and what they load


def test_version() -> None:
    done = finish(start("--version")).check(quiet=True)
    assert re.fullmatch(rb"matscore \d+\.\d+\.\d+\n", done.out)


@pytest.mark.parametrize("argv", [("--help",), ("-h",), ("classify", "--help"), ("check", "-h")])
def test_help(argv: tuple[str, ...]) -> None:
    done = run(*argv).check(quiet=True)
    assert b"Usage: matscore" in done.out


@pytest.mark.parametrize("argv", [(), ("classify",), ("check",)])
@pytest.mark.parametrize("terminals", [(), ("stdin", "stdout", "stderr")])
def test_nothing_given_shows_help(argv: tuple[str, ...], terminals: tuple[str, ...]) -> None:
    code, shown = run_on_terminal(*argv, terminals=terminals)
    assert code == 2
    assert b"Usage: matscore" in re.sub(rb"\x1b\[[0-9;]*m", b"", shown["stdout"])
    assert shown["stderr"] == b""


def test_an_unknown_command_names_the_close_one() -> None:
    done = run("clasify").check(2)
    assert done.out == b"" and "classify" in done.err


@pytest.mark.parametrize("argv", [["--help"], ["--version"], ["classify", "--help"], None])
def test_what_costs_time_is_not_loaded(argv: list[str] | None) -> None:
    code = f"""
import atexit, os, sys
def tell(*_):
    print(*sys.modules, file=sys.stderr, flush=True)
os._exit = tell
sys.argv = ["matscore", *{argv or []}]
import matscore
if {argv is not None}:
    from matscore.cli.main import main
    main()
else:
    tell()
"""
    done = subprocess.run(
        [sys.executable, "-c", code], env=ENVIRONMENT, capture_output=True, check=True
    )
    loaded = set(done.stderr.decode().split())
    assert "matscore" in loaded
    assert not {"pandas", "pyarrow", "dask"} & loaded


@pytest.mark.parametrize("argv", [["--help"], ["--version"], ["classify", "--help"], list(MOVIES)])
def test_rich_is_loaded_only_where_it_renders(argv: list[str]) -> None:
    given = argv if argv[-1].startswith("--") else ["classify", *argv]
    code = f"""
import os, sys
os._exit = lambda *_: print(*sys.modules, file=sys.stderr, flush=True)
sys.argv = ["matscore", *{given}]
from matscore.__main__ import main
main()
"""
    done = subprocess.run(
        [sys.executable, "-c", code], env=ENVIRONMENT, cwd=SAMPLES, capture_output=True, check=True
    )
    loaded = set(done.stderr.decode().split())
    assert "matscore.cli.main" in loaded
    assert not {"rich.console", "rich.markdown"} & loaded


@pytest.mark.parametrize("module", ["typer", "numpy", "matscore._kernel", "matscore.cli.process"])
def test_an_interrupt_while_loading_ends_quietly(module: str) -> None:
    code = f"""
import os, signal, sys
class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupt())
sys.argv = ["matscore", "classify", *{list(MOVIES)}]
from matscore.__main__ import main
main()
"""
    done = subprocess.run(
        [sys.executable, "-c", code], env=ENVIRONMENT, cwd=SAMPLES, capture_output=True, check=False
    )
    assert (done.returncode, done.stdout) == (130, b"")
    assert done.stderr == b"matscore: stopped by SIGINT\n"


# Progress


def slow_run(*options: str, terminals: tuple[str, ...]) -> tuple[int, dict[str, bytes]]:
    """Run for more than a second, from a FIFO that is filled in two parts."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        fifo = Path(folder, "fifo")
        os.mkfifo(fifo)

        def write() -> None:
            with fifo.open("wb") as out:
                out.write(HEADER + BLOCK)
                out.flush()
                for _ in range(4):
                    time.sleep(0.5)
                    out.write(BLOCK)
                    out.flush()

        thread = threading.Thread(target=write)
        thread.start()
        argv = ("classify", str(fifo), "genres.csv", "--chunk-size", "64k", "-f", "csv", *options)
        outcome = run_on_terminal(*argv, terminals=terminals)
        thread.join()
    return outcome


def test_progress_of_long_work() -> None:
    code, shown = slow_run(terminals=("stderr",))
    assert code == 0
    assert re.search(rb"[0-9,]+ rows/s", shown["stderr"])
    assert shown["stdout"].count(b"\n") == 1 + 5 * 20_000
    # Only what moves the cursor, colours and clears; the last thing is to clear the bar.
    assert not set(re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]", b"", shown["stderr"])) & {0x1B, 0x07}


def test_no_progress_where_nobody_looks() -> None:
    assert slow_run(terminals=())[1]["stderr"] == b""
    code, shown = slow_run("--quiet", terminals=("stderr",))
    assert code == 0 and shown["stderr"] == b""


def test_no_progress_of_short_work() -> None:
    code, shown = run_on_terminal("classify", *MOVIES, "-f", "csv", terminals=("stderr",))
    assert code == 0 and b"rows/s" not in shown["stderr"]


# Terminal safety


EVIL = {
    "colour": "\x1b[31mred",
    "title": "\x1b]0;owned\x07",
    "link": "\x1b]8;;http://evil\x1b\\text",
    "C1": "\x9b31mred",
    "bell": "ding\x07",
    "backspace": "good\x08\x08\x08\x08evil",
    "return": "good\revil",
    "override": "\u202eabc",
    "isolate": "\u2066abc",
    "markup": "[red]x[/red]",
    "closing markup": "[/foo]",
    "link markup": "[link=http://evil]x[/link]",
    "emoji": ":smile:",
    "tab": "a\tb",
}
HARMLESS = re.compile(rb"\x1b\[[0-9;]*m")  # colours of our own


def check_harmless(shown: bytes) -> str:
    text = HARMLESS.sub(b"", shown).decode().replace("\r\n", "\n")
    assert all(c == "\n" or c.isprintable() for c in text)
    return text


@pytest.mark.parametrize("name", EVIL)
def test_nothing_in_the_data_steers_the_terminal(tmp_path: Path, name: str) -> None:
    evil = EVIL[name]
    path = f"{evil.replace('/', '_')}.csv"
    (tmp_path / "x").mkdir()
    header = [evil, f"{evil}2", "f"]
    features = [header, [f"label {evil}", 1, 2], [evil, 3, 4]]
    write_csv(tmp_path / "x" / path, features)
    write_csv(tmp_path / "x" / "w.csv", [["f", f"{evil}3", "q"], [f"{evil}2", 1, 0], ["f", 0, 1]])
    write_csv(tmp_path / "x" / "bad.csv", [header, ["x", evil, 1]])
    write_csv(tmp_path / "x" / "lacking.csv", [["id", evil], ["x", 1]])
    for argv, code in (
        (("classify", path, "w.csv", "-f", "table"), 0),
        (("classify", path, "w.csv", "-f", "markdown"), 0),
        (("check", path, "w.csv"), 0),
        (("check", "w.csv", path), 3),
        (("classify", "bad.csv", "w.csv"), 4),
        (("classify", "lacking.csv", "w.csv"), 3),
        (("classify", f"none {path}", "w.csv"), 5),
        (("classify", path, "w.csv", f"--{evil}"), 2),
        (("classify", path, "w.csv", evil), 5),
        (("classify", path, "w.csv", "-f", evil), 2),
        (("classify", path, "w.csv", "--id-col", f"{evil} "), 3),
        (("check", path, "w.csv", evil), 2),
        ((evil,), 2),
    ):
        done = run(*argv, cwd=tmp_path / "x")
        damaged = name == "return" and done.code == 4  # no name may hold one
        assert done.code == code or damaged, (argv, done)
        shown = check_harmless(done.err.encode()) + check_harmless(done.out)
        if evil.isprintable() and code != 2:
            assert evil in shown.replace("\\|", "|").replace("_", "/") or evil in shown


@pytest.mark.parametrize("name", ["colour", "override", "markup"])
def test_nothing_in_the_data_steers_a_real_terminal(tmp_path: Path, name: str) -> None:
    evil = EVIL[name]
    features = write_csv(
        tmp_path / "f.csv", [[evil, "action", "comedy", evil + "2"], [evil, 1, 2, 3]]
    )
    code, shown = run_on_terminal("classify", features, "genres.csv")
    assert code == 0
    check_harmless(shown["stdout"] + shown["stderr"])
