"""One axis of a matrix: its names, and what is asked of them wherever two axes meet."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from matscore.names import is_intercept, quote_name
from matscore.plan.misfit import Misfit
from matscore.plan.types import Plan


@dataclass(frozen=True)
class Axis:
    """The columns of the features as they are scored, or the rows or the columns of the weights.

    Attributes
    ----------
    path : str
        The file.
    kind : {"row", "column"}
        What its entries are in the file.
    names : tuple of str or None
        The names of all entries; None without names.
    size : int
        Number of entries, in features with a label column.
    offset : int
        How people count the first entry in the file.
    labelled : bool or None
        That the first entry holds labels, where no comparing must tell.
    """

    path: str
    kind: Literal["row", "column"]
    names: tuple[str, ...] | None
    size: int
    offset: int = 1
    labelled: bool | None = False

    @property
    def entries(self) -> range:
        """The entries that are not known to hold labels."""
        return range(bool(self.labelled), self.size)

    @cached_property
    def places(self) -> dict[str, list[int]]:
        """The entries of each name."""
        places: dict[str, list[int]] = {}
        for index, name in enumerate(self.names or ()):
            if index in self.entries:
                places.setdefault(name, []).append(index)
        return places

    def count_off(self, indices: list[int]) -> str:
        """Write where entries are, at most five of them."""
        places = [str(index + self.offset) for index in indices]
        shown = ", ".join(places[:5]) + (" …" if len(places) > 5 else "")
        return f"{self.kind}{'s' if len(places) > 1 else ''} {shown}"


def check_named(plan: Plan, axis: Axis, indices: Iterable[int], what: str) -> None:
    """Refuse entries without a name."""
    names = axis.names or ()
    if blank := [index for index in indices if not names[index].strip()]:
        problem = f"{axis.path} has a {what} without a name in {axis.count_off(blank)}"
        raise Misfit(plan, problem, "name it")


def check_once(plan: Plan, axis: Axis, names: Iterable[str], what: str) -> None:
    """Refuse names that several entries have."""
    places = {name: axis.places.get(name, []) for name in names}
    twice = [(name, found) for name, found in places.items() if len(found) > 1]
    if not twice:
        return
    shown = [f"{quote_name(name)} in {axis.count_off(found)}" for name, found in twice[:5]]
    rest = f" and {len(twice) - 5} more" if len(twice) > 5 else ""
    raise Misfit(
        plan,
        f"{axis.path} has a {what} more than once: {'; '.join(shown)}{rest}",
        "rename one or take it out",
    )


def carries_features(plan: Plan, names: Sequence[str], table: Axis) -> bool:
    """Say whether all names but an intercept are columns of the features."""
    asked = plan.options.intercept
    return any(name in table.places for name in names) and all(
        name in table.places or is_intercept(name) or name == asked for name in names
    )
