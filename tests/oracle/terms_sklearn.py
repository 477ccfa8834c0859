"""A fitted scikit-learn pipeline rewritten into weights in terms, by what its attributes say.

Each column that a transformer makes is a sum of monomials times numbers; a monomial is a product of
powers, functions, levels, intervals and missing cells. All is exact until a weight is rounded.
"""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    OneHotEncoder,
    PolynomialFeatures,
    StandardScaler,
)
from sklearn.svm import LinearSVC

from tests.oracle.terms_cases import quote

# A factor: its column, and a power, or what is written of it with @ for the column.
Factor = tuple[str, int | str]
Monomial = frozenset[Factor]
Sum = dict[Monomial, Fraction]

NUMBERS = ["age", "monthly income", "a:b", "x^2", "score"]
TEXTS = ["region", "job=", "size (cm)", "flag", "rooms"]
LEVELS: dict[str, list[Any]] = {
    "region": ["North", "South", "East", "West", "Center", "Islands"],
    "job=": ["a:b", "c,d", 'say "no"', "x=1", "plain"],
    "size (cm)": [" S", "S", "M ", "`L`"],
    "flag": [True, False],
    "rooms": [1, 2, 3, 10, 11],
}
UNKNOWN: dict[str, Any] = {"flag": "Maybe", "rooms": 7}
MISSING = "@=(missing)"
FUNCTIONS: list[tuple[str, Callable[..., Any]]] = [
    ("log(@)", np.log), ("log1p(@)", np.log1p), ("sqrt(@)", np.sqrt), ("exp(@)", np.exp),
    ("log10(@)", np.log10), ("abs(@)", np.abs),
]  # fmt: skip


@dataclass
class Fitted:
    """A pipeline, rows to score, which of them it refuses, and the weights."""

    model: Pipeline
    frame: pd.DataFrame
    refused: list[bool]
    names: list[str]
    weights: list[list[float]]
    categories: list[str]


def term(factors: Sequence[Factor] = ()) -> Sum:
    return {frozenset(factors): Fraction(1)}


def scale(total: Sum, by: float | Fraction) -> Sum:
    return {monomial: number * Fraction(by) for monomial, number in total.items()}


def add(*totals: Sum) -> Sum:
    result: Sum = {}
    for total in totals:
        for monomial, number in total.items():
            result[monomial] = result.get(monomial, Fraction(0)) + number
    return result


def multiply(a: Sum, b: Sum) -> Sum:
    """Multiply; what is 0 in every row vanishes."""
    products: list[Sum] = []
    for first, x in a.items():
        for second, y in b.items():
            monomial = multiply_monomials(first, second)
            if monomial is not None:
                products.append({monomial: x * y})
    return add(*products)


def multiply_monomials(first: Monomial, second: Monomial) -> Monomial | None:
    """Return a product; None where it is always 0."""
    factors: list[Factor] = []
    for column in {column for column, _ in first | second}:
        ours = [what for name, what in [*first, *second] if name == column]
        powers = sum(what for what in ours if isinstance(what, int))
        tests = {what for what in ours if isinstance(what, str) and "(@)" not in what}
        functions = [what for what in ours if isinstance(what, str) and "(@)" in what]
        # A cell is one level, in one interval, missing or not; a missing one has no number.
        if len(tests) > 1 or (MISSING in tests and (powers or functions)):
            return None
        if len(functions) > 1:
            raise NotImplementedError("a product of functions of one column")
        factors += [(column, what) for what in [*tests, *functions]]
        factors += [(column, powers)] if powers else []
    return frozenset(factors)


def write(monomial: Monomial) -> str:
    """Write a monomial as a row of the weights names it."""

    def one(factor: Factor) -> str:
        column, what = quote(factor[0]), factor[1]
        if isinstance(what, str):
            return what.replace("@", column, 1)
        return column if what == 1 else f"{column}^{what}"

    return ":".join(sorted(map(one, monomial))) or "(Intercept)"


class Maker:
    """Makes a random frame and a random pipeline of it."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        self.rng = np.random.default_rng(seed)
        self.gaps: set[str] = set()  # columns that may have missing cells
        self.has_functions = False

    def make(self) -> Fitted:
        draw = self.draw
        numbers = draw.sample(NUMBERS, draw.randint(1, 4))
        texts = draw.sample(TEXTS, draw.randint(1, 4))
        parts = self.make_parts(numbers, texts)
        steps: list[tuple[str, Any]] = [("columns", ColumnTransformer(parts))]
        if draw.random() < 0.35:
            only = self.has_functions or draw.random() < 0.5  # log(x)^2 is no term
            steps.append(("products", PolynomialFeatures(2, interaction_only=only)))
        if draw.random() < 0.3:
            steps.append(("scale", StandardScaler(with_mean=draw.random() < 0.7)))
        model = Pipeline([*steps, ("model", self.make_model())])
        frame = self.make_frame(numbers, texts, 160)
        answers = self.make_answers(model[-1], frame)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(frame, answers)
            totals = self.follow(model, frame)
        names, weights, categories = combine(model[-1], totals, self.zero_rows(model, numbers))
        shown, refused = self.make_shown(model, self.make_frame(numbers, texts, 60))
        return Fitted(model, shown, refused, names, weights, categories)

    def make_parts(self, numbers: list[str], texts: list[str]) -> list[tuple[str, Any, list[str]]]:
        draw, parts = self.draw, []
        cut = draw.randint(0, len(numbers))
        for name, columns in [("first", numbers[:cut]), ("second", numbers[cut:])]:
            if columns:
                parts.append((name, self.make_numeric(columns), columns))
        cut = draw.randint(0, len(texts))
        for name, columns in [("third", texts[:cut]), ("fourth", texts[cut:])]:
            if columns:
                parts.append((name, self.make_encoder(columns), columns))
        return parts

    def make_numeric(self, columns: list[str]) -> Pipeline:
        """Make steps for numbers."""
        draw, steps = self.draw, list[tuple[str, Any]]()
        name, function = draw.choice(FUNCTIONS)
        if draw.random() < 0.25:
            steps.append((name, FunctionTransformer(function)))
            self.has_functions = True
        if draw.random() < 0.6:
            self.gaps |= set(columns)
            strategy = draw.choice(["mean", "median", "constant", "most_frequent"])
            fill = SimpleImputer(
                strategy=strategy, fill_value=1.5, add_indicator=draw.random() < 0.5
            )
            steps.append(("fill", fill))
        kind = draw.choice(["none", "scale", "powers", "onehot", "ordinal"])
        if steps and (kind in ("onehot", "ordinal", "powers")) and "(@)" in steps[0][0]:
            kind = "scale"  # intervals are of plain numbers, and functions have no powers
        if kind == "scale":
            steps.append(("scale", StandardScaler()))
        elif kind == "powers":
            steps.append(("powers", PolynomialFeatures(draw.choice([2, 3]), include_bias=False)))
        elif kind != "none":
            strategy = draw.choice(["uniform", "quantile", "kmeans"])
            encode = "onehot-dense" if kind == "onehot" else "ordinal"
            extra = {"quantile_method": "averaged_inverted_cdf"} if strategy == "quantile" else {}
            bins = KBinsDiscretizer(
                draw.randint(2, 5), encode=encode, strategy=strategy, subsample=None, **extra
            )
            steps.append(("bins", bins))
        return Pipeline(steps or [("same", "passthrough")])

    def make_encoder(self, columns: list[str]) -> Pipeline:
        """Make steps for texts."""
        draw, steps = self.draw, list[tuple[str, Any]]()
        options: dict[str, Any] = {"sparse_output": False}
        options["handle_unknown"] = draw.choice(["error", "ignore", "infrequent_if_exist", "warn"])
        options["drop"] = draw.choice([None, None, "first", "if_binary"])
        rare = draw.choice(["none", "none", "min", "max"])
        if rare == "min":
            options["min_frequency"] = draw.choice([20, 30, 0.2])
        elif rare == "max":
            options["max_categories"] = draw.randint(2, 4)
        if draw.random() < 0.3 and not {"flag", "rooms"} & set(columns):
            self.gaps |= set(columns)
            strategy = draw.choice(["most_frequent", "constant"])
            steps.append(("fill", SimpleImputer(strategy=strategy, fill_value="North")))
        elif draw.random() < 0.5 and not {"flag", "rooms"} & set(columns):
            self.gaps |= set(columns)  # a missing cell is a level of its own
        return Pipeline([*steps, ("levels", OneHotEncoder(**options))])

    def make_model(self) -> Any:
        return self.draw.choice(
            [
                LogisticRegression(max_iter=300),
                LogisticRegression(C=0.3, max_iter=300, fit_intercept=False),
                Ridge(),
                RidgeClassifier(),
                LinearSVC(max_iter=3000),
            ]
        )

    def make_frame(self, numbers: list[str], texts: list[str], n: int) -> pd.DataFrame:
        columns: dict[str, Any] = {}
        for name in numbers:
            values = np.abs(self.rng.normal(2, 1.5, n)) + 0.01
            values = np.round(values, 2) if self.draw.random() < 0.5 else values
            if name in self.gaps:
                values[self.rng.random(n) < 0.15] = np.nan
            columns[name] = values
        for name in texts:
            levels = LEVELS[name]
            share = 1 / np.arange(1, len(levels) + 1)
            texts_of = np.array(levels, dtype=object)
            places = self.rng.choice(len(levels), n, p=share / share.sum())
            cells = texts_of[places]
            if name in self.gaps:
                cells[self.rng.random(n) < 0.15] = np.nan
            columns[name] = cells if name != "rooms" else cells.astype(np.int64)
        return pd.DataFrame(columns).astype({t: object for t in texts if t != "rooms"})

    def make_answers(self, model: Any, frame: pd.DataFrame) -> Any:
        n = len(frame)
        if isinstance(model, Ridge):
            columns = self.draw.randint(1, 2)
            answers = self.rng.normal(size=(n, columns))
            return answers[:, 0] if columns == 1 else answers
        signal = frame.iloc[:, 0].astype(str).str.len().to_numpy() + self.rng.normal(size=n) * 2
        classes = np.array(["no", "yes"] if self.draw.random() < 0.5 else ["a", "b", "c"])
        places = np.argsort(np.argsort(signal)) * len(classes) // n
        return classes[places]

    def follow(self, model: Pipeline, frame: pd.DataFrame) -> list[Sum]:
        """Return each column that the model multiplies, as a sum."""
        totals: list[Sum] = []
        for name, part, columns in model["columns"].transformers_:
            if name != "remainder":
                known = [term([(column, 1)]) for column in columns]
                totals += (
                    follow_texts(part, frame, columns)
                    if "levels" in part.named_steps
                    else follow_numbers(part, columns, known)
                )
        for step in model[1:-1]:
            totals = follow_step(step, totals)
        return totals

    def zero_rows(self, model: Pipeline, numbers: list[str]) -> list[str]:
        """Return rows that must be there whatever their weight: of all that a cell can be."""
        factors = [(name, MISSING) for name in numbers if name in self.gaps]
        for _, part, columns in model["columns"].transformers_:
            if isinstance(part, Pipeline) and "levels" in part.named_steps:
                factors += [
                    (c, what) for j, c in enumerate(columns) for what in list_cells(part, c, j)
                ]
        return [write(frozenset([factor])) for factor in factors]

    def make_shown(self, model: Pipeline, frame: pd.DataFrame) -> tuple[pd.DataFrame, list[bool]]:
        """Add levels and gaps that no row had when it was fitted; return the rows it refuses."""
        odd = set[int]()
        for _, part, columns in model["columns"].transformers_:
            is_text = isinstance(part, Pipeline) and "levels" in part.named_steps
            for column in columns:
                row = self.draw.randrange(len(frame))
                if is_text:
                    frame.loc[row, column] = UNKNOWN.get(column, "Nowhere")
                elif column not in self.gaps:
                    frame.loc[row, column] = np.nan
                odd.add(row)
        return frame, [i in odd and refuses(model, frame.iloc[[i]]) for i in range(len(frame))]


def refuses(model: Pipeline, row: pd.DataFrame) -> bool:
    """Say whether a pipeline has no answer for a row."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            model.predict(row)
        except ValueError:
            return True
    return False


def level_of(level: Any) -> str:
    """Return the factor of a category, as a CSV file holds it."""
    if pd.isna(level):
        return MISSING
    text = str(level)
    return "@=" + ("`" + text.replace("`", "``") + "`" if set(text) & set(":=^()<>`") else text)


def follow_numbers(part: Pipeline, columns: Sequence[str], totals: list[Sum]) -> list[Sum]:
    for name, step in part.steps:
        if "(@)" in name:
            totals = [term([(column, name)]) for column in columns]
        elif isinstance(step, KBinsDiscretizer):
            totals = follow_bins(step, totals)
        elif step != "passthrough":
            totals = follow_step(step, totals)
    return totals


def follow_step(step: Any, totals: list[Sum]) -> list[Sum]:
    """Apply a step to columns that are sums."""
    if isinstance(step, SimpleImputer):
        gaps = [term([(column, MISSING)]) for total in totals for column in [column_of(total)]]
        filled = [
            add(total, scale(gap, float(value)))
            for total, gap, value in zip(totals, gaps, step.statistics_, strict=True)
        ]
        marked = step.indicator_.features_ if step.add_indicator else []
        return [*filled, *(gaps[i] for i in marked)]
    if isinstance(step, StandardScaler):
        means = step.mean_ if step.with_mean else np.zeros(len(totals))
        return [
            scale(add(total, scale(term(), -Fraction(float(mean)))), 1 / Fraction(float(width)))
            for total, mean, width in zip(totals, means, step.scale_, strict=True)
        ]
    assert isinstance(step, PolynomialFeatures)
    products = []
    for powers in step.powers_:
        product = term()
        for total, power in zip(totals, powers, strict=True):
            for _ in range(power):
                product = multiply(product, total)
        products.append(product)
    return products


def column_of(total: Sum) -> str:
    (monomial,) = total
    ((column, _),) = monomial
    return column


def follow_bins(step: KBinsDiscretizer, totals: list[Sum]) -> list[Sum]:
    """Cut columns of numbers, or indicators, which are cut at 0 or 1, into intervals."""
    made = []
    for total, edges in zip(totals, step.bin_edges_, strict=True):
        inner = [float(edge) for edge in edges[1:-1]]
        bins = [dict[Monomial, Fraction]() for _ in range(len(inner) + 1)]
        number = next((m for m in total if any(what == 1 for _, what in m)), None)
        if number is not None:
            for i, which in enumerate(bins):
                low = [] if i == 0 else [f"{inner[i - 1]!r}<="]
                high = [] if i == len(inner) else [f"<{inner[i]!r}"]
                ((column, _),) = number
                if low or high:
                    which.update(term([(column, "".join([*low, "@", *high]))]))
                else:  # one bin alone
                    which.update(add(term(), scale(term([(column, MISSING)]), -1)))
        for monomial, value in total.items():
            if monomial != number:  # a missing cell, which is filled with a number or marked
                place = sum(float(value) >= edge for edge in inner)
                bins[place] = add(bins[place], {monomial: Fraction(1)})
        if number is None:
            (gap,) = total
            place = sum(edge <= 0 for edge in inner)
            bins[place] = add(bins[place], term(), {gap: Fraction(-1)})
        if step.encode == "ordinal":
            made.append(add(*(scale(which, i) for i, which in enumerate(bins))))
        else:
            made += bins
    return made


def list_cells(part: Pipeline, column: str, j: int) -> dict[str, Any]:
    """Return all that a cell of a text column may be, as factors and values."""
    encoder = part["levels"]
    cells = {level_of(level): level for level in encoder.categories_[j]}
    takes_all = encoder.handle_unknown != "error"
    if takes_all:
        cells["@=(other)"] = UNKNOWN.get(column, "Nowhere")
    if column not in UNKNOWN and ("fill" in part.named_steps or takes_all):
        cells.setdefault(MISSING, np.nan)
    return cells


def follow_texts(part: Pipeline, frame: pd.DataFrame, columns: Sequence[str]) -> list[Sum]:
    """Ask an encoder for what it makes of each level, an unknown one and a missing cell."""
    encoder = part["levels"]
    row = frame[columns].iloc[[0]].copy()
    for column, levels in zip(columns, encoder.categories_, strict=True):
        row[column] = pd.Series([levels[0]], index=row.index, dtype=row[column].dtype)
    totals: list[Sum] = []
    for j, column in enumerate(columns):
        levels = encoder.categories_[j]
        rare = getattr(encoder, "infrequent_categories_", [None] * len(columns))[j]
        width = len(levels) - (len(rare) - 1 if rare is not None else 0)
        width -= encoder.drop_idx_ is not None and encoder.drop_idx_[j] is not None
        made = [dict[Monomial, Fraction]() for _ in range(width)]
        for factor, value in list_cells(part, column, j).items():
            probe = row.copy()
            probe[column] = pd.Series([value], index=row.index, dtype=object)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                answers = part.transform(probe)[0, len(totals) : len(totals) + width]
            for total, answer in zip(made, answers, strict=True):
                if answer:
                    total[frozenset([(column, factor)])] = Fraction(float(answer))
        totals += made
    return totals


def combine(
    model: Any, totals: list[Sum], zeros: list[str]
) -> tuple[list[str], list[list[float]], list[str]]:
    """Return the names of the weights' rows, the weights, and the categories."""
    coefficients = np.atleast_2d(model.coef_)
    intercepts = np.broadcast_to(model.intercept_, len(coefficients))
    columns = []
    for row, intercept in zip(coefficients, intercepts, strict=True):
        parts = [scale(t, float(c)) for t, c in zip(totals, row, strict=True)]
        columns.append(add(scale(term(), float(intercept)), *parts))
    if isinstance(model, Ridge):
        categories = [f"y{k}" for k in range(len(columns))]
    else:
        categories = [str(name) for name in model.classes_]
        if len(columns) == 1:  # the negative class is 0
            columns = [{}, *columns]
    names = dict.fromkeys(zeros)
    numbers = [{write(m): float(number) for m, number in column.items()} for column in columns]
    for column in numbers:
        names |= dict.fromkeys(column)
    return list(names), [[c.get(name, 0.0) for c in numbers] for name in names], categories
