"""The table of refused inputs: each is made and given to the program, which answers.

Like ``reference.py``, called by a cog block of a page.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import re
import tempfile
from pathlib import Path
from typing import NamedTuple

from reference import write_table
from rich.console import Console

from matscore.cli.main import make_app
from matscore.cli.process import report_failure
from matscore.errors import MatscoreError

_GENRES = "feature,adventure,family,romance\naction,1.1,0.4,0.1\ncomedy,0.2,0.5,1.2\n"
_MOVIES = "film,action,comedy\nThunder Pass,5,2\n"
_HEADINGS = ("Input", "What `matscore` says", "What to do", "Exit")


class Case(NamedTuple):
    """An input that is refused; `movies` and `genres` are what the two files hold."""

    what: str
    movies: str | bytes = _MOVIES
    genres: str | bytes = _GENRES
    args: tuple[str, ...] = ("movies.csv", "genres.csv")


_CASES = [
    Case("A decimal comma", 'film,action,comedy\nThunder Pass,5,"2,5"\n'),
    Case("Commas between cells, with `--decimal ,`", "film,action,comedy\nThunder Pass,5,2\n",
         args=("movies.csv", "genres.csv", "--decimal", ",")),
    Case("A percentage", "film,action,comedy\nThunder Pass,5,20%\n"),
    Case("A word for true", "film,action,comedy\nThunder Pass,5,TRUE\n"),
    Case("A vector in one cell", 'film,action,comedy\nThunder Pass,5,"[0.1, 0.2]"\n'),
    Case("A date", "film,action,comedy\nThunder Pass,5,2024-05-01\n"),
    Case("Infinity", "film,action,comedy\nThunder Pass,5,inf\n"),
    Case("More than a float64 holds", "film,action,comedy\nThunder Pass,5,1e400\n"),
    Case("A missing value", "film,action,comedy\nThunder Pass,5,NA\n"),
    Case("A missing weight", genres=_GENRES.replace("1.2", "NA")),
    Case("Scores too large", "film,action,comedy\nThunder Pass,1.7e308,1e308\n"),
    Case("A cell too few", "film,action,comedy\nThunder Pass,5\nTwo Left Boots,4,4\n"),
    Case("A cell too many", "film,action,comedy\nThunder Pass,5,2,9\nTwo Left Boots,4,4\n"),
    Case("A file cut off in a row", "film,action,comedy\nThunder Pass,5,2\nTwo Left Boo"),
    Case("A comment above the header", f"# from the archive\n{_MOVIES}"),
    Case("A comment between rows", f"{_MOVIES}# the end\n"),
    Case("A title above the header", f"Films of 2024\n{_MOVIES}"),
    Case("A name less in the header, as R writes it",
         "action,comedy\nThunder Pass,5,2\nTwo Left Boots,4,4\n"),
    Case("A table as a database shell prints it",
         " film | action\n------+--------\n Boots |      4\n"),
    Case("A blank first line", f"\n{_MOVIES}"),
    Case("A blank line between rows", f"{_MOVIES}\nTwo Left Boots,4,4\n"),
    Case("A quote never closed", 'film,action,comedy\n"Thunder Pass,5,2\nTwo Left Boots,4,4\n'),
    Case("A stray quote", 'film,action,comedy\n24" Thunder,5,2\n'),
    Case("Two files joined, header and all", _MOVIES + _MOVIES),
    Case("Text that is not UTF-8", "film,action,comedy\nAmélie,5,2\n".encode("latin-1")),
    Case("A workbook named .csv", b"PK\x03\x04\x14\x00\x06\x00[Content_Types].xml"),
    Case("A web page named .csv", "<!DOCTYPE html>\n<title>Sign in</title>\n"),
    Case("A gzip file cut off", gzip.compress(_MOVIES.encode(), mtime=0)[:-6]),
    Case("An empty file", ""),
    Case("A feature missing, or spelt otherwise", _MOVIES.replace("comedy", "Comedy")),
    Case(
        "A table of statistics",
        genres="term,estimate,std.error,p.value\naction,1.1,0.4,0.01\ncomedy,0.2,0.5,0.7\n",
    ),
    Case("A feature of which there is nothing", genres=f"{_GENRES}runtime,1,2,3\n"),
    Case("A feature with a name of another tool",
         "film,num__action,num__comedy\nThunder Pass,5,2\n"),
    Case("An intercept of another tool", genres=_GENRES + "_cons,1,1,1\n"),
    Case("The two files swapped, and a name misspelt", "film,acton,comdy\nThunder Pass,5,2\n",
         args=("genres.csv", "movies.csv")),
    Case("A feature named twice", "film,action,comedy,comedy\nThunder Pass,5,2,2\n"),
    Case("Columns unknown, with `--strict`", args=("movies.csv", "genres.csv", "--strict"),
         movies="film,action,comedy,year\nThunder Pass,5,2,1999\n"),
    Case("The weights the wrong way round",
         genres="genre,action,comedy\nadventure,1.1,0.2\nfamily,0.4,0.5\nromance,0.1,1.2\n"),
    Case("A link that is none", genres=_GENRES.replace("feature", "feature (logit)")),
    Case("Probabilities of a model that has none",
         genres=_GENRES.replace("feature", "feature (identity)"),
         args=("movies.csv", "genres.csv", "--probabilities")),
    Case("A label for the second time, with `--unique-labels`",
         f"{_MOVIES}Two Left Boots,4,4\nThunder Pass,3,1\n",
         args=("movies.csv", "genres.csv", "--unique-labels")),
    Case("Gaps where features do not count alike, with `--missing mean`",
         args=("movies.csv", "genres.csv", "--missing", "mean")),
    Case("The two files swapped", args=("genres.csv", "movies.csv")),
    Case("A file that is not there", args=("films.csv", "genres.csv")),
    Case("The output is also an input", args=("movies.csv", "genres.csv", "-o", "movies.csv")),
]  # fmt: skip


def write_refusals() -> str:
    """Return the table."""
    return write_table(_HEADINGS, map(try_case, _CASES))


def try_case(case: Case) -> tuple[str, str, str, str]:
    """Return the line of the table for an input."""
    said = io.StringIO()
    with tempfile.TemporaryDirectory() as name, contextlib.chdir(name):
        for file, content in (("movies.csv", case.movies), ("genres.csv", case.genres)):
            data = content.encode() if isinstance(content, str) else content
            Path(file).write_bytes(data)
        words = ["classify", "-q", *case.args]
        try:
            make_app()(words, standalone_mode=False)
        except MatscoreError as error:
            code = report_failure(error, Console(file=said, highlight=False), words)
        else:
            raise AssertionError(f"not refused: {case}")
    problem, _, hint = said.getvalue().partition("\n")[0].partition("; ")
    hint = re.sub(r"(?<!\S)--?[a-z][a-z-]*", r"`\g<0>`", hint)
    return case.what, f"`{problem}`", hint, str(int(code))
