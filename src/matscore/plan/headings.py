"""What the headings of weights say: a link in the corner cell, columns that are no categories.

A word in the corner names the link, as in ``feature (probit)``. Of tables of coefficients those of
R, broom, statsmodels, SAS, SPSS, Stata, H2O, BigQuery, JMP and glmnet are known: a matrix whose
columns are a coefficient and its error is no model of two categories.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple, get_args

from matscore.names import MAX_SHOWN, is_intercept, quote_name, quote_names, write_choice
from matscore.options import Link
from matscore.plan.labels import is_label_heading
from matscore.plan.types import Axis, Misfit, Plan, Side

COEFFICIENTS = frozenset({
    "estimate", "estimates", "coef", "coef.", "coefs", "coefficient", "coefficients", "weight",
    "weights", "b", "param", "params", "parameter estimate", "coefs.", "category_weights.weight",
})  # fmt: skip
CLASSES = frozenset({"y.level", "y_level", "class", "category", "response", "outcome", "equation"})

LINKS: tuple[Link, ...] = get_args(Link)
_CORNER = re.compile(r"(.*?)\s*\(([^()]*)\)\s*", re.DOTALL)
# What others call them.
SYNONYMS = {
    "logit": "logistic", "sigmoid": "logistic", "binomial": "logistic",
    "log": "exp", "poisson": "exp", "gamma": "exp",
    "linear": "identity", "none": "identity", "gaussian": "identity",
    "ovr": "one-vs-rest", "ova": "one-vs-rest", "oaa": "one-vs-rest", "one-vs-all": "one-vs-rest",
    "complementary log-log": "cloglog", "normal": "probit",
}  # fmt: skip
# Links of other tools that none of these is, however alike the words are.
_OTHER_LINKS = re.compile(r"(neg(ative)?|n)?loglog|cauchit|logc|robit|scobit|tobit")

_LONG_KEYS = frozenset({"category", "class", "ylevel", "outcome", "feature", "term", "variable"})
_LONG_VALUES = frozenset({
    "weight", "value", "estimate", "coef", "coefficient", "coefficients", "beta",
})  # fmt: skip
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
_WIDEST_TABLE = 200  # of statistics, or of steps on a path of penalties


def drop_link(side: Side) -> Side:
    """Return weights whose first heading, where it has a link behind it, is without that."""
    heading, link = _find_link(side.names[0] if side.names else "")
    if link is None or not is_label_heading(heading):
        return side
    names, record = side.names or (), side.first_record
    record = None if record is None else (heading, *record[1:])
    return replace(side, names=(heading, *names[1:]), first_record=record)


def set_link(plan: Plan) -> Plan:
    """Return a plan that fits with the link in its weights' corner; with a problem, if unknown."""
    side, corner = plan.weights, plan.weights.corner
    if not corner and side.names and plan.weights_label_column:
        corner = side.names[0]
    heading, word = _find_link(corner)
    if word is None:
        return plan
    link = next((known for known in LINKS if known == word), None)  # of the type `Link`
    if link is not None and is_label_heading(heading):
        fact = f"the link of {side.path} is {link}"
        if link == "cloglog":  # 1 - exp(-exp(0)) is 0.63
            fact += ": the prediction is the best score, which may be less likely than another"
        return replace(plan, link=link, facts=(*plan.facts, fact))
    where = f"{quote_name(corner)} in the corner of {side.path}"
    if link is not None:
        hint = f'write "feature ({link})" if it is, and no parentheses if it is not'
        return replace(plan, problem=f"cannot tell whether {where} names a link", hint=hint)
    hint = f"{_suggest_link(word)}the links are {', '.join(LINKS)}"
    return replace(plan, problem=f"{where} names no link: {quote_name(word)}", hint=hint)


def _suggest_link(word: str) -> str:
    if word == "softmax":
        return "leave it out, as without a link it is the softmax; "
    if _OTHER_LINKS.fullmatch(re.sub(r"[^a-z]", "", word)):
        return ""
    from matscore.spelling import find_close  # which only a refusal needs

    close = (SYNONYMS.get(word), *find_close([word], LINKS)[0].close)
    return next((f"did you mean {quote_name(one)}; " for one in close if one), "")


def _find_link(corner: str) -> tuple[str, str | None]:
    """Split a corner cell into heading and link; None where it has none and is meant to have none.

    A heading of the user's own may have any words in parentheses, but a link's; a blank one, too.
    """
    found = None if is_intercept(corner) else _CORNER.fullmatch(corner)
    if found is None:
        return corner, None
    heading, word = found[1], found[2].strip().casefold()
    usual = heading.strip() != "" and is_label_heading(heading)
    return (heading, word) if usual or word in LINKS else (corner, None)


class Statistics(NamedTuple):
    """Columns of weights that are no categories beside each other."""

    keep: tuple[str, ...]  # of which one may be the coefficient
    beside: tuple[str, ...]


def check_table(plan: Plan, table: Axis, others: Axis) -> None:
    """Refuse a table of coefficients that is no matrix, unless its columns are features.

    `others` are the categories: columns of the weights, or rows where they are transposed.
    """
    names, side, words = others.names or (), plan.weights, plan.options.words
    if side.wanted or any(name in table.places for name in names):
        return
    if telling := find_long_form(names, side.names[0] if side.names else ""):
        hint = f"matscore import {others.path} -o weights.csv makes one column of each category"
        if words.in_rows:
            hint = f"keep the names and one row of {words.contents} for each {words.category}"
        what = f"{others.path} is a coefficient table in long form ({quote_names(telling)})"
        raise Misfit(plan, what, hint)
    if words.in_rows or not 1 < len(names) <= _WIDEST_TABLE:
        return
    if (found := find_statistics(names)) is None:
        return
    beside = quote_names(found.beside)
    what = f"{others.path} is a table of statistics, which are no categories: {beside}"
    if others.kind == "row":
        raise Misfit(plan, what, "keep the rows of coefficients")
    if len(found.keep) == 1 and found.keep[0].isidentifier():
        plan = replace(plan, add_options=("--weights-cols", found.keep[0]))
    ways = [write_choice("--weights-cols", [name]) for name in found.keep[:MAX_SHOWN]]
    raise Misfit(plan, what, f"say {' or '.join(ways)}")


def find_long_form(columns: Sequence[str], heading: str = "") -> tuple[str, ...]:
    """Return the columns that tell a table with one row a coefficient, no matrix of weights."""
    words = {name: re.sub(r"[^a-z0-9]", "", name.casefold()) for name in columns[:3]}
    kinds = set(words.values())
    if len(columns) == 2 and kinds & _LONG_KEYS and kinds & _LONG_VALUES:
        return tuple(words)
    # broom has one row a class and term; its first heading is no other tool's.
    if heading.casefold() in ("y.level", "y_level") and kinds & _LONG_VALUES:
        return (heading, *words)
    return ()


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
