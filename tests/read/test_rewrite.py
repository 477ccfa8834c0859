"""Comments, first lines and runs of blanks: what stays is what stood there, at its line."""

from __future__ import annotations

import csv
import io
import itertools
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matscore.errors import InputError
from matscore.read.rewrite import Gaps, Rewrite
from matscore.read.rows import Layout
from matscore.read.split import iter_chunks

LAYOUT = Layout(None, 1, None, (), (0,))
PLAIN = st.text("ab1#.é'", min_size=1, max_size=5).filter(lambda text: text[0] != "#")
QUOTED = st.text('ab1# .é"\n\r,;', max_size=6).map(lambda t: '"' + t.replace('"', '""') + '"')
LINE_ENDS = st.sampled_from(["\n", "\r\n"])
# Quotes, delimiters and marks in comments mean nothing.
COMMENTS = st.text('a#,"; é', max_size=8).map(lambda text: "#" + text)


@dataclass(frozen=True)
class Commented:
    """A text with comments, and what is to stay of it."""

    text: bytes
    kept: bytes
    lines: list[int]  # the physical line of each record, from 1
    n_comments: int


@st.composite
def commented_texts(draw: st.DrawFn) -> Commented:
    """Draw records with comments between them."""
    cells = st.lists(st.one_of(PLAIN, QUOTED), min_size=1, max_size=3).map(",".join)
    pieces = draw(st.lists(st.tuples(st.booleans(), COMMENTS, cells, LINE_ENDS), max_size=8))
    text, kept, lines, n_comments = "", "", [], 0
    for is_comment, comment, record, line_end in pieces:
        piece = (comment if is_comment else record) + line_end
        if is_comment:
            n_comments += 1
        else:
            lines.append(1 + text.count("\n"))
            kept += piece
        text += piece
    if draw(st.booleans()) and text.endswith("\n"):
        ended = pieces[-1][3]
        kept = kept if pieces[-1][0] else kept.removesuffix(ended)
        text = text.removesuffix(ended)
    return Commented(text.encode(), kept.encode(), lines, n_comments)


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[i : i + size] for i in range(0, len(data), size)]


@given(commented_texts(), st.integers(1, 30), st.integers(1, 40))
def test_comments_leave_the_rest(case: Commented, block: int, chunk_bytes: int) -> None:
    gaps = Gaps()
    blocks = Rewrite(b"#").apply(iter(cut(case.text, block)), gaps)
    chunks = list(
        iter_chunks("f", blocks, delimiter=",", chunk_bytes=chunk_bytes, gaps=gaps.places)
    )
    assert b"".join(chunk.data for chunk in chunks) == case.kept
    lines = [line for chunk in chunks for line in chunk.lines.tolist()]
    assert lines == case.lines
    assert gaps.n_comments == case.n_comments
    for chunk in chunks:
        if halves := chunk.halve():
            assert [*halves[0].lines, *halves[1].lines] == chunk.lines.tolist()
            asked = [
                half.locate(LAYOUT, i, None)[0] for half in halves for i in range(half.n_records)
            ]
            assert asked == chunk.lines.tolist()


@given(
    st.lists(st.lists(st.one_of(PLAIN, QUOTED), min_size=2, max_size=4), max_size=6),
    st.integers(1, 30),
)
def test_blanks_against_the_csv_module(records: list[list[str]], block: int) -> None:
    """Whatever runs of blanks stand between, before and after cells, single ones do as well."""
    runs = itertools.cycle([" ", "\t", "   ", " \t ", "\t\t"])
    edges = itertools.cycle(["", " ", "\t  "])
    spread = "".join(
        next(edges) + "".join(c + next(runs) for c in cells[:-1]) + cells[-1] + next(edges) + "\n"
        for cells in records
    )
    plain = "".join(" ".join(cells) + "\n" for cells in records)
    found = b"".join(Rewrite(is_blanks=True).apply(iter(cut(spread.encode(), block)), Gaps()))

    def read(text: str) -> list[list[str]]:
        return list(csv.reader(io.StringIO(text, newline=""), delimiter=" "))

    assert read(found.decode()) == read(plain)


@given(
    st.one_of(st.binary(max_size=60), st.text('a#/",\n', max_size=60).map(str.encode)),
    st.integers(1, 20),
    st.integers(0, 3),
    st.sampled_from([b"#", b"//", b""]),
)
def test_anything_is_cut_alike(data: bytes, block: int, n_skipped: int, mark: bytes) -> None:
    """Damage, too, gives the same bytes however it comes, unless it ends inside quotes."""
    rewrite = Rewrite(mark, n_skipped)

    def apply(size: int) -> tuple[bytes, int, int]:
        gaps = Gaps()
        text = b"".join(rewrite.apply(iter(cut(data, size)), gaps))
        return text, gaps.n_comments, gaps.n_skipped

    assert apply(block) == apply(len(data) + 1)


def test_first_lines() -> None:
    gaps = Gaps()
    text = b'A title, "open\n\nid,a\nx,1\n'
    for size in range(1, len(text) + 1):
        gaps = Gaps()
        found = b"".join(Rewrite(n_skipped=2).apply(iter(cut(text, size)), gaps))
        assert found == b"id,a\nx,1\n"
        assert gaps.line_of(0) == 3
    assert b"".join(Rewrite(n_skipped=9).apply(iter([text]), gaps)) == b""


def test_a_quote_that_is_never_closed() -> None:
    text = b'# c\nid,a\nx,1\n# d\n"y,2\n# in quotes\nz,3\n'
    gaps = Gaps()
    blocks = Rewrite(b"#").apply(iter([text]), gaps)
    with pytest.raises(InputError) as caught:
        list(iter_chunks("f", blocks, delimiter=",", chunk_bytes=10, gaps=gaps.places))
    assert (caught.value.line, gaps.n_comments) == (5, 2)


def test_other_marks() -> None:
    rewrite = Rewrite(b"//", delimiter=b";")
    text = b'// a\n/ b;1\n;"// c\n// d"\n//'
    assert b"".join(rewrite.apply(iter([text]), Gaps())) == b'/ b;1\n;"// c\n// d"\n'
    # The quote opens no cell where the comma is no delimiter.
    other = b'a,"b;1\n// c\nd",2;3\n'
    assert b"".join(rewrite.apply(iter([other]), Gaps())) == b'a,"b;1\nd",2;3\n'
    assert b"".join(replace(rewrite, delimiter=b",").apply(iter([other]), Gaps())) == other
