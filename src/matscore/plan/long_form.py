"""Coefficient tables in long form, which are no weights: one row a coefficient."""

from __future__ import annotations

import re
from collections.abc import Sequence

_ESTIMATES = frozenset({"estimate", "coef", "coefficient", "coefficients", "beta"})
_STATISTICS = frozenset({
    "stderror", "stderr", "standarderror", "statistic", "tvalue", "zvalue", "tstat", "zstat",
    "pvalue", "prt", "prz", "conflow", "confhigh",
})  # fmt: skip
_LONG_KEYS = frozenset({"category", "class", "ylevel", "outcome", "feature", "term", "variable"})
_LONG_VALUES = frozenset({"weight", "value", *_ESTIMATES})
_WIDEST_LONG_FORM = 20


def find_long_form(columns: Sequence[str]) -> tuple[str, ...]:
    """Return the columns that tell a coefficient table in long form; empty when it is none.

    Examples
    --------
    >>> find_long_form(["Estimate", "Std. Error", "Pr(>|t|)"])
    ('Estimate', 'Std. Error', 'Pr(>|t|)')
    >>> find_long_form(["estimate"])
    ()
    """
    if len(columns) > _WIDEST_LONG_FORM:
        return ()
    words = {name: re.sub(r"[^a-z0-9]", "", name.casefold()) for name in columns}
    kinds = set(words.values())
    if kinds & _STATISTICS and kinds & _ESTIMATES:
        return tuple(name for name, word in words.items() if word in _STATISTICS | _ESTIMATES)
    if len(words) == 2 and kinds & _LONG_KEYS and kinds & _LONG_VALUES:
        return tuple(words)
    return ()
