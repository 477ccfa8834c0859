"""The paths of a run: what they must not be, what their endings say, outputs opened."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path

from matscore.errors import UsageError
from matscore.options import Format, PathLike, RejectOptions
from matscore.read.table import Table
from matscore.run.prepare import refuse_two_pipes
from matscore.run.summary import Progress
from matscore.write.compress import open_output
from matscore.write.deliver import BinaryFile
from matscore.write.whole import refuse_same_file

_ENDINGS: dict[str, Format] = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".md": "markdown",
    ".html": "html",
    ".htm": "html",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
    ".txt": "table",
}
_COMPRESSED = (".gz", ".zst", ".bz2", ".xz")


def is_directory(output: PathLike | BinaryFile | None) -> bool:
    """Say whether an output is a directory, to hold one output an input.

    Examples
    --------
    >>> is_directory("scores/"), is_directory("scores.csv")
    (True, False)
    """
    return isinstance(output, str) and output.endswith("/")


def ending_of(form: Format) -> str:
    """Return the ending that names a format.

    Examples
    --------
    >>> ending_of("jsonl")
    '.jsonl'
    """
    return next(ending for ending, named in _ENDINGS.items() if named == form)


def format_of(path: PathLike) -> Format | None:
    """Return the output format that a file's ending names.

    Examples
    --------
    >>> format_of("scores.csv.gz"), format_of("scores.parquet"), format_of("scores")
    ('csv', 'parquet', None)
    """
    name = Path(path)
    ending = name.suffix.lower()
    if ending in _COMPRESSED:
        ending = name.with_suffix("").suffix.lower()
    return _ENDINGS.get(ending)


def refuse_same_outputs(paths: Sequence[str]) -> None:
    """Refuse two outputs that are one file.

    Raises
    ------
    UsageError
        They are, by name or by any link.
    """
    for i, path in enumerate(paths):
        try:
            refuse_same_file(path, paths[:i])
        except UsageError:
            what = f'two outputs are one file ("{path}")'
            raise UsageError(what, "write to two files") from None


def check_paths(
    inputs: Sequence[str], output: PathLike | BinaryFile | None, rejects: RejectOptions
) -> None:
    """Refuse paths that contradict each other, before anything is opened.

    Raises
    ------
    UsageError
        Two inputs are standard input; an output is an input or another output.
    """
    refuse_two_pipes(inputs)
    named = [str(path) for path in (output, rejects.path) if isinstance(path, (str, Path))]
    for path in named:
        refuse_same_file(path, inputs)
    refuse_same_outputs(named)


def enter_output(
    stack: contextlib.ExitStack, output: PathLike | BinaryFile | None, inputs: Sequence[str]
) -> BinaryFile | None:
    """Open an output that is a path, to be there whole or not at all when the stack ends."""
    if isinstance(output, (str, Path)):
        return stack.enter_context(open_output(str(output), inputs=inputs))
    return output


def report_progress(
    tables: Sequence[Table],
    on_progress: Callable[[Progress], None] | None,
    n_rows: int,
    *,
    count_read: Callable[[], int] | None = None,
) -> None:
    """Tell how far the reading of some tables is, by their own count or by an engine's."""
    if on_progress is None:
        return
    sizes = [table.source.size for table in tables]
    total = None if None in sizes else sum(size or 0 for size in sizes)
    n_read = sum(table.source.n_read for table in tables) if count_read is None else count_read()
    on_progress(Progress(n_read if total is None else min(n_read, total), total, n_rows))
