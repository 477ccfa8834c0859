"""Ways into the values of an R file: fields, attributes, numbers, texts, and how R spells them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from matscore.models.rds import NA_INTEGER, Call, Other, RValue, Symbol, Vector
from matscore.models.refusal import Refusal

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
    for text in value.values:
        if not text.isprintable() and any("\ud800" <= c <= "\udfff" for c in text):
            raise Refusal(f"a text that is not in the encoding of the file: {text!a}")
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
