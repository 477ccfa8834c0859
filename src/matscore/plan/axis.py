"""One axis of a matrix: its names, which must be there and differ, and the intercept among them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from typing import Literal, NoReturn

from matscore.names import is_intercept, quote_name, quote_names
from matscore.plan.suggest import Misfit, unknown_name
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
        for index, name in islice(enumerate(self.names or ()), self.entries.start, None):
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
        problem = f"{axis.path} has {_one(what)} without a name in {axis.count_off(blank)}"
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
        f"{axis.path} has {_one(what)} more than once: {'; '.join(shown)}{rest}",
        "rename one or take it out",
    )


def carries_features(plan: Plan, names: Sequence[str], table: Axis) -> bool:
    """Say whether all names but an intercept are columns of the features."""
    asked = plan.options.intercept
    return any(name in table.places for name in names) and all(
        name in table.places or is_intercept(name) or name == asked for name in names
    )


def set_intercept(plan: Plan, table: Axis, axis: Axis) -> Plan:
    """Set the intercept among the entries of the weights that are features."""
    names, found = axis.names or (), list_intercepts(plan, table, axis)
    if plan.options.intercept is not None and not found:
        _refuse_asked(plan, axis, plan.options.intercept)
    if len(found) > 1:
        raise Misfit(
            plan,
            f"{axis.path} has {len(found)} intercepts: {quote_names([names[i] for i in found])}",
            "keep only one",
        )
    if len(found) == axis.size:
        raise Misfit(
            plan, f"{axis.path} has an intercept but no features", "give it one row a feature"
        )
    if not found:
        return plan
    return replace(plan, intercept_name=names[found[0]], intercept_index=found[0])


def list_intercepts(plan: Plan, table: Axis, axis: Axis) -> list[int]:
    """Return the entries that may be the intercept; none that is a column of the features."""
    asked = plan.options.intercept
    if plan.options.no_intercept:
        return []
    if asked is not None:
        return axis.places.get(asked, [])
    taken = {_fold(name) for name in table.places if is_intercept(name)}
    return [
        index
        for index, name in enumerate(axis.names or ())
        if is_intercept(name) and _fold(name) not in taken
    ]


def _refuse_asked(plan: Plan, axis: Axis, asked: str) -> NoReturn:
    if axis.names is None:
        raise Misfit(
            plan,
            f"{axis.path} does not name its features, so it has no intercept {quote_name(asked)}",
            "leave --intercept out",
        )
    problem = f"{axis.path} has no {axis.kind} {quote_name(asked)}"
    raise unknown_name(plan, problem, asked, axis.names, "--intercept")


def _one(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def _fold(name: str) -> str:
    return name.strip().casefold()
