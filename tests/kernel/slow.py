"""Slow and plain readers, one character after the other, to judge the kernel by."""

from __future__ import annotations


def cut_slowly(data: bytes, at_end: bool, delimiter: str = ",") -> int:
    """Say where a buffer can be cut, by the words of `matscore.kernel.find_cut`."""
    text = data.decode("latin-1")
    ends = ("", "\n", delimiter)
    at, cut = 0, 0  # cut: after the last line end outside quotes
    while at < len(text):
        if text[at] == '"':
            bad = at
            closing = at + 1
            while text[closing : closing + 2] == '""' or text[closing : closing + 1] not in (
                '"',
                "",
            ):
                closing += 2 if text[closing : closing + 2] == '""' else 1
            is_start = at == 0 or text[at - 1] in ("\n", delimiter)
            if is_start and closing >= len(text):
                return _without_blank(text, cut)  # still open
            after = text[closing + 1 : closing + 3]
            if is_start and (after[:1] in ends or after in ("\r", "\r\n")):
                at = closing + 1
                continue
            bad = closing if is_start else at
            if cut:
                return cut
            newline = text.find("\n", bad)
            return newline + 1 if newline >= 0 else len(text) * at_end
        at += 1
        if text[at - 1] == "\n":
            cut = at
    return _without_blank(text, len(text) if at_end else cut)


def _without_blank(text: str, cut: int) -> int:
    body = text[:cut].rstrip("\r\n")
    if not body:
        return 0
    newline = text.find("\n", len(body), cut)
    return cut if newline < 0 else newline + 1


def count_slowly(data: bytes) -> tuple[int, int]:
    """Count line ends, and those outside quotes."""
    inside, n_records = False, 0
    for byte in data:
        inside ^= byte == ord('"')
        n_records += byte == ord("\n") and not inside
    return data.count(b"\n"), max(n_records + (not data.endswith(b"\n")), 1)
