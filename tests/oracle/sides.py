"""First columns that only both files together decide."""

from __future__ import annotations

from dataclasses import dataclass

from tests.oracle.decide import (
    Verdicts,
    counts_up,
    first_cells,
    is_distinct_whole,
    is_intercept,
    is_whole,
    speaks_for_intercept,
)
from tests.oracle.reading import HEADINGS, Options, Record, Table


@dataclass(frozen=True)
class Side:
    """A table read in one way: its header and whether its first column holds labels."""

    table: Table
    header: tuple[str, ...] | None
    labelled: bool = False

    @property
    def records(self) -> list[Record]:
        return self.table.records[self.header is not None :]

    @property
    def names(self) -> tuple[str, ...] | None:
        """The names of the columns that hold numbers."""
        return None if self.header is None else self.header[self.labelled :]

    @property
    def labels(self) -> tuple[str, ...] | None:
        return tuple(first_cells(self.records)) if self.labelled else None


def number_alike(features: Side, weights: Side) -> bool:
    """Say whether transposed features and weights number their rows alike."""
    cells = [first_cells(side.records) for side in (features, weights)]
    plain = {cell for cell in cells[1] if not is_intercept(cell, features.table.options)}
    distinct = len(set(cells[1])) == len(cells[1]) and weights.table.width > 1
    return distinct and bool(plain) and plain <= set(cells[0])


def judge_shared(weights: Side, options: Options) -> Verdicts:
    """Judge first columns that both files call by one name, labels or a feature."""
    assert weights.header is not None
    cells = first_cells(weights.records)
    kinds = {weights.table.kind(cell) for cell in cells}
    usual = weights.header[0].lower() in HEADINGS
    verdicts: Verdicts
    if kinds == {"word"}:
        verdicts = {"labels"}
    elif options.no_id_col and "word" not in kinds:
        verdicts = {"labels", "numbers"} if usual else {"numbers"}
    elif options.id_col == weights.header[0] or usual:
        verdicts = {"labels", "doubtful"} if options.no_id_col else {"labels"}
    elif kinds != {"number"}:
        verdicts = {"doubtful", "labels" if "word" in kinds else "numbers"}
    elif len(cells) > 3 and counts_up(cells, options):
        verdicts = {"labels"}
    elif is_distinct_whole(cells, options):
        plain = all(cell.strip().isdigit() for cell in cells)
        verdicts = {"doubtful"} if plain else {"doubtful", "numbers"}
    else:
        verdicts = {"numbers"}
    if speaks_for_intercept(weights.header[0], options):
        verdicts = verdicts | {"doubtful"}
    # What is said to be the intercept is a column of numbers.
    return verdicts | ({"numbers"} if options.intercept == weights.header[0] else set())


def may_be_ids(features: Side, weights: Side) -> bool:
    """Say whether neither file has names and both first columns look like ids."""
    options = features.table.options
    if features.header is not None or weights.header is not None:
        return False
    if options.no_id_col or options.id_col is not None:
        return False
    if features.table.width != weights.table.width or features.table.width < 2:
        return False
    # The features may be a stream, of which the first record alone is looked at.
    first = features.records[0].cells[:1], first_cells(weights.records)
    return all(is_distinct_whole(cells, options) for cells in first)


def judge_ids(features: Side, weights: Side, verdicts: Verdicts) -> Verdicts:
    """Judge first columns of whole numbers by the columns beside them."""
    options = features.table.options
    columns = [
        [record.cells[n] for record in side.records if not record.fault]
        for side in (features, weights)
        for n in range(1, features.table.width)
    ]
    plain = not any(is_whole(column, options) for column in columns)
    whole = is_distinct_whole(first_cells(features.records), options)
    if options.transpose and plain and whole:
        few = any(len(side.records) < 2 for side in (features, weights))
        return {"doubtful"} | (verdicts if few else set())
    return verdicts | {"doubtful"}
