"""One module a command: the command, its work on rows, and its functions for files and frames.

Here stand the keywords that functions for DataFrames share.
"""

# Annotations stay types here (no __future__ import): signatures are made from them.
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from inspect import Parameter
from typing import Any, TypedDict, TypeVar

from matscore.options import MissingPolicy, PlanOptions, ReadOptions, UnknownPolicy

Function = TypeVar("Function", bound=Callable[..., Any])


class Keywords(TypedDict, total=False):
    """How tables are read and lined up; the defaults are those of the groups of options.

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


_DEFAULTS = {one.name: one.default for group in (ReadOptions, PlanOptions) for one in fields(group)}


def show_keywords(function: Function) -> Function:
    """Show `Keywords` in the signature and docstring of a function that takes them as ``**how``."""
    signature = inspect.signature(function)
    own = [one for one in signature.parameters.values() if one.kind is not Parameter.VAR_KEYWORD]
    shared = [
        Parameter(name, Parameter.KEYWORD_ONLY, default=_DEFAULTS[name], annotation=kind)
        for name, kind in Keywords.__annotations__.items()
    ]
    function.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=[*own, *shared]
    )
    # Without docstrings (python -OO) there is nothing to show.
    _, _, told = (Keywords.__doc__ or "").partition("----------\n")
    before, _, after = (function.__doc__ or "").partition("**how")
    function.__doc__ = before + told.strip() + after[after.find("\n\n") :]
    return function
