"""Run the examples of the README and of the pages and write what they print below them.

``python .github/examples.py`` writes them again; with ``--check`` it only says what differs; named
pages, ``README.md .github/docs/fit.md``, are done alone.

A ``console`` block holds commands (``$``, continued with ``>``), a ``pycon`` block Python
(``>>>``, continued with ``...``); the rest of such a block is what comes out. The blocks run in
their order in one scratch folder a page with a copy of ``sample_data``, on a terminal of 80 columns
without colour, where standard output and standard error appear as a person sees them. They need
bash and the usual tools; those with jq are left alone where it is missing.
"""

from __future__ import annotations

import argparse
import contextlib
import difflib
import doctest
import fcntl
import io
import os
import pty
import re
import shlex
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGES = [Path("README.md"), *sorted(p.relative_to(ROOT) for p in ROOT.glob(".github/docs/*.md"))]

_BLOCK = re.compile(r"^```(console|pycon)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_COMMAND = re.compile(r"^\$ .*\n(?:^> .*\n)*", re.MULTILINE)
_MARK = "\x1e"  # stands before what each command prints
_OURS = ("MATSCORE_", "COLUMNS", "NO_COLOR", "FORCE_COLOR")


def main() -> int:
    """Write the pages again, or compare; return an exit code."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", action="store_true")
    parser.add_argument("pages", nargs="*", type=Path, default=PAGES)
    asked = parser.parse_args()
    differs = False
    for page in asked.pages:
        old = (ROOT / page).read_text(encoding="utf-8")
        new = run_examples(old)
        if not asked.check:
            (ROOT / page).write_text(new, encoding="utf-8")
            continue
        lines = old.splitlines(), new.splitlines()
        print(*difflib.unified_diff(*lines, str(page), "as it is now", lineterm=""), sep="\n")
        differs |= old != new
    return int(differs)


def run_examples(text: str) -> str:
    """Return a Markdown text whose examples show what they print now."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_command(folder / "bin" / "matscore")
        work = folder / "work"
        shutil.copytree(ROOT / "sample_data", work / "sample_data")
        env = make_environment(folder)
        names: dict[str, object] = {}

        def run(block: re.Match[str]) -> str:
            language, body = block.groups()
            if " jq " in body and shutil.which("jq") is None:
                print("an example is left as it is, for want of jq", file=sys.stderr)
                return block[0]
            with contextlib.chdir(work):
                is_shell = language == "console"
                ran = run_commands(body, env) if is_shell else run_python(body, names)
            return f"```{language}\n{ran}```"

        return _BLOCK.sub(run, text)


def make_command(path: Path) -> None:
    """Make a `matscore` that is the one of this Python."""
    path.parent.mkdir()
    path.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m matscore "$@"\n')
    path.chmod(0o755)


def make_environment(home: Path) -> dict[str, str]:
    """Return the variables of a shell in which nothing of ours is set."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    path = f"{home / 'bin'}{os.pathsep}{env.get('PATH', os.defpath)}"
    return env | {"PATH": path, "HOME": str(home), "TERM": "dumb", "PYTHONUTF8": "1"}


def run_commands(body: str, env: dict[str, str]) -> str:
    """Return the commands of a block, each with what it prints after it."""
    commands = _COMMAND.findall(body)
    # The mark leaves $? alone, so that an example can show it.
    mark = f"mark() {{ local code=$?; printf '\\n{_MARK}'; return $code; }}\n"
    script = "".join(f"mark\n{re.sub('^[$>] ', '', text, flags=re.M)}" for text in commands)
    _, *outputs = run_on_terminal(["bash", "-c", mark + script], env).split(f"\n{_MARK}")
    lines = (f"{text}{out}".splitlines() for text, out in zip(commands, outputs, strict=True))
    return "".join(f"{line.rstrip()}\n" for one in lines for line in one)


def run_on_terminal(command: list[str], env: dict[str, str]) -> str:
    """Return what a command prints on a terminal of 80 columns."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs, env=env):
        os.close(theirs)
        text = b"".join(iter_bytes(ours)).decode()
    os.close(ours)
    return text.replace("\r\n", "\n")


def iter_bytes(screen: int) -> Iterator[bytes]:
    """Yield what a terminal shows until nobody writes to it."""
    with contextlib.suppress(OSError):  # Linux tells the end of it so
        while data := os.read(screen, 65536):
            yield data


def run_python(body: str, names: dict[str, object]) -> str:
    """Return the statements of a block, each with what it prints after it."""
    parts: list[str] = []
    for example in doctest.DocTestParser().get_examples(body):
        first, *rest = example.source.splitlines()
        parts += [f">>> {first}\n", *(f"... {line}".rstrip() + "\n" for line in rest)]
        with contextlib.redirect_stdout(io.StringIO()) as out:
            exec(compile(example.source, "<example>", "single"), names)
        parts.append(out.getvalue())
    return "".join(f"{line.rstrip()}\n" for line in "".join(parts).splitlines())


if __name__ == "__main__":
    sys.exit(main())
