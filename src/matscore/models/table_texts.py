"""The texts of tables: CSV and the like, JSON, and what programs print, as cells under headings."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matscore.links import Link
from matscore.models.bounds import check_depth
from matscore.models.printed import PrintedTable, find_tables
from matscore.models.refusal import Refusal
from matscore.names import quote_name
from matscore.plan.headings import COEFFICIENTS

# A coefficient that a tool could not estimate, or left out as a reference, counts 0.
ZEROS = re.compile(r"|na|nan|none|null|\.|\(omitted\)|\(base\)|\(empty\)|0\s?[a-z]", re.IGNORECASE)
_PRINTED = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")


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

    def cells(self, i: int) -> list[str]:
        """Return a column's cells."""
        return [row[i].strip() for row in self.rows]

    def holds_numbers(self, i: int) -> bool:
        """Say whether a column holds numbers, and some."""
        cells = self.cells(i)
        found = [self.is_number(cell) for cell in cells]
        return any(found) and all(
            is_one or ZEROS.fullmatch(cell) for is_one, cell in zip(found, cells, strict=True)
        )

    def is_number(self, cell: str) -> bool:
        """Say whether a cell is a number, with the table's decimal mark."""
        return _PRINTED.fullmatch(cell.replace(self.decimal, ".")) is not None


def read_table(text: str) -> Table:
    """Read a text as a table: JSON, CSV or the like, or what a program has printed."""
    start = text.lstrip()[:1]
    if start in ("{", "["):
        return _read_json(text)
    delimited = _read_delimited(text)
    if delimited is not None:
        return delimited
    printed = find_tables(text)
    if not printed:
        raise Refusal("it has no table of coefficients", "give it a heading such as term,estimate")
    return _join_tables(printed, text)


def _join_tables(printed: Sequence[PrintedTable], text: str) -> Table:
    """Return the tables of a summary as one, each with its class where there are several."""
    facts = _find_link(text)
    if len(printed) == 1:
        pairs = [row[:2] for row in printed[0].rows]
        return Table(("term", "estimate"), pairs, *facts, is_printed=True)
    labels = [table.label for table in printed]
    if any("=" not in (label or "") for label in labels) or len(set(labels)) < len(labels):
        raise Refusal(f"it prints {len(printed)} tables of coefficients", "leave one in the file")
    every = [
        (re.sub(r"^[^=]*=\s*", "", table.label or ""), *row[:2])
        for table in printed
        for row in table.rows
    ]
    return Table(("y.level", "term", "estimate"), every, *facts, is_printed=True)


# What turns scores into answers, by the name that statsmodels and R have for the link.
_LINKS: Mapping[str, Link | None] = {
    "logit": None, "log": "exp", "identity": "identity", "probit": "probit", "cloglog": "cloglog",
}  # fmt: skip
# The link of a model of statsmodels, and of a family of R that names none.
_OF_MODELS = {
    "ols": "identity", "wls": "identity", "gls": "identity", "glsar": "identity",
    "rlm": "identity", "quantreg": "identity", "logit": "logit", "mnlogit": "logit",
    "probit": "probit", "poisson": "log", "negativebinomial": "log", "negativebinomialp": "log",
    "generalizedpoisson": "log",
}  # fmt: skip
_OF_FAMILIES = {
    "binomial": "logit", "quasibinomial": "logit", "poisson": "log", "quasipoisson": "log",
    "gaussian": "identity", "gamma": "inverse", "inverse.gaussian": "1/mu^2", "quasi": "identity",
    "negative.binomial": "log",
}  # fmt: skip
_CALL = re.compile(r"^Call:\s*\n(.*?)\n\s*\n", re.MULTILINE | re.DOTALL)
_FAMILY = re.compile(r"\bfamily = \"?(?:\w+::)?([\w.]+)\"?(?:\(([^()]*)\))?")
_NAMED_LINK = re.compile(r"\blink = [\"']?([^\"',\s]+)")
_FIRST_LINK = re.compile(r"\s*[\"']?([a-z][^\"',=\s]*)[\"']?\s*(?:,|$)")


def _find_link(text: str) -> tuple[str, Link | None, bool]:
    """Return producer, link, and whether the link is known; refuse one that has no word."""
    producer, name = "a printed table", None
    if re.search(r"\bDep(?:\.|endent) Variable:", text):
        producer = "a summary of statsmodels"
        model = re.search(r"\bModel:[\s,]*(\w+)", text)
        link = re.search(r"\bLink Function:[\s,]*(\w+)", text)
        name = link[1] if link else model and _OF_MODELS.get(model[1].casefold())
    elif call := _CALL.search(text + "\n\n"):
        producer, name = "a summary of R", _find_link_of_call(" ".join(call[1].split()))
    if name is None:
        return producer, None, False
    if name.casefold() not in _LINKS:
        hint = "save the coefficients alone, as CSV, and say --link identity for the plain scores"
        raise Refusal(f"its link {name} is none that a weights file can have", hint)
    return producer, _LINKS[name.casefold()], True


def _find_link_of_call(call: str) -> str | None:
    """Return the link of a call of R, by R's own name; None where it is not known."""
    # An offset has no coefficient: without it all scores would be wrong.
    if re.search(r"\boffset\(|[(,] ?offset = ", call):
        hint = "import the model that saveRDS() writes, or a table with a row of it, of weight 1"
        raise Refusal("its call has an offset, which stands in no row", hint)
    if (family := _FAMILY.search(call)) is None:
        kinds = {"lm": "identity", "rlm": "identity", "glm": "identity", "glm.nb": "log"}
        return kinds.get(call.partition("(")[0].rpartition(":")[2])
    inside = family[2] or ""
    if (link := _NAMED_LINK.search(inside) or _FIRST_LINK.match(inside)) is not None:
        return link[1]
    return _OF_FAMILIES.get(family[1].casefold())


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
        if start and (sections := _read_sections(lines[start:], delimiter)):
            return _join_tables(sections, text)
        headings = tuple(cell.strip() for cell in lines[start])
        if headings == ("", "0"):  # so pandas writes a series without a name
            headings = ("term", "estimate")
        body = []
        for number, row in enumerate(lines[start + 1 :], start + 2):
            if len(row) == len(headings):
                body.append(row)
            elif any(cell.strip() for cell in row):
                if start:  # below titles; what follows is another part of a summary
                    break
                what = f"line {number} has {len(row)} cells, where the first has {len(headings)}"
                raise Refusal(what, "it is damaged, or no table")
        if body:
            facts = _find_link(text) if start else ("a table", None, False)
            cells = [cell for row in body for cell in row[1:]]
            has_commas = delimiter != "," and any(_COMMA.fullmatch(cell.strip()) for cell in cells)
            return Table(headings, body, *facts, "," if has_commas else ".")
    return None


def _read_sections(lines: Sequence[Sequence[str]], delimiter: str) -> list[PrintedTable]:
    """Read the tables of a summary that is written as CSV, whose names are not quoted."""
    found: list[tuple[str, int, list[tuple[str, ...]]]] = []
    is_inside = False
    for row in lines:
        if len(row) > 1 and _has_heading(row):
            if row[1].strip().casefold() not in COEFFICIENTS:
                return []
            found.append((row[0].strip(), len(row) - 1, []))
            is_inside = True
        elif is_inside and any(cell.strip(" -=") for cell in row):
            _, n_values, rows = found[-1]
            values = [cell.strip() for cell in row[-n_values:]]
            is_inside = len(row) > n_values  # else another part of the summary
            if len(row) == n_values + 1 or (is_inside and all(map(_PRINTED.fullmatch, values))):
                rows.append((delimiter.join(row[:-n_values]).strip(), *values))
            elif is_inside:
                what = f"the row {quote_name(delimiter.join(row).strip())} is none of coefficients"
                raise Refusal(what, "it is damaged, or no table")
    return [PrintedTable(label or None, tuple(rows)) for label, _, rows in found if rows]


_COMMA = re.compile(r"[-+]?[0-9]*,[0-9]+(?:[eE][-+]?[0-9]+)?")


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
            raise Refusal("it is no JSON", "it is damaged, or no table") from error
    if isinstance(data, dict):
        return Table(("term", "estimate"), [*_iter_entries(data)])
    if not isinstance(data, list) or not all(isinstance(one, dict) for one in data):
        raise Refusal("its JSON is no table", "give it an object of names and numbers, or records")
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
            what = f"{quote_name(name)} is a {type(value).__name__}"
            raise Refusal(what, "give it an object of names and numbers, or records")


def _flatten(record: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the record, or one for each of the records in it, as of BigQuery's levels."""
    nested = {name: value for name, value in record.items() if isinstance(value, list) and value}
    plain = {n: v for n, v in record.items() if not isinstance(v, list | dict)}
    if not nested:
        yield plain
    for name, values in nested.items():
        for value in values:
            if not isinstance(value, dict):
                raise Refusal(f"{quote_name(name)} is a list of numbers", "give it records")
            inner = {f"{name}.{key}": one for key, one in value.items()}
            yield {n: v for n, v in plain.items() if v is not None} | inner


def _write(value: Any) -> str:
    return "" if value is None else repr(value) if isinstance(value, float) else str(value)
