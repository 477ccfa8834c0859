"""Terms: what a row of weights may name besides a column.

A term is a product of factors, each a number that is computed from one column: a power, a function,
whether a text is a level, whether a number lies in an interval. This is the grammar alone: which
columns there are and what a term may not be is decided in the plan.

    term   = factor { ":" factor }
    factor = column [ "^" integer ] | function "(" column ")"
           | column "=" level | column "=(other)" | column "=(missing)"
           | [ number ("<"|"<=") ] column [ ("<"|"<=") number ] | column (">"|">=") number

A column or level that holds one of ``: = ^ ( ) < >`` or a backtick stands in backticks, those
inside doubled.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

from matscore.kernel import write_number
from matscore.names import POINT, may_be_term, quote_name

FUNCTIONS = ("log", "log1p", "log2", "log10", "exp", "sqrt", "abs")
MAX_EXPONENT = 64
_OPERATORS = ("<=", ">=", "<", ">", "=", "^", "(", ")", ":")
_TOKEN = re.compile(r"`(?:[^`]|``)*`|<=|>=|[<>=^():]|[^<>=^():`]+|`")
_LEVEL = re.compile(r"([^:=^()<>`]+)=([^:=^()<>`]+)")
_INTEGER = re.compile(r"[+-]?[0-9]{1,9}")
_COMMA = re.compile(r"[+-]?[0-9]*,[0-9]+")
POINT_HINT = "numbers in terms have decimal points, whatever --decimal says, as in 2.5<=x"


@dataclass(frozen=True, slots=True)
class Power:
    """A column's number, or a power of it."""

    column: str
    exponent: int = 1


@dataclass(frozen=True, slots=True)
class Function:
    """A function of a column's number."""

    name: str  # one of FUNCTIONS
    column: str


@dataclass(frozen=True, slots=True)
class Interval:
    """1 where a column's number lies between two borders, else 0."""

    column: str
    low: float = -math.inf
    high: float = math.inf
    low_closed: bool = False  # the border belongs to it
    high_closed: bool = False


@dataclass(frozen=True, slots=True)
class Level:
    """1 where a column's text is a level, else 0."""

    column: str
    text: str


@dataclass(frozen=True, slots=True)
class Other:
    """1 where a column's text is none of its levels, else 0."""

    column: str


@dataclass(frozen=True, slots=True)
class Missing:
    """1 where a column's cell is missing, else 0."""

    column: str


Factor: TypeAlias = Power | Function | Interval | Level | Other | Missing
Term: TypeAlias = tuple[Factor, ...]


class TermError(ValueError):
    """A name that is no term: what is wrong with it, and what to do."""

    def __init__(self, what: str, hint: str) -> None:
        super().__init__(what, hint)
        self.what, self.hint = what, hint


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    quoted: bool = False

    @property
    def operator(self) -> str:
        """The operator that it is; empty for a text."""
        return self.text if not self.quoted and self.text in _OPERATORS else ""

    @property
    def number(self) -> float | None:
        """The number that it is, where it may be one."""
        return None if self.quoted or not POINT.is_number(self.text) else POINT.read(self.text)


# A plan asks for each of many levels several times.
@lru_cache(maxsize=2**18)
def parse_term(name: str) -> Term:
    """Read a name as a term; a `TermError` where it is none.

    Examples
    --------
    >>> parse_term("age:region=North")
    (Power(column='age', exponent=1), Level(column='region', text='North'))
    >>> parse_term("30<=bmi<35")[0]
    Interval(column='bmi', low=30.0, high=35.0, low_closed=True, high_closed=False)
    >>> parse_term("`a:b`^2"), parse_term("x=(missing)")
    ((Power(column='a:b', exponent=2),), (Missing(column='x'),))
    """
    if level := _LEVEL.fullmatch(name):  # most names are: of 10,000 this saves a tenth of a second
        return (Level(level[1], level[2]),)
    groups: list[list[_Token]] = [[]]
    for token in _split_tokens(name):
        if token.operator == ":":
            groups.append([])
        else:
            groups[-1].append(token)
    return tuple(_parse_factor(name, tokens) for tokens in groups)


def try_term(name: str) -> Term:
    """Read a name as a term; nothing where it is none."""
    try:
        return parse_term(name)
    except TermError:
        return ()


def is_column(term: Term) -> bool:
    """Say whether a term is a column as it is."""
    return term == (Power(term[0].column),)


def _split_tokens(name: str) -> list[_Token]:
    tokens: list[_Token] = []
    for text in _TOKEN.findall(name):
        if text == "`":
            raise TermError(f"{quote_name(name)} has a backtick that is not closed", _QUOTE_HINT)
        quoted = text.startswith("`")
        if tokens and not tokens[-1].operator and (quoted or text not in _OPERATORS):
            what = f"{quote_name(name)} has backticks around a part of a name"
            raise TermError(what, "put them around the whole column or level")
        tokens.append(_Token(text[1:-1].replace("``", "`") if quoted else text, quoted))
    return tokens


_QUOTE_HINT = "a column or level with one of : = ^ ( ) < > ` stands in backticks, those doubled"


def _parse_factor(name: str, tokens: list[_Token]) -> Factor:
    shape = "".join(token.operator or "t" for token in tokens)
    texts = [token.text for token in tokens if not token.operator]
    match shape:
        case "t":
            return Power(texts[0])
        case "t^t" if not tokens[2].quoted:
            return Power(texts[0], _read_exponent(name, texts[1]))
        case "t(t)" if texts[0] in FUNCTIONS and not tokens[0].quoted:
            return Function(texts[0], texts[1])
        case "t=t":
            return Level(texts[0], texts[1])
        case "t=(t)" if texts[1] in ("other", "missing") and not tokens[3].quoted:
            return Other(texts[0]) if texts[1] == "other" else Missing(texts[0])
        case "t<t" | "t<=t" | "t>t" | "t>=t" | "t<t<t" | "t<=t<t" | "t<t<=t" | "t<=t<=t":
            return _parse_interval(name, tokens)
    raise TermError(f"{quote_name(name)} is no term", _find_hint(shape, texts))


def _read_exponent(name: str, text: str) -> int:
    if not _INTEGER.fullmatch(text) or abs(int(text)) > MAX_EXPONENT:
        what = f"{quote_name(name)} has an exponent that is no whole number up to {MAX_EXPONENT}"
        raise TermError(what, "sqrt(x), log(x) and exp(x) are known too")
    if int(text) == 0:
        what = f"{quote_name(name)} is 1 in every row"
        raise TermError(what, 'its weight belongs to the intercept, the row "(Intercept)"')
    return int(text)


def _parse_interval(name: str, tokens: list[_Token]) -> Interval:
    numbers = [token.number for token in tokens[::2]]
    operators = [token.operator for token in tokens[1::2]]
    borders = [i for i, number in enumerate(numbers) if number is not None]
    if len(tokens) == 3 and len(borders) == 2:
        what = f"{quote_name(name)} compares two numbers"
        raise TermError(what, "put the one that is a column in backticks")
    if borders not in ([0, 2], [0], [1]) or (len(tokens) == 5 and borders != [0, 2]):
        what = f"{quote_name(name)} does not compare a column with numbers"
        commas = any(_COMMA.fullmatch(token.text) for token in tokens)
        raise TermError(what, POINT_HINT if commas else "write 30<=x<35, x<30 or x>=35")
    column = tokens[0 if borders == [1] else 2].text
    low, high, low_closed, high_closed = -math.inf, math.inf, False, False
    for i in borders:
        operator = operators[-1] if i else operators[0]
        value = numbers[i]
        assert value is not None
        if (i == 0) == operator.startswith("<"):  # 30 < x, x > 30
            low, low_closed = value, operator.endswith("=")
        else:
            high, high_closed = value, operator.endswith("=")
    if not (low < high or (low == high and low_closed and high_closed)):
        raise TermError(f"no number lies in {quote_name(name)}", "exchange or mend its borders")
    return Interval(column, low, high, low_closed, high_closed)


def _find_hint(shape: str, texts: list[str]) -> str:
    if shape == "t(t)":
        return f'"{texts[0]}" is no function; known are {", ".join(FUNCTIONS)}'
    if shape == "t=(t)" and texts[1].casefold() in ("other", "missing"):
        return f"write {write_name(texts[0])}=({texts[1].casefold()})"
    if shape.startswith("t=(t)") and texts[1] in ("other", "missing"):
        return f"a level of that name stands in backticks: {texts[0]}=`({texts[1]})`"
    if shape.startswith("t=") and len(shape) > 2:
        return _QUOTE_HINT + f", as in {write_name(texts[0])}=`a=b`"
    return _QUOTE_HINT


def write_name(text: str) -> str:
    """Write a column or level as it stands in a term."""
    if text and not may_be_term(text):
        return text
    return "`" + text.replace("`", "``") + "`"


def write_factor(factor: Factor) -> str:
    """Write a factor as `parse_term` reads it."""
    column = write_name(factor.column)
    match factor:
        case Power(_, exponent):
            return column if exponent == 1 else f"{column}^{exponent}"
        case Function(name, _):
            return f"{name}({column})"
        case Interval():
            return _write_interval(factor)
    level = {Other: "(other)", Missing: "(missing)"}.get(type(factor))
    return f"{column}={level or write_name(getattr(factor, 'text', ''))}"


def _write_interval(interval: Interval) -> str:
    column = interval.column
    column = f"`{column}`" if POINT.is_number(column) else write_name(column)
    low, high = write_border(interval.low), write_border(interval.high)
    if math.isinf(interval.high):
        return f"{column}>{'=' * interval.low_closed}{low}"
    below = f"{column}<{'=' * interval.high_closed}{high}"
    return below if math.isinf(interval.low) else f"{low}<{'=' * interval.low_closed}{below}"


def write_border(value: float) -> str:
    """Write a border of an interval: whole numbers without a point."""
    return write_number(value).removesuffix(".0")


def write_term(term: Term) -> str:
    """Write a term as `parse_term` reads it.

    Examples
    --------
    >>> write_term((Power("a:b", 2), Level("region", "North (old)"), Interval("bmi", 30.0, 35.0)))
    '`a:b`^2:region=`North (old)`:30<bmi<35'
    """
    return ":".join(map(write_factor, term))


def sort_factors(term: Term) -> Term:
    """Return a term's factors in one order, so that a:b and b:a are the same."""
    return term if len(term) == 1 else tuple(sorted(term, key=write_factor))
