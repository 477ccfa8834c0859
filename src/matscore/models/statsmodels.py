"""Results of statsmodels as they were pickled: OLS, GLM, Logit, Probit, MNLogit, counts."""

from __future__ import annotations

import re
from typing import Literal

import numpy as np

from matscore.models.algebra import Feature, column, constant
from matscore.models.bounds import Refusal, in_step
from matscore.models.formulas import CONSTANTS, Design, Frame, read_expression, split_name
from matscore.models.records import Array, Record, plain
from matscore.models.steps import Step, Walk, as_numbers
from matscore.models.transformers import HINT
from matscore.models.types import (
    LINKS,
    OF_STATSMODELS,
    Answer,
    ImportedModel,
    answer_number,
    name_power,
)

_WITH_DISPERSION = ("GeneralizedPoisson", "NegativeBinomial", "NegativeBinomialP")
_SAVE = "save the whole results, or import a table of its coefficients with --sample"


def read_results(record: Record) -> ImportedModel:
    """Return the linear model that fitted results are."""
    results = Step(record, Walk())
    if record.name.endswith("Wrapper"):
        results = _inside(results, "_results")
    model = _inside(results, "model")
    data, kind = _inside(model, "data"), model.kind
    with in_step("model", kind):
        answer = _find_answer(model, data)
        features, is_known = _make_features(model, data)
        params = as_numbers(results.need("params"), "params")
        if params.ndim not in (1, 2):
            raise Refusal("its params are no table")
        matrix = np.atleast_2d(params.T)
        # Behind the coefficients stands the dispersion, which moves no prediction.
        if kind in _WITH_DISPERSION and matrix.shape[1] == len(features) + 1:
            matrix = matrix[:, :-1]
        if matrix.shape[1] != len(features):
            raise Refusal(f"it has {matrix.shape[1]} parameters for {len(features)} columns")
        for name in ("offset", "exposure"):
            if model.has(name) and np.any(as_numbers(model.get(name), name)):
                model.walk.say("its offset or exposure is no part of the weights")
    if kind == "MNLogit":
        matrix = np.vstack([np.zeros(len(features)), matrix])
    formula = model.get("formula")
    return ImportedModel(
        producer="statsmodels",
        kind=kind,
        categories=answer.categories,
        features=features,
        coefficients=matrix,
        intercept=[0] * len(matrix),
        link=answer.link,
        steps=(f"formula {formula}",) if isinstance(formula, str) else (),
        facts=(*answer.facts, *model.walk.facts),
        positional=() if is_known else tuple(f"x{i}" for i in range(len(features))),
    )


def _inside(step: Step, name: str) -> Step:
    if not isinstance(step.get(name), Record):
        raise Refusal(f"it holds no fitted results: {name} is missing")
    return step.child(name)


# ------------------------------------------------------------------------------------------ answers


def _find_answer(model: Step, data: Step) -> Answer:
    if model.kind == "MNLogit":
        names = model.get("_ynames_map")
        pairs = names.items() if isinstance(names, dict) else ()
        by_code = {plain(code): _level_of(str(plain(name))) for code, name in pairs}
        if not by_code or not all(isinstance(code, int | float) for code in by_code):
            raise Refusal("the names of its categories are missing")
        return Answer(tuple(by_code[code] for code in sorted(by_code)), None)
    names = _find_names(data, "y") or []
    target = names[0] if names else "y"
    if model.kind in ("GLM", "GEE"):
        family = _inside(model, "family")
        link = _name_link(_inside(family, "_link" if family.has("_link") else "link"))
        if family.kind != "Binomial":
            answer = answer_number(target, link)
            if answer.link not in ("identity", "exp"):
                raise Refusal(f"its link, of the family {family.kind}, is not imported")
            return answer
        if link not in LINKS:
            raise Refusal(f"its link {link} is none that a weights file can have")
        # Of two columns, the first counts what the probability is of.
        two = (_level_of(names[1]), _level_of(names[0])) if len(names) == 2 else ("0", "1")
        return Answer(two, LINKS[link])
    if model.kind.casefold() not in OF_STATSMODELS:
        raise Refusal("it is not linear, or not known", HINT)
    categories = ("0", "1") if model.kind in ("Logit", "Probit") else (target,)
    return Answer(categories, LINKS[OF_STATSMODELS[model.kind.casefold()]])


def _name_link(link: Step) -> str:
    if link.has("power"):
        return name_power(link.number("power"))
    return {"cauchy": "cauchit"}.get(name := link.kind.lower(), name)


def _level_of(name: str) -> str:
    """Return the level of a name such as ``y[yes]``."""
    match = re.fullmatch(r".+?\[(?:T\.)?(.*)\]", name, re.DOTALL)
    return name if match is None else match[1]


def _find_names(data: Step, which: Literal["x", "y"]) -> list[str] | None:
    """Return the names of the columns, or of what is predicted, as the cache or the data has them.

    The cache of counts names the dispersion too, behind the columns.
    """
    cache = data.get("_cache")
    found = cache.get(f"{which}names") if isinstance(cache, dict) else None
    if isinstance(found, list | tuple):
        names = [str(plain(name)) for name in found]
        return names[:-1] if which == "x" and names[-1:] == ["alpha"] else names
    if not isinstance(found, str):
        matrix = data.get({"x": "orig_exog", "y": "orig_endog"}[which])
        if isinstance(matrix, Record) and matrix.name == "ModelMatrix" and matrix.args:
            matrix = matrix.args[0]  # formulaic's, around a frame
        if isinstance(matrix, Record) and matrix.name == "DataFrame":
            return [str(name) for name in Frame(matrix).names]
        found = matrix.attributes.get("_name") if isinstance(matrix, Record) else None
    return [found] if isinstance(found, str) else None


# ----------------------------------------------------------------------------------------- features


def _make_features(model: Step, data: Step) -> tuple[list[Feature], bool]:
    """Return the columns of the design as features, and whether their names are known."""
    names = _find_names(data, "x")
    has_formula = isinstance(data.get("formula", model.get("formula")), str)
    matrix = data.get("exog", model.get("exog"))
    exog = None if matrix is None else as_numbers(matrix, "exog")
    n_columns = -1 if exog is None or exog.ndim != 2 else exog.shape[1]
    if names is None and (has_formula or n_columns < 0):
        raise Refusal("the names of its columns went with remove_data", _SAVE)
    if exog is not None and n_columns != (n_columns if names is None else len(names)):
        raise Refusal(f"its names are not as many as its {n_columns} columns")
    if names is None or not has_formula:
        index = str(data.get("const_idx"))
        known = names or [f"x{i}" for i in range(n_columns)]
        features = [
            _constant_of(exog, i) if str(i) == index or name in CONSTANTS[:2] else column(name)
            for i, name in enumerate(known)
        ]
        return features, names is not None
    frame = data.get("frame")
    if isinstance(frame, Record) and exog is not None:
        dropped = data.items("missing_row_idx") if data.has("missing_row_idx") else []
        if not all(type(row) is int for row in dropped):
            raise Refusal("its missing_row_idx are no numbers")
        design = Design(Frame(frame, dropped), exog, names)
        return [design.read(name) for name in names], True
    model.walk.say("its data went with remove_data: names were read as the formula has them")
    return [_read_alone(name) for name in names], True


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
    for part in split_name(name):
        if part.endswith("]") or ")." in part:
            raise Refusal(f'the levels of its column "{name}" went with remove_data', _SAVE)
        found = found * read_expression(part)
    return found
