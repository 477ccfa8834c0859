"""The contract as a slow reference: what a run may end in, from the files and options alone.

Where the contract leaves freedom, every outcome that it allows is listed. The freedoms:

First records
1.  Several delimiters in a first line, or a comma alone that is the decimal mark: refused, or read
    by one of them.
2.  Numbers in a header are plain integers where they have digits only; with a sign, a leading zero
    or blanks around them they may be or may not be.
3.  One word at most, all names of the other side, a width that fits as data too, text in a column
    of numbers: a header or in doubt. So too text that names a feature of the other side, which is
    then used, where nothing can be read when the record is data.
4.  Only numbers, among them all names of the other side: data or in doubt.
5.  Numbers that count up under a heading that is not usual, between several other cells, or more
    than the other side names, of which one is used at least: a header or in doubt.
6.  Weights that cannot be read as data, with text or columns that count up: a header or in doubt.
7.  A usual heading that the other file's first column has too, before numbers; a column of the
    weights that the options name for the features; a word that is missing unless
    --missing-values replaces it, in a column of labels too: a header (a label) or in doubt.
8.  `fit`, `evaluate`: files that have as many rows only with a header: a header or in doubt.

First columns
9.  Numbers that are names of the other side: labels, or in doubt where they are fewer than two, not
    all of these, in weights without a header, or in transposed features. Exactly half of mixed
    cells, or --intercept among numbers in doubt: labels or in doubt. Names more than once: numbers
    or in doubt.
10. Ids, perhaps (no names, first columns of distinct whole numbers, as many columns): in doubt or
    as read where other columns are whole numbers too, a file has one row, the weights are not
    turned, or the features have other first cells behind the first record.
11. One name of both first columns, not usual: numbers beside meant cells are a feature (refused) or
    in doubt, words beside others labels or in doubt, `-1` and `5.` whole numbers or not. That of
    an intercept: labels or in doubt, and where --intercept names it numbers.
12. `--no-id-col` over labels that are sure: labels of the weights, or numbers; or in doubt.
13. By position, words in a features file as wide as the weights are long: refused at its cells or
    by shape. One column more than features, and an intercept or as many columns as the turned
    weights have features: labels or in doubt. One column of words in weights: refused either way.
14. Truths and targets, and `fit`'s features beside them, under a usual heading: labels or in doubt.

Lining up
15. Weights without row names, some categories being called as features are: by position or refused.
16. Names that are empty or twice, an intercept or column that is not there, output columns of one
    name, files without rows: refused with 2, 3 or 4. Columns of one name that are no features,
    names of no use by position, an empty category: refused or taken. A record that is the header
    again: a bad row, or not.
17. Without names categories are numbered from 1, rows without labels too, in a column `row`; a
    label column without a name may be called anything, features without names too.

Refusals and numbers
18. Of several faults any may be told; of a bad row any of its bad cells; the first bad row of
    either file where two are read side by side. `check` may look at the rows or not. Transposed
    features may be refused for a bad cell before they are lined up.
19. Scores may tie that differ by no more than the rounding error of both; one as large as float64's
    largest may overflow on the way.
20. `fit`: numbers are compared where the answer is unique, within 1e-6; targets that mix words and
    numbers, columns of words, numbers beyond 1e±100, and truths that are a word for missing are not
    compared. Nor is `evaluate` by position with the truth among the features.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product

from tests.oracle.decide import judge_record
from tests.oracle.lineup import line_up
from tests.oracle.outcome import Outcome, Place, Refusal, Result, Row, refuse, resolve
from tests.oracle.reading import (
    MISSING,
    Case,
    Options,
    RefusedError,
    Table,
    find_delimiters,
    read_table,
)
from tests.oracle.score import rank


def list_outcomes(case: Case) -> list[Outcome] | None:
    """List what a run may end in; None where everything documented is allowed."""
    allowed: list[Outcome] = []
    if case.options.delimiter == case.options.decimal:
        allowed.append(refuse(2, why="one character for delimiter and decimal mark"))
    everything = b"".join(case.files.values())
    if case.options.missing_values and any(word.encode() in everything for word in MISSING):
        allowed.append(refuse(3, 4, why="a word that is missing without --missing-values"))
    choices = {}
    for name, data in case.files.items():
        text = data.decode(errors="replace")
        choices[name] = find_delimiters(text, case.options)
        commas = case.options.decimal == "," and not case.options.delimiter
        if len(choices[name]) > 1 or (commas and choices[name] == [";"] and "," in text):
            allowed.append(refuse(3, 4, why="delimiter"))
    for delimiters in product(*choices.values()):
        by_name = dict(zip(choices, delimiters, strict=True))
        tables, places = {}, list[Place]()
        for name, data in case.files.items():
            try:
                tables[name] = read_table(name, data, effective_options(case), by_name[name])
                places += [(name, r.line, None) for r in tables[name].records if r.fault]
                allowed += _list_short(tables[name])
            except RefusedError as error:
                places.append((error.name, error.line or 1, None))
        if len(tables) < len(case.files):
            allowed.append(refuse(3, 4, places=places, why="the file itself"))
            continue
        found = _run(case, tables)
        if found is None:
            return None
        allowed += found
    return allowed


def _list_short(table: Table) -> list[Outcome]:
    """List the refusal of a header that has one name less than every record has cells."""
    header, *records = table.records
    widths = {len(record.cells) for record in records if record.text}
    if widths != {len(header.cells) + 1}:
        return []
    return [refuse(4, places=[(table.name, header.line, None)], why="a header of R's")]


def effective_options(case: Case) -> Options:
    """Say what the options of `recommend` are in the words of `classify`."""
    options = case.options
    if case.command != "recommend":
        return options
    return replace(
        options,
        transpose=not options.transpose,
        items=True,
        intercept=None,
        no_intercept=True,
    )


def _run(case: Case, tables: dict[str, Table]) -> list[Outcome] | None:
    from tests.oracle.evaluate import evaluate
    from tests.oracle.fit import fit

    inputs = [tables[name] for name in case.inputs]
    if case.command == "fit":
        return fit(inputs)
    if case.command == "evaluate":
        truth = tables[case.options.truth_file] if case.options.truth_file else None
        return evaluate(inputs[0], inputs[1], truth)
    *features, weights = inputs
    each = [line_up(table, weights) for table in features]
    joined = [_join(ends) for ends in product(*each)]
    if case.command == "check":
        joined = [new for end in joined for new in _clash(end, case)]
        return [*map(_ease, joined), *_extra_checks(joined)]
    if case.command == "recommend" and case.options.exclude:
        pairs = tables[case.options.exclude]
        joined = [new for end in joined for new in _exclude(end, pairs)]
    joined = [new for end in joined for new in _clash(end, case)]
    return [done for end in joined for done in _settle(end, weights.options)]


def _join(ends: Sequence[Outcome]) -> Outcome:
    """Join the outcomes of several features files."""
    refusals = [end for end in ends if isinstance(end, Refusal)]
    results = [end for end in ends if isinstance(end, Result)]
    if refusals:
        rows = [row for end in results if end.stops for row in end.rows]
        places = [place for row in rows for place in list_places(row)]
        refusals += [refuse(4, places=places, why="a bad row")] if places else []
        return Refusal(
            frozenset().union(*(end.codes for end in refusals)),
            frozenset().union(*(end.places for end in refusals)),
            "; ".join(dict.fromkeys(end.why for end in refusals)),
        )
    first = results[0]
    for other in results[1:]:
        if (other.header, other.labelled, other.label) != (
            first.header,
            first.labelled,
            first.label,
        ):
            return _differ(results, "the files differ in header or label column")
        if (other.categories, other.transposed) != (first.categories, first.transposed):
            return _differ(results, "the weights are read in two ways")
    return replace(first, rows=tuple(row for result in results for row in result.rows))


def _differ(results: Sequence[Result], why: str) -> Refusal:
    """Refuse files that differ; a bad row of theirs may be told as well."""
    places = [place for end in results for row in end.rows for place in list_places(row)]
    return refuse(3, 4, places=places, why=why) if places else refuse(3, why=why)


def _ease(end: Outcome) -> Outcome:
    """Let `check` overlook bad cells."""
    if isinstance(end, Refusal) and 4 in end.codes:
        return Refusal(end.codes | {0, 3}, frozenset(), end.why)
    return end


def _extra_checks(ends: Sequence[Outcome]) -> Iterator[Outcome]:
    for end in ends:
        if isinstance(end, Result) and any(row.bad or row.unsure for row in end.rows):
            yield refuse(4, why="a bad row")


def _clash(end: Outcome, case: Case) -> list[Outcome]:
    """Refuse output columns of one name."""
    if isinstance(end, Refusal):
        return [end]
    names = [end.label if end.label is not None else "" if end.labelled else "row", *end.kept]
    if case.command == "explain":
        names += ["category", "feature", "value", "weight", "contribution"]
    elif case.command == "recommend":
        names += ["rank", "score"]
    elif case.options.top_k is not None:
        names += ["rank", "category", "score"]
    else:
        names += list(end.categories)
        names += ["prediction"] if len(end.categories) > 1 else []
    clash = refuse(2, 3, 4, why="output columns of one name")
    if len(set(names)) < len(names):
        return [clash]
    return [end, clash] if names[0] == "" and "label" in names else [end]


def _settle(end: Outcome, options: Options) -> Iterator[Outcome]:
    """Stop at the first bad row, unless rows are rejected."""
    if isinstance(end, Refusal):
        yield end
        return
    unsure = [row for row in end.rows if row.unsure]
    if unsure:
        yield refuse(4, places=list_places(unsure[0]), why="a score near the largest")
    bad = [row for row in end.rows if row.bad]
    if not bad or options.reject:
        yield end
    else:
        yield refuse(4, places=list_places(bad[0]), why="a bad row")


def list_places(row: Row) -> list[Place]:
    here = [(row.file, row.line, column) for column in row.bad] if row.line else []
    return [*here, *row.also]


def list_first_places(rows: Sequence[Row]) -> list[Place]:
    """List where the first bad row may be told, of each file that is read beside."""
    nowhere = frozenset({None})
    first = [
        next((row for row in rows if row.bad and not (row.also and row.bad == nowhere)), None),
        next((row for row in rows if row.also), None),
    ]
    return [place for row in first if row is not None for place in list_places(row)]


def _exclude(end: Outcome, pairs: Table) -> list[Outcome]:
    """Give a result the pairs that are not recommended."""
    faults = any(record.fault for record in pairs.records) or pairs.width != 2
    if faults:
        return [refuse(2, 3, 4, why="pairs"), *([end] if isinstance(end, Refusal) else [])]
    if isinstance(end, Refusal):
        return [end]

    def take(skip: int) -> list[Outcome]:
        found = [(r.cells[0], r.cells[1]) for r in pairs.records[skip:]]
        return [replace(end, more=end.more | {"exclude": found})]

    first = pairs.records[0].cells
    verdicts = {"data"} if first[1] in end.categories else {"header"}
    if pairs.options.headers is not None:
        verdicts = {"header"} if pairs.options.headers else {"data"}
    elif all(pairs.kind(cell) == "number" for cell in first):
        verdicts = {"data"}
    elif verdicts == {"data"} and first[0] not in [row.label for row in end.rows]:
        verdicts |= {"doubtful"}
    ends = resolve(verdicts, {"header": lambda: take(1), "data": lambda: take(0)}, "pairs")
    again = any(record.cells == first for record in pairs.records[1:])
    return ends + [refuse(4, why="the header again")] * again


def recommend(result: Result, row: Row, number: int, top_k: int) -> list[int]:
    """Rank the items for a user, the excluded ones left out."""
    label = row.label if row.label is not None else str(number)
    pairs = result.more.get("exclude", [])
    assert isinstance(pairs, list)
    ranked = rank(row)
    out = {item for user, item in pairs if user == label}
    # Excluded items are taken out before ties are looked for: exact ties alone are generated.
    return [n for n in ranked or () if result.categories[n] not in out][:top_k]


__all__ = ["judge_record", "list_outcomes", "recommend"]
