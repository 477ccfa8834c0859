"""The texts of tables: CSV and the like, JSON, and what programs print, as cells under headings.

A printed table has names on the left and columns of numbers behind them:

>>> text = '''
...              Estimate Std. Error z value Pr(>|z|)
... (Intercept)  -2.10000    0.50000   -4.20 2.67e-05 ***
... age 2         0.03100    0.00400    7.75  < 2e-16 ***
... regionNorth        NA         NA      NA       NA
... ---
... '''
>>> for name, estimate in read_table(text).rows:
...     print(name, estimate)
(Intercept) -2.10000
age 2 0.03100
regionNorth NA
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matscore.models.bounds import Refusal, check_depth
from matscore.models.types import LINKS, OF_STATSMODELS
from matscore.names import quote_name
from matscore.options import Link
from matscore.plan.headings import COEFFICIENTS

# A coefficient that a tool could not estimate, or left out as a reference, counts 0.
ZEROS = re.compile(r"|na|nan|none|null|\.|\(omitted\)|\(base\)|\(empty\)|0\s?[a-z]", re.IGNORECASE)
_DIGITS = r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"
_NUMBER = re.compile(_DIGITS)
_COMMA = re.compile(r"[-+]?[0-9]*,[0-9]+(?:[eE][-+]?[0-9]+)?")
_DAMAGED = "it is damaged, or no table"
_RECORDS = "give it an object of names and numbers, or records"


@dataclass(frozen=True)
class Table:
    """Cells as texts, under their headings."""

    headings: tuple[str, ...]
    rows: Sequence[Sequence[str]]  # each as long as the headings
    producer: str = "a table"
    link: Link | None = None
    knows_link: bool = False
    decimal: str = "."  # the decimal mark
    is_printed: bool = False

    def holds_numbers(self, i: int) -> bool:
        """Say whether a column holds numbers, and some."""
        cells = [row[i].strip() for row in self.rows]
        found = [_NUMBER.fullmatch(cell.replace(self.decimal, ".")) for cell in cells]
        pairs = zip(found, cells, strict=True)
        return any(found) and all(is_one or ZEROS.fullmatch(cell) for is_one, cell in pairs)


def read_table(text: str) -> Table:
    """Read a text as a table: JSON, CSV or the like, or what a program has printed."""
    if text.lstrip()[:1] in ("{", "["):
        return _read_json(text)
    return _read_delimited(text) or _read_printed(text)


def _read_delimited(text: str) -> Table | None:
    """Read CSV or the like; None where no line has the headings of a table."""
    for delimiter in "\t;,":
        try:
            lines = list(csv.reader(text.splitlines(keepends=True), delimiter=delimiter))
        except csv.Error as error:
            raise Refusal(f"it cannot be read as CSV: {error}", "it is damaged") from error
        known = (i for i, row in enumerate(lines[:200]) if len(row) > 1 and _has_heading(row))
        start = next(known, 0)
        if not lines or len(lines[start]) < 2:
            continue
        if start and _IS_STATSMODELS.search(text):
            what = "a summary of statsmodels as CSV, whose names are not quoted"
            raise Refusal(what, "save fit.summary().as_text(), or fit.params.to_csv()")
        headings = tuple(cell.strip() for cell in lines[start])
        if headings == ("", "0"):  # so pandas writes a series without a name
            headings = ("term", "estimate")
        body = []
        for number, row in enumerate(lines[start + 1 :], start + 2):
            if len(row) == len(headings):
                body.append(row)
            elif start and len([cell for cell in row if cell.strip()]) == 1:
                break  # what SPSS says below of a table with a title
            elif any(cell.strip() for cell in row):
                what = f"line {number} has {len(row)} cells, where the first has {len(headings)}"
                raise Refusal(what, _DAMAGED)
        if body:
            cells = [cell for row in body for cell in row[1:]]
            has_commas = delimiter != "," and any(_COMMA.fullmatch(cell.strip()) for cell in cells)
            return Table(headings, body, decimal="," if has_commas else ".")
    return None


def _has_heading(row: Sequence[str]) -> bool:
    return any(cell.strip().casefold() in COEFFICIENTS for cell in row)


def _read_json(text: str) -> Table:
    """Read an object of names and numbers, or a list or lines of records."""
    try:
        data = json.loads(text)
    except RecursionError:
        check_depth(2**31)
    except ValueError:
        try:
            data = [json.loads(line) for line in text.splitlines() if line.strip()]
        except (ValueError, RecursionError) as error:
            raise Refusal("it is no JSON", _DAMAGED) from error
    if isinstance(data, dict):
        return Table(("term", "estimate"), [*_iter_entries(data)])
    if not isinstance(data, list) or not all(isinstance(one, dict) for one in data):
        raise Refusal("its JSON is no table", _RECORDS)
    records = [record for one in data for record in _flatten(one)]
    headings = tuple(dict.fromkeys(name for record in records for name in record))
    return Table(headings, [[_write(record.get(h)) for h in headings] for record in records])


def _iter_entries(data: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield names and numbers of an object, in which coefficients may be an object of their own."""
    for name, value in data.items():
        if isinstance(value, dict):
            yield from _iter_entries(value)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield name, _write(value)
        elif not isinstance(value, str):
            raise Refusal(f"{quote_name(name)} is a {type(value).__name__}", _RECORDS)


def _flatten(record: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the record, or one for each of the records in it, as of BigQuery's levels."""
    nested = {name: value for name, value in record.items() if isinstance(value, list) and value}
    plain = {n: v for n, v in record.items() if not isinstance(v, list | dict)}
    if not nested:
        yield plain
    for name, value in ((name, value) for name, values in nested.items() for value in values):
        if not isinstance(value, dict):
            raise Refusal(f"{quote_name(name)} is a list of numbers", "give it records")
        inner = {f"{name}.{key}": one for key, one in value.items()}
        yield {n: v for n, v in plain.items() if v is not None} | inner


def _write(value: Any) -> str:
    return "" if value is None else repr(value) if isinstance(value, float) else str(value)


# ---------------------------------------------------------------------------- what programs print

# The heading of the coefficients, after which others may stand.
_HEADING = re.compile(r"(.*?)(?<!\S)(?:coef|Coef\.?|Coefs?|Coefficients?|Estimate|B)(?!\S)")
_VALUE = re.compile(rf"{_DIGITS}|NA|NaN|nan|\.|\(omitted\)|\(base\)")
_WORD = re.compile(r"\S+")
_RULE = re.compile(r"[-=+| ]*")
_GAP = re.compile(r"[ |]*\|[ |]*")  # Stata puts one before and behind the levels of a variable
_GROUP = re.compile(r"\s*(\S.*?)\s*\|\s*")  # the name of such a variable
_STARS = re.compile(r"\s+\*{1,3}\s*$")
_R_SIGN = re.compile(r"\s+(?:\*{1,3}|\.)?\s*$")  # R marks a p-value under 0.1 with a point
_OF_R = re.compile(r"^Coefficients:$", re.MULTILINE)


def _read_printed(text: str) -> Table:
    """Read the tables of a summary as one, each with its class where there are several."""
    tables = _find_tables(text)
    if not tables and _OF_R.search(text):
        what = "R's print() of a model, whose names and numbers stand in lines"
        raise Refusal(what, 'saveRDS(fit, "fit.rds"), or save broom::tidy(fit) as CSV')
    if not tables:
        raise Refusal("it has no table of coefficients", "give it a heading such as term,estimate")
    producer, link, knows_link = _find_link(text)
    if len(tables) == 1:
        rows = [row[:2] for row in tables[0][1]]
        return Table(("term", "estimate"), rows, producer, link, knows_link, is_printed=True)
    labels = [label for label, _ in tables]
    if any("=" not in label for label in labels) or len(set(labels)) < len(labels):
        raise Refusal(f"it prints {len(tables)} tables of coefficients", "leave one in the file")
    every = [(label.partition("=")[2].strip(), *row[:2]) for label, rows in tables for row in rows]
    headings = ("y.level", "term", "estimate")
    return Table(headings, every, producer, link, knows_link, is_printed=True)


def _find_tables(text: str) -> list[tuple[str, list[tuple[str, ...]]]]:
    """Find tables: what stands before the heading, such as a category, and rows of texts."""
    lines = text.replace("\u2212", "-").splitlines()
    found = []
    for i, line in enumerate(lines):
        if (heading := _HEADING.match(line)) and not _find_values(line):
            sign = _R_SIGN if "Pr(>" in line else _STARS
            if rows := _read_rows(lines[i + 1 :], sign, heading):
                found.append((heading[1].strip(" |"), rows))
    return found


def _read_rows(
    lines: list[str], sign: re.Pattern[str], heading: re.Match[str]
) -> list[tuple[str, ...]]:
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
    return [
        (
            " ".join((group + line[: values[-n_values].start()]).split()),
            *(value[0] for value in values[-n_values:][first:]),
        )
        for group, line, values in split
    ]


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


# The link of a function of R, and of a family of R that names none.
_OF_CALLS = {"lm": "identity", "rlm": "identity", "glm": "identity", "glm.nb": "log"}
_OF_FAMILIES = {
    "binomial": "logit", "quasibinomial": "logit", "poisson": "log", "quasipoisson": "log",
    "gaussian": "identity", "gamma": "inverse", "inverse.gaussian": "1/mu^2", "quasi": "identity",
}  # fmt: skip
_IS_STATSMODELS = re.compile(r"\bDep(?:\.|endent) Variable:")
_CALL = re.compile(r"^Call:\s*\n(.*?)\n\s*\n", re.MULTILINE | re.DOTALL)
_FAMILY = re.compile(r"\bfamily = \"?(?:\w+::)?([\w.]+)\"?(?:\(([^()]*)\))?")
_NAMED_LINK = re.compile(r"\blink = [\"']?([^\"',\s]+)")
_FIRST_LINK = re.compile(r"\s*[\"']?([a-z][^\"',=\s]*)[\"']?\s*(?:,|$)")


def _find_link(text: str) -> tuple[str, Link | None, bool]:
    """Return producer, link, and whether the link is known; refuse one that has no word."""
    producer, name = "a printed table", None
    if _IS_STATSMODELS.search(text):
        producer = "a summary of statsmodels"
        model = re.search(r"\bModel:\s*(\w+)", text)
        link = re.search(r"\bLink Function:\s*(\w+)", text)
        name = link[1] if link else model and OF_STATSMODELS.get(model[1].casefold())
    elif call := _CALL.search(text + "\n\n"):
        producer, name = "a summary of R", _find_link_of_call(" ".join(call[1].split()))
    if name is None:
        return producer, None, False
    if name.casefold() not in LINKS:
        hint = "save the coefficients alone, as CSV, and say --link identity for the plain scores"
        raise Refusal(f"its link {name} is none that a weights file can have", hint)
    return producer, LINKS[name.casefold()], True


def _find_link_of_call(call: str) -> str | None:
    """Return the link of a call of R, by R's own name; None where it is not known."""
    # An offset has no coefficient: without it all scores would be wrong.
    if re.search(r"\boffset\(|[(,] ?offset = ", call):
        hint = "import the model that saveRDS() writes, or a table with a row of it, of weight 1"
        raise Refusal("its call has an offset, which stands in no row", hint)
    if (family := _FAMILY.search(call)) is None:
        return _OF_CALLS.get(call.partition("(")[0].rpartition(":")[2])
    inside = family[2] or ""
    link = _NAMED_LINK.search(inside) or _FIRST_LINK.match(inside)
    return link[1] if link else _OF_FAMILIES.get(family[1].casefold())
