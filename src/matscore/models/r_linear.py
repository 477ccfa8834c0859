"""R's lm and glm, and what inherits from them and predicts alike."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from matscore.links import Link
from matscore.models.options import ImportOptions
from matscore.models.r_formula import fit_design, read_response
from matscore.models.r_values import (
    attribute,
    entries,
    finite_or_na,
    first_text,
    matrix_names,
    spell,
    texts,
)
from matscore.models.rds import Call, RValue, Vector
from matscore.models.refusal import Refusal
from matscore.models.types import ImportedModel

Reader = Callable[[RValue, str, ImportOptions], ImportedModel]

# What other links than these predict is a function of the response: it names the column, as R
# itself names log(y); its scores are R's predict() without type = "response".
_WORDS: Mapping[str, Link] = {"identity": "identity", "log": "exp"}
_BINARY: Mapping[str, Link | None] = {"logit": None, "probit": "probit", "cloglog": "cloglog"}
_SPELLED = {
    "inverse": "1/{}",
    "sqrt": "sqrt({})",
    "1/mu^2": "1/{}^2",
    "logit": "logit({})",
    "probit": "probit({})",
    "cloglog": "cloglog({})",
    "cauchit": "cauchit({})",
}


@dataclass(frozen=True)
class Answer:
    """What scores are of: categories, link and what is to be known."""

    categories: tuple[str, ...]
    link: Link | None  # None: softmax
    facts: tuple[str, ...] = ()


def describe(family: str, link: str, response: str, classes: tuple[str, str]) -> Answer:
    """Return what a family and link make of a linear predictor; `classes` are a binomial's."""
    if "binomial" in family and not family.startswith("Negative"):
        _, second = classes
        about = f'scores favour "{second}", as R models the second class'
        if link in _BINARY:
            facts = [about]
            if link == "cloglog":
                facts.append("a score of 0 is a probability of 0.63; R gives no labels")
            return Answer(classes, _BINARY[link], tuple(facts))
        if link == "cauchit":
            no_word = "link cauchit: labels are right, probabilities are not offered"
            return Answer(classes, "identity", (about, no_word))
        response = second
        if link in _WORDS:
            return Answer(
                (second,), _WORDS[link], (f'scores are of the probability of "{second}"',)
            )
    if link in _WORDS:
        return Answer((response,), _WORDS[link])
    spelled = _SPELLED.get(link, "").format(response)
    if re.fullmatch(r"mu\^-?[0-9.]+", link):
        spelled = link.replace("mu", response)
    if not spelled:
        raise Refusal(f'link "{link}" is not known', f"known are {', '.join([*_WORDS, *_SPELLED])}")
    return Answer((spelled,), "identity", (f'link "{link}": scores are {spelled}',))


def _read_offset(fields: Mapping[str, RValue]) -> tuple[RValue, ...]:
    """Return the offset given beside the formula, as an expression of columns."""
    call = fields.get("call")
    offset = dict(call.arguments).get("offset") if isinstance(call, Call) else None
    return () if offset is None else (offset,)


def _read_lm(model: RValue, producer: str, _: ImportOptions) -> ImportedModel:
    fields = entries(model)
    coefficients = fields.get("coefficients")
    names, responses = texts(attribute(coefficients, "names")), [spell(read_response(model))]
    if attribute(coefficients, "dim") is not None:
        names, responses = matrix_names(coefficients)
    return _make(model, producer, names, Answer(tuple(responses), "identity"))


def _read_glm(model: RValue, producer: str, _: ImportOptions) -> ImportedModel:
    fields = entries(model)
    family = entries(fields.get("family"))
    response = read_response(model)
    answer = describe(
        first_text(family.get("family")), first_text(family.get("link")),
        spell(response), _read_classes(fields, response),
    )  # fmt: skip
    names = texts(attribute(fields.get("coefficients"), "names"))
    return _make(model, producer, names, answer)


def _make(model: RValue, producer: str, names: list[str], answer: Answer) -> ImportedModel:
    fields = entries(model)
    values = finite_or_na(fields.get("coefficients"))
    n = len(names)
    if not n or len(values) % n:
        raise Refusal("its coefficients do not fit their names")
    vectors = [values[i : i + n] for i in range(0, len(values), n)]
    fitted = fit_design(model, names, vectors, *_read_offset(fields))
    aliased = [name for i, name in enumerate(names) if any(v[i] is None for v in vectors)]
    facts = (f"NA in R, which counts as 0: {', '.join(aliased[:5])}",) if aliased else ()
    return ImportedModel(
        producer, first_text(attribute(model, "class")), answer.categories,
        fitted.features, fitted.coefficients, fitted.intercept,
        link=answer.link, steps=fitted.steps, facts=answer.facts + facts,
    )  # fmt: skip


def _read_classes(fields: Mapping[str, RValue], response: RValue) -> tuple[str, str]:
    """Return the names of failure and success, of the response that R kept or its expression."""
    data = next(iter(entries(fields.get("model")).values()), None)
    levels = texts(attribute(data, "levels"))
    if len(levels) == 2:
        return levels[0], levels[1]
    if len(levels) > 2:  # all but the first are a success
        return levels[0], f"not {levels[0]}"
    if isinstance(data, Vector) and data.kind == "logical":
        return "FALSE", "TRUE"
    if isinstance(response, Call) and spell(response.function) == "cbind":
        names = [key or spell(part) for key, part in response.arguments]
        if len(names) == 2 and all(re.fullmatch(r"[\w.]+", name) for name in names):
            return names[1], names[0]  # R's order is success, failure
    return "0", "1"


READERS: Mapping[tuple[str, ...], Reader] = {
    ("lm",): _read_lm,
    ("mlm", "lm"): _read_lm,
    ("aov", "lm"): _read_lm,
    ("rlm", "lm"): _read_lm,
    ("glm", "lm"): _read_glm,
    ("negbin", "glm", "lm"): _read_glm,
}
