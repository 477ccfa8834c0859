"""Random raw tables with weights in terms, and what the program makes of them raw and encoded."""

from __future__ import annotations

import csv
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import matscore
from tests.helpers import Done, read_csv, run
from tests.oracle.terms import NUMBER, BadRowError, Policy, Rules, encode_rows, read_number

POOLS = [
    ["North", "South", "East", "West", "Islands"],
    ["a,b", 'say "x"', "a:b", "a=b", "x^2", "(other)", "(missing)", "f(x)", "`tick`", "``"],
    [" lead", "trail ", "lead", "trail", "two  blanks", "x\ny", "x\r\ny", "tab\tin"],
    ["é", "e\u0301", "É", "ß", "ss", "İ", "😀", "\u200b"],
    ["TRUE", "True", "true", "T", "1x"],
    ["1", "2", "10", "-3", "0.5", "1e3"],
    ["01", "1", "001", "7"],
    ["NA", "nan", "North", "null"],
]
OTHER_TEXTS = ["Nord", "", "zzz", "1.0", "10.0", "+2", " 1", "1e0", "5e-1", "1000", "07", "x"]
POLICIES: list[Policy] = ["error", "error", "skip", "zero", "keep"]
FUNCTIONS = ["log", "log1p", "log2", "log10", "exp", "sqrt", "abs"]


@dataclass(frozen=True)
class Case:
    """A raw table, the names and numbers of its weights, and the options."""

    header: list[str]
    rows: list[list[str]]
    names: list[str]
    weights: list[list[str]]  # of each name
    rules: Rules
    options: list[str]  # of both runs
    delimiter: str
    transposed: bool

    @property
    def categories(self) -> list[str]:
        return [f"c{k}" for k in range(len(self.weights[0]))]


def quote(text: str) -> str:
    """Write a column or a level as it stands in a term."""
    return "`" + text.replace("`", "``") + "`" if set(text) & set(":=^()<>`") else text


class Maker:
    """Makes the parts of one case."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        self.used: set[frozenset[str]] = set()
        self.names: list[str] = []

    def make(self) -> Case:
        draw = self.draw
        words = draw.choice([("NA", "NaN", "nan", "null", "None"), ("?",), ("-", "missing")])
        rules = Rules(
            draw.choice(POLICIES),
            draw.choice(POLICIES),
            words,
        )
        numbers = [draw.choice(["age", "x y", "a:b", "n^2", "log", "é"]) + str(k) for k in range(3)]
        texts = [draw.choice(["region", "t=1", "of (what)", "size"]) + str(k) for k in range(3)]
        pools = {name: draw.choice(POOLS) for name in texts}
        tests = {name: self.make_tests(name, pools[name], rules) for name in texts}
        if draw.random() < 0.3:  # a number that is text as well
            whole = [str(n) for n in range(-2, 4)]
            tests[numbers[0]] = self.make_tests(numbers[0], whole, rules)
            pools[numbers[0]] = whole
        self.add_terms(numbers, tests)
        rows = [self.make_row(f"r{i}", numbers, texts, pools, words) for i in range(40)]
        # A column that has the name of a term comes first.
        terms = [name for name in self.names if name not in numbers and "=" not in name]
        columns = draw.sample(terms[:-1], min(len(terms[:-1]), draw.choice([0, 0, 1, 2])))
        rows = [[*row, *(self.make_number() for _ in columns)] for row in rows]
        n_categories = draw.randint(1, 4)
        return Case(
            ["id", *numbers, *texts, "left out", *columns],
            rows,
            self.names,
            [[self.make_weight() for _ in range(n_categories)] for _ in self.names],
            rules,
            self.make_options(rules, words, n_categories),
            draw.choice([",", ",", ";", "\t"]),
            draw.random() < 0.2,
        )

    def make_tests(self, name: str, pool: Sequence[str], rules: Rules) -> list[str]:
        """Add the rows of a text column's levels, and return them as factors."""
        draw = self.draw
        levels = [text for text in pool if not rules.is_missing(text)]
        if all(text.lstrip("+-")[:1].isdigit() for text in levels):
            levels = list({float(text): text for text in levels}.values()) or levels
            if "01" in pool:
                levels = list(pool)
        levels = draw.sample(levels, draw.randint(1, len(levels)))
        tests = [f"{quote(name)}={quote(text)}" for text in levels]
        tests += [f"{quote(name)}=({what})" for what in ("other", "missing") if draw.random() < 0.4]
        for test in tests:
            self.add([test])
        return tests

    def add_terms(self, numbers: Sequence[str], tests: dict[str, list[str]]) -> None:
        draw = self.draw
        for name in numbers:
            if name not in tests and draw.random() < 0.4:
                self.add([f"{quote(name)}=(missing)"])
        for _ in range(draw.randint(1, 14)):
            known = list(dict.fromkeys([*numbers, *tests]))
            columns = draw.sample(known, draw.choice([1, 1, 2, 2, 3]))
            if len(columns) == 1 and columns[0] not in numbers:
                continue
            factors = [
                draw.choice(tests[name])
                if name in tests and (name not in numbers or draw.random() < 0.5)
                else self.make_factor(name)
                for name in columns
            ]
            if factors == columns[:1] or len(factors) > 1 or factors[0] not in tests:
                self.add(factors)
        if draw.random() < 0.6:
            self.names.append("(Intercept)")

    def add(self, factors: list[str]) -> None:
        if frozenset(factors) not in self.used:
            self.used.add(frozenset(factors))
            self.names.append(":".join(factors))

    def make_factor(self, name: str) -> str:
        """Make a factor that reads a number."""
        draw, column = self.draw, quote(name)
        low, high = sorted(draw.sample(["-1", "0", "0.5", "1", "2.5", "30", "1e2"], 2), key=float)
        less = draw.choice(["<", "<="])
        return draw.choice(
            [
                column,
                f"{column}^{draw.choice([2, 3, 4, 7, -1, -2])}",
                f"{draw.choice(FUNCTIONS)}({column})",
                f"{low}{less}{column}{draw.choice(['<', '<='])}{high}",
                f"{column}{draw.choice(['<', '<=', '>', '>='])}{low}",
                f"{high}{less}{column}",
            ]
        )

    def make_row(
        self,
        label: str,
        numbers: Sequence[str],
        texts: Sequence[str],
        pools: dict[str, list[str]],
        words: Sequence[str],
    ) -> list[str]:
        draw = self.draw
        missing = ["", " ", *words, f" {words[0]}"]
        cells = [label]
        for name in numbers:
            pool = pools.get(name, [])
            number = draw.choice(pool) if pool else self.make_number()
            cells.append(draw.choice(missing) if draw.random() < 0.06 else number)
        for name in texts:
            text = draw.choice(OTHER_TEXTS if draw.random() < 0.06 else pools[name])
            cells.append(draw.choice(missing) if draw.random() < 0.06 else text)
        return [*cells, draw.choice(["text", "", "1"])]

    def make_number(self) -> str:
        draw = self.draw
        x = draw.choice(
            [draw.random(), draw.uniform(0, 40), draw.uniform(0.1, 3), draw.gauss(0, 2)]
        )
        return draw.choice(
            [repr(x), f"{x:.2f}", f"{x:.3e}", str(round(x)), f" {x:.1f}\t", f"{abs(x):+.4f}"]
        )

    def make_weight(self) -> str:
        return self.draw.choice([repr(self.draw.gauss(0, 1)), f"{self.draw.gauss(0, 3):.2f}", "0"])

    def make_options(self, rules: Rules, words: Sequence[str], n_categories: int) -> list[str]:
        draw = self.draw
        options = [f"--missing-values={','.join(words)}", "--id-col=id"]
        options += draw.choice([[], ["--probabilities"], ["--margin"], ["--no-scores", "--margin"]])
        if n_categories > 1 and draw.random() < 0.2:
            options = [*options[:2], "--top-k=2"]
        elif n_categories == 1 and "--margin" in options:
            options = options[:2]
        return [*options, f"--format={draw.choice(['csv', 'csv', 'tsv', 'json', 'jsonl'])}"]


def write_table(path: Path, rows: Iterable[Sequence[object]], delimiter: str = ",") -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, delimiter=delimiter, lineterminator="\n").writerows(rows)
    return path


def write_weights(case: Case, path: Path) -> list[str]:
    """Write the weights; return the options that they need."""
    rows = [["feature", *case.categories]]
    rows += [[name, *weights] for name, weights in zip(case.names, case.weights, strict=True)]
    write_table(path, zip(*rows, strict=True) if case.transposed else rows, case.delimiter)
    return ["--transpose"] if case.transposed else []


def encode(case: Case, path: Path) -> int:
    """Write the encoded table; return the number of rows that have no score."""
    names = [name for name in case.names if name != "(Intercept)"]
    encoded = encode_rows(case.header, case.rows, names, case.rules)
    rows: list[list[str]] = [["id", *names]]
    for row, values in zip(case.rows, encoded, strict=True):
        if values is not None:
            rows.append([row[0], *("" if value is None else repr(value) for value in values)])
    write_table(path, rows, case.delimiter)
    return len(case.rows) - len(rows) + 1


def compare(case: Case, folder: Path) -> tuple[Done, Done, int, int]:
    """Return the runs on the raw and the encoded table, and how many rows are bad by each."""
    turned = write_weights(case, folder / "w.csv")
    write_table(folder / "raw.csv", [case.header, *case.rows], case.delimiter)
    n_bad = encode(case, folder / "encoded.csv")
    delimiter = "tab" if case.delimiter == "\t" else case.delimiter
    options = ["w.csv", f"--delimiter={delimiter}", *turned, *case.options]
    raw = run(
        "classify", "raw.csv", *options, f"--missing={case.rules.missing}", "--on-error=reject",
        f"--unknown={case.rules.unknown}", "--rejects=rejects.csv",
        cwd=folder,
    )  # fmt: skip
    encoded = run("classify", "encoded.csv", *options, "--missing=keep", cwd=folder)
    rejects = folder / "rejects.csv"
    n_rejected = len(read_csv(rejects)) - 1 if rejects.exists() else 0
    return raw, encoded, n_bad, n_rejected


def type_frame(case: Case, seed: int) -> pd.DataFrame:
    """Return the rows that have scores as columns of numbers, texts and categories."""
    draw = random.Random(seed)
    names = [name for name in case.names if name != "(Intercept)"]
    encoded = encode_rows(case.header, case.rows, names, case.rules)
    rows = [row for row, values in zip(case.rows, encoded, strict=True) if values is not None]
    columns: dict[str, pd.Series[Any]] = {}
    for i, name in enumerate(case.header[1:], start=1):
        cells = [None if case.rules.is_missing(row[i]) else row[i] for row in rows]
        if i <= 3 or i > 7:  # as the maker puts them
            numbers = [np.nan if cell is None else number_of(cell) for cell in cells]
            columns[name] = pd.Series(numbers, dtype=np.float64)
        else:
            columns[name] = pd.Series(cells, dtype=draw.choice(["object", "str", "category"]))
    frame = pd.DataFrame(columns)
    frame.index = pd.Index([row[0] for row in rows], name="id", dtype=object)
    return frame


def number_of(cell: str) -> float:
    """Return a cell's number; a text in a column that no term reads may be anything."""
    try:
        return read_number(cell)
    except BadRowError:
        return np.nan


def compare_typed(
    case: Case, seed: int, folder: Path
) -> tuple[list[list[str]], list[list[str]], list[list[Any]]]:
    """Return what comes out of CSV, of Parquet and of a DataFrame, of rows that have scores."""
    case, rules = replace(case, delimiter=",", transposed=False), case.rules
    frame, margin = type_frame(case, seed), len(case.categories) > 1
    write_weights(case, folder / "w.csv")
    write_table(folder / "raw.csv", [case.header, *case.rows])
    frame.reset_index().to_parquet(folder / "raw.parquet", index=False)
    options = [
        "w.csv", *case.options[:2], *["--margin"] * margin, f"--missing={rules.missing}",
        f"--unknown={rules.unknown}", "--on-error=reject", "--rejects=rejects.csv",
    ]  # fmt: skip
    text = run("classify", "raw.csv", *options, cwd=folder).check()
    typed = run("classify", "raw.parquet", *options, cwd=folder).check()
    numbers = [[float(x) for x in row] for row in case.weights]
    weights = pd.DataFrame(numbers, index=case.names, columns=case.categories)
    found = matscore.classify(
        frame, weights, missing=rules.missing, unknown=rules.unknown, margin=margin
    )
    if margin:  # without a prediction
        found = found.fillna({"prediction": ""})
    rows = [["id", *found.columns], *map(list, found.reset_index().itertuples(index=False))]
    return text.rows, typed.rows, rows


def same_cells(rows: list[list[Any]]) -> list[list[str]]:
    """Write numbers in one way, whoever wrote them."""
    return [[write_cell(cell) for cell in row] for row in rows]


def write_cell(cell: Any) -> str:
    """Write a cell in one way, whoever wrote its number."""
    if isinstance(cell, str) and not NUMBER.fullmatch(cell):
        return cell
    return "NaN" if pd.isna(cell) else repr(float(cell))
