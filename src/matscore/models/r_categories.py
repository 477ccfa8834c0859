"""R's models of categories: nnet's multinom, MASS's lda and polr."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from fractions import Fraction

from matscore.models.algebra import Number, column, exact
from matscore.models.options import ImportOptions
from matscore.models.r_formula import Fitted, fit_design, read_response
from matscore.models.r_values import (
    attribute,
    entries,
    finite,
    integers,
    matrix,
    matrix_names,
    spell,
    texts,
)
from matscore.models.rds import RValue
from matscore.models.refusal import Refusal
from matscore.models.types import ImportedModel

Reader = Callable[[RValue, str, ImportOptions], ImportedModel]


def _read_multinom(model: RValue, producer: str, _: ImportOptions) -> ImportedModel:
    """Read coefficients out of the weights of a net without a hidden layer, as coef() does."""
    fields = entries(model)
    names = texts(fields.get("vcoefnames"))
    levels = texts(fields.get("lev")) or texts(fields.get("lab"))
    weights, layers = finite(fields.get("wts")), integers(fields.get("n"))
    if fields.get("censored") is not None and any(finite(fields.get("censored"))):
        raise Refusal("a censored multinom")
    if names != texts(fields.get("coefnames")):
        raise Refusal("its offset is a matrix")
    n_vectors = 1 if len(levels) == 2 else len(levels)
    width = 1 + len(names)  # the net's own bias, which is not used, comes first
    if not names or layers != [len(names), 0, n_vectors] or len(weights) != n_vectors * width:
        raise Refusal("its weights do not fit its names")
    if any(weights[::width]):
        raise Refusal("its net has a bias of its own")
    vectors = [weights[i + 1 : i + width] for i in range(0, len(weights), width)]
    fitted = fit_design(model, names, vectors)
    ties = () if n_vectors == 1 else ("R breaks ties between categories by chance",)
    return _make("multinom", producer, tuple(levels), fitted, ties)


def _read_lda(model: RValue, producer: str, _: ImportOptions) -> ImportedModel:
    """Read the discriminants into a linear predictor a class (MASS, predict.lda, "plug-in")."""
    fields = entries(model)
    means, scaling = matrix(fields.get("means")), matrix(fields.get("scaling"))
    levels, prior = texts(fields.get("lev")), finite(fields.get("prior"))
    names = matrix_names(fields.get("means"))[1]
    n_axes = len(finite(fields.get("svd")))
    fits = (
        len(means) == len(prior) and len(scaling) == means.shape[1] and n_axes <= scaling.shape[1]
    )
    if (
        not fits
        or min(prior) < 0
        or len(texts(attribute(fields.get("prior"), "names"))) != len(prior)
    ):
        raise Refusal("its means, scaling and prior do not fit each other")
    if 0 in prior or len(levels) != len(prior):
        raise Refusal("it has a category without prior probability")
    scale = [[exact(value) for value in row[:n_axes]] for row in scaling]
    rows = [[exact(value) for value in row] for row in means]
    shares = [exact(p) for p in prior]
    centre = [_dot(shares, column_of) for column_of in zip(*rows, strict=True)]
    vectors: list[list[Number]] = []
    starts: list[Fraction] = []
    for row, share in zip(rows, prior, strict=True):
        away = [m - c for m, c in zip(row, centre, strict=True)]
        axes = [_dot(away, axis) for axis in zip(*scale, strict=True)]
        vector = [_dot(axes, of_one) for of_one in scale]
        vectors.append([*vector])
        half = _dot(axes, axes) / 2
        starts.append(exact(math.log(share)) - half - _dot(vector, centre))
    facts = ("R breaks ties between categories by chance",) if len(levels) > 2 else ()
    if fields.get("terms") is not None:
        fitted = fit_design(model, names, vectors, with_intercept=False)
        return _make("lda", producer, tuple(levels), fitted, facts, starts)
    known = names or [f"V{i + 1}" for i in range(means.shape[1])]
    fitted = Fitted([column(name) for name in known], vectors, [Fraction(0)] * len(levels), ())
    positional = () if names else tuple(known)
    return _make("lda", producer, tuple(levels), fitted, facts, starts, positional, tuple(names))


def _dot(one: list[Fraction], other: tuple[Fraction, ...] | list[Fraction]) -> Fraction:
    return sum((a * b for a, b in zip(one, other, strict=True)), Fraction(0))


def _read_polr(model: RValue, producer: str, _: ImportOptions) -> ImportedModel:
    """Read the score of an ordinal model, whose categories are intervals of it: not linear."""
    fields = entries(model)
    coefficients, borders = fields.get("coefficients"), fields.get("zeta")
    names = texts(attribute(coefficients, "names"))
    fitted = fit_design(model, names, [finite(coefficients)], with_intercept=False)
    between, at = texts(attribute(borders, "names")), finite(borders)
    if len(between) != len(at):
        raise Refusal("its borders do not fit their names")
    pairs = zip(between, at, strict=True)
    told = ", ".join(f"{name} at {value:.6g}" for name, value in pairs)
    method = "".join(texts(fields.get("method")))
    facts = (
        f"an ordinal model ({method}): its score is linear, its categories are intervals of it",
        f"borders between categories: {told}",
    )
    name = spell(read_response(model))
    return ImportedModel(
        producer, "polr", (name,), fitted.features, fitted.coefficients, fitted.intercept,
        link="identity", steps=fitted.steps, facts=facts,
    )  # fmt: skip


def _make(
    kind: str,
    producer: str,
    levels: tuple[str, ...],
    fitted: Fitted,
    facts: tuple[str, ...],
    starts: list[Fraction] | None = None,
    positional: tuple[str, ...] = (),
    joined: tuple[str, ...] = (),
) -> ImportedModel:
    starts = starts or [Fraction(0)] * len(fitted.intercept)
    intercept = [exact(a) + b for a, b in zip(fitted.intercept, starts, strict=True)]
    return ImportedModel(
        producer, kind, levels, fitted.features, fitted.coefficients, intercept,
        steps=fitted.steps, facts=facts, positional=positional, joined=joined,
    )  # fmt: skip


READERS: Mapping[tuple[str, ...], Reader] = {
    ("multinom", "nnet"): _read_multinom,
    ("lda",): _read_lda,
    ("polr",): _read_polr,
}
