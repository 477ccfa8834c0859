"""``--plot``: a picture of the scores, written when all rows are done."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from matscore.errors import UsageError, require_extra
from matscore.write.whole import open_output

if TYPE_CHECKING:
    from matscore.commands.classify import ScoreTally
    from matscore.options import Gather
    from matscore.run.run import Summary
    from matscore.write.whole import BinaryFile


@dataclass(frozen=True)
class Plot:
    """Where a picture goes; nowhere, where none is asked for."""

    form: Literal["svg", "png"] = "svg"
    out: BinaryFile | None = None

    @property
    def gather(self) -> tuple[Gather, ...]:
        """The statistics that the picture needs."""
        return () if self.out is None else ("plot",)

    def __call__(self, summary: Summary[ScoreTally]) -> None:
        """Draw a run."""
        if self.out is not None:
            from matscore.pages.charts import render_plot

            self.out.write(render_plot(summary, self.form))


@contextmanager
def open_plot(path: str | None, inputs: Sequence[str]) -> Iterator[Plot]:
    """Open the file of a picture, to be there whole or not at all."""
    if path is None:
        yield Plot()
        return
    form: Literal["svg", "png"]
    if path.lower().endswith(".svg"):
        form = "svg"
    elif path.lower().endswith(".png"):
        form = "png"
    else:
        raise UsageError(f'--plot cannot draw "{path}"', "name a .svg or a .png file")
    require_extra("--plot", "matplotlib")
    with open_output(path, inputs=inputs) as out:
        yield Plot(form, out)
