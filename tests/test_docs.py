"""The README and its pages say what the program does: examples run, tables are current."""

from __future__ import annotations

import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import typer

from matscore.cli.main import make_app
from tests.helpers import ENVIRONMENT, OLD_PROCESSOR

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCS = ROOT / ".github" / "docs"
PAGES = [ROOT / "README.md", ROOT / ".github" / "CONTRIBUTING.md", *sorted(DOCS.glob("*.md"))]
TOPICS = {"learn", "files", "refused", "running", "python", "performance", "terms"}
PROGRAM: Any = typer.main.get_command(make_app())


def iter_options() -> Iterator[tuple[str, str]]:
    """Yield each command, the program itself first, with each of its options."""
    for command, params in [
        ("", PROGRAM.params),
        *((name, command.params) for name, command in PROGRAM.commands.items()),
    ]:
        for param in params:
            if param.param_type_name == "option":
                for name in (*param.opts, *param.secondary_opts):
                    yield command, name


@pytest.mark.parametrize(
    "command",
    [
        *(
            pytest.param([".github/examples.py", "--check", str(page)], id=f"examples {page.stem}")
            for page in PAGES
        ),
        *(
            pytest.param(["-m", "cogapp", "--check", str(page)], id=f"tables {page.stem}")
            for page in PAGES
            if "[[[cog" in page.read_text(encoding="utf-8")
        ),
        pytest.param([".github/pictures/make.py", "--check"], id="pictures"),
        pytest.param([".github/man.py", "--check"], id="manual page"),
    ],
)
def test_what_the_program_wrote_is_current(command: list[str]) -> None:
    check_current(command)


@pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64") or sys.platform != "linux",
    reason="an old processor of x86, on Linux",
)
@pytest.mark.parametrize(
    "command",
    [[".github/pictures/make.py"], *([".github/examples.py", str(page)] for page in PAGES)],
    ids=lambda command: Path(command[-1]).stem,
)
def test_what_the_program_wrote_is_the_same_on_an_old_processor(command: list[str]) -> None:
    check_current([*command, "--check"], OLD_PROCESSOR)


def check_current(command: list[str], variables: Mapping[str, str] | None = None) -> None:
    """Run a command that ends with 0 where nothing has to be written again."""
    env = {name: value for name, value in os.environ.items() if name[:9] != "MATSCORE_"}
    ran = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env=env | {"PYTHONUTF8": "1"} | dict(variables or {}),
        capture_output=True,
        check=False,
    )
    assert ran.returncode == 0, (ran.stdout + ran.stderr).decode()


@pytest.mark.parametrize(
    "command",
    [
        "python3 -m venv .venv && .venv/bin/pip install -q . && "
        ".venv/bin/matscore classify sample_data/movies.csv sample_data/genres.csv",
        "python3 -m venv .venv && .venv/bin/pip install -q -e '.[test]' && .venv/bin/pytest -q",
    ],
)
def test_commands_for_a_fresh_machine(command: str) -> None:
    assert f"```sh\n{command}\n```\n" in README


def test_the_readme_is_short() -> None:
    assert README.count("\n") <= 220


def test_each_command_and_topic_has_a_page() -> None:
    assert {page.stem for page in DOCS.glob("*.md")} == TOPICS | set(PROGRAM.commands)


@pytest.mark.parametrize("command", list(PROGRAM.commands))
def test_command_has_an_example_and_a_reference(command: str) -> None:
    page = read_page(command)
    assert f"\n$ matscore {command} " in page
    assert f"\n## Options of `{command}`\n" in page
    assert f"| [`{command}`](.github/docs/{command}.md) |" in README


@pytest.mark.parametrize(("command", "option"), list(iter_options()))
def test_option_is_described(command: str, option: str) -> None:
    part = read_page(command).partition(f"\n## Options of `{command}`\n")[2]
    assert re.search(f"`(?:matscore )?{option}[` ]", part if command else read_page("running"))


def read_page(name: str) -> str:
    """Return the text of a page, the README's where there is none of that name."""
    path = DOCS / f"{name}.md"
    return path.read_text(encoding="utf-8") if name else README


def find_block(language: str, start: str) -> str:
    """Return the block of code that starts so, of the page on running."""
    return read_page("running").partition(f"```{language}\n{start}")[2].partition("```\n")[0]


@pytest.fixture
def nightly(tmp_path: Path) -> Path:
    """The folder of the nightly job, with its script, files and programs."""
    for program in ("jq", "flock"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed here")
    (tmp_path / "bin").mkdir()
    ours = tmp_path / "bin" / "matscore"
    ours.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m matscore "$@"\n')
    ours.chmod(0o755)
    (tmp_path / "node_exporter").mkdir()
    script = find_block("sh", "#!/bin/sh\n# nightly.sh")
    for path in ("/srv/scores", "/var/lib"):
        assert path in script
        script = script.replace(path, str(tmp_path))
    (tmp_path / "nightly.sh").write_text(script)
    (tmp_path / "metrics.jq").write_text(find_block("jq", ""))
    shutil.copy(ROOT / "sample_data" / "genres.csv", tmp_path / "weights.csv")
    shutil.copy(ROOT / "sample_data" / "movies.csv", tmp_path / "today.csv")
    return tmp_path


def run_nightly(folder: Path) -> tuple[subprocess.CompletedProcess[str], dict[str, float]]:
    """Run the nightly job; return what it said and the metrics that it left."""
    env = ENVIRONMENT | {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}"}
    ran = subprocess.run(
        ["sh", folder / "nightly.sh"], env=env, capture_output=True, text=True, check=False
    )
    metrics = {}
    for line in (folder / "node_exporter" / "matscore.prom").read_text().splitlines():
        found = re.fullmatch(r'([a-z_]+(?:\{[a-z]+="(?:[^"\\\n]|\\.)*"\})?) (-?[0-9.]+)', line)
        assert found, line
        metrics[found[1]] = float(found[2])
    return ran, metrics


def test_the_nightly_job(nightly: Path) -> None:
    ran, metrics = run_nightly(nightly)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
    assert metrics["matscore_exit"] == 0
    assert metrics['matscore_rows{kind="scored"}'] == 3
    assert metrics['matscore_rows_a_category{category="adventure"}'] == 2
    assert abs(metrics["matscore_started"] - time.time()) < 120
    assert (nightly / "report.html").read_text().startswith("<!doctype html>")
    assert (nightly / "scores.csv.gz").exists()


def test_the_nightly_job_that_fails(nightly: Path) -> None:
    (nightly / "today.csv").write_text("film,action,comedy\na,x,1\nb,1,2\n")
    ran, metrics = run_nightly(nightly)
    assert ran.returncode == 4 and ran.stderr.count("\n") == 1
    assert metrics["matscore_exit"] == 4 and metrics['matscore_rows{kind="scored"}'] == 0
    assert "failed, exit 4" in (nightly / "report.html").read_text()
    assert not (nightly / "scores.csv.gz").exists()


def test_metrics_of_hostile_categories(nightly: Path) -> None:
    (nightly / "weights.csv").write_text('f,"a""b\\c",d\naction,1,2\ncomedy,1,1\n')
    _, metrics = run_nightly(nightly)
    assert r'matscore_rows_a_category{category="a\"b\\c"}' in metrics


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_for_all_users(shell: str) -> None:
    env = ENVIRONMENT | {"_MATSCORE_COMPLETE": f"source_{shell}"}
    command = [sys.executable, "-m", "matscore"]
    ran = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    assert "matscore" in ran.stdout and "_MATSCORE_COMPLETE=complete_" + shell in ran.stdout
    assert "`_MATSCORE_COMPLETE=source_bash matscore`" in read_page("running")


def test_the_manual_page_is_good_roff() -> None:
    page = (ROOT / ".github" / "matscore.1").read_text(encoding="utf-8")
    for command, option in iter_options():
        assert option.replace("-", r"\-") in page or not command or option == "--help"
    if shutil.which("groff") is None:
        pytest.skip("groff is not installed here")
    reader = ["groff", "-man", "-Tutf8", "-ww", "-z"]
    ran = subprocess.run(reader, input=page, capture_output=True, text=True, check=True)
    assert ran.stderr == ""


def find_anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    links = re.findall(r'\]\(([^)\s]+)\)|src="([^"]+)"|srcset="([^"]+)"', text)
    for link in map("".join, links):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.is_file(), link
        assert not anchor or anchor in find_anchors(target), link


def test_every_page_is_linked() -> None:
    linked = set(re.findall(r"\]\(\.github/docs/(\w+)\.md", README))
    assert linked == {page.stem for page in DOCS.glob("*.md")}
