"""The headings that tools give to coefficients, and to what stands beside them and is none.

R, broom, statsmodels, SAS, SPSS, Stata, H2O, BigQuery, JMP and glmnet are known. A matrix whose
columns are a coefficient and its error is no model of two categories.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

COEFFICIENTS = frozenset({
    "estimate", "estimates", "coef", "coef.", "coefs", "coefficient", "coefficients", "weight",
    "weights", "b", "param", "params", "parameter estimate", "coefs.", "category_weights.weight",
})  # fmt: skip
CLASSES = frozenset({"y.level", "y_level", "class", "category", "response", "outcome", "equation"})

# Headings that no category has: errors, statistics, p-values, intervals, ratios, other scalings.
_STATISTIC = re.compile(
    r"(std|standard|s)[ ._]*err(or)?s?\.?|s\.e\.?|(std_?error|stderr|robust)[ ._]?.*|statistics?"
    r"|[tz][ ._]?(value|stat(istic)?|ratio)s?|p[ ._-]?values?|p[ ._]?>[ ._]?\|?[tz]\|?"
    r"|pr(ob)?[ ._]*(\(?[>|]|\.\.).*|prob(t|z|f|chisq)|sig\.|wald[ ._]*(chi|stat|z).*|waldchisq"
    r"|chi([ ._-]?sq.*|2)|\[?[\d.]+ ?%.*|\[0?\.[\d]+|0?\.[\d]+\]|interval\]"
    r"|(conf|ci)[ ._]*(low|high|upper|int|lim).*|(lower|upper|min|max)[ ._]*(95|90|99|ci|cl|conf).*"
    r"|exp ?\((b|beta|coefs?|estimate)\)|(odds|hazard)[ ._]?ratio.*|standardi[sz]ed.*"
    r"|std[ ._]?(coef|estimate|beta).*|stb|dev\.ratio"
)
# Further ones that a table of one coefficient may have, and that may be categories elsewhere.
_BESIDE = re.compile(
    r"(std|standard|s)\.?[ ._]?(err(or)?|e)?\.?|se|[tz]|p|pr.*|prob.*|sig\.?|wald.*|chi.*|df|vif"
    r"|\[?[\d.]+%?\]?|(conf|ci).*|(lower|upper|low|high).*|exp\(.*\)|odds.*|beta"
    r"|[ohr]r|i?rrr?|(risk|rate)[ ._]?ratio.*|step|lambda|.*importance|n|count|sign|rank"
)
_PATH_STEPS = 3  # of glmnet, whose columns are s0, s1, …: fewer may be names of somebody


class Statistics(NamedTuple):
    """Columns of weights that are no categories beside each other."""

    keep: tuple[str, ...]  # of which one may be the coefficient
    beside: tuple[str, ...]


def is_beside(heading: str) -> bool:
    """Say whether a heading is of what stands beside a coefficient, in a table that has one."""
    word = heading.strip().casefold()
    return bool(_STATISTIC.fullmatch(word) or _BESIDE.fullmatch(word))


def find_statistics(names: Sequence[str]) -> Statistics | None:
    """Return what is a coefficient and what stands beside it; None where no column does."""
    words = {name: name.strip().casefold() for name in names}
    if len(names) >= _PATH_STEPS and list(names) == [f"s{i}" for i in range(len(names))]:
        return Statistics((names[-1],), tuple(names[:-1]))
    known = [name for name, word in words.items() if word in COEFFICIENTS]
    sure = [name for name, word in words.items() if _STATISTIC.fullmatch(word)]
    beside = [name for name in names if name not in known and is_beside(name)]
    # Without a sure one, all must be known; "b" alone is a name as any other.
    telling = {words[name] for name in known} - {"b"} or "beta" in words.values()
    # An interval has two ends: one share is a name as any other.
    if len(sure) == 1 and not telling and "%" in sure[0]:
        return None
    if not (sure or (beside and telling and len(known) + len(beside) == len(names))):
        return None
    if len(names) == len(beside):
        keep = [name for name in beside if words[name] == "beta"]
        if not keep:  # nothing that they would stand beside
            return None
        return Statistics(tuple(keep), tuple(n for n in names if n not in keep))
    rest = known or [name for name in names if name not in beside]
    return Statistics(tuple(rest), tuple(name for name in names if name not in rest))
