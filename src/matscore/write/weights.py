"""Learned weights as a file that the reader of weights reads back to the last bit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from matscore.frame import Frame, Kind
from matscore.kernel import Column, Floats, Texts
from matscore.options import Format
from matscore.read.faults import Reject
from matscore.write.deliver import BinaryFile, deliver_results
from matscore.write.encode import OutputSpec, encode_frame

_CORNERS = ("feature", "name", "term", "variable", "label", "index")


@dataclass(frozen=True)
class _Columns:
    pairs: list[tuple[str, Kind]]


@dataclass(frozen=True)
class _Whole:
    """All of a file at once."""

    data: bytes
    path: str = ""
    rejects: list[Reject] = field(default_factory=list)


def write_weights(
    names: Sequence[str],
    columns: Sequence[str],
    weights: Floats,
    out: BinaryFile,
    form: Format,
) -> None:
    """Write weights, with a header and in full precision.

    Parameters
    ----------
    names : sequence of str
        Of the rows.
    columns : sequence of str
        Of the columns, all different.
    weights : ndarray of shape (n_rows, n_columns), float64
        The numbers.
    out : binary file
        Where to write.
    form : str
        One of ``csv``, ``tsv``, ``parquet`` and ``arrow``.

    Raises
    ------
    OutputError
        The file cannot be written.
    """
    corner = next(name for name in (*_CORNERS, "") if name not in columns)
    made: dict[str, Column] = {corner: Texts.from_strings(names)}
    made |= {name: weights[:, j] for j, name in enumerate(columns)}
    pairs: list[tuple[str, Kind]] = [(corner, "text"), *((name, "number") for name in columns)]
    spec = OutputSpec(form, _Columns(pairs))
    deliver_results([_Whole(encode_frame(spec, Frame(made)))], spec, out)
