"""Scores of PMML models: categories, link and threshold from the names that PMML has for links."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from matscore.links import Link
from matscore.models.algebra import Feature, constant
from matscore.models.pmml_xml import Element
from matscore.models.refusal import Refusal
from matscore.models.types import Threshold


@dataclass(frozen=True)
class Scores:
    """A score for each category; one for the second of two is 0 for the first."""

    categories: tuple[str, ...]
    features: tuple[Feature, ...]
    link: Link | None = None  # None: softmax
    facts: tuple[str, ...] = ()
    threshold: Threshold | None = None


_WORDS: Mapping[str, Link] = {
    "none": "identity",
    "identity": "identity",
    "exp": "exp",
    "log": "exp",
    "softmax": "logistic",
    "logit": "logistic",
    "probit": "probit",
    "cloglog": "cloglog",
}
# Other links name the column: their scores are this function of what is predicted.
_SPELLED = {"loglog": "loglog({})", "cauchit": "cauchit({})", "logc": "log(1 - {})"}
_POWERS = {-1.0: "1/{}", 0.5: "sqrt({})", -2.0: "1/{}^2"}


def score_regression(
    score: Feature, target: str, link: str, parameter: float | None = None
) -> Scores:
    """Return the score of a number that is predicted through a link."""
    if link == "power":
        if parameter is None:
            raise Refusal("link power without a linkParameter")
        link = {1.0: "identity", 0.0: "log"}.get(parameter, link)
    if link in _WORDS:
        return Scores((target,), (score,), _WORDS[link])
    if link not in _SPELLED and link != "power":
        raise Refusal(f"link {link} is not known")
    power = parameter or 0.0
    spelled = _SPELLED.get(link) or _POWERS.get(power, f"{{}}^{power:g}")
    name = spelled.format(target)
    return Scores((name,), (score,), "identity", (f"link {link}: scores are {name}",))


def score_binary(first: str, second: str, score: Feature, link: str) -> Scores:
    """Return the scores of two categories, of which the first has the probability of the score."""
    favours = f'the score favours "{first}"'
    if link in {"logit", "softmax"}:
        return Scores((first, second), (score, constant(0)), None, (favours,))
    if link in {"none", "identity"}:
        fact = f"scores are probabilities, which the tool cuts at 0 and 1; {favours}"
        return Scores((first, second), (score, 1 - score), "identity", (fact,))
    facts = (favours, f'a tie is "{first}" in the tool, "{second}" here')
    if link in {"probit", "cloglog"}:
        half = Threshold(0.5, "probability") if link == "cloglog" else None
        return Scores((second, first), (score,), _WORDS[link], facts, half)
    if link in {"loglog", "cauchit"}:
        no_word = f"link {link}: probabilities are not offered"
        half = Threshold(-math.log(math.log(2)), "score") if link == "loglog" else None
        return Scores((second, first), (score,), "identity", (*facts, no_word), half)
    raise Refusal(f"link {link} is not known for two categories")


def rescale(scores: Scores, model: Element, target: str) -> Scores:
    """Apply what the model's Targets do to a number that is predicted."""
    for one in model.only("Targets").find("Target"):
        if one.get("field") not in {"", target}:
            continue
        changing = [name for name in ("castInteger", "min", "max") if name in one.attributes]
        if changing:
            raise Refusal(f"its Target has {changing[0]}, which is no linear model")
        factor, shift = one.number("rescaleFactor", 1.0), one.number("rescaleConstant", 0.0)
        if (factor, shift) == (1, 0):
            continue
        if scores.link != "identity" or scores.categories != (target,):
            raise Refusal("its Target is rescaled behind a link")
        return replace(scores, features=(scores.features[0] * factor + shift,))
    return scores


def read_output(scores: Scores, model: Element) -> Scores:
    """Take a threshold from the model's Output, and say what else is computed there."""
    fields = model.only("Output").find("OutputField")
    shares = {f.need("name"): f.get("value") for f in fields if f.get("feature") == "probability"}
    facts, found = list(scores.facts), set[tuple[str, float]]()
    for one in (f for f in fields if f.get("feature") in {"transformedValue", "decision"}):
        borders = [pair for apply in one.walk() if (pair := _read_border(apply, shares))]
        found |= set(borders)
        if not borders and one.children:
            name = one.get("name")
            facts.append(f'output "{name}" is computed after the model, and is not taken over')
    if len(found) != 1 or len(scores.categories) != 2:
        return replace(scores, facts=tuple(facts))
    ((category, border),) = found
    if category not in scores.categories:
        raise Refusal(f'its Output has a probability of "{category}", which is no category')
    value = border if category == scores.categories[1] else 1 - border
    return replace(scores, facts=tuple(facts), threshold=Threshold(value, "probability"))


def _read_border(apply: Element, shares: Mapping[str, str]) -> tuple[str, float] | None:
    """Return a probability's category, and the constant that it is compared with."""
    refs = [one.get("field") for one in apply.find("FieldRef")]
    constants = apply.find("Constant")
    compares = {"greaterThan", "greaterOrEqual", "lessThan", "lessOrEqual", "threshold"}
    if apply.get("function") not in compares or len(refs) != 1 or len(constants) != 1:
        return None
    if refs[0] not in shares:
        return None
    border = Element("", {"border": constants[0].text}).number("border")
    return shares[refs[0]], border
