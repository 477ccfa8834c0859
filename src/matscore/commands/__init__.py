"""One module a command: the command, its work on rows, and its functions for files and frames.

Here stand the keywords that such functions share.
"""

# Annotations stay types here (no __future__ import): signatures are made from them.
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from inspect import Parameter
from typing import Any, TypedDict, TypeVar

from matscore.fields import Options
from matscore.options import (
    MissingPolicy,
    PlanOptions,
    ReadOptions,
    RejectOptions,
    RunOptions,
    UnknownPolicy,
    check_options,
)
from matscore.plan import Plan
from matscore.run.run import Progress
from matscore.run.work import Settings

Function = TypeVar("Function", bound=Callable[..., Any])


class FrameKeywords(TypedDict, total=False):
    """How DataFrames are read and lined up; the defaults are those of the groups of options.

    Parameters
    ----------
    missing : {"error", "skip", "zero", "keep", "mean"}
        What a missing value means: refuse; leave the row out; read it as 0; score it NaN; score
        the row by what it has, made up to all features, for weights of one size.
    min_present : int, optional
        With ``missing="mean"``, features of each category that a row must have; 1 without it.
    unknown : {"error", "skip", "zero", "keep"}
        What a text that is no level of its column means; "zero" leaves the column out of the score.
    transpose, auto_transpose : bool
        Transpose the weights; do so when names or shapes leave no doubt.
    strict : bool
        Refuse feature columns that the weights do not know.
    intercept : str, optional
        Name of the intercept row.
    no_intercept : bool
        Take a row named as an intercept for a plain feature.
    weights_cols, drop_weights_cols : sequence of str
        Columns of the weights to score, as of a table of statistics; others to leave out.
    rename : mapping of str to str, optional
        Names of columns of the features, and what the weights call them.
    absent : "zero" or sequence of str
        Features of the weights, or columns that their terms read, that count 0 where the features
        lack them; "zero" for all.
    max_absent : int, optional
        Refuse more absent features; where more than half are absent it must be given.
    unique_labels : bool
        Refuse a label of the index that is there before, among the rows that are not left out.
    booleans : bool
        Read truths, and columns of words such as ``"True"`` and ``"False"``, as 1 and 0; a column
        has one spelling.
    """

    missing: MissingPolicy
    min_present: int | None
    unknown: UnknownPolicy
    transpose: bool
    auto_transpose: bool
    strict: bool
    intercept: str | None
    no_intercept: bool
    weights_cols: Sequence[str]
    drop_weights_cols: Sequence[str]
    rename: Mapping[str, str] | None
    absent: str | Sequence[str]
    max_absent: int | None
    unique_labels: bool
    booleans: bool


class FileKeywords(TypedDict, total=False):
    """How a run over files goes; the defaults are those of `Settings`.

    Parameters
    ----------
    read : ReadOptions
        How inputs are read.
    align : PlanOptions
        How they are lined up.
    rejects : RejectOptions
        What happens to bad rows.
    run : RunOptions
        How the work is done.
    on_plan : callable, optional
        Called with the plans before the first row is scored.
    on_progress : callable, optional
        Called after each chunk.
    """

    read: ReadOptions
    align: PlanOptions
    rejects: RejectOptions
    run: RunOptions
    on_plan: Callable[[tuple[Plan, ...]], None] | None
    on_progress: Callable[[Progress], None] | None


_DEFAULTS = {
    one.name: one.default for group in (ReadOptions, PlanOptions, Settings) for one in fields(group)
}


def show(keywords: type) -> Callable[[Function], Function]:
    """Show keywords in the signature and docstring of a function that takes them as ``**how``."""

    def decorate(function: Function) -> Function:
        signature = inspect.signature(function)
        own = [one for one in signature.parameters.values() if one.kind != Parameter.VAR_KEYWORD]
        shared = [
            Parameter(name, Parameter.KEYWORD_ONLY, default=_DEFAULTS[name], annotation=kind)
            for name, kind in keywords.__annotations__.items()
        ]
        told = signature.replace(parameters=[*own, *shared])
        function.__signature__ = told  # type: ignore[attr-defined]
        # Without docstrings (python -OO) there is nothing to show.
        _, _, words = (keywords.__doc__ or "").partition("----------\n")
        before, _, after = (function.__doc__ or "").partition("**how")
        function.__doc__ = before + words.strip() + after[after.find("\n\n") :]
        return function

    return decorate


def settings_of(how: FileKeywords, *groups: Options) -> Settings:
    """Return the settings that keywords mean, checked along with groups of the command."""
    settings = Settings(**how)
    check_options(settings.read, settings.align, *groups, settings.rejects, settings.run)
    return settings


_READING = ("missing", "min_present", "unknown", "booleans")  # the others are of lining up


def options_of(
    how: FrameKeywords, keep_cols: Sequence[str] = ()
) -> tuple[ReadOptions, PlanOptions]:
    """Return the groups of options that keywords mean; they are not checked yet."""
    asked: dict[str, Any] = {**how}
    if strange := sorted(asked.keys() - FrameKeywords.__annotations__.keys()):
        raise TypeError(f"there is no keyword argument {strange[0]!r}")
    read = {name: asked.pop(name) for name in _READING if name in asked}
    renames, absent = asked.pop("rename", None) or {}, asked.pop("absent", ())
    named = () if absent == "zero" else (absent,) if isinstance(absent, str) else absent
    for name in ("weights_cols", "drop_weights_cols"):
        asked[name] = tuple(map(str, asked.get(name, ())))
    align = PlanOptions(
        keep_cols=tuple(map(str, keep_cols)),
        renames=tuple((str(old), str(new)) for old, new in renames.items()),
        absent=tuple(map(str, named)),
        absent_zero=absent == "zero",
        **asked,
    )
    return ReadOptions(**read), align
