"""What is wrong with a first line that can be no header of the records after it."""

from __future__ import annotations

from collections.abc import Sequence

from matscore.errors import InputError
from matscore.kernel import Fault
from matscore.read.inputs import COMMENT
from matscore.read.source import Source


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
