"""Why a cell is not a number, and what to do about it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

from matscore.grammar import BLANKS, Grammar, is_number

SHOWN_WIDTH = 40

# Why a cell was refused. A rule takes the cell without the blanks around it and the decimal
# sign, and gives a hint or "". No pattern may need more than linear time: a cell can be long.

_GENERAL_HINT = (
    "a word for a missing cell is named with --missing-values, a column of labels with --id-col"
)
_LOOSE = r"[+-]?[.,]?[0-9][0-9.,]*(?:[eE][+-]?[0-9]+)?"
_INFINITY = re.compile(r"[+-]?(?:inf(?:inity)?|∞)", re.IGNORECASE)
# 1,234,567.8 with any of the usual separators, and 12,34,567.8 as in India.
_GROUPED = re.compile(
    r"[+-]?[0-9]{1,3}(?:(?=([,.'’\s]))(?:\1[0-9]{3})+|(?=(,))(?:,[0-9]{2})+,[0-9]{3})"
    r"([.,][0-9]*)?(?:[eE][+-]?[0-9]+)?"
)
_MINUS_SIGNS = "\u2212\u2010\u2011\u2012\u2013\u2014\u2015\ufe63\uff0d"
_INVISIBLE = ("Cc", "Cf", "Zl", "Zp", "Zs")  # Unicode's controls, formats and separators
_LETTERS = str.maketrans("OolI", "0011")

_PATTERNS = tuple(
    (re.compile(pattern, re.IGNORECASE), hint)
    for pattern, hint in (
        (
            r"#?n/?a|<na>|n\.a\.|n[./]?d\.?|-?nan|\(?null\)?|none|nil|nul|\\n|[-–—]+|\.+|…|\?+"
            r"|\*|x|missing|unknown|undefined|\(?blank\)?|empty",
            "if it means a missing cell, name it in --missing-values, which sets the whole list",
        ),
        (
            r"#[A-Z0-9/]+[!?]",
            "a spreadsheet could not compute it: mend it there, or name it in --missing-values",
        ),
        (r"true|false|yes|no|t|f|y", "write 1 for true and 0 for false"),
        (r"[+-]?0[xbo][0-9a-f].*", "write it as a decimal number"),
        (
            r"[0-9]{1,4}([-/.])(?:[0-9]{1,2}|[a-z]{3,9})\1[0-9]{1,4}(?:[t ].*)?"
            r"|[0-9]{1,2}[ -][a-z]{3,9}[ -][0-9]{2,4}|[0-9]{1,3}:[0-9]{2}(?::.*)?",
            "it looks like a date or a time: turn it into a number first",
        ),
        (rf"{_LOOSE}\s*[%‰]", "write 0.05 for 5%"),
        (
            rf"(?:usd|eur|gbp|chf|jpy|cny|inr|rs|kr)\.?\s*{_LOOSE}"
            rf"|{_LOOSE}\s*(?:usd|eur|gbp|chf|jpy|cny|inr|rs|kr)\.?",
            "take out the currency",
        ),
        (r"[\"'`“”‘’«»„].*", "take out the quotation marks"),
        (r"=.*", "it is a spreadsheet formula: save its value instead"),
        (rf"[+-]\s+{_LOOSE}", "take out the blank after the sign"),
        (r"[0-9.,]+-", "write the minus sign in front"),
        (r"[+-]?[0-9]+\s?/\s?[0-9]+", "write the fraction as a decimal number"),
        (
            rf"{_LOOSE}(?:d[+-]?[0-9]+|\s?[x×*·]\s?10(?:\^|\*\*)?[+-]?[0-9]*)",
            "write the exponent with e, as in 1.5e3",
        ),
        (r"[<>~≈≤≥±].*[0-9].*", "write one number without a sign before it"),
        (
            rf"{_LOOSE}(?:[ \t;|]+{_LOOSE})+",
            "it is several numbers: -d names the delimiter between cells",
        ),
        (rf"{_LOOSE}\s?[^\W\d_].*|{_LOOSE}\s?°.*", "take out what follows the number"),
    )
)


def _hint_separators(core: str, decimal: str) -> str:
    other = "," if decimal == "." else "."
    switch = (
        "give --decimal , for decimal commas"
        if decimal == "."
        else f"--decimal {decimal} reads no decimal points: leave it out for this file"
    )
    grouped = _GROUPED.fullmatch(core)
    if grouped is None or (grouped[1] or grouped[2]) == (grouped[3] or "")[:1]:
        return switch if is_number(core, other) else ""
    if is_number(core, other):  # 1,234 is either
        return f"{switch}, or take out the thousands separator"
    both = f" and {switch}" if (grouped[3] or decimal)[0] != decimal else ""
    return f"take out the thousands separators{both}"


def _hint_underscore(core: str, decimal: str) -> str:
    return "take out the underscores" if is_number(core.replace("_", ""), decimal) else ""


def _hint_digits(core: str, decimal: str) -> str:  # noqa: ARG001
    foreign = any(c.isdigit() and not c.isascii() for c in core)
    return "write the digits as 0 to 9" if foreign else ""


def _hint_minus(core: str, decimal: str) -> str:
    found = next((c for c in core if c in _MINUS_SIGNS), None)
    if found is None or not is_number(core.replace(found, "-"), decimal):
        return ""
    return f"its minus sign is {_name_character(found)}: write - (U+002D)"


def _hint_invisible(core: str, decimal: str) -> str:
    found = next((c for c in core if _is_invisible(c)), None)
    rest = "".join(c for c in core if not _is_invisible(c))
    if found is None or not (rest.strip(BLANKS) == "" or is_number(rest, decimal)):
        return ""
    joined = " (were two files joined?)" if found == "\ufeff" else ""
    return f"take out the character {_name_character(found)}{joined}"


def _hint_parentheses(core: str, decimal: str) -> str:
    if not (core.startswith("(") and core.endswith(")") and any(c.isdigit() for c in core)):
        return ""
    inside = core[1:-1].strip(BLANKS)
    example = f": -{inside}" if inside[:1].isdigit() and is_number(inside, decimal) else ""
    return f"write a negative number with a minus sign{example}"


def _hint_currency(core: str, decimal: str) -> str:  # noqa: ARG001
    signs = any(unicodedata.category(c) == "Sc" for c in core)
    return "take out the currency sign" if signs and any(c.isdigit() for c in core) else ""


def _hint_letters(core: str, decimal: str) -> str:
    mended = core.translate(_LETTERS)
    if not any(c.isdigit() for c in core) or not is_number(mended, decimal):
        return ""
    return f"it has a letter for a digit: is it {show_text(mended)}?"


def _hint_pattern(core: str, decimal: str) -> str:  # noqa: ARG001
    return next((hint for pattern, hint in _PATTERNS if pattern.fullmatch(core)), "")


_RULES: tuple[Callable[[str, str], str], ...] = (
    _hint_separators,
    _hint_underscore,
    _hint_digits,
    _hint_minus,
    _hint_invisible,
    _hint_parentheses,
    _hint_currency,
    _hint_letters,
    _hint_pattern,
)


def _is_invisible(character: str) -> bool:
    return character not in BLANKS and unicodedata.category(character) in _INVISIBLE


def _name_character(character: str) -> str:
    name = unicodedata.name(character, "a control character")
    return f"U+{ord(character):04X} ({name})"


def explain_number(text: str, decimal: str = ".") -> tuple[str, str]:
    """Say what is wrong with a refused cell, and what to do about it.

    Parameters
    ----------
    text : str
        The cell.
    decimal : str
        The decimal sign that it was read with.

    Returns
    -------
    what, hint : str
        For `InputError`.

    Examples
    --------
    >>> explain_number("1,5")
    ('"1,5" is not a number', 'give --decimal , for decimal commas')
    >>> explain_number("1e400")
    ('"1e400" is too large for float64', 'the largest number is about 1.8e308')
    """
    return say_fault(text, decimal), find_hint(text, decimal)


def say_fault(text: str, decimal: str = ".") -> str:
    """Say what is wrong with a refused cell."""
    core = text.strip(BLANKS)
    if not core:
        return "the cell is empty"
    shown = f'"{show_text(text)}"'
    if Grammar(decimal).is_too_large(core):
        return f"{shown} is too large for float64"
    infinite = "finite number" if _INFINITY.fullmatch(core) else "number"
    return f"{shown} is not a {infinite}"


def find_hint(text: str, decimal: str = ".") -> str:
    """Say what to do about a refused cell."""
    core = text.strip(BLANKS)
    if not core:
        return "--missing skip, zero or keep says what to do with it"
    if Grammar(decimal).is_too_large(core):
        return "the largest number is about 1.8e308"
    if _INFINITY.fullmatch(core):
        return "write a finite number or leave the cell empty"
    hints = (rule(core, decimal) for rule in _RULES)
    return next((hint for hint in hints if hint), _GENERAL_HINT)


def show_text(text: str, width: int = SHOWN_WIDTH) -> str:
    r"""Make text safe for a message: one short line, whatever is not printable escaped.

    Parameters
    ----------
    text : str
        Any text.
    width : int
        The most characters to give back; a longer text ends in "…".

    Examples
    --------
    >>> print(show_text("5\x1b[31m\u00a0€"))
    5\x1b[31m\xa0€
    >>> show_text("1234567890", width=5)
    '1234…'
    """
    if len(text) <= width and text.isprintable():
        return text
    # A character is escaped to at least one, so more than `width` of them are never needed.
    pieces = [c if c.isprintable() else ascii(c)[1:-1] for c in text[: width + 1]]
    if sum(map(len, pieces)) <= width:
        return "".join(pieces)
    shown = ""
    for piece in pieces:
        if len(shown) + len(piece) > width - 1:
            break
        shown += piece
    return shown + "…"
