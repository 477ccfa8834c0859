"""Refusing: the exception that ends a reading of the two files, and words that refusals share."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Literal

from matscore.names import find_close, quote_name, quote_names
from matscore.plan.types import MissingFeature, Plan

Turned = Literal["weights", "features"]
Turnable = Literal["by name", "by shape"] | None


class Misfit(Exception):
    """Ends a reading of two files that do not fit.

    Parameters
    ----------
    plan : Plan
        How far the reading came.
    problem, hint : str
        What does not fit, and what to do about it.
    turnable : {"by name", "by shape", None}
        By what the files might fit when they are swapped or one of them is transposed.
    missing : tuple of str
        Features that the features file lacks.
    unused : collection of str
        Columns of the features that are not in use, and may be the ones that are missing.
    """

    def __init__(
        self,
        plan: Plan,
        problem: str,
        hint: str,
        *,
        turnable: Turnable = None,
        missing: tuple[str, ...] = (),
        unused: Collection[str] = (),
    ) -> None:
        super().__init__(problem, hint)
        self.plan = replace(plan, problem=problem, hint=hint)
        self.turnable = turnable
        self.missing = missing
        self.unused = unused


def unknown_name(
    plan: Plan, problem: str, name: str, names: Collection[str], option: str
) -> Misfit:
    """Return the misfit of a name that an option gives and that is not there."""
    hint = f"{option} has the name of one of: {quote_names(names)}"
    return Misfit(plan, problem, suggest(find_meant([name], names)) or hint)


def find_meant(wanted: Sequence[str], names: Collection[str]) -> tuple[MissingFeature, ...]:
    """Look which of the names may be meant by those that are wanted and not there."""
    found = zip(wanted, find_close(wanted, names), strict=True)
    return tuple(MissingFeature(name, close, reason) for name, (close, reason) in found)


def suggest(wanted: Sequence[MissingFeature]) -> str:
    """Ask whether close matches were meant; empty when there are none."""
    found = [feature for feature in wanted if feature.close]
    if len(wanted) == 1:
        meant = [" or ".join(map(quote_name, feature.close)) for feature in found]
    else:
        meant = [f"{quote_name(f.close[0])} for {quote_name(f.name)}" for f in found]
    reasons = [f" ({feature.reason})" if feature.reason else "" for feature in found]
    if len(set(reasons)) == 1:  # said once, at the end
        reasons[:-1] = [""] * (len(reasons) - 1)
    shown = [name + reason for name, reason in zip(meant, reasons, strict=True)]
    return f"did you mean {', '.join(shown)}" if shown else ""


def other_turn(plan: Plan, side: Turned, why: str) -> Misfit:
    """Return the misfit of files that fit when an option to transpose is added, or left out."""
    options, words = plan.options, plan.options.words
    given, option = options.transpose_features, words.turn_features
    if side == "weights":
        given, option = words.is_asked(options.transpose), words.turn_weights
    hint = f"leave {option} out" if given else f"add {option}"
    added, dropped = ((), (option,)) if given else ((option,), ())
    if options.strict and plan.left_out:
        dropped = (*dropped, "--strict")
        unknown = f"{plan.weights.path} does not know {quote_names(plan.left_out)}"
        hint += f" and leave --strict out, as {unknown}"
    plan = replace(plan, add_options=added, drop_options=dropped)
    return Misfit(plan, f"{show_shapes(plan)} do not line up: {why}", hint)


def show_shapes(plan: Plan) -> str:
    """Write both shapes, the labels and the intercept not counted."""
    n_rows, n_features = plan.features_shape
    shown = "?" if n_rows is None else n_rows
    n_weights, n_categories = plan.weights_shape
    words = plan.options.words
    shape = (n_categories, n_weights) if words.in_rows else (n_weights, n_categories)
    second = f"{words.weights} ({shape[0]} × {shape[1]})"
    return f"{words.features} ({shown} × {n_features}) and {second}"


def compare_counts(plan: Plan) -> str:
    """Write how many features each side has."""
    return f"{plan.features_shape[1]} features against {plan.weights_shape[0]}"
