"""R's glmnet and cv.glmnet: one model of their path, on the columns of the matrix it was fitted to.

Columns whose coefficient is 0 at the penalty have no row: glmnet does not look at them either.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from matscore.models.algebra import column
from matscore.models.options import ImportOptions
from matscore.models.r_linear import Answer, describe
from matscore.models.r_values import (
    attribute,
    classes,
    entries,
    finite,
    first_number,
    first_text,
    integers,
    matrix,
    texts,
)
from matscore.models.rds import Other, RValue, Vector
from matscore.models.refusal import Refusal
from matscore.models.types import ImportedModel

Reader = Callable[[RValue, str, ImportOptions], ImportedModel]
_NAMED = ("lambda.min", "lambda.1se")
_HINT = "name one with --lambda"


def _read_cross_validated(model: RValue, producer: str, options: ImportOptions) -> ImportedModel:
    fields = entries(model)
    known = {name: first_number(fields.get(name)) for name in _NAMED}
    if options.lambda_ is None:
        told = " and ".join(f"{name} ({value:.4g})" for name, value in known.items())
        raise Refusal(f"a path of models, of which {told} are marked", _HINT)
    return _read_path(fields.get("glmnet.fit"), producer, options, known.get(options.lambda_))


def _read_path(
    model: RValue, producer: str, options: ImportOptions, penalty: float | None = None
) -> ImportedModel:
    kind = classes(model)
    fields = entries(model)
    if kind[-1:] != ["glmnet"] or len(kind) != 2 or kind[0] not in _KINDS:
        raise Refusal(
            f'an R object of class "{" ".join(kind)}"', "relaxed and Cox paths are not linear here"
        )
    offset = fields.get("offset")
    if isinstance(offset, Vector) and any(finite(offset)):
        raise Refusal("it was fitted with an offset, of which it keeps no name", "leave it out")
    path = finite(fields.get("lambda"))
    shares, chosen = _weigh_path(path, options.lambda_, penalty)
    answer = _describe(kind[0], fields)
    betas = fields.get("beta")
    parts = list(entries(betas).values()) if kind[0] in {"multnet", "mrelnet"} else [betas]
    if not parts:
        raise Refusal("it has no coefficients")
    names = _read_names(parts[0])
    vectors = np.array([_read_sparse(part, names, len(path)) @ shares for part in parts])
    starts = _read_starts(fields.get("a0"), len(parts), len(path)) @ shares
    counting = (vectors != 0).any(axis=0)
    # A level of coefficient 0 is known all the same, where a sample takes names apart.
    used = counting | (options.sample is not None)
    facts = (
        f"lambda is {chosen:.6g}; {int(counting.sum()):,} of {len(names):,} columns count there",
        *answer.facts,
    )
    columns = tuple(name for name, counts in zip(names, used, strict=True) if counts)
    made_up = names == [f"V{i + 1}" for i in range(len(names))]  # glmnet's own names of columns
    return ImportedModel(
        producer, "glmnet", answer.categories, [column(name) for name in columns],
        vectors[:, used], starts.tolist(), link=answer.link, facts=facts,
        positional=tuple(names) if made_up else (), joined=() if made_up else columns,
    )  # fmt: skip


def _describe(kind: str, fields: Mapping[str, RValue]) -> Answer:
    """Return the categories and the link; the response itself has no name in the file."""
    levels = tuple(texts(fields.get("classnames")))
    if kind == "multnet":
        return Answer(levels, None)
    if kind == "mrelnet":
        return Answer(tuple(entries(fields.get("beta"))), "identity")
    family, link = {
        "elnet": ("gaussian", "identity"),
        "lognet": ("binomial", "logit"),
        "fishnet": ("poisson", "log"),
    }.get(kind, ("", ""))
    if kind == "glmnetfit":
        held = entries(fields.get("family"))
        family, link = first_text(held.get("family")), first_text(held.get("link"))
    two = (levels[0], levels[1]) if len(levels) == 2 else ("0", "1")
    return describe(family, link, "response", two)


def _weigh_path(path: list[float], asked: str | None, penalty: float | None) -> tuple[Any, float]:
    """Return the share of each model of the path, and the penalty (glmnet, lambda.interp)."""
    if asked is None and len(path) == 1:
        return np.ones(1), path[0]
    if asked is None:
        raise Refusal(
            f"a path of {len(path):,} models, lambda {path[0]:.4g} to {path[-1]:.4g}", _HINT
        )
    if penalty is None:
        try:
            penalty = float(asked)
        except ValueError:
            known = ", ".join(f"{value:.4g}" for value in path[:3])
            raise Refusal(
                f'--lambda "{asked}" is no number of its path', f"such as {known}"
            ) from None
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


def _read_names(beta: RValue) -> list[str]:
    names = attribute(beta, "Dimnames")
    found = texts(names.values[0]) if isinstance(names, Vector) and names.values else []
    if not found:
        raise Refusal("its coefficients have no names")
    return found


def _read_sparse(beta: RValue, names: list[str], n_models: int) -> Any:
    """Return a `dgCMatrix` (Matrix) as a dense array, (n_features, n_models)."""
    if not isinstance(beta, Other) or first_text(attribute(beta, "class")) != "dgCMatrix":
        raise Refusal("its coefficients are in no sparse matrix")
    rows, starts = integers(attribute(beta, "i")), integers(attribute(beta, "p"))
    values, shape = finite(attribute(beta, "x")), integers(attribute(beta, "Dim"))
    fits = shape == [len(names), n_models] and len(starts) == n_models + 1
    if not fits or len(rows) != len(values) or starts[0] or starts[-1] != len(values):
        raise Refusal("its sparse matrix does not fit its names")
    if sorted(starts) != starts or not all(0 <= row < len(names) for row in rows):
        raise Refusal("its sparse matrix points past its end")
    dense = np.zeros((len(names), n_models))
    columns = np.repeat(np.arange(n_models), np.diff(starts))
    np.add.at(dense, (np.array(rows, int), columns), values)
    return dense


def _read_starts(a0: RValue, n_vectors: int, n_models: int) -> Any:
    is_matrix = attribute(a0, "dim") is not None
    found = matrix(a0) if is_matrix else np.array(finite(a0))[None, :]
    if found.shape != (n_vectors, n_models):
        raise Refusal("its intercepts do not fit its path")
    return found


_KINDS = ("elnet", "lognet", "fishnet", "multnet", "mrelnet", "glmnetfit")
READERS: Mapping[tuple[str, ...], Reader] = {
    ("cv.glmnet",): _read_cross_validated,
    **{(kind, "glmnet"): _read_path for kind in _KINDS},
}
