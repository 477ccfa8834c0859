"""Why a record or a cell is refused, and what to do about it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence

from matscore.errors import InputError
from matscore.kernel import BadRecord, Fault, Stop
from matscore.names import BLANKS, Grammar, show
from matscore.read.inputs import COMMENT, DELIMITERS
from matscore.read.rows import MISSING_CELL, FrameChunk, Layout, Reject
from matscore.read.source import Source
from matscore.read.split import Chunk, split_cells

_SHOWN_WIDTH = 40
_BOM = "\ufeff".encode()
_JOINED = ("a byte-order mark", "two files may have been joined here; remove it")
_SIMPLE = {
    Fault.BYTE_ORDER_MARK: _JOINED,
    Fault.HEADER_AGAIN: ("the header again", "two files may have been joined here; remove it"),
    Fault.RETURN: ("a carriage return inside a record", "end lines with a line feed"),
}
_QUOTES = {
    Fault.QUOTE_INSIDE: (
        "a quote inside an unquoted cell",
        "quote the whole cell and double the quote",
    ),
    Fault.TEXT_AFTER_QUOTE: (
        "text after a closing quote",
        "double a quote that is part of the text",
    ),
    Fault.QUOTE_OPEN: ("a quote is never closed", "close it, or double it if it is meant"),
}


def explain_records(layout: Layout, chunk: Chunk, bad_records: Iterable[BadRecord]) -> list[Reject]:
    """Say what is wrong with each record that the kernel refused, of each cell once a chunk."""
    rejects, data, mark, decimal = list[Reject](), chunk.data, layout.delimiter, layout.decimal
    gap = (MISSING_CELL, layout.missing_hint)
    said: dict[str, str] = {}
    pairs = dict(layout.booleans)
    for _, n_lines, start, end, place, code, n_cells in bad_records:
        line, text = chunk.line_of(n_lines), data[start:end].decode()
        column, name = (None, None) if place < 0 else (place + 1, layout.name_of(place))
        if code in (Fault.NUMBER, Fault.LEVEL):
            is_plain = '"' not in text
            cell = (text.split(mark, place + 1) if is_plain else split_cells(text, mark))[place]
        if code == Fault.LEVEL:
            from matscore.read.derive import explain_unknown

            assert layout.terms is not None
            levels = layout.terms.texts[layout.level_columns.index(place)]
            told = explain_unknown(levels, cell)
            rejects.append(Reject(line, column, name, *told, text, layout.unknown == "skip"))
        elif code == Fault.NUMBER and place in pairs:
            told = explain_number(cell, decimal, pairs[place])
            rejects.append(Reject(line, column, name, *told, text))
        elif code == Fault.NUMBER:
            what = said.get(cell) or said.setdefault(cell, say_fault(cell, decimal))
            rejects.append(Reject(line, column, name, what, "", text, False, cell, decimal))
        elif code == Fault.MISSING:
            rejects.append(Reject(line, column, name, *gap, text, layout.missing == "skip"))
        else:
            what, hint = _explain_structure(layout, data, start, end, code, n_cells)
            rejects.append(Reject(line, column, name, what, hint, text))
    return rejects


def _explain_structure(
    layout: Layout, data: bytes, start: int, end: int, code: int, n_cells: int
) -> tuple[str, str]:
    if code == Fault.WIDTH:
        cut_off = b"\n" not in data[end : end + 2]
        width, mark = layout.width, layout.delimiter
        return explain_width(data[start:end], n_cells, width, mark, cut_off=cut_off)
    if code == Fault.DELIMITERS_ONLY:
        blank = layout.width == 1
        return "a blank line between records" if blank else "a line of delimiters only", "remove it"
    return _SIMPLE[Fault(code)]


def explain_width(  # noqa: PLR0911 - one for each kind of fault
    data: bytes, n_cells: int, width: int, delimiter: str, *, cut_off: bool
) -> tuple[str, str]:
    """Say what is wrong with a record of a wrong width; `cut_off` is one without a line end."""
    if not data.strip(b"\r"):
        return "a blank line between records", "remove it"
    what = f"{n_cells} cell{'s' * (n_cells != 1)}, but the first record has {width}"
    if (found := COMMENT.match(data)) is not None:
        return what, f"--comment '{found[0].decode()}' leaves out lines that start so"
    if cut_off and n_cells < width:
        return what, "the file may be cut off"
    if n_cells == 1 < width:
        for mark in DELIMITERS:
            if mark != delimiter and data.count(mark.encode()) == width - 1:
                return what, f"this line is separated by {mark!r}"
    if n_cells == width + 1 and data.endswith(delimiter.encode()):
        return what, "remove the delimiter at the line's end"
    if n_cells > width:
        if width == 1:
            return what, "--skip-lines N leaves out N lines of titles; -d names another delimiter"
        return what, "quote a cell that holds the delimiter; see -d for another delimiter"
    return what, "a delimiter is missing, or the line is not data"


def explain_stop(layout: Layout, chunk: Chunk, stop: Stop) -> Reject:
    """Reject the one record of a chunk with a misplaced quote; refuse any other damage."""
    data = chunk.data
    if stop.fault in _QUOTES:
        return _explain_quote(layout, chunk, stop)
    what, hint = "a NUL byte", "the file is damaged, or needs --encoding"
    if stop.fault == Fault.NOT_UTF8:
        what = f"the text is not UTF-8: byte 0x{data[stop.at]:02x}"
        hint = "name its encoding with --encoding, latin-1 say"
    line = chunk.line_of(data.count(b"\n", 0, stop.at))
    # Where lines are rewritten nobody counts the bytes of the file.
    where = "" if chunk.gaps is not None else f" at offset {chunk.offset + stop.at}"
    raise InputError(chunk.path, f"{what}{where}", hint, line=line)


def _explain_quote(layout: Layout, chunk: Chunk, stop: Stop) -> Reject:
    record, at, column = chunk.data.removesuffix(b"\n").removesuffix(b"\r"), stop.at, stop.column
    what, hint = _QUOTES[stop.fault]
    is_escaped = record[at - 1 : at] == b"\\" or record[max(at - 2, 0) : at] == b'\\"'
    if is_escaped and stop.fault != Fault.QUOTE_OPEN:
        what, hint = "a quote escaped by a backslash", 'double it instead: ""'
    if record.startswith(_BOM + b'"'):
        what, hint = _JOINED
    name = layout.name_of(column) if column < layout.width else None
    if b"\n" in record or leaves_quote_open(record, layout.delimiter):
        hint = "the records after it cannot be told apart; " + hint
        raise InputError(chunk.path, what, hint, line=chunk.line, column=column + 1, name=name)
    return Reject(chunk.line, column + 1, name, what, hint, record.decode())


def leaves_quote_open(record: bytes, delimiter: str) -> bool:
    """Say whether a record is inside quotes at its end, when its misplaced quotes are text."""
    # Nobody can tell then whether the next line is another record.
    is_open = False
    for piece in record.split(delimiter.encode()):
        if is_open or piece.startswith(b'"'):
            body = piece if is_open else piece[1:]
            is_open = b'"' not in body.replace(b'""', b"")
    return is_open


def find_header_error(source: Source, record: bytes, fault: Fault | None) -> InputError | None:
    """Say why a record is refused as a header; None where it is none for that."""
    path, line = source.path, source.line_of(0)
    if fault in (Fault.QUOTE_INSIDE, Fault.TEXT_AFTER_QUOTE, Fault.QUOTE_OPEN):
        hint = "double a quote that is part of a name, and close every quote"
        if found := COMMENT.match(record):
            hint = f"--comment '{found[0].decode()}' leaves out lines that start so"
        if b'" "' in record or b'"\t"' in record:
            hint = "cells between blanks need -d ' ', and -d blanks where there are runs of them"
        return InputError(path, "a misplaced quote in the header", hint, line=line)
    if fault in (Fault.NUL, Fault.RETURN):
        what = "a NUL byte" if fault == Fault.NUL else "a carriage return"
        return InputError(path, f"{what} in the header", "the file is damaged", line=line)
    try:
        record.decode()
    except UnicodeDecodeError as error:
        at = source.n_mark + error.start
        where = f" at offset {at}" if source.gaps is None else ""
        what = f"the header is not UTF-8: byte 0x{record[error.start]:02x}{where}"
        return InputError(path, what, "name its encoding with --encoding, latin-1 say", line=line)
    return None


def find_other_width(
    source: Source, header: Sequence[str], records: Sequence[Sequence[str]], n_cells: int
) -> InputError | None:
    """Say what is wrong where all records have another width; None where that is not known."""
    line = source.line_of(0)
    if (mark := COMMENT.match(source.head)) is not None:
        start = mark[0].decode()
        hint = f"--comment '{start}' leaves out lines that start so"
        return InputError(source.path, f'the first line starts with "{start}"', hint, line=line)
    # Of one record, and of a delimiter at the end of every line, more is known where it is refused.
    alike = len(records) > 1 and all(len(one) == n_cells for one in records)
    if n_cells != len(header) + 1 or not alike or not any(one[-1] for one in records):
        return None
    what = f"the header has {len(header)} names, but every record {n_cells} cells, as in R's tables"
    hint = "write it with col.names=NA, or put a name for the first column before the others"
    return InputError(source.path, what, hint, line=line)


def explain_first_cell(
    layout: Layout, chunk: Chunk | FrameChunk, i: int, cell: str, *, is_missing: bool
) -> InputError:
    """Say why a cell of a matrix's first column is no number."""
    what, hint = explain_number(cell, layout.decimal)
    if is_missing:
        what, hint = MISSING_CELL, layout.missing_hint
    where = chunk.locate(layout, i, layout.label_column)
    return Reject(*where, what, hint, "").in_matrix(layout.names).as_error(chunk.path)


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
        (
            r"true|false|yes|no|t|f|y|n",
            "--booleans reads such columns as 1 for true and 0 for false",
        ),
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
        (r"[0-9.,]+\s?-", "write the minus sign in front"),
        (r"[+-]?[0-9]+\s?/\s?[0-9]+", "write the fraction as a decimal number"),
        (
            rf"{_LOOSE}(?:d[+-]?[0-9]+|\s?[x×*·]\s?10(?:\^|\*\*)?[+-]?[0-9]*)",
            "write the exponent with e, as in 1.5e3",
        ),
        (r"[<>~≈≤≥±].*[0-9].*", "write one number without a sign before it"),
        (
            rf"{_LOOSE}(?:[ \t;|]+{_LOOSE})+",
            "it is several numbers: -d names the delimiter between cells, -d blanks runs of blanks",
        ),
        (rf"{_LOOSE}\s?[^\W\d_].*|{_LOOSE}\s?°.*", "take out what follows the number"),
    )
)


def _hint_separators(core: str, decimal: str) -> str:
    other = "," if decimal == "." else "."
    switch = (
        "give --decimal , for decimal commas"
        if decimal == "."
        else f"--decimal {decimal} reads no decimal points: leave it out, or say --weights-decimal"
    )
    grouped = _GROUPED.fullmatch(core)
    if grouped is None or (grouped[1] or grouped[2]) == (grouped[3] or "")[:1]:
        return switch if Grammar(other).is_number(core) else ""
    if Grammar(other).is_number(core):  # 1,234 is either
        return f"{switch}, or take out the thousands separator"
    both = f" and {switch}" if (grouped[3] or decimal)[0] != decimal else ""
    return f"take out the thousands separators{both}"


def _hint_underscore(core: str, decimal: str) -> str:
    return "take out the underscores" if Grammar(decimal).is_number(core.replace("_", "")) else ""


def _hint_digits(core: str, decimal: str) -> str:  # noqa: ARG001
    foreign = any(c.isdigit() and not c.isascii() for c in core)
    return "write the digits as 0 to 9" if foreign else ""


def _hint_minus(core: str, decimal: str) -> str:
    sign = next((c for c in core if c in _MINUS_SIGNS), None)
    if sign is None or not Grammar(decimal).is_number(core.replace(sign, "-")):
        return ""
    return f"its minus sign is {_name_character(sign)}: write - (U+002D)"


def _hint_invisible(core: str, decimal: str) -> str:
    hidden = next((c for c in core if _is_invisible(c)), None)
    rest = "".join(c for c in core if not _is_invisible(c))
    if hidden is None or not (rest.strip(BLANKS) == "" or Grammar(decimal).is_number(rest)):
        return ""
    joined = " (were two files joined?)" if hidden == "\ufeff" else ""
    return f"take out the character {_name_character(hidden)}{joined}"


def _hint_parentheses(core: str, decimal: str) -> str:
    if not (core.startswith("(") and core.endswith(")") and any(c.isdigit() for c in core)):
        return ""
    inside = core[1:-1].strip(BLANKS)
    example = f": -{inside}" if inside[:1].isdigit() and Grammar(decimal).is_number(inside) else ""
    return f"write a negative number with a minus sign{example}"


def _hint_vector(core: str, decimal: str) -> str:
    if (core[:1], core[-1:]) not in (("[", "]"), ("(", ")"), ("{", "}")):
        return ""
    marks = r"[;\s]" if decimal == "," else r"[,;\s]"
    cells = re.split(rf"\s*{marks}\s*", core[1:-1].strip())
    several = len(cells) > 1 and all(map(Grammar(decimal).is_number, filter(None, cells)))
    hint = "it is a vector in one cell: write each of its numbers into a column of its own"
    return hint if several else ""


def _hint_currency(core: str, decimal: str) -> str:  # noqa: ARG001
    signs = any(unicodedata.category(c) == "Sc" for c in core)
    return "take out the currency sign" if signs and any(c.isdigit() for c in core) else ""


def _hint_letters(core: str, decimal: str) -> str:
    mended = core.translate(_LETTERS)
    if not any(c.isdigit() for c in core) or not Grammar(decimal).is_number(mended):
        return ""
    return f"it has a letter for a digit: is it {show_text(mended)}?"


def _hint_pattern(core: str, decimal: str) -> str:  # noqa: ARG001
    return next((hint for pattern, hint in _PATTERNS if pattern.fullmatch(core)), "")


# The first that has a hint speaks: those that read the mended cell come first.
_RULES: tuple[Callable[[str, str], str], ...] = (
    _hint_separators,
    _hint_underscore,
    _hint_digits,
    _hint_minus,
    _hint_invisible,
    _hint_vector,
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


def explain_number(
    text: str, decimal: str = ".", pair: tuple[str, str] | None = None
) -> tuple[str, str]:
    """Say what is wrong with a refused cell, and what to do; `pair` is what stands for 1 and 0."""
    if pair is not None:
        what = f'"{show_text(text)}" is neither "{pair[0]}" nor "{pair[1]}"'
        return what, "a column has one spelling of the two, that of its first records"
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


def show_text(text: str) -> str:
    """Make text safe for a message: one short line, whatever is not printable escaped."""
    if len(text) <= _SHOWN_WIDTH and text.isprintable():
        return text
    # A character is escaped to at least one, and no escape is cut in two.
    pieces = [show(character) for character in text[: _SHOWN_WIDTH + 1]]
    if sum(map(len, pieces)) <= _SHOWN_WIDTH:
        return "".join(pieces)
    while sum(map(len, pieces)) >= _SHOWN_WIDTH:
        pieces.pop()
    return "".join(pieces) + "…"
