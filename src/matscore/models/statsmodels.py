"""Results of statsmodels as they were pickled: OLS, GLM, Logit, Probit, MNLogit, counts."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from matscore.links import Link
from matscore.models.algebra import Feature, column, constant
from matscore.models.formulas import CONSTANTS, Design, read_expression, split_name
from matscore.models.frames import Frame
from matscore.models.records import Array, Record, array, plain
from matscore.models.refusal import Refusal, in_step
from matscore.models.steps import as_numbers
from matscore.models.types import ImportedModel

_COUNTS = ("Poisson", "GeneralizedPoisson", "NegativeBinomial", "NegativeBinomialP")
_PLAIN = ("OLS", "WLS", "GLS", "GLSAR", "RLM", "QuantReg")
_OF_FAMILY = ("GLM", "GEE")
_LINKS: Mapping[str, Link | None] = {
    "identity": "identity", "log": "exp", "logit": None, "probit": "probit", "cloglog": "cloglog",
}  # fmt: skip
_SAVE = "save the whole results, or import a table of its coefficients with --sample"


def is_results(record: Record) -> bool:
    """Whether a record is of statsmodels."""
    return record.is_of("statsmodels")


def read_results(record: Record) -> ImportedModel:
    """Return the linear model that fitted results are."""
    results = _inside(record, "_results") if record.name.endswith("Wrapper") else record
    model = _inside(results, "model")
    kind = model.name
    with in_step("model", kind):
        categories, link = _answers(model)
        params = as_numbers(results.attributes.get("params"), "params")
        facts: list[str] = []
        features, is_known = _features(model, facts)
        matrix = _vectors(kind, params, len(features))
        if _any(model, "offset") or _any(model, "exposure"):
            facts.append("its offset or exposure is no part of the weights")
    if kind == "MNLogit":
        matrix = np.vstack([np.zeros(len(features)), matrix])
    return ImportedModel(
        producer="statsmodels",
        kind=kind,
        categories=categories,
        features=features,
        coefficients=matrix,
        intercept=[0] * len(matrix),
        link=link,
        steps=_formula(model),
        facts=tuple(facts),
        positional=() if is_known else tuple(f"x{i}" for i in range(len(features))),
    )


def _inside(record: Record, name: str) -> Record:
    found = record.attributes.get(name)
    if not isinstance(found, Record):
        raise Refusal(f"it holds no fitted results: {name} is missing")
    return found


def _any(model: Record, name: str) -> bool:
    value = plain(model.attributes.get(name))
    return value is not None and bool(np.any(as_numbers(value, name)))


def _formula(model: Record) -> tuple[str, ...]:
    formula = model.attributes.get("formula")
    return (f"formula {formula}",) if isinstance(formula, str) else ()


def _vectors(kind: str, params: Array, n_features: int) -> Array:
    """Return coefficients of shape (n_vectors, n_features); others than of features go."""
    matrix = params.T if params.ndim == 2 else params[None, :]
    n_others = matrix.shape[1] - n_features
    # Behind the coefficients stands the dispersion, which moves no prediction.
    if n_others == 1 and kind in _COUNTS[1:]:
        matrix = matrix[:, :n_features]
    elif n_others:
        raise Refusal(f"it has {matrix.shape[1]} parameters for {n_features} columns")
    return matrix


# ------------------------------------------------------------------------------------------ answers


def _answers(model: Record) -> tuple[tuple[str, ...], Link | None]:
    """Return the categories of a model and its link."""
    kind = model.name
    if kind in _PLAIN:
        return (_target(model),), "identity"
    if kind in _COUNTS:
        return (_target(model),), "exp"
    if kind in ("Logit", "Probit"):
        return ("0", "1"), "probit" if kind == "Probit" else None
    if kind == "MNLogit":
        names = model.attributes.get("_ynames_map")
        if not isinstance(names, dict):
            raise Refusal("the names of its categories are missing")
        codes = sorted(plain(code) for code in names)
        by_code = {plain(code): str(plain(name)) for code, name in names.items()}
        return tuple(_level_of(by_code[code]) for code in codes), None
    if kind in _OF_FAMILY:
        return _answers_of_family(model)
    raise Refusal("it is not linear, or not known", "page import.md lists what is imported")


def _answers_of_family(model: Record) -> tuple[tuple[str, ...], Link | None]:
    family = _inside(model, "family")
    link = family.attributes.get("_link", family.attributes.get("link"))
    name = link.name.lower() if isinstance(link, Record) else "?"
    if name == "power" and isinstance(link, Record):
        power = plain(link.attributes.get("power"))
        name = {1.0: "identity", 0.0: "log"}.get(power, name)
    if name not in _LINKS:
        raise Refusal(f"its link {name} is none that a weights file can have")
    if family.name != "Binomial":
        if _LINKS[name] in (None, "probit", "cloglog"):
            raise Refusal(f"the link {name} of the family {family.name} is not imported")
        return (_target(model),), _LINKS[name]
    names = _target_names(model)
    # Of two columns, the first counts what the probability is of.
    classes = (_level_of(names[1]), _level_of(names[0])) if len(names) == 2 else ("0", "1")
    return classes, _LINKS[name]


def _level_of(name: str) -> str:
    """Return the level of a name such as ``y[yes]``."""
    match = re.fullmatch(r".+?\[(?:T\.)?(.*)\]", name, re.DOTALL)
    return name if match is None else match[1]


def _target(model: Record) -> str:
    names = _target_names(model)
    return names[0] if names else "y"


def _target_names(model: Record) -> list[str]:
    """Return the names of what is predicted."""
    data = _inside(model, "data").attributes
    cache = data.get("_cache")
    found = cache.get("ynames") if isinstance(cache, dict) else None
    if isinstance(found, str):
        return [found]
    if isinstance(found, list | tuple):
        return [str(plain(name)) for name in found]
    endog = _unwrap(data.get("orig_endog"))
    if isinstance(endog, Record) and endog.name == "DataFrame":
        return [str(name) for name in Frame(endog).names]
    if isinstance(endog, Record) and isinstance(endog.attributes.get("_name"), str):
        return [endog.attributes["_name"]]
    return []


# ----------------------------------------------------------------------------------------- features


def _features(model: Record, facts: list[str]) -> tuple[list[Feature], bool]:
    """Return the columns of the design as features, and whether their names are known."""
    data = _inside(model, "data").attributes
    names = _names(data)
    has_formula = isinstance(data.get("formula", model.attributes.get("formula")), str)
    matrix = data.get("exog", model.attributes.get("exog"))
    exog = None if matrix is None else as_numbers(matrix, "exog")
    if exog is not None and exog.ndim != 2:
        raise Refusal("its exog is no matrix")
    if names is None:
        if has_formula:
            raise Refusal("the names of its columns went with remove_data", _SAVE)
        return _by_position(data, exog), False
    if exog is not None and exog.shape[1] != len(names):
        raise Refusal(f"it has {len(names)} names for {exog.shape[1]} columns")
    if not has_formula:
        index = plain(data.get("const_idx"))
        return [
            _constant_of(exog, i) if i == index or name in CONSTANTS[:2] else column(name)
            for i, name in enumerate(names)
        ], True
    frame = data.get("frame")
    if isinstance(frame, Record) and exog is not None:
        dropped = data.get("missing_row_idx")
        rows = [plain(row) for row in array(dropped).tolist()] if dropped is not None else []
        if not all(type(row) is int for row in rows):
            raise Refusal("its missing_row_idx are no numbers")
        design = Design(Frame(frame, rows), exog, names)
        return [design.read(name) for name in names], True
    facts.append("its data went with remove_data: names were read as the formula has them")
    return [_read_alone(name) for name in names], True


def _names(data: Mapping[str, Any]) -> list[str] | None:
    exog = _unwrap(data.get("orig_exog"))
    if isinstance(exog, Record) and exog.name == "DataFrame":
        return [str(name) for name in Frame(exog).names]
    cache = data.get("_cache")
    found = cache.get("xnames") if isinstance(cache, dict) else None
    if not isinstance(found, list | tuple):
        return None
    names = [str(plain(name)) for name in found]
    return names[:-1] if names[-1:] == ["alpha"] else names  # the dispersion of counts


def _unwrap(matrix: Any) -> Any:
    """Return the frame in a matrix of formulaic."""
    is_wrapped = isinstance(matrix, Record) and matrix.name == "ModelMatrix" and matrix.args
    return matrix.args[0] if is_wrapped else matrix


def _by_position(data: Mapping[str, Any], exog: Array | None) -> list[Feature]:
    """Return columns of a plain array, by names that say their place."""
    index = plain(data.get("const_idx"))
    if exog is None:
        raise Refusal("the names of its columns went with remove_data", _SAVE)
    places = range(exog.shape[1])
    return [_constant_of(exog, i) if i == index else column(f"x{i}") for i in places]


def _constant_of(exog: Array | None, i: int) -> Feature:
    """Return the number that stands in a column of a constant."""
    if exog is None:
        return constant(1)
    values = exog[:, i]
    if not len(values) or (values != values[0]).any():
        raise Refusal(f"its column {i + 1} is no constant")
    return constant(float(values[0]))


def _read_alone(name: str) -> Feature:
    found = constant(1)
    parts: Sequence[str] = split_name(name)
    for part in parts:
        if part.endswith("]") or ")." in part:
            raise Refusal(f'the levels of its column "{name}" went with remove_data', _SAVE)
        found = found * read_expression(part)
    return found
