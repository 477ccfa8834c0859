"""What R's language says of a row, as features: arithmetic, comparisons, factors, poly and the like.

An expression is matched piece by piece against what is known here; nothing is called. What is not
known, or would not stay a sum of terms, is refused with its spelling.
"""

from __future__ import annotations

import math
from matscore.models.algebra import Feature, Kind, column, combine, constant, exact
from matscore.models.factors import make_interval
from matscore.models.r_values import entries, finite, first_number, spell, texts
from matscore.models.rds import Call, RValue, Symbol, Vector
from matscore.models.refusal import Refusal
from matscore.models.texts import text
from matscore.terms import MAX_EXPONENT, Function, Interval, Missing, Power

MAX_DEPTH = 100
MAX_PRODUCTS = 100_000  # of terms that one multiplication may make
MAX_BITS = 20_000  # of a number: powers of powers grow fast
Columns = list[tuple[str, Feature]]
_COMPARISONS = {"<", "<=", ">", ">=", "==", "!="}
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_TESTS = {"&", "&&", "|", "||", "!", "%in%", "is.na", *_COMPARISONS}
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
    if depth > MAX_DEPTH:
        raise Refusal(f"an expression that is nested more than {MAX_DEPTH} levels deep")
    if isinstance(value, Symbol) and value.name:
        return constant(math.pi) if value.name == "pi" else column(value.name)
    if isinstance(value, Vector) and value.kind in {"double", "integer"}:
        return constant(first_number(value))
    if not isinstance(value, Call):
        raise _unknown(value)
    name, arguments = _read_call(value)
    inside = [one for _, one in arguments]
    match name, len(inside):
        case ("(" | "I" | "offset" | "identity"), 1:
            return number(inside[0], depth + 1)
        case ("+" | "-"), 1:
            return number(inside[0], depth + 1) * (-1 if name == "-" else 1)
        case ("+" | "-"), 2:
            return _sum(value, depth)
        case "*", 2:
            return multiply(number(inside[0], depth + 1), number(inside[1], depth + 1))
        case "/", 2:
            return _divide(value, inside, depth)
        case "^", 2:
            return _raise(value, inside, depth)
        case ("log" | "log1p" | "log2" | "log10" | "exp" | "sqrt" | "abs"), _:
            return _apply(value, name, arguments)
        case "ifelse", 3:
            test, yes, no = logical(inside[0], depth + 1), *(number(one, depth + 1) for one in inside[1:])
            return multiply(test, yes) + multiply(1 - test, no)
    if name in _TESTS:
        return logical(value, depth + 1)
    if name in {"scale", "poly"}:
        columns = matrix(value)
        if len(columns) == 1:
            return columns[0][1]
    raise _unknown(value)


def logical(value: RValue, depth: int = 0) -> Feature:
    """Return an expression that is TRUE or FALSE as 1 and 0."""
    if depth > MAX_DEPTH:
        raise Refusal(f"an expression that is nested more than {MAX_DEPTH} levels deep")
    if isinstance(value, Symbol) and value.name:
        _, yes = text(value.name, "boolean").one_hot([["FALSE"], ["TRUE"]], other="error", missing="nan")
        return yes
    if not isinstance(value, Call):
        raise _unknown(value)
    name, arguments = _read_call(value)
    inside = [one for _, one in arguments]
    match name, len(inside):
        case ("(" | "I"), 1:
            return logical(inside[0], depth + 1)
        case "!", 1:
            return 1 - logical(inside[0], depth + 1)
        case ("&" | "&&"), 2:
            return multiply(logical(inside[0], depth + 1), logical(inside[1], depth + 1))
        case ("|" | "||"), 2:
            one, other = (logical(part, depth + 1) for part in inside)
            return one + other - multiply(one, other)
        case "%in%", 2:
            return _compare_text(value, inside[0], _read_texts(inside[1]))
    if name in _COMPARISONS and len(inside) == 2:
        return _compare(value, name, inside)
    raise _unknown(value)


def matrix(value: RValue) -> Columns:
    """Return the columns of an expression that is a matrix, each with what R adds to its name."""
    name, arguments = _read_call(value) if isinstance(value, Call) else ("", [])
    if name == "cbind":
        names = [key or (one.name if isinstance(one, Symbol) else "") for key, one in arguments]
        return list(zip(names, (number(one) for _, one in arguments), strict=True))
    if name == "poly" and arguments:
        return _make_poly(value, arguments)
    if name == "scale" and arguments:
        found = dict(arguments[1:])
        if "center" not in found or "scale" not in found:
            raise Refusal(f"{spell(value)} without the numbers that R scaled with")
        centre, scale = (0.0 if _is_false(found[k]) else first_number(found[k]) for k in ("center", "scale"))
        return [("", (number(arguments[0][1]) - centre) / (scale or 1))]
    raise _unknown(value)


def indicators(value: RValue, levels: list[str]) -> list[Feature]:
    """Return 1 where an expression is a level, for each of its levels."""
    name, arguments = _read_call(value) if isinstance(value, Call) else ("", [])
    if name == "cut":
        return _cut(value, arguments, len(levels))
    source, is_test = _find_text(value, 0)
    if is_test:
        if levels != ["FALSE", "TRUE"]:
            raise _unknown(value)
        return [1 - (yes := logical(source)), yes]
    assert isinstance(source, Symbol)
    kind: Kind = "boolean" if levels == ["FALSE", "TRUE"] else "text"
    return text(source.name, kind).one_hot([[level] for level in levels], other="error", missing="nan")


def _find_text(value: RValue, depth: int) -> tuple[RValue, bool]:
    """Return the column that an expression makes a factor of, or the test that it does."""
    if isinstance(value, Symbol) and value.name:
        return value, False
    if not isinstance(value, Call) or depth > MAX_DEPTH:
        raise _unknown(value)
    name, arguments = _read_call(value)
    if name in _TESTS:
        return value, True
    if name in {"(", "I"} and len(arguments) == 1:
        return _find_text(arguments[0][1], depth + 1)
    if name not in _FACTORS or not arguments:
        raise _unknown(value)
    positions = _POSITIONS.get(name, ())
    for i, (key, _) in enumerate(arguments[1:], start=1):
        key = key or (positions[i] if i < len(positions) else "")
        if key not in _FACTORS[name] and not (name in {"relevel", "C"} and not key):
            raise Refusal(f"{spell(value)}, whose {key or 'arguments'} may change its levels")
    return _find_text(arguments[0][1], depth + 1)


def _unknown(value: RValue) -> Refusal:
    return Refusal(
        f"{spell(value)} is not known here",
        "arithmetic, comparisons, log, exp, sqrt, abs, poly, scale, cut, factor and I are",
    )


def _read_call(value: Call) -> tuple[str, list[tuple[str, RValue]]]:
    """Return the name of the function, without its package, and the arguments."""
    function = value.function
    if isinstance(function, Call) and isinstance(function.function, Symbol):
        if function.function.name == "::" and len(function.arguments) == 2:
            function = function.arguments[1][1]
    return (function.name if isinstance(function, Symbol) else ""), value.arguments


def _sum(value: RValue, depth: int) -> Feature:
    """Add a chain of sums, which is as deep as it is long, in one go."""
    parts: list[Feature] = []
    signs: list[int] = []
    while isinstance(value, Call) and len(value.arguments) == 2 and _read_call(value)[0] in {"+", "-"}:
        parts.append(number(value.arguments[1][1], depth + 1))
        signs.append(-1 if _read_call(value)[0] == "-" else 1)
        value = value.arguments[0][1]
    return combine([number(value, depth + 1), *reversed(parts)], [1, *reversed(signs)])


def multiply(one: Feature, other: Feature) -> Feature:
    """Multiply two features, within bounds on what that makes."""
    if len(one.terms) * len(other.terms) > MAX_PRODUCTS:
        raise Refusal(f"a product of more than {MAX_PRODUCTS:,} terms")
    found = one * other
    for c in found.terms.values():
        if max(c.numerator.bit_length(), c.denominator.bit_length()) > MAX_BITS:
            raise Refusal("a number with too many digits")
    return found


def _divide(value: RValue, inside: list[RValue], depth: int) -> Feature:
    above, below = (number(one, depth + 1) for one in inside)
    if not below.terms.keys() - {()}:
        return above / below.constant
    if len(below.terms) == 1:
        (term, c), = below.terms.items()
        if len(term) == 1 and isinstance(term[0], Power):
            power = Power(term[0].column, -term[0].exponent)
            return multiply(above, Feature({(power,): 1 / c}, below.undefined))
    raise _unknown(value)


def _raise(value: RValue, inside: list[RValue], depth: int) -> Feature:
    base, exponent = (number(one, depth + 1) for one in inside)
    if exponent.terms.keys() - {()}:
        raise _unknown(value)
    power = exponent.constant
    if isinstance(inside[0], Symbol):
        if power == exact(0.5):
            return base.apply("sqrt")
        if power.denominator == 1 and 0 < abs(power) <= MAX_EXPONENT:
            return Feature({(Power(inside[0].name, int(power)),): exact(1)}, base.undefined)
    if power.denominator != 1 or not 0 <= power <= MAX_EXPONENT:
        raise _unknown(value)
    found = constant(1)
    for _ in range(int(power)):
        found = multiply(found, base)
    return found


def _apply(value: RValue, name: str, arguments: list[tuple[str, RValue]]) -> Feature:
    inside = arguments[0][1] if arguments else None
    if len(arguments) == 2 and name == "log":
        base = first_number(arguments[1][1]) if isinstance(arguments[1][1], Vector) else 0.0
        name = {2.0: "log2", 10.0: "log10"}.get(base, "")
    if not name or isinstance(inside, Vector) or (len(arguments) != 1 and name not in {"log2", "log10"}):
        raise _unknown(value)
    of = number(inside)
    if name == "log" and of.constant == 1 and len(of.terms) == 2:  # R's users write log(x + 1)
        name, of = "log1p", of - 1
        of = Feature({term: c for term, c in of.terms.items() if term}, of.undefined)
    if len(of.terms) == 1:
        (term, c), = of.terms.items()
        if c == 1 and len(term) == 1 and isinstance(term[0], Power) and term[0].exponent == 1:
            return Feature({(Function(name, term[0].column),): exact(1)}, of.undefined)
    raise Refusal(f"{spell(value)}, a function of more than a column", "put that column into the file")


def _compare(value: RValue, name: str, inside: list[RValue]) -> Feature:
    one, other = inside
    if isinstance(one, Vector):  # 40 < age
        one, other, name = other, one, _MIRRORED.get(name, name)
    if isinstance(other, Vector) and other.kind == "character" and name in {"==", "!="}:
        equal = _compare_text(value, one, texts(other))
        return equal if name == "==" else 1 - equal
    if isinstance(other, Vector) and other.kind == "logical":
        raise _unknown(value)
    border, of = number(other), number(one)
    if border.terms.keys() - {()} or not isinstance(one, Symbol) or one.name == "pi":
        raise _unknown(value)
    if name == "!=":
        return 1 - _between(one.name, "==", float(border.constant), of)
    return _between(one.name, name, float(border.constant), of)


def _between(name: str, comparison: str, border: float, of: Feature) -> Feature:
    low = border if comparison in {">", ">=", "=="} else -math.inf
    high = border if comparison in {"<", "<=", "=="} else math.inf
    interval = Interval(name, low, high, comparison in {">=", "=="}, comparison in {"<=", "=="})
    return Feature({(interval,): exact(1)}, of.undefined)


def _compare_text(value: RValue, one: RValue, known: list[str]) -> Feature:
    if not isinstance(one, Symbol) or not one.name:
        raise _unknown(value)
    return text(one.name).one_hot([known], other="zero", missing="nan")[0]


def _read_texts(value: RValue) -> list[str]:
    if isinstance(value, Vector) and value.kind == "character":
        return texts(value)
    if isinstance(value, Call) and _read_call(value)[0] == "c":
        return [one for _, part in value.arguments for one in _read_texts(part)]
    raise _unknown(value)


def _is_false(value: RValue) -> bool:
    return isinstance(value, Vector) and value.kind == "logical" and not value.values[0]


def _read_numbers(value: RValue) -> list[float]:
    """Return the numbers that a call of c() holds; Inf and -Inf are among them."""
    if isinstance(value, Vector):
        return finite(value)
    if isinstance(value, Symbol) and value.name == "Inf":
        return [math.inf]
    if isinstance(value, Call):
        name, arguments = _read_call(value)
        inside = [one for _, part in arguments for one in _read_numbers(part)]
        if name == "c":
            return inside
        if name == "-" and len(inside) == 1:
            return [-inside[0]]
    raise _unknown(value)


def _cut(value: RValue, arguments: list[tuple[str, RValue]], n_levels: int) -> list[Feature]:
    """Return the intervals of cut(x, c(-Inf, …, Inf)); R has no level for what lies outside."""
    found: dict[str, RValue] = {}
    positions: list[str] = ["x", "breaks", "labels", "include.lowest", "right", "dig.lab"]
    for key, one in arguments:
        found[key or next(p for p in positions if p not in found)] = one
    breaks, x = found.get("breaks"), found.get("x")
    if not isinstance(x, Symbol) or not isinstance(breaks, Call):
        raise Refusal(f"{spell(value)}, whose borders the file does not have in full", _CUT_HINT)
    borders = sorted(_read_numbers(breaks))
    if len(borders) != n_levels + 1 or borders[0] != -math.inf or borders[-1] != math.inf:
        raise Refusal(f"{spell(value)}, which has no level for numbers outside of its breaks", _CUT_HINT)
    right = not _is_false(found.get("right"))
    undefined = frozenset({Missing(x.name)})
    made = []
    for low, high in zip(borders, borders[1:], strict=False):
        interval = make_interval(x.name, low, high, low_closed=not right, high_closed=right)
        if interval is None:
            raise _unknown(value)
        made.append(Feature({(interval,): exact(1)}, undefined))
    return made


_CUT_HINT = "give cut() its breaks as numbers, from -Inf to Inf"


def _make_poly(value: RValue, arguments: list[tuple[str, RValue]]) -> Columns:
    """Return the columns of poly(): powers, or R's recurrence on the numbers that it kept."""
    found = {key: one for key, one in arguments[1:] if key}
    unnamed = [one for key, one in arguments[1:] if not key]
    degree = found.get("degree", unnamed[0] if unnamed else Vector("double", [1.0]))
    if len(unnamed) > 1 or not isinstance(degree, Vector):
        raise _unknown(value)
    n, x = int(first_number(degree)), number(arguments[0][1])
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
