"""What scores are of, by the names that R and PMML have for links: categories, link, threshold."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from matscore.models.refusal import Refusal
from matscore.models.types import Threshold
from matscore.options import Link


@dataclass(frozen=True)
class Answer:
    """What scores are of."""

    categories: tuple[str, ...]
    link: Link | None  # None: softmax
    facts: tuple[str, ...] = ()
    threshold: Threshold | None = None


_WORDS: Mapping[str, Link] = {
    "identity": "identity", "none": "identity", "log": "exp", "exp": "exp", "softmax": "logistic",
    "logit": "logistic", "probit": "probit", "cloglog": "cloglog",
}  # fmt: skip
# Other links name the column, as R names log(y): the scores are this function of what is predicted.
_SPELLED = {
    "inverse": "1/{}", "sqrt": "sqrt({})", "1/mu^2": "1/{}^2", "cauchit": "cauchit({})",
    "loglog": "loglog({})", "logc": "log(1 - {})",
}  # fmt: skip
_POWERS = {-2.0: "1/mu^2", -1.0: "inverse", 0.0: "log", 0.5: "sqrt", 1.0: "identity"}


def name_power(power: float) -> str:
    """Return the name of the link that is a power of what is predicted."""
    return _POWERS.get(power, f"mu^{power:g}")


def answer_number(target: str, link: str) -> Answer:
    """Return what the score of a number is that is predicted through a link."""
    if link in _WORDS:
        return Answer((target,), _WORDS[link])
    spelled = _SPELLED.get(link) or (link.replace("mu", "{}") if link.startswith("mu^") else "")
    if not spelled:
        raise Refusal(f'link "{link}" is not known', f"known are {', '.join((*_WORDS, *_SPELLED))}")
    name = spelled.format(target)
    return Answer((name,), "identity", (f'link "{link}": scores are {name}',))


def answer_classes(other: str, favoured: str, link: str) -> Answer:
    """Return what the score of the second of two classes is."""
    classes, facts = (other, favoured), (f'scores favour "{favoured}"',)
    no_word = f"link {link}: probabilities are not offered"
    match link:
        case "logit":
            return Answer(classes, None, facts)
        case "probit":
            return Answer(classes, "probit", facts)
        case "cloglog":
            return Answer(classes, "cloglog", facts, Threshold(0.5, "probability"))
        case "cauchit":
            return Answer(classes, "identity", (*facts, no_word))
        case "loglog":
            border = Threshold(-math.log(math.log(2)), "score")
            return Answer(classes, "identity", (*facts, no_word), border)
    found = answer_number(favoured, link)
    about = f'scores are of the probability of "{favoured}"'
    return Answer(found.categories, found.link, (about, *found.facts))
