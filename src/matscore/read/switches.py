"""What few runs ask of their files: what is said of it, what is passed over, pairs of names."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from matscore.errors import InputError
from matscore.kernel import Booleans
from matscore.names import MISSING_VALUES, quote_name, quote_names
from matscore.options import PlanOptions, ReadOptions
from matscore.read.inputs import Input, is_address
from matscore.read.rows import parse_sound
from matscore.read.source import SourceFacts, open_raw
from matscore.read.table import Table, open_table


def list_switches(
    table: Table,
    read: ReadOptions,
    features: Sequence[int],
    weights: str = "",
    *,
    unique: bool = False,
) -> Iterator[str]:
    """Yield sentences on what options have made of a table, and of these columns of it."""
    if read.comment is not None:
        yield f"lines that start with {quote_name(read.comment)} are left out"
    if read.skip_lines:
        yield f"the first lines of {table.path} are left out: {read.skip_lines}"
    if read.delimiter == "blanks":
        yield "runs of spaces and tabs are taken for one delimiter"
    if read.missing_values != MISSING_VALUES:
        words = quote_names(read.missing_values) if read.missing_values else "none"
        yield f"words for a missing cell, besides an empty one: {words}"
    for path, has_header in (table.path, read.features_headers), (weights, read.weights_headers):
        if has_header is not None:
            yield f"{path} has {'a' if has_header else 'no'} header, as an option says"
    if unique:
        yield "a label that was there before is refused"
    if read.least_present is not None:
        least = read.least_present
        there = (
            "a feature of each category is"
            if least == 1
            else f"{least} features of each category are"
        )
        yield f"missing cells are made up for where {there} there"
    if (mark := read.weights_delimiter) is not None:
        yield f"cells of {weights} end with {quote_name(mark)}, as an option says"
    if (decimal := read.weights_decimal) is not None:
        yield f"{weights} has decimal {'points' if decimal == '.' else 'commas'}, as an option says"
    names = None if table.names is None else (*table.names, *(name for name, _ in table.keys))
    yield from describe_booleans(table.booleans_of(features), names)


def describe_booleans(booleans: Sequence[Booleans], names: Sequence[str] | None) -> Iterator[str]:
    """Yield a sentence for each column of words for true and false."""
    for i, pair in booleans:
        name = str(i + 1) if names is None else quote_name(names[i])
        yield f'column {name} is read as 1 and 0: "{pair[0]}" and "{pair[1]}"'


def count_left_out(facts: SourceFacts) -> Iterator[str]:
    """Yield how many lines of an input were left out."""
    if facts.n_comments:
        yield f"lines of comments left out of {facts.path}: {facts.n_comments:,}"
    if facts.n_skipped:
        yield f"first lines left out of {facts.path}: {facts.n_skipped:,}"


def pass_over_empty(inputs: Sequence[Input]) -> tuple[list[Input], tuple[str, ...]]:
    """Return the inputs that have a byte, and what is to be said of the others."""
    left = [one for one in inputs if not _is_empty(one.path)]
    if not left:
        hint = "a header line, at least, is needed"
        raise InputError(inputs[0].path, "every features file is empty", hint)
    names = [one.path for one in inputs if one not in left]
    said = f"passed over, as they are empty: {len(names)} ({quote_names(names)})"
    return left, (said,) if names else ()


def _is_empty(path: str) -> bool:
    if not is_address(path):
        return Path(path).is_file() and Path(path).stat().st_size == 0
    raw, stamp = open_raw(path, 0, 0)
    with raw:
        return stamp is not None and stamp.size == 0


def read_renames(align: PlanOptions, read: ReadOptions) -> PlanOptions:
    """Return options with the pairs of their file, the first of which may be its header."""
    if align.rename is None:
        return align
    # Both names are text, whatever they look like, and the plan tells a header from a pair.
    read = replace(read.of_others, headers=False)
    pairs: list[tuple[str, str]] = []
    with contextlib.closing(open_table(str(align.rename), read)) as table:
        if table.width != 2:
            what = f"{table.width} columns, where there are to be two names a line"
            hint = "give the name in the features file, then the one in the weights file; see -d"
            raise InputError(table.path, what, hint, line=1)
        layout = table.lay_out(read, label=0, kept=(1,), missing="keep")
        for chunk in table.iter_chunks(layout, chunk_bytes=2**20):
            rows = parse_sound(layout, chunk)
            pairs += zip(map(str, rows.labels), rows.texts[0], strict=True)
    return replace(align, renames=tuple(pairs))
