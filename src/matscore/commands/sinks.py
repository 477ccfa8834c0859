"""Where the rows of a command go."""

from __future__ import annotations

from functools import partial

import matscore
from matscore.options import PathLike
from matscore.run.paths import is_directory
from matscore.run.run import OneOutput, Renderer, Sink
from matscore.write.deliver import BinaryFile


def open_sink(output: PathLike | BinaryFile | None) -> Sink:
    """Return what takes a command's rows: one output, or a directory where a path ends so."""
    if is_directory(output):
        from matscore.run.directory import Directory

        return Directory(str(output))
    return OneOutput(output, _load_renderer)


def _load_renderer() -> Renderer:
    """Load what makes a page of a table, which needs an optional library."""
    from matscore.pages.extra import require_extra

    require_extra("an HTML table", "jinja2")
    from matscore.pages.scores import render_table

    return partial(render_table, version=matscore.__version__)
