"""Run the installed program, from outside the checkout, on the sample data of the checkout.

Run ``python smoke.py SAMPLE_DATA`` with the Python that has matscore and nothing else.
"""

from __future__ import annotations

import csv
import math
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

MATSCORE = Path(sys.executable).parent / "matscore"
EXPECTED = {
    "Thunder Pass": ([5.9, 3.0, 2.9], "adventure"),
    "The Wrong Umbrella": ([2.1, 2.9, 6.1], "romance"),
    "Two Left Boots": ([5.2, 3.6, 5.2], "adventure"),
}
HEAVY = {"pandas", "pyarrow"}


def main() -> None:
    """Fail with a traceback at the first thing that does not hold."""
    samples = Path(sys.argv[1])
    printed = run(MATSCORE, "--version")
    assert version("matscore") in printed, printed
    check_scores(run(MATSCORE, "classify", samples / "movies.csv", samples / "genres.csv"))
    help_page = run(sys.executable, "-m", "matscore", "--help")
    assert "classify" in help_page, help_page
    check_light_import()


def run(*command: str | Path) -> str:
    """Return what a command prints on stdout; it must succeed."""
    print("$", *command, flush=True)
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, encoding="utf-8")
    print(done.stdout, end="", flush=True)
    return done.stdout


def check_scores(output: str) -> None:
    """Compare the scores of the three films with those worked out by hand."""
    header, *rows = csv.reader(output.splitlines())
    assert header == ["film", "adventure", "family", "romance", "prediction"], header
    assert [row[0] for row in rows] == list(EXPECTED), rows
    for film, *scores, prediction in rows:
        expected, category = EXPECTED[film]
        assert prediction == category, film
        assert all(map(math.isclose, map(float, scores), expected)), (film, scores)


def check_light_import() -> None:
    """``import matscore`` leaves the packages that take long to load alone."""
    code = "import sys, matscore; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], check=True, stdout=subprocess.PIPE, encoding="utf-8"
    ).stdout.split()
    assert not HEAVY & set(loaded), HEAVY & set(loaded)


if __name__ == "__main__":
    main()
