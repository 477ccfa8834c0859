"""The model: a second matrix read whole, and what a plan takes out of it.

Everything that multiplies comes through this door: `load_weights` reads the weights of a model,
`load_items` the items of ``recommend``, which may be too many for memory. There are three things,
since three are known at different times: `Side` is what planning needs (names and shape, without
a number), `Weights` the numbers as they stand in their file (which way round they are the plan
decides), `Model` the numbers in the order of the plan, ready to multiply.

`score_rows` makes answers of rows: scores, probabilities, no prediction under a threshold. The best
category, its margin, ties and ranks are the kernel's.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from matscore.errors import InputError, PlanError
from matscore.frame import Labels, join
from matscore.kernel import Decision, Floats, PackedWeights, Ranking, Texts, exp
from matscore.names import quote_name
from matscore.options import PlanOptions, ReadOptions, ScoreOptions
from matscore.plan import Plan, Side
from matscore.read.source import SourceFacts
from matscore.read.table import (
    FirstFault,
    Matrix,
    Table,
    iter_parts,
    make_matrix,
    open_table,
    read_matrix,
)

if TYPE_CHECKING:
    from matscore.items import KeptRows
    from matscore.options import Link
    from matscore.plan.terms import Terms
    from matscore.read.switches import Pick

CHUNK_BYTES = 2**20
MOST_BYTES = 2 * 2**30
"""Items that take more are held in temporary files, where no budget of memory is given."""

_WEIGHTS_COPIES = 4
_BYTES_A_NUMBER = 8
_ITEMS_A_BLOCK = 1024  # of `Items`
_STRIPE_NUMBERS = 2**23


@dataclass(frozen=True)
class Model:
    """A linear model, ready to multiply: finite, with one name a category."""

    weights: Floats  # (n_features, n_categories), features in canonical order
    intercept: Floats | None  # (n_categories,), added to the product
    categories: tuple[str, ...]  # in the weights' order
    terms: Terms | None = None  # how features are computed; their rows are then what is stored
    link: Link | None = None  # what turns scores into the model's answer; None is the softmax
    # Features of each category that a row must have; the others are made up for. None: all.
    least_present: int | None = None

    def __post_init__(self) -> None:
        # People are told of their files' faults before this, with a place; here a bug would show.
        n_categories = len(self.categories)
        if self.weights.shape[1:] != (n_categories,) or len(set(self.categories)) < n_categories:
            raise ValueError(f"{self.weights.shape} weights for categories {self.categories[:9]}")
        if self.intercept is not None and self.intercept.shape != (n_categories,):
            raise ValueError(f"{self.intercept.shape} intercepts for {n_categories} categories")
        added = 0.0 if self.intercept is None else self.intercept
        if not (np.isfinite(self.weights).all() and np.isfinite(added).all()):
            raise ValueError("a weight is not finite")

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person should know: two categories are each other's negative."""
        weights, intercept = self.weights, self.intercept
        if len(self.categories) != 2 or self.link is not None or not weights.any():
            return ()
        alike = intercept is None or intercept[0] == -intercept[1]
        if not alike or (weights[:, 0] != -weights[:, 1]).any():
            return ()
        names = " and ".join(map(quote_name, self.categories))
        what = f"{names} are each other's negative, so their probabilities are of twice the score"
        return (f"{what}; leave one column, or fill the other with zeros",)

    @cached_property
    def packed(self) -> PackedWeights:
        """Weights and intercept as they are multiplied."""
        if self.least_present is not None:
            from matscore.prorate import ProratedWeights

            return ProratedWeights(self.weights, self.intercept)
        gathers = None if self.terms is None else self.terms.gathers
        return PackedWeights(self.weights, self.intercept, gathers)

    @property
    def measured(self) -> NDArray[np.int64]:
        """The features that have a number in every row; of levels a row has one."""
        if self.terms is None:
            return np.arange(len(self.weights))
        return self.terms.gathers.dense[:, 1]

    def take_measured(self, features: Floats) -> Sequence[Floats]:
        """Return the measured features of some rows, (n_rows,) each."""
        return list(features if self.terms is None else features[self.terms.gathers.dense[:, 0]])

    def expand(self, features: Floats) -> Floats:
        """Return every feature of some rows, (n_features, n_rows), from what is stored of them."""
        return features if self.terms is None else self.packed.expand(features)

    def find_factors(self, features: Floats) -> Floats | None:
        """Return how many times each row's features count, (n_categories, n_rows); None: once."""
        if self.least_present is None:
            return None
        from matscore.prorate import find_factors

        return find_factors(self.weights, features)

    @cached_property
    def has_reference(self) -> bool:
        """Whether there are two categories, the first of them with the score 0 in every row."""
        first = self.weights[:, 0].any() or (self.intercept is not None and self.intercept[0] != 0)
        return len(self.categories) == 2 and not first

    def refuse_probabilities(self) -> tuple[str, str]:
        """Say why there are no probabilities, and what to do; empty where there are some."""
        if self.link is None:
            return "", ""
        from matscore.links import refuse_probabilities

        return refuse_probabilities(self.link, len(self.categories), reference=self.has_reference)

    def find_probabilities(self, scores: Floats) -> Floats:
        """Turn scores into probabilities, both (n_categories, n_rows), where there are some."""
        if self.link is None:
            return softmax(scores)
        from matscore.links import find_probabilities

        return find_probabilities(self.link, scores, reference=self.has_reference)

    def find_response(self, scores: Floats) -> Floats:
        """Return the inverse link of each score, of the same shape; the softmax without a link."""
        if self.link is None:
            return softmax(scores)
        from matscore.links import find_response

        return find_response(self.link, scores, reference=self.has_reference)


@dataclass(frozen=True)
class Weights:
    """A matrix read whole: the weights of a model, or items."""

    matrix: Matrix  # of items it has no rows
    facts: SourceFacts
    rows: KeptRows | None = None  # of items, without their first column
    texts: tuple[Texts, ...] = ()  # of items, columns that are carried into the output

    @property
    def side(self) -> Side:
        """What planning needs to know of it."""
        return self.matrix.side

    @property
    def n_bytes(self) -> int:
        """Bytes that it takes in memory."""
        if self.matrix.rest.size:  # as it is read, in canonical order, and as threads multiply it
            return _WEIGHTS_COPIES * self.matrix.rest.nbytes
        n_rows = 0 if self.is_spilled else self.side.n_rows or 0
        return n_rows * self.side.width * _BYTES_A_NUMBER

    def take_model(self, plan: Plan) -> Model:
        """Return the model that a plan finds here."""
        return make_model(plan, self.matrix.values(label_column=plan.weights_label_column))

    def take_items(self, plan: Plan) -> Iterator[Floats]:
        """Yield items, their features in the plan's order, C-contiguous.

        What was read into memory is gone after that, or it would be held twice.
        """
        assert self.rows is not None
        index = list(plan.weights_index)
        # Without labels the first column is one of numbers like the others.
        first = None if plan.weights_label_column else self.matrix.first_numbers
        if not plan.transpose:  # as many rows as features, each as long as there are items
            values, start = np.empty((self.rows.n_rows, self.rows.width)), 0
            for rows in self.rows.take():
                values[start : start + len(rows)] = rows
                start += len(rows)
            values = values if first is None else np.column_stack([first, values])
            # Block by block, or turned items would be there twice for a moment.
            for start in range(0, values.shape[1], _ITEMS_A_BLOCK):
                yield np.ascontiguousarray(values[index, start : start + _ITEMS_A_BLOCK].T)
            return
        start = 0
        for rows in self.rows.take():
            stop = start + len(rows)
            every = rows if first is None else np.column_stack([first[start:stop], rows])
            yield np.take(every, index, axis=1)  # C-contiguous, as every[:, index] is not
            start = stop

    @property
    def is_spilled(self) -> bool:
        """Whether the items are too many for memory."""
        return self.rows is not None and self.rows.is_spilled

    @property
    def is_gone(self) -> bool:
        """Whether the items were taken already."""
        return not (self.rows or self.matrix.rest.size)


def load_weights(
    path: str, read: ReadOptions, pick: Pick | None = None, *, checksum: bool = False
) -> Weights:
    """Read a weights file whole, or the columns of it that are picked."""
    read = read.of_weights
    with _open_picked(path, read, pick, checksum=checksum) as table:
        matrix = read_matrix(table, read, chunk_bytes=CHUNK_BYTES, is_model=True)
        return Weights(matrix, table.source.facts())


def pick_weights(align: PlanOptions) -> Pick | None:
    """Return which columns of the weights are taken; None for all."""
    if not (align.weights_cols or align.drop_weights_cols):
        return None
    from matscore.read.switches import Pick

    return Pick(align.weights_cols, align.drop_weights_cols)


@contextlib.contextmanager
def _open_picked(
    path: str, read: ReadOptions, pick: Pick | None, *, checksum: bool
) -> Iterator[Table]:
    """Open a matrix of which some columns are taken; name them where one of words is refused."""
    with contextlib.closing(open_table(path, read, checksum=checksum)) as table:
        if pick:
            table.picked = pick.choose(table.path, table.names, table.width)
        try:
            yield table
        except InputError as error:
            from matscore.read.switches import Pick, explain

            raise explain(error, table, read, Pick() if pick is None else pick) from None


def load_items(
    path: str,
    read: ReadOptions,
    pick: Pick | None = None,
    *,
    checksum: bool = False,
    most_bytes: int = MOST_BYTES,
) -> Weights:
    """Read a file of items whole: into memory, or past a limit into a temporary file."""
    from matscore.items import KeptRows

    read, hint = read.of_weights, "every feature of an item must be a number"
    with _open_picked(path, read, pick, checksum=checksum) as table:
        width = len(table.taken) - 1
        # Whole blocks of the kernel, however the file was cut, but where a row is that long.
        height = min(_ITEMS_A_BLOCK, max(_STRIPE_NUMBERS // max(width, 1), 1))
        rows = KeptRows(width, most_bytes, height, "the items")
        labels, kept = list[Labels](), list[tuple[Texts, ...]]()
        fault: FirstFault | None = None
        for part, found in iter_parts(table, read, "error", hint, chunk_bytes=CHUNK_BYTES):
            labels.append(part.labels)
            kept.append(part.texts)
            rows.append(part.features.T)
            fault = found
        matrix = make_matrix(table, read, labels, np.empty((0, width)), fault)
        columns = tuple(join(list(one)) for one in zip(*kept, strict=True))
        return Weights(matrix, table.source.facts(), rows, columns)


def make_model(plan: Plan, values: Floats) -> Model:
    """Take the model out of a matrix as it stands in its file, without labels.

    `values` has the shape (n_rows, n_columns); the plan says which way round it is.
    """
    oriented = values.T if plan.transpose else values
    intercept = None if plan.intercept_index is None else oriented[plan.intercept_index].copy()
    weights = np.ascontiguousarray(oriented[list(plan.weights_index)])
    if plan.least_present is not None:
        _check_prorated(plan, weights, plan.least_present)
    return Model(weights, intercept, plan.categories, plan.terms, plan.link, plan.least_present)


def _check_prorated(plan: Plan, weights: Floats, least: int) -> None:
    """Refuse a plan by which nothing can be made up for what a row lacks."""
    from matscore.prorate import refuse_weights

    what, hint = "", "say --missing zero, skip or keep"
    if plan.terms is not None:
        name = quote_name(plan.terms.computed[0])
        what = f"--missing mean is for columns, and {plan.weights.path} has the term {name}"
    elif plan.absent:
        what = f"--missing mean makes up for {quote_name(plan.absent[0])}, and --absent counts it 0"
        hint = "give it a column of empty cells, or leave its row out of the weights"
    else:
        what, hint = refuse_weights(weights, plan.feature_names, plan.categories, least)
    if what:
        raise PlanError(replace(plan, problem=what, hint=hint))


@dataclass(frozen=True)
class Scored:
    """Scores of some rows, and what they decide."""

    # (n_categories, n_rows), float64: NaN in every category for a row with a missing feature; of
    # no category where they are not kept.
    scores: Floats
    probabilities: Floats | None  # of the same shape, where they are asked for
    decision: Decision  # best category (-1 where there is no prediction), margin, ties, overflow
    features: Floats  # (n_features, n_rows), float64: what they were computed from, as in `Rows`
    response: Floats | None = None  # the inverse link of each score, where it is asked for

    def mark_ties(self, model: Model, n_rows: int) -> NDArray[np.bool_]:
        """Mark the highest cells of the first rows, all of a tie: (n_categories, n_rows), bool.

        No cell of a row without a prediction is marked.
        """
        first = slice(n_rows)
        scores, features = self.scores[:, first], self.features[:, first]
        if len(scores) < len(model.categories):
            scores = model.packed.multiply(np.ascontiguousarray(features))
        marks = model.packed.mark_ties(features, scores)
        return marks & (self.decision.best[first] >= 0)

    def rank(self, model: Model, k: int, threshold: float | None) -> Ranking:
        """Rank the categories of each row, at most k of them.

        A category whose score, or probability, is under the threshold has none.
        """
        scores = self.scores
        if threshold is not None:
            gate = scores if self.probabilities is None else self.probabilities
            scores = np.where(gate >= threshold, scores, -np.inf)
        return model.packed.rank(self.features, scores, k)


def score_rows(
    model: Model, features: Floats, options: ScoreOptions, *, keep: bool = True
) -> Scored:
    """Score rows; those whose scores overflow are to be refused.

    `keep` says whether the scores are used once they have decided. `features` are in canonical
    order, (n_features, n_rows); finite, or NaN where one is missing.
    """
    features = np.ascontiguousarray(features)
    asked = options.probabilities or options.response
    keep = keep or asked or options.threshold is not None
    scores, decision = model.packed.score(features, keep=keep)
    probabilities = model.find_probabilities(scores) if options.probabilities else None
    response = model.find_response(scores) if options.response else None
    best = decision.best
    # Not `chosen < threshold`: NaN is to have no prediction.
    if options.threshold is not None:
        gate = scores if probabilities is None else probabilities
        chosen = np.take_along_axis(gate, best[None], axis=0)[0]
        best[~(chosen >= options.threshold)] = -1
    elif len(model.categories) == 1:
        best[:] = -1
    return Scored(scores, probabilities, decision, features, response)


# Scores near the largest float64 differ by more than it can hold: infinity is the right answer.
@np.errstate(over="ignore", invalid="ignore")
def softmax(scores: Floats) -> Floats:
    """Turn scores into probabilities, both (n_categories, n_rows); NaN where the scores are NaN.

    The softmax, shifted by the highest score so that it cannot overflow; the logistic function for
    a single category (Goodfellow, Bengio and Courville, Deep Learning, sections 3.10 and 4.1).
    """
    if len(scores) == 1:
        shrunk = exp(-np.abs(scores))
        return np.where(scores >= 0, 1.0, shrunk) / (1.0 + shrunk)
    powers = exp(scores - scores.max(axis=0))
    total = np.zeros(scores.shape[1])
    for row in powers:  # a fixed order of addition, so that the bits do not depend on the chunk
        total += row
    probabilities: Floats = powers / total
    return probabilities
