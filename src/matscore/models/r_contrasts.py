"""R's codings of a factor: what each level weighs in each column of the design."""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction

from matscore.models.r_values import matrix, matrix_names, texts
from matscore.models.rds import Call, Other, RValue, Vector
from matscore.models.refusal import Refusal

# Of a column of the design: what it adds to the variable's name, and the weights of levels in it.
Contrast = tuple[str, Mapping[int, float | Fraction]]
_MOST_FOR_POLY = 95  # contr.poly refuses more


def read_contrasts(value: RValue, levels: list[str], *, ordered: bool) -> list[Contrast]:
    """Return the columns that a factor becomes: R's coding by name, or a matrix of one's own."""
    n = len(levels)
    if isinstance(value, Vector) and value.kind == "character":
        name = texts(value)[0].removeprefix("stats::")
    elif value is None:  # R's defaults; names of coefficients are compared, so that no guess passes
        name = "contr.poly" if ordered else "contr.treatment"
    elif isinstance(value, Call | Other):
        raise Refusal("its contrasts are a function")
    else:
        return _read_matrix(value, n)
    match name:
        case "contr.treatment":
            return [(levels[i], {i: 1}) for i in range(1, n)]
        case "contr.SAS":
            return [(levels[i], {i: 1}) for i in range(n - 1)]
        case "contr.sum":
            return [(str(i + 1), {i: 1, n - 1: -1}) for i in range(n - 1)]
        case "contr.helmert":
            return [(str(i), {**dict.fromkeys(range(i), -1), i: i}) for i in range(1, n)]
        case "contr.poly":
            return _make_poly(n)
    raise Refusal(f'its contrasts are "{name}"', "known are treatment, sum, helmert, poly and SAS")


def _read_matrix(value: RValue, n: int) -> list[Contrast]:
    weights = matrix(value)
    if len(weights) != n:
        raise Refusal(f"its contrasts are for {len(weights):,} levels, where it has {n:,}")
    _, names = matrix_names(value)
    found: list[Contrast] = []
    for j, column in enumerate(weights.T):
        suffix = names[j] if names else str(j + 1)
        found.append((suffix, {i: float(w) for i, w in enumerate(column) if w}))
    return found


def _make_poly(n: int) -> list[Contrast]:
    """Return orthonormal polynomials on 1, …, n, by their recurrence in exact fractions."""
    if n > _MOST_FOR_POLY:
        raise Refusal(f"contr.poly of {n:,} levels")
    points = [Fraction(2 * i - n + 1, 2) for i in range(n)]  # centred
    before, now = [Fraction(0)] * n, [Fraction(1)] * n
    before_norm, norm = Fraction(1), Fraction(n)
    found: list[Contrast] = []
    for degree in range(1, n):
        ratio = norm / before_norm if degree > 1 else Fraction(0)
        following = [x * p - ratio * q for x, p, q in zip(points, now, before, strict=True)]
        before, now, before_norm = now, following, norm
        norm = sum((p * p for p in now), Fraction(0))
        scale = math.sqrt(norm)
        suffix = {1: ".L", 2: ".Q", 3: ".C"}.get(degree, f"^{degree}")
        found.append((suffix, {i: float(p) / scale for i, p in enumerate(now) if p}))
    return found
