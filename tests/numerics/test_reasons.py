from __future__ import annotations

from matscore.numerics.statistics.reasons import MAX_REASONS, N_EXAMPLES, Reasons
from matscore.read.faults import Reject


def reject(error: str, name: str | None = "action", line: int = 2, text: str = "x") -> Reject:
    return Reject(line, 2, name, error, "mend it", text)


def test_cells_are_no_part_of_a_reason() -> None:
    reasons = Reasons()
    errors = ['"5%" is not a number', '"a "b" c" is not a number', "a missing value"]
    reasons.add("f.csv", [reject(error) for error in errors])
    assert [(reason.what, n) for reason, n in reasons.counts.items()] == [
        ('"…" is not a number', 2),
        ("a missing value", 1),
    ]


def test_columns_and_places_in_the_text() -> None:
    reasons = Reasons()
    for offset in (3, 77):
        reasons.add("f", [reject(f"the text is not UTF-8: byte 0xe9 at offset {offset}", None)])
    reasons.add("f", [reject("a missing value", "a"), reject("a missing value", "b")])
    assert list(reasons.counts.values()) == [2, 1, 1]


def test_memory_is_bounded() -> None:
    reasons = Reasons()
    for i in range(MAX_REASONS + 50):
        reasons.add("f", [reject(f"reason {i}", text="y" * 10**5)])
    assert len(reasons.counts) == MAX_REASONS and reasons.n_other == 50
    assert reasons.n_rows == MAX_REASONS + 50
    assert len(reasons.examples) == N_EXAMPLES
    assert all(len(one.text) < 300 for one in reasons.examples)
