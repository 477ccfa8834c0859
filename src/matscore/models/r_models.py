"""Linear models of R: lm, glm and what inherits from them, glmnet, multinom, lda and polr."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from matscore.models.algebra import column, exact
from matscore.models.bounds import ModelFile, Refusal, spread
from matscore.models.options import ImportOptions
from matscore.models.r_formula import Fitted, fit_design, read_response
from matscore.models.r_language import (
    attribute,
    classes,
    entries,
    finite,
    finite_or_na,
    first_number,
    first_text,
    integers,
    matrix,
    matrix_names,
    spell,
    texts,
)
from matscore.models.rds import Call, Other, RValue, Vector, looks_like_r, read_r
from matscore.models.types import Answer, ImportedModel, Source, answer_classes, answer_number

_HINTS: Mapping[str, str] = {
    "train": "save the model inside: saveRDS(model$finalModel, …), where nothing preprocesses",
    "workflow": "save the model inside: saveRDS(workflows::extract_fit_engine(model), …)",
    "model_fit": "save the model inside: saveRDS(model$fit, …)",
    "WrappedModel": "save the model inside: saveRDS(model$learner.model, …)",
    "gam": "smooth terms are no terms of a weights file",
    "qda": "its scores are quadratic, with numbers that cancel",
    "relaxed": "fit it without relax = TRUE",
    "cv.relaxed": "fit it without relax = TRUE",
    "data.frame": "that is data; save the fitted model",
}
_TIES = "R breaks ties between categories by chance"


def recognise(file: ModelFile) -> bool:
    """Say whether a file starts as R's do."""
    return file.folder is None and looks_like_r(file.data)


def read(file: ModelFile, options: ImportOptions) -> ImportedModel:
    """Read a linear model that R saved."""
    found = read_r(file.data)
    model = found.value
    if isinstance(model, Call) and model.function is None:  # a workspace
        if len(model.arguments) != 1:
            names = [name for name, _ in model.arguments[:5]]
            what = f"a workspace of {len(model.arguments):,} variables ({', '.join(names)})"
            raise Refusal(what, f'save the model alone: saveRDS({names[0]}, "model.rds")')
        model = model.arguments[0][1]
    kinds = tuple(classes(model))
    if kinds not in _READERS:
        raise _refuse(model, kinds)
    if "preProcess" in entries(model):  # caret's, put there by people
        raise Refusal("it holds a preProcess, which changes the columns before the model")
    return replace(_READERS[kinds](model, options), producer=f"R {found.version}")


SOURCE = Source("R (.rds, .RData)", recognise, read)


def _refuse(model: RValue, kinds: tuple[str, ...]) -> Refusal:
    if kinds:
        hints = [_HINTS[name] for name in kinds if name in _HINTS]
        known = "lm, aov, rlm, glm, glm.nb, glmnet, cv.glmnet, multinom, lda and polr are known"
        return Refusal(f'an R object of class "{" ".join(kinds)}"', hints[0] if hints else known)
    inside = [name for name, value in entries(model).items() if classes(value)]
    if inside:
        what = f"an R list that holds {', '.join(inside[:5])}"
        return Refusal(what, f'save one of them: saveRDS(x${inside[0]}, "model.rds")')
    return Refusal("an R value that is no model", "save the fitted model with saveRDS()")


def _make(kind: str, answer: Answer, fitted: Fitted, *facts: str, **more: Any) -> ImportedModel:
    return ImportedModel(
        "R", kind, answer.categories, fitted.features, fitted.coefficients, fitted.intercept,
        link=answer.link, threshold=answer.threshold, steps=fitted.steps,
        facts=(*answer.facts, *facts), **more,
    )  # fmt: skip


# ------------------------------------------------------------------------------------- lm and glm


def _read_lm(model: RValue, _: ImportOptions) -> ImportedModel:
    coefficients = entries(model).get("coefficients")
    names, responses = texts(attribute(coefficients, "names")), [spell(read_response(model))]
    if attribute(coefficients, "dim") is not None:
        names, responses = matrix_names(coefficients)
    return _fit_linear(model, names, Answer(tuple(responses), "identity"))


def _read_glm(model: RValue, _: ImportOptions) -> ImportedModel:
    fields = entries(model)
    response = read_response(model)
    answer = _describe(fields.get("family"), spell(response), _read_classes(fields, response))
    return _fit_linear(model, texts(attribute(fields.get("coefficients"), "names")), answer)


def _describe(family: RValue, response: str, two: Sequence[str]) -> Answer:
    """Return what a family makes of a linear predictor; R models the second of two classes."""
    name, link = (first_text(entries(family).get(key)) for key in ("family", "link"))
    if "binomial" in name and not name.startswith("Negative"):
        return answer_classes(two[0], two[1], link)
    return answer_number(response, link)


def _fit_linear(model: RValue, names: list[str], answer: Answer) -> ImportedModel:
    fields = entries(model)
    values = finite_or_na(fields.get("coefficients"))
    n = len(names)
    if not n or len(values) % n:
        raise Refusal("its coefficients do not fit their names")
    vectors = [values[i : i + n] for i in range(0, len(values), n)]
    given = entries(fields.get("call")).get("offset")  # beside the formula
    fitted = fit_design(model, names, vectors, *[] if given is None else [given])
    aliased = [name for i, name in enumerate(names) if any(v[i] is None for v in vectors)]
    facts = (f"NA in R, which counts as 0: {', '.join(aliased[:5])}",) if aliased else ()
    return _make(first_text(attribute(model, "class")), answer, fitted, *facts)


def _read_classes(fields: Mapping[str, RValue], response: RValue) -> tuple[str, str]:
    """Return the names of failure and success, of the response that R kept or its expression."""
    data = next(iter(entries(fields.get("model")).values()), None)
    levels = texts(attribute(data, "levels"))
    if len(levels) >= 2:  # all but the first are a success
        return levels[0], levels[1] if len(levels) == 2 else f"not {levels[0]}"
    if isinstance(data, Vector) and data.kind == "logical":
        return "FALSE", "TRUE"
    if isinstance(response, Call) and spell(response.function) == "cbind":
        names = [key or spell(part) for key, part in response.arguments]
        if len(names) == 2 and all(re.fullmatch(r"[\w.]+", name) for name in names):
            return names[1], names[0]  # R's order is success, failure
    return "0", "1"


# ---------------------------------------------------------------------------------- of categories


def _read_multinom(model: RValue, _: ImportOptions) -> ImportedModel:
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
    fits = layers == [len(names), 0, n_vectors] and len(weights) == n_vectors * width
    if not names or not fits or any(weights[::width]):
        raise Refusal("its weights do not fit its names")
    vectors = [weights[i + 1 : i + width] for i in range(0, len(weights), width)]
    fitted = fit_design(model, names, vectors)
    return _make("multinom", Answer(tuple(levels), None), fitted, *[_TIES] * (n_vectors > 1))


def _read_lda(model: RValue, _: ImportOptions) -> ImportedModel:
    """Read the discriminants into a linear predictor a class (MASS, predict.lda, "plug-in")."""
    fields = entries(model)
    means, scaling = matrix(fields.get("means")), matrix(fields.get("scaling"))
    levels, prior = texts(fields.get("lev")), finite(fields.get("prior"))
    n_axes = len(finite(fields.get("svd")))
    if not len(means) == len(prior) == len(levels) or len(scaling) != means.shape[1]:
        raise Refusal("its means, scaling and prior do not fit each other")
    if n_axes > scaling.shape[1] or not min(prior) > 0:
        raise Refusal("it has a category without prior probability")
    # Classes at their means and the centre, as exact fractions, on the discriminants.
    scale, rows = _as_fractions(scaling[:, :n_axes]), _as_fractions(means)
    centre = np.array([exact(p) for p in prior], dtype=object) @ rows
    axes = (rows - centre) @ scale  # (n_classes, n_axes)
    vectors = axes @ scale.T
    starts = [
        exact(math.log(p)) - own @ own / 2 - vector @ centre
        for p, own, vector in zip(prior, axes, vectors, strict=True)
    ]
    names = matrix_names(fields.get("means"))[1]
    answer, facts = Answer(tuple(levels), None), [_TIES] * (len(levels) > 2)
    if fields.get("terms") is not None:
        fitted = fit_design(model, names, vectors.tolist(), with_intercept=False)
        return _make("lda", answer, replace(fitted, intercept=starts), *facts)
    known = names or [f"V{i + 1}" for i in range(means.shape[1])]
    fitted = Fitted([column(name) for name in known], vectors.tolist(), starts)
    positional = () if names else tuple(known)
    return _make("lda", answer, fitted, *facts, positional=positional, joined=tuple(names))


def _as_fractions(numbers: Any) -> Any:
    return np.array([[exact(one) for one in row] for row in numbers.tolist()], dtype=object)


def _read_polr(model: RValue, _: ImportOptions) -> ImportedModel:
    """Read the score of an ordinal model, whose categories are intervals of it: not linear."""
    fields = entries(model)
    coefficients, borders = fields.get("coefficients"), fields.get("zeta")
    names = texts(attribute(coefficients, "names"))
    fitted = fit_design(model, names, [finite(coefficients)], with_intercept=False)
    between, at = texts(attribute(borders, "names")), finite(borders)
    if len(between) != len(at):
        raise Refusal("its borders do not fit their names")
    told = ", ".join(f"{name} at {value:.6g}" for name, value in zip(between, at, strict=True))
    method = "".join(texts(fields.get("method")))
    about = f"an ordinal model ({method}): its score is linear, its categories are intervals of it"
    answer = Answer((spell(read_response(model)),), "identity", (about,))
    return _make("polr", answer, fitted, f"borders between categories: {told}")


# ------------------------------------------------------------------------------- glmnet: a path

_HINT = "name one with --lambda"
_FAMILIES: Mapping[str, tuple[str, str]] = {
    "elnet": ("gaussian", "identity"),
    "lognet": ("binomial", "logit"),
    "fishnet": ("poisson", "log"),
}
_PATHS = (*_FAMILIES, "multnet", "mrelnet", "glmnetfit")


def _read_cross_validated(model: RValue, options: ImportOptions) -> ImportedModel:
    fields = entries(model)
    known = {name: first_number(fields.get(name)) for name in ("lambda.min", "lambda.1se")}
    if options.lambda_ is None:
        told = " and ".join(f"{name} ({value:.4g})" for name, value in known.items())
        raise Refusal(f"a path of models, of which {told} are marked", _HINT)
    return _read_path(fields.get("glmnet.fit"), options, known.get(options.lambda_))


def _read_path(
    model: RValue, options: ImportOptions, penalty: float | None = None
) -> ImportedModel:
    """Read one model of a path, on the columns of the matrix that it was fitted to."""
    kinds, fields = classes(model), entries(model)
    if kinds[1:] != ["glmnet"] or kinds[0] not in _PATHS:
        what = f'an R object of class "{" ".join(kinds)}"'
        raise Refusal(what, "relaxed and Cox paths are not linear here")
    offset = fields.get("offset")
    if isinstance(offset, Vector) and any(finite(offset)):
        raise Refusal("it was fitted with an offset, of which it keeps no name", "leave it out")
    path = finite(fields.get("lambda"))
    shares, chosen = _weigh_path(path, options.lambda_, penalty)
    answer, betas = _describe_path(kinds[0], fields), fields.get("beta")
    parts = list(entries(betas).values()) if kinds[0] in {"multnet", "mrelnet"} else [betas]
    names = _read_names(parts)
    vectors = np.array([_read_sparse(part, names, len(path)) @ shares for part in parts])
    starts = fields.get("a0")
    found = matrix(starts) if len(parts) > 1 else np.array(finite(starts))[None, :]
    if found.shape != (len(parts), len(path)):
        raise Refusal("its intercepts do not fit its path")
    counting = (vectors != 0).any(axis=0)
    # glmnet does not look at columns whose coefficient is 0 at the penalty, and they have no row;
    # a level of that coefficient is known all the same, where a sample takes names apart.
    used = counting | (options.sample is not None)
    told = f"lambda is {chosen:.6g}; {int(counting.sum()):,} of {len(names):,} columns count there"
    columns = tuple(name for name, counts in zip(names, used, strict=True) if counts)
    made_up = names == [f"V{i + 1}" for i in range(len(names))]  # glmnet's own names of columns
    fitted = Fitted(
        [column(name) for name in columns], vectors[:, used].tolist(), (found @ shares).tolist()
    )
    return _make(
        "glmnet", answer, fitted, told,
        positional=tuple(names) if made_up else (), joined=() if made_up else columns,
        takes=("--lambda",),
    )  # fmt: skip


def _describe_path(kind: str, fields: Mapping[str, RValue]) -> Answer:
    """Return the categories and the link; the response itself has no name in the file."""
    levels = tuple(texts(fields.get("classnames")))
    if kind == "multnet":
        return Answer(levels, None)
    if kind == "mrelnet":
        return Answer(tuple(entries(fields.get("beta"))), "identity")
    two = levels if len(levels) == 2 else ("0", "1")
    if kind == "glmnetfit":
        return _describe(fields.get("family"), "response", two)
    family, link = _FAMILIES[kind]
    if family == "binomial":
        return answer_classes(two[0], two[1], link)
    return answer_number("response", link)


def _weigh_path(path: list[float], asked: str | None, penalty: float | None) -> tuple[Any, float]:
    """Return the share of each model of the path, and the penalty (glmnet, lambda.interp)."""
    if asked is None and len(path) == 1:
        return np.ones(1), path[0]
    if asked is None:
        what = f"a path of {len(path):,} models, lambda {path[0]:.4g} to {path[-1]:.4g}"
        raise Refusal(what, _HINT)
    if penalty is None:
        try:
            penalty = float(asked)
        except ValueError:
            known = ", ".join(f"{value:.4g}" for value in path[:3])
            what = f'--lambda "{asked}" is no number of its path'
            raise Refusal(what, f"such as {known}") from None
    if not penalty >= 0:
        raise Refusal(f"--lambda {asked} is below 0")
    shares = np.zeros(len(path))
    if len(path) == 1:
        shares[0] = 1
        return shares, penalty
    # Between two models R draws a line, beyond the ends it takes the last; in the same arithmetic.
    span = path[0] - path[-1]
    places = [(path[0] - value) / span for value in path]
    place = min(max((path[0] - penalty) / span, min(places)), max(places))
    right = next(i for i, value in enumerate(places) if value >= place)
    left = right if places[right] == place else right - 1
    share = 1.0 if left == right else (place - places[right]) / (places[left] - places[right])
    shares[right] = 1 - share
    shares[left] += share
    return shares, penalty


def _read_names(betas: list[RValue]) -> list[str]:
    names = attribute(betas[0], "Dimnames") if betas else None
    found = texts(names.values[0]) if isinstance(names, Vector) and names.values else []
    if not found:
        raise Refusal("its coefficients have no names")
    return found


def _read_sparse(beta: RValue, names: list[str], n_models: int) -> Any:
    """Return a `dgCMatrix` (Matrix) as a dense array, (n_features, n_models)."""
    if not isinstance(beta, Other) or first_text(attribute(beta, "class")) != "dgCMatrix":
        raise Refusal("its coefficients are in no sparse matrix")
    rows, starts = integers(attribute(beta, "i")), integers(attribute(beta, "p"))
    if integers(attribute(beta, "Dim")) != [len(names), n_models]:
        raise Refusal("its sparse matrix does not fit its names")
    values = np.array(finite(attribute(beta, "x")))
    turned = spread(values, np.array(rows, int), np.array(starts, int), n_models, len(names))
    return np.ascontiguousarray(turned.T)  # in the order in which products add up


_READERS: Mapping[tuple[str, ...], Callable[[RValue, ImportOptions], ImportedModel]] = {
    ("lm",): _read_lm,
    ("mlm", "lm"): _read_lm,
    ("aov", "lm"): _read_lm,
    ("rlm", "lm"): _read_lm,
    ("glm", "lm"): _read_glm,
    ("negbin", "glm", "lm"): _read_glm,
    ("multinom", "nnet"): _read_multinom,
    ("lda",): _read_lda,
    ("polr",): _read_polr,
    ("cv.glmnet",): _read_cross_validated,
    **{(kind, "glmnet"): _read_path for kind in _PATHS},
}
