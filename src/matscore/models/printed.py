"""Coefficient tables as programs print them: names on the left, columns of numbers behind them.

>>> text = '''
...              Estimate Std. Error z value Pr(>|z|)
... (Intercept)  -2.10000    0.50000   -4.20 2.67e-05 ***
... age 2         0.03100    0.00400    7.75  < 2e-16 ***
... regionNorth        NA         NA      NA       NA
... ---
... '''
>>> for table in find_tables(text):
...     print(table.label, [(row[0], row[1]) for row in table.rows])
None [('(Intercept)', '-2.10000'), ('age 2', '0.03100'), ('regionNorth', 'NA')]
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from matscore.models.refusal import Refusal
from matscore.names import quote_name

# The heading of the coefficients, after which others may stand.
_HEADING = re.compile(r"(.*?)(?<!\S)(?:coef|Coef\.?|Coefs?|Coefficients?|Estimate|B)(?!\S)")
_VALUE = re.compile(
    r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|NA|NaN|nan|\.|\(omitted\)|\(base\)"
)
_WORD = re.compile(r"\S+")
_RULE = re.compile(r"[-=+| ]*")
_GAP = re.compile(r"[ |]*\|[ |]*")  # Stata puts one before and behind the levels of a variable
_GROUP = re.compile(r"\s*(\S.*?)\s*\|\s*")  # the name of such a variable
_STARS = re.compile(r"\s+\*{1,3}\s*$")
_R_SIGN = re.compile(r"\s+(?:\*{1,3}|\.)?\s*$")  # R marks a p-value under 0.1 with a point


@dataclass(frozen=True)
class PrintedTable:
    """Rows of a name and its numbers, as texts."""

    label: str | None  # what stands before the heading, such as the category of a multinomial one
    rows: tuple[tuple[str, ...], ...]


def find_tables(text: str) -> list[PrintedTable]:
    """Find the tables of coefficients in a printed text."""
    lines = text.replace("\u2212", "-").splitlines()
    found = []
    for i, line in enumerate(lines):
        if (heading := _HEADING.match(line)) and not _find_values(line):
            sign = _R_SIGN if "Pr(>" in line else _STARS
            rows = _read_rows(lines[i + 1 :], sign, heading)
            if rows:
                found.append(PrintedTable(heading[1].strip(" |") or None, rows))
    return found


def _read_rows(
    lines: list[str], sign: re.Pattern[str], heading: re.Match[str]
) -> tuple[tuple[str, ...], ...]:
    """Read rows up to the first line that is none."""
    split: list[tuple[str, str, list[re.Match[str]]]] = []
    group = ""
    for line in lines:
        if _GAP.fullmatch(line):
            group = ""
            continue
        if _RULE.fullmatch(line):
            if split:
                break
            continue
        # "< 2e-16" is one value, and stars behind the values are none.
        plain = re.sub(r"<\s*(?=[0-9.])", "", sign.sub("", line.replace("|", " ")))
        values = _find_values(plain)
        if not values and (named := _GROUP.fullmatch(line)):
            group = f"{named[1]} "
            continue
        if not values or not plain[: values[0].start()].strip():
            break
        split.append((group, plain, values))
    # A name may end with a number: each row has as many values as the one with fewest.
    n_values = min((len(values) for *_, values in split), default=0)
    first = _find_first([values[-n_values:] for *_, values in split], heading)
    return tuple(
        (
            " ".join((group + line[: values[-n_values].start()]).split()),
            *(v[0] for v in values[-n_values:][first:]),
        )
        for group, line, values in split
    )


def _find_first(rows: list[list[re.Match[str]]], heading: re.Match[str]) -> int:
    """Return which number of all rows stands under the heading of the coefficients."""
    start, end = heading.end(1), heading.end()
    for i in range(len(rows[0]) if rows else 0):
        if all(row[i].start() < end and row[i].end() > start for row in rows):
            return i
    # SAS has another number, DF, before it.
    if rows and len(heading[1].strip(" |").split()) > 1 and "=" not in heading[1]:
        what = f"no column of numbers stands under {quote_name(heading[0].split()[-1])}"
        raise Refusal(what, "leave its blanks as they are printed, or save it as CSV")
    return 0


def _find_values(line: str) -> list[re.Match[str]]:
    """Return the numbers at the end of a line."""
    values: list[re.Match[str]] = []
    for word in reversed(list(_WORD.finditer(line))):
        if not _VALUE.fullmatch(word[0]):
            break
        values.insert(0, word)
    return values
