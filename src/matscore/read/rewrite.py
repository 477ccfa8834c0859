"""Text as other tools have it, rewritten before it is cut: comments, title lines, runs of blanks.

Lines are left out whole and counted, so that every line that stays keeps its physical number. A
quote opens a cell only where a cell can start; what stands inside quotes is never touched.
"""

from __future__ import annotations

import itertools
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np

from matscore.kernel import count_records

BLANKS = "blanks"
"""The delimiter that is any run of spaces and tabs."""

_MOST_HELD = 2**26 + 2**20  # bytes of a record that never ends: the cut refuses it
_MARKS = b",;\t|"  # delimiters, where it is not known yet which one it is
_ODD_BLANKS = (b'"', b"\r", b"\v", b"\f")


@dataclass
class Gaps:
    """Which lines were left out: for each, the number of lines before it that stay."""

    places: deque[int] = field(default_factory=deque)
    n_lines: int = 0  # that stay, so far
    n_comments: int = 0
    n_skipped: int = 0

    def line_of(self, n_before: int) -> int:
        """Return the physical line, from 1, of one that has so many lines before it that stay."""
        return n_before + 1 + sum(place <= n_before for place in self.places)


class _Found(NamedTuple):
    cut: int  # bytes up to the last record's end
    comments: list[tuple[int, int]]


@dataclass(frozen=True)
class Rewrite:
    """What is done to the lines of a text."""

    comment: bytes = b""  # what the lines start with that are left out
    n_skipped: int = 0  # lines that are left out at the start
    is_blanks: bool = False  # whether a run of blanks is a delimiter
    delimiter: bytes = b""  # where it is known

    def apply(self, blocks: Iterator[bytes], gaps: Gaps) -> Iterator[bytes]:
        """Yield the text that stays, in pieces."""
        rest, n_left = b"", self.n_skipped
        n_shown = 0  # bytes of the rest that were yielded
        for block in itertools.chain(blocks, [None]):
            if block and not n_left and self._is_plain(rest) and self._is_plain(block):
                # A copy of each block would take longer than all else. What stands before the next
                # one is kept, since it tells where a cell starts.
                yield rest[n_shown:]
                yield block
                gaps.n_lines += count_records(block)[0]
                line = block.rfind(b"\n") + 1
                rest = block[line:] if line else rest + block
                n_shown = len(rest)
                continue
            rest += block or b""
            while n_left and (rest if block is None else b"\n" in rest):
                rest = rest.partition(b"\n")[2]
                n_left -= 1
                gaps.places.append(0)
                gaps.n_skipped += 1
            if n_left:
                rest = b""
                continue
            found = self._find(rest, at_end=block is None)
            cut = len(rest) if len(rest) - found.cut > _MOST_HELD else found.cut
            yield self._rewrite(rest[:cut], found.comments, gaps)[n_shown:]
            rest, n_shown = rest[cut:], n_shown if cut == 0 else 0

    def _is_plain(self, data: bytes) -> bool:
        """Say whether nothing is to be done to some text, wherever it stands."""
        if self.is_blanks:
            return False
        return not self.comment or (b'"' not in data and self.comment[:1] not in data)

    def _rewrite(self, data: bytes, comments: list[tuple[int, int]], gaps: Gaps) -> bytes:
        pieces, start = [], 0
        for begin, end in [*comments, (len(data), len(data))]:
            pieces.append(data[start:begin])
            gaps.n_lines += count_records(pieces[-1])[0]
            if begin < end:
                gaps.places.append(gaps.n_lines)
                gaps.n_comments += 1
            start = end
        data = b"".join(pieces)
        return self._join_blanks(data) if self.is_blanks else data

    def _join_blanks(self, data: bytes) -> bytes:
        plain = data.replace(b"\r\n", b"\n")
        if not any(odd in plain for odd in _ODD_BLANKS):
            return b"\n".join([b" ".join(line.split()) for line in plain.split(b"\n")])
        return self._blanks.sub(lambda run: run[1] or (b"" if run[2] is not None else b" "), data)

    def _find(self, data: bytes, *, at_end: bool) -> _Found:
        """Find the end of the last record, and the comments before it."""
        mark = self.comment
        # Most blocks have none: one byte is looked for fastest.
        has_comments = mark[:1] in data if mark else False
        has_comments = has_comments and (data.startswith(mark) or b"\n" + mark in data)
        last = len(data) if at_end else data.rfind(b"\n") + 1
        if b'"' not in data:
            return _Found(last, self._list_comments(data, last) if has_comments else [])
        if not has_comments and (cut := self._find_outer(data)) is not None:
            return _Found(last if at_end else cut, [])
        return self._walk(data, at_end=at_end)

    def _list_comments(self, data: bytes, last: int) -> list[tuple[int, int]]:
        """Find comments in a text without quotes."""
        found, mark = [], b"\n" + self.comment
        start = 0 if data.startswith(self.comment) else data.find(mark) + 1 or last
        while start < last:
            end = data.find(b"\n", start) + 1 or len(data)
            found.append((start, end))
            start = end if data.startswith(self.comment, end) else data.find(mark, end) + 1 or last
        return found

    def _find_outer(self, data: bytes) -> int | None:
        """Find the end of the last record where all quotes stand well; None where one does not."""
        codes = np.frombuffer(data, np.uint8)
        quotes = np.flatnonzero(codes == ord('"'))
        # They open and close in turn then, a doubled one being a close and an open side by side.
        opening = quotes[0::2]
        if not (self._openers[codes[opening - 1]] | (opening == 0)).all():
            return None
        newlines = np.flatnonzero(codes == ord("\n"))
        outer = newlines[np.searchsorted(quotes, newlines) % 2 == 0]
        return int(outer[-1]) + 1 if len(outer) else 0

    def _walk(self, data: bytes, *, at_end: bool) -> _Found:
        """Go through quoted cells and comments, one by one."""
        comments, cells, last = list[tuple[int, int]](), list[tuple[int, int]](), len(data)
        for found in self._steps.finditer(data):
            begin, end = found.span()
            is_comment = found[1] is None
            is_whole = data[end - 1 : end] == b"\n" if is_comment else found[2] == b'"'
            if not (is_whole or at_end):
                last = begin  # where it ends is not known yet
                break
            (comments if is_comment else cells).append((begin, end))
        if at_end:
            return _Found(len(data), comments)
        # The last line end outside quotes.
        for begin, end in reversed(cells):
            if (cut := data.rfind(b"\n", end, last) + 1) > 0:
                break
            last = begin
        else:
            cut = data.rfind(b"\n", 0, last) + 1
        return _Found(cut, [one for one in comments if one[1] <= cut])

    @cached_property
    def _marks(self) -> bytes:
        return b" \t" if self.is_blanks else self.delimiter or _MARKS

    @cached_property
    def _openers(self) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Which bytes may stand before an opening quote."""
        table = np.zeros(256, np.bool_)
        table[list(self._marks + b'\n"')] = True
        return table

    @cached_property
    def _quoted(self) -> bytes:
        opener = b"(?:^|(?<=[" + re.escape(self._marks) + b"]))"
        return opener + b'"[^"]*(?:""[^"]*)*("|\\Z)'

    @cached_property
    def _steps(self) -> re.Pattern[bytes]:
        comment = b"|^" + re.escape(self.comment) + b"[^\\n]*\\n?" if self.comment else b""
        return re.compile(b"(" + self._quoted + b")" + comment, re.MULTILINE)

    @cached_property
    def _blanks(self) -> re.Pattern[bytes]:
        quoted = b"(" + self._quoted.replace(b'("|', b'(?:"|') + b")"
        runs = b"|(^[ \\t]+|[ \\t]+(?=\\r?$))|[ \\t]+"
        return re.compile(quoted + runs, re.MULTILINE)
