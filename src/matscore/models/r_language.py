"""The values in an R file, and what R's language says of a row, as features.

An expression is matched piece by piece against what is known here; nothing is called. What is not
known, or would not stay a sum of terms, is refused with its spelling.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from matscore.models.algebra import Feature, column, constant
from matscore.models.bounds import Refusal, check_depth
from matscore.models.columns import Raw
from matscore.models.operations import compute, multiply
from matscore.models.rds import NA_INTEGER, Call, Other, RValue, Symbol, Vector
from matscore.terms import FUNCTIONS, MAX_EXPONENT

_NA = 1954  # the low word of R's NA among the NaNs (arithmetic.c)
_OPERATORS = {*"+-*/^:<>&|~$", "<=", ">=", "==", "!=", "%in%"}
_NUMERIC = {"double", "integer", "logical"}


def attribute(value: RValue, name: str) -> RValue:
    """Return an attribute, None where there is none."""
    return None if value is None or isinstance(value, Symbol) else value.attributes.get(name)


def classes(value: RValue) -> list[str]:
    """Return the classes of an object, the most special first."""
    return texts(attribute(value, "class"))


def entries(value: RValue) -> dict[str, RValue]:
    """Return the entries of a list, a pair list, a call or a named vector by name."""
    if isinstance(value, Call):
        return dict(value.arguments)
    names = texts(attribute(value, "names"))
    if not isinstance(value, Vector) or len(names) != len(value.values):
        return {}
    if value.kind == "list":
        return dict(zip(names, value.values, strict=True))
    return {name: Vector(value.kind, value.values[i : i + 1]) for i, name in enumerate(names)}


def texts(value: RValue) -> list[str]:
    """Return a character vector; an NA among them, or bytes that are no text, are refused."""
    if value is None:
        return []
    if not isinstance(value, Vector) or value.kind != "character" or None in value.values:
        raise Refusal("it has something else where a text belongs")
    for one in value.values:
        if not one.isprintable() and any("\ud800" <= c <= "\udfff" for c in one):
            raise Refusal(f"a text that is not in the encoding of the file: {one!a}")
    return list(value.values)


def numbers(value: RValue) -> list[float | None]:
    """Return the numbers of a vector, None where NA; others that are not finite stay."""
    if not isinstance(value, Vector) or value.kind not in _NUMERIC:
        what = value.what if isinstance(value, Other) else "something else"
        raise Refusal(f"it has {what} where numbers belong")
    if value.kind != "double":
        return [None if n == NA_INTEGER else float(n) for n in value.values]
    native = value.values.astype(np.float64)
    is_na = np.isnan(native) & (native.view(np.uint64) & 0xFFFF_FFFF == _NA)
    return [None if na else float(n) for n, na in zip(native, is_na, strict=True)]


def finite_or_na(value: RValue) -> list[float | None]:
    """Return the numbers of a vector, None where NA; others that are not finite are refused."""
    found = numbers(value)
    if not all(number is None or math.isfinite(number) for number in found):
        raise Refusal("it has a number that is not finite")
    return found


def finite(value: RValue) -> list[float]:
    """Return the numbers of a vector, each of which must be one."""
    found = [number for number in finite_or_na(value) if number is not None]
    if len(found) < len(numbers(value)):
        raise Refusal("it has NA for a number")
    return found


def integers(value: RValue) -> list[int]:
    """Return whole numbers; none of NULL."""
    return [] if value is None else [int(number) for number in finite(value)]


def first_number(value: RValue) -> float:
    """Return the number of a vector of one."""
    found = finite(value)
    if len(found) != 1:
        raise Refusal(f"it has {len(found):,} numbers where one belongs")
    return found[0]


def first_text(value: RValue) -> str:
    """Return the first text of a vector."""
    found = texts(value)
    if not found:
        raise Refusal("it has nothing where a text belongs")
    return found[0]


def matrix_names(value: RValue, name: str = "dimnames") -> tuple[list[str], list[str]]:
    """Return the names of the rows and columns of a matrix; empty where it has none."""
    names = attribute(value, name)
    if not isinstance(names, Vector) or len(names.values) < 2:
        return [], []
    return texts(names.values[0]), texts(names.values[1])


def matrix(value: RValue) -> Any:
    """Return a matrix of finite numbers, (n_rows, n_columns); R keeps it by columns."""
    shape = integers(attribute(value, "dim"))
    found = np.array(finite(value))
    if len(shape) != 2 or shape[0] * shape[1] != len(found):
        raise Refusal("it has no matrix where one belongs")
    return found.reshape(shape[1], shape[0]).T


def spell(value: RValue) -> str:
    """Return R's spelling of a piece of language, for names and messages; long ones are cut."""
    text = _spell(value, 0)
    return text if len(text) <= 60 else text[:57] + "..."


def _spell(value: RValue, depth: int) -> str:
    if isinstance(value, Symbol):
        return value.name
    if isinstance(value, Vector) and value.kind in {*_NUMERIC, "character"}:
        shown = [_spell_one(value.kind, one) for one in value.values[:9]]
        return shown[0] if len(value.values) == 1 else f"c({', '.join(shown)})"
    if not isinstance(value, Call) or depth > 8:
        return "NULL" if value is None else "..."
    function = "list" if value.function is None else _spell(value.function, depth + 1)
    parts = [(f"{k} = " if k else "") + _spell(v, depth + 1) for k, v in value.arguments[:20]]
    if function in _OPERATORS | {"::"} and len(parts) in {1, 2}:
        joint = function if function in {"^", ":", "$", "::"} else f" {function} "
        return joint.join(parts) if len(parts) == 2 else function + parts[0]
    return f"({parts[0]})" if function == "(" and parts else f"{function}({', '.join(parts)})"


def _spell_one(kind: str, value: Any) -> str:
    if kind == "character":
        return "NA" if value is None else f'"{value}"'
    if kind == "logical":
        return {0: "FALSE", 1: "TRUE"}.get(value, "NA")
    return f"{value:.15g}".replace("inf", "Inf")


# ---------------------------------------------------------------------------------- expressions

NamedFeatures = list[tuple[str, Feature]]
_TESTS = {"<", "<=", ">", ">=", "==", "!=", "!", "&", "&&", "|", "||", "%in%"}
_SAME = {"(", "I", "offset"}
_OPERATIONS = {"&&": "&", "||": "|", "ifelse": "if"}
# What makes a factor of a column without changing its texts, and the arguments that leave it so.
_FACTORS: Mapping[str, set[str]] = {
    "factor": {"levels", "ordered"},
    "ordered": {"levels"},
    **{name: set() for name in ("as.factor", "as.ordered", "as.character", "droplevels")},
    "relevel": {"ref"},
    "C": {"contr", "how.many", "base"},
}
# The names of arguments that have none; R's levels and labels may change texts.
_POSITIONS: Mapping[str, tuple[str, ...]] = {
    "factor": ("x", "levels", "labels"),
    "ordered": ("x", "levels", "labels"),
    "relevel": ("x", "ref"),
    "C": ("object", "contr"),
    "cut": ("x", "breaks", "labels", "include.lowest", "right"),
    "poly": ("x", "degree"),
    "scale": ("x", "center", "scale"),
    "log": ("x", "base"),
}


def number(value: RValue, depth: int = 0) -> Feature:
    """Return an expression as a number; one that is TRUE or FALSE is 1 or 0."""
    check_depth(depth)
    if isinstance(value, Symbol) and value.name:
        return constant(math.pi) if value.name == "pi" else column(value.name)
    if isinstance(value, Vector) and value.kind in {"double", "integer"}:
        return constant(first_number(value))
    if isinstance(value, Call) and value.arguments:
        return _compute(value, depth)
    raise _unknown(value)


def _compute(value: Call, depth: int) -> Feature:
    name = _read_name(value)
    if name in _TESTS:
        return logical(value, depth)
    if name in {"poly", "scale"} and len(found := matrix_columns(value)) == 1:
        return found[0][1]
    arguments = [one for _, one in value.arguments]
    if name in _SAME and len(arguments) == 1:
        return number(arguments[0], depth + 1)
    if name == "ifelse" and len(arguments) == 3:
        test, yes, no = arguments
        parts = [logical(test, depth + 1), *(number(one, depth + 1) for one in (yes, no))]
        return compute("if", *parts)
    if name == "log" and len(arguments) == 2:
        base = _name_arguments(value)["base"]
        name = {2.0: "log2", 10.0: "log10"}.get(first_number(base), "")
        arguments = arguments[:1]
    if name not in {"+", "-", "*", "/", "^", *FUNCTIONS}:
        raise _unknown(value)
    return compute(name, *(number(one, depth + 1) for one in arguments))


def logical(value: RValue, depth: int = 0) -> Feature:
    """Return an expression that is TRUE or FALSE as 1 and 0."""
    check_depth(depth)
    if isinstance(value, Symbol) and value.name:
        known = Raw(value.name, "boolean")
        return known.one_hot([["FALSE"], ["TRUE"]], other="error", missing="nan")[1]
    name = _read_name(value) if isinstance(value, Call) else ""
    if not isinstance(value, Call) or name not in _TESTS | _SAME:
        raise _unknown(value)
    arguments = [one for _, one in value.arguments]
    if name in _SAME and len(arguments) == 1:
        return logical(arguments[0], depth + 1)
    if name in {"!", "&", "&&", "|", "||"}:
        name = _OPERATIONS.get(name, name)
        return compute(name, *(logical(one, depth + 1) for one in arguments))
    if len(arguments) != 2:
        raise _unknown(value)
    one, other = arguments
    if isinstance(one, Vector) and name in {"==", "!="}:
        one, other = other, one
    levels = _read_texts(other)
    if levels and isinstance(one, Symbol) and one.name and name in {"==", "!=", "%in%"}:
        missing: Literal["zero", "nan"] = "zero" if name == "%in%" else "nan"  # NA is in no set
        found = Raw(one.name).one_hot([levels], other="zero", missing=missing)[0]
        return 1 - found if name == "!=" else found
    if levels or name == "%in%":
        raise _unknown(value)
    return compute(name, number(one, depth + 1), number(other, depth + 1))


def matrix_columns(value: RValue) -> NamedFeatures:
    """Return the columns of an expression that is a matrix, each with what R adds to its name."""
    name = _read_name(value) if isinstance(value, Call) and value.arguments else ""
    if not isinstance(value, Call) or name not in {"cbind", "poly", "scale"}:
        raise _unknown(value)
    if name == "cbind":
        parts = value.arguments
        return [(k or (v.name if isinstance(v, Symbol) else ""), number(v)) for k, v in parts]
    return _make_poly(value) if name == "poly" else [("", _scale(value))]


def indicators(value: RValue, levels: list[str]) -> list[Feature]:
    """Return 1 where an expression is a level, for each of its levels."""
    if isinstance(value, Call) and _read_name(value) == "cut":
        return _cut(value, len(levels))
    source = _find_text(value, 0)
    is_boolean = levels == ["FALSE", "TRUE"]
    if isinstance(source, Symbol):
        known = Raw(source.name, "boolean" if is_boolean else "text")
        return known.one_hot([[level] for level in levels], other="error", missing="nan")
    if not is_boolean:
        raise _unknown(value)
    return [1 - (yes := logical(source)), yes]


def _find_text(value: RValue, depth: int) -> RValue:
    """Return the column that an expression makes a factor of, or the test that it does."""
    check_depth(depth)
    if isinstance(value, Symbol) and value.name:
        return value
    if not isinstance(value, Call) or not value.arguments:
        raise _unknown(value)
    name = _read_name(value)
    if name in _TESTS:
        return value
    if name not in {"(", "I", *_FACTORS}:
        raise _unknown(value)
    for key in [*_name_arguments(value)][1:]:
        if key not in _FACTORS.get(name, ()):
            raise Refusal(f"{spell(value)}, whose {key or 'arguments'} may change its levels")
    return _find_text(value.arguments[0][1], depth + 1)


def _unknown(value: RValue) -> Refusal:
    known = "arithmetic, comparisons, log, exp, sqrt, abs, poly, scale, cut, factor and I are"
    return Refusal(f"{spell(value)} is not known here", known)


def _read_name(value: Call) -> str:
    """Return the name of the function of a call, without its package."""
    function = value.function
    if isinstance(function, Call) and spell(function.function) == "::" and function.arguments:
        function = function.arguments[-1][1]
    return function.name if isinstance(function, Symbol) else ""


def _name_arguments(value: Call) -> dict[str, RValue]:
    """Return the arguments of a call by name, those without one by their place."""
    found: dict[str, RValue] = {}
    places = _POSITIONS.get(_read_name(value), ())
    given = {key for key, _ in value.arguments}
    for key, one in value.arguments:
        name = key or next((p for p in places if p not in found and p not in given), "")
        if name in found:
            raise _unknown(value)
        found[name] = one
    return found


def _read_texts(value: RValue) -> list[str]:
    """Return the texts that a vector, or a call of c(), is of; none of anything else."""
    if isinstance(value, Vector) and value.kind == "character":
        return texts(value)
    if isinstance(value, Call) and _read_name(value) == "c":
        return [text for _, part in value.arguments for text in _read_texts(part)]
    return []


def _is_false(value: RValue) -> bool:
    return isinstance(value, Vector) and value.kind == "logical" and not any(value.values)


def _read_numbers(value: RValue) -> list[float]:
    """Return the numbers that a vector, or a call of c(), is of; Inf and -Inf are among them."""
    if isinstance(value, Vector):
        return [math.nan if one is None else one for one in numbers(value)]
    name = _read_name(value) if isinstance(value, Call) else ""
    if not isinstance(value, Call) or name not in {"c", "-"}:
        raise _unknown(value)
    found = [one for _, part in value.arguments for one in _read_numbers(part)]
    return found if name == "c" else [-one for one in found]


def _cut(value: Call, n_levels: int) -> list[Feature]:
    """Return the intervals of cut(x, c(-Inf, …, Inf)); R has no level for what lies outside."""
    hint = "give cut() its breaks as numbers, from -Inf to Inf"
    given = _name_arguments(value)
    borders = sorted(_read_numbers(given["breaks"])) if "breaks" in given else []
    if len(borders) < 2:
        raise Refusal(f"{spell(value)}, whose borders the file does not have in full", hint)
    if len(borders) != n_levels + 1 or borders[0] != -math.inf or borders[-1] != math.inf:
        what = f"{spell(value)}, which has no level for numbers outside of its breaks"
        raise Refusal(what, hint)
    return number(given.get("x")).bucket(borders[1:-1], left_closed=_is_false(given.get("right")))


def _scale(value: Call) -> Feature:
    """Return scale(x) with the numbers that R kept for new rows."""
    given = _name_arguments(value)
    if "center" not in given or "scale" not in given:
        raise Refusal(f"{spell(value)} without the numbers that R scaled with")
    centre, scale = given["center"], given["scale"]
    found = number(given.get("x"))
    found = found if _is_false(centre) else compute("-", found, constant(first_number(centre)))
    return found if _is_false(scale) else compute("/", found, constant(first_number(scale)))


def _make_poly(value: Call) -> NamedFeatures:
    """Return the columns of poly(): powers, or R's recurrence on the numbers that it kept."""
    given = _name_arguments(value)
    n = int(first_number(given["degree"])) if "degree" in given else 1
    x = number(given.get("x"))
    if not 0 < n <= MAX_EXPONENT or given.keys() - {"x", "degree", "coefs", "raw", "simple"}:
        raise _unknown(value)
    coefs = entries(given.get("coefs"))
    before, now, powers = constant(0), constant(1), list[Feature]()
    if not coefs:
        if "raw" not in given or _is_false(given["raw"]):
            raise Refusal(f"{spell(value)} without the numbers that R made it orthogonal with")
        alpha, norm2 = [0.0] * n, [1.0] * (n + 2)
    else:
        alpha, norm2 = (_read_numbers(coefs.get(name)) for name in ("alpha", "norm2"))
        if len(alpha) < n or len(norm2) != len(alpha) + 2 or not min(norm2) > 0:
            raise Refusal("poly() whose numbers do not fit its degree")
    for i in range(n):
        ratio = norm2[i + 1] / norm2[i] if i and coefs else 0.0
        before, now = now, multiply(x - alpha[i], now) - before * ratio
        powers.append(now / math.sqrt(norm2[i + 2]))
    return [(str(i + 1), power) for i, power in enumerate(powers)]
