"""What R's language says of a row, as features: arithmetic, comparisons, factors, poly and so on.

An expression is matched piece by piece against what is known here; nothing is called. What is not
known, or would not stay a sum of terms, is refused with its spelling.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Literal, TypeAlias

from matscore.models.algebra import Feature, Kind, column, combine, constant, exact
from matscore.models.bounds import check_depth
from matscore.models.factors import CONSTANT, make_interval
from matscore.models.operations import apply, choose, divide, multiply, raise_to
from matscore.models.r_values import entries, first_number, numbers, spell, texts
from matscore.models.rds import Call, RValue, Symbol, Vector
from matscore.models.refusal import Refusal
from matscore.models.texts import text
from matscore.terms import FUNCTIONS, MAX_EXPONENT, Interval, Missing

MAX_DEPTH = 100
Columns = list[tuple[str, Feature]]
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
# What makes a factor of a column without changing its texts, and the arguments that leave it so.
_FACTORS: dict[str, set[str]] = {
    "factor": {"levels", "ordered"},
    "ordered": {"levels"},
    "as.factor": set(),
    "as.ordered": set(),
    "as.character": set(),
    "droplevels": set(),
    "relevel": {"ref"},
    "C": {"contr", "how.many", "base"},
}
_POSITIONS = {"factor": ("x", "levels", "labels"), "ordered": ("x", "levels", "labels")}


def number(value: RValue, depth: int = 0) -> Feature:
    """Return an expression of numbers as a feature."""
    _check_depth(depth)
    if isinstance(value, Symbol) and value.name:
        return constant(math.pi) if value.name == "pi" else column(value.name)
    if isinstance(value, Vector) and value.kind in {"double", "integer"}:
        return constant(first_number(value))
    if isinstance(value, Call) and (make := _NUMBERS.get(_read_name(value))):
        return make(value, depth + 1)
    raise _unknown(value)


def logical(value: RValue, depth: int = 0) -> Feature:
    """Return an expression that is TRUE or FALSE as 1 and 0."""
    _check_depth(depth)
    if isinstance(value, Symbol) and value.name:
        texts = text(value.name, "boolean")
        return texts.one_hot([["FALSE"], ["TRUE"]], other="error", missing="nan")[1]
    if isinstance(value, Call) and (make := _TESTS.get(_read_name(value))):
        return make(value, depth + 1)
    raise _unknown(value)


def matrix(value: RValue) -> Columns:
    """Return the columns of an expression that is a matrix, each with what R adds to its name."""
    if isinstance(value, Call) and value.arguments:
        match _read_name(value):
            case "cbind":
                return [
                    (key or (one.name if isinstance(one, Symbol) else ""), number(one))
                    for key, one in value.arguments
                ]
            case "poly":
                return _make_poly(value)
            case "scale":
                return [("", _scale(value))]
    raise _unknown(value)


def indicators(value: RValue, levels: list[str]) -> list[Feature]:
    """Return 1 where an expression is a level, for each of its levels."""
    if isinstance(value, Call) and _read_name(value) == "cut":
        return _cut(value, len(levels))
    source, is_test = _find_text(value, 0)
    if is_test:
        if levels != ["FALSE", "TRUE"]:
            raise _unknown(value)
        return [1 - (yes := logical(source)), yes]
    assert isinstance(source, Symbol)
    kind: Kind = "boolean" if levels == ["FALSE", "TRUE"] else "text"
    return text(source.name, kind).one_hot(
        [[level] for level in levels], other="error", missing="nan"
    )


def _find_text(value: RValue, depth: int) -> tuple[RValue, bool]:
    """Return the column that an expression makes a factor of, or the test that it does."""
    if isinstance(value, Symbol) and value.name:
        return value, False
    if not isinstance(value, Call) or depth > MAX_DEPTH:
        raise _unknown(value)
    name, arguments = _read_name(value), value.arguments
    if name in _TESTS and name not in {"(", "I"}:
        return value, True
    if name in {"(", "I"} and len(arguments) == 1:
        return _find_text(arguments[0][1], depth + 1)
    if name not in _FACTORS or not arguments:
        raise _unknown(value)
    positions = _POSITIONS.get(name, ())
    for i, (key, _) in enumerate(arguments[1:], start=1):
        meant = key or (positions[i] if i < len(positions) else "")
        if meant not in _FACTORS[name] and not (name in {"relevel", "C"} and not meant):
            raise Refusal(f"{spell(value)}, whose {meant or 'arguments'} may change its levels")
    return _find_text(arguments[0][1], depth + 1)


def _unknown(value: RValue) -> Refusal:
    return Refusal(
        f"{spell(value)} is not known here",
        "arithmetic, comparisons, log, exp, sqrt, abs, poly, scale, cut, factor and I are",
    )


def _check_depth(depth: int) -> None:
    check_depth(depth, MAX_DEPTH)


def _read_name(value: Call) -> str:
    """Return the name of the function of a call, without its package."""
    function = value.function
    if isinstance(function, Call) and spell(function.function) == "::":
        function = function.arguments[-1][1] if function.arguments else None
    return function.name if isinstance(function, Symbol) else ""


def _operands(value: Call, *counts: int) -> list[RValue]:
    """Return the arguments of a call that may have so many."""
    if len(value.arguments) not in counts:
        raise _unknown(value)
    return [one for _, one in value.arguments]


def _same(value: Call, depth: int) -> Feature:
    return number(_operands(value, 1)[0], depth)


def _sum(value: Call, depth: int) -> Feature:
    """Add a chain of sums, which is as deep as it is long, in one go."""
    parts: list[Feature] = []
    signs: list[int] = []
    chain: RValue = value
    while isinstance(chain, Call) and _read_name(chain) in {"+", "-"}:
        sign = -1 if _read_name(chain) == "-" else 1
        operands = _operands(chain, 1, 2)
        parts.append(number(operands[-1], depth))
        signs.append(sign)
        if len(operands) == 1:
            return combine(parts, signs)
        chain = operands[0]
    return combine([number(chain, depth), *parts], [1, *signs])


def _product(value: Call, depth: int) -> Feature:
    one, other = (number(part, depth) for part in _operands(value, 2))
    return multiply(one, other)


def _divide(value: Call, depth: int) -> Feature:
    return divide(*(number(one, depth) for one in _operands(value, 2)))


def _raise(value: Call, depth: int) -> Feature:
    return raise_to(*(number(one, depth) for one in _operands(value, 2)))


def _choose(value: Call, depth: int) -> Feature:
    test, yes, no = _operands(value, 3)
    return choose(logical(test, depth), number(yes, depth), number(no, depth))


def _only_column(value: Call, _: int) -> Feature:
    columns = matrix(value)
    if len(columns) != 1:
        raise _unknown(value)
    return columns[0][1]


def _apply(value: Call, depth: int) -> Feature:
    name, (inside, *base) = _read_name(value), _operands(value, 1, 2)
    if base:
        two_or_ten = base[0].values[0] if isinstance(base[0], Vector) and name == "log" else 0
        name = {2: "log2", 10: "log10"}.get(two_or_ten, "")
    if not name:
        raise _unknown(value)
    return apply(name, number(inside, depth))


def _compare(value: Call, _: int) -> Feature:
    name, (one, other) = _read_name(value), _operands(value, 2)
    if isinstance(one, Vector):  # 40 < age
        one, other, name = other, one, _MIRRORED.get(name, name)
    equal = name.replace("!=", "==")
    if isinstance(other, Vector) and other.kind == "character":
        if equal != "==":
            raise _unknown(value)
        found = _is_one_of(value, one, texts(other), missing="nan")
    elif isinstance(one, Symbol) and not (border := number(other)).terms.keys() - {CONSTANT}:
        found = _between(one.name, equal, float(border.constant))
    else:
        raise _unknown(value)
    return 1 - found if name == "!=" else found


def _between(name: str, comparison: str, border: float) -> Feature:
    low = border if comparison in {">", ">=", "=="} else -math.inf
    high = border if comparison in {"<", "<=", "=="} else math.inf
    interval = Interval(name, low, high, comparison in {">=", "=="}, comparison in {"<=", "=="})
    return Feature({(interval,): exact(1)}, frozenset({Missing(name)}))


def _is_in(value: Call, _: int) -> Feature:
    one, known = _operands(value, 2)
    return _is_one_of(value, one, _read_texts(known), missing="zero")  # NA is in no set


def _negate(value: Call, depth: int) -> Feature:
    return 1 - logical(_operands(value, 1)[0], depth)


def _both(value: Call, depth: int) -> Feature:
    one, other = (logical(part, depth) for part in _operands(value, 2))
    return multiply(one, other)


def _either(value: Call, depth: int) -> Feature:
    one, other = (logical(part, depth) for part in _operands(value, 2))
    return one + other - multiply(one, other)


def _same_test(value: Call, depth: int) -> Feature:
    return logical(_operands(value, 1)[0], depth)


def _is_one_of(
    value: RValue, one: RValue, known: list[str], *, missing: Literal["nan", "zero"]
) -> Feature:
    if not isinstance(one, Symbol) or not one.name:
        raise _unknown(value)
    return text(one.name).one_hot([known], other="zero", missing=missing)[0]


def _read_texts(value: RValue) -> list[str]:
    if isinstance(value, Vector) and value.kind == "character":
        return texts(value)
    if isinstance(value, Call) and _read_name(value) == "c":
        return [one for _, part in value.arguments for one in _read_texts(part)]
    raise _unknown(value)


def _is_false(value: RValue) -> bool:
    return isinstance(value, Vector) and value.kind == "logical" and not value.values[0]


def _read_numbers(value: RValue) -> list[float]:
    """Return the numbers that a call of c() holds; Inf and -Inf are among them."""
    if isinstance(value, Vector):
        return [math.nan if number is None else number for number in numbers(value)]
    if isinstance(value, Call):
        name = _read_name(value)
        inside = [one for _, part in value.arguments for one in _read_numbers(part)]
        if name == "c":
            return inside
        if name == "-" and len(inside) == 1:
            return [-inside[0]]
    raise _unknown(value)


def _cut(value: Call, n_levels: int) -> list[Feature]:
    """Return the intervals of cut(x, c(-Inf, …, Inf)); R has no level for what lies outside."""
    found: dict[str, RValue] = {}
    positions: list[str] = ["x", "breaks", "labels", "include.lowest", "right", "dig.lab"]
    for key, one in value.arguments:
        found[key or next((p for p in positions if p not in found), key)] = one
    breaks, x = found.get("breaks"), found.get("x")
    borders = [] if breaks is None else sorted(_read_numbers(breaks))
    if not isinstance(x, Symbol) or len(borders) < 2:
        raise Refusal(f"{spell(value)}, whose borders the file does not have in full", _CUT_HINT)
    if len(borders) != n_levels + 1 or borders[0] != -math.inf or borders[-1] != math.inf:
        raise Refusal(
            f"{spell(value)}, which has no level for numbers outside of its breaks", _CUT_HINT
        )
    right = not _is_false(found.get("right"))
    undefined = frozenset({Missing(x.name)})
    made = []
    for low, high in pairwise(borders):
        interval = make_interval(x.name, low, high, low_closed=not right, high_closed=right)
        if interval is None:
            raise _unknown(value)
        made.append(Feature({(interval,): exact(1)}, undefined))
    return made


_CUT_HINT = "give cut() its breaks as numbers, from -Inf to Inf"


def _scale(value: Call) -> Feature:
    """Return scale(x) with the numbers that R kept for new rows."""
    found = dict(value.arguments[1:])
    if "center" not in found or "scale" not in found:
        raise Refusal(f"{spell(value)} without the numbers that R scaled with")
    centre = 0.0 if _is_false(found["center"]) else first_number(found["center"])
    scale = 1.0 if _is_false(found["scale"]) else first_number(found["scale"])
    return (number(value.arguments[0][1]) - centre) / scale


def _make_poly(value: Call) -> Columns:
    """Return the columns of poly(): powers, or R's recurrence on the numbers that it kept."""
    found = {key: one for key, one in value.arguments[1:] if key}
    unnamed = [one for key, one in value.arguments[1:] if not key]
    degree = found.get("degree", unnamed[0] if unnamed else Vector("double", [1.0]))
    if len(unnamed) > 1 or not isinstance(degree, Vector):
        raise _unknown(value)
    n, x = int(first_number(degree)), number(value.arguments[0][1])
    if not 0 < n <= MAX_EXPONENT:
        raise _unknown(value)
    powers: list[Feature] = []
    if "coefs" not in found:
        if "raw" not in found or _is_false(found["raw"]):
            raise Refusal(f"{spell(value)} without the numbers that R made it orthogonal with")
        for i in range(n):
            powers.append(multiply(powers[-1], x) if i else x)
        return [(str(i + 1), power) for i, power in enumerate(powers)]
    alpha, norm2 = _read_coefs(found["coefs"], n)
    before, now = constant(0), constant(1)
    for i in range(n):
        ratio = norm2[i + 1] / norm2[i] if i else 0.0
        before, now = now, multiply(x - alpha[i], now) - before * ratio
        powers.append(now / math.sqrt(norm2[i + 2]))
    return [(str(i + 1), power) for i, power in enumerate(powers)]


def _read_coefs(value: RValue, degree: int) -> tuple[list[float], list[float]]:
    found = entries(value)
    if isinstance(value, Call) and value.function is not None:
        found = dict(value.arguments)
    alpha, norm2 = _read_numbers(found.get("alpha")), _read_numbers(found.get("norm2"))
    if len(alpha) < degree or len(norm2) != len(alpha) + 2 or min(norm2) <= 0:
        raise Refusal("poly() whose numbers do not fit its degree")
    return alpha, norm2


_Maker: TypeAlias = Callable[[Call, int], Feature]
_COMPARISONS: dict[str, _Maker] = dict.fromkeys(("<", "<=", ">", ">=", "==", "!="), _compare)
_TESTS: dict[str, _Maker] = {
    "(": _same_test,
    "I": _same_test,
    "!": _negate,
    "&": _both,
    "&&": _both,
    "|": _either,
    "||": _either,
    "%in%": _is_in,
    **_COMPARISONS,
}
_NUMBERS: dict[str, _Maker] = {
    **dict.fromkeys(_TESTS, logical),
    "(": _same,
    "I": _same,
    "offset": _same,
    "+": _sum,
    "-": _sum,
    "*": _product,
    "/": _divide,
    "^": _raise,
    "ifelse": _choose,
    "scale": _only_column,
    "poly": _only_column,
    **dict.fromkeys(FUNCTIONS, _apply),
}
