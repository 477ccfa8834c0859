"""What is said of the switches by which files were read, and what they pass over."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from matscore.errors import InputError
from matscore.names import quote_name, quote_names
from matscore.options import ReadOptions
from matscore.read.inputs import Input, is_address
from matscore.read.source import SourceFacts, open_raw
from matscore.read.table import Table


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
    for path, has_header in (table.path, read.features_headers), (weights, read.weights_headers):
        if has_header is not None:
            yield f"{path} has {'a' if has_header else 'no'} header, as an option says"
    if unique:
        yield "a label that was there before is refused"
    if read.least_present is not None:
        least = "a feature" if read.least_present == 1 else f"{read.least_present} features"
        yield f"missing cells are made up for where {least} of each category are there"
    names = None if table.names is None else (*table.names, *(name for name, _ in table.keys))
    for i, pair in table.booleans_of(features):
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
