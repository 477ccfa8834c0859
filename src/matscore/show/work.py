"""How each score comes about, term by term: for models small enough to follow with a pencil."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, cast

import numpy as np
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from matscore.errors import UsageError
from matscore.show.text import Signs, pad, signs_for

if TYPE_CHECKING:
    from matscore.commands.classify import ScoreTally
    from matscore.model import Model
    from matscore.plan import Plan
    from matscore.run.summary import Summary
    from matscore.run.work import Preview

MAX_TERMS, MAX_CATEGORIES = 12, 20
_DIGITS = 4
_LONGEST = 20
_HEAD, _DIM, _BEST = "bold", "dim", "bold green"


@dataclass(frozen=True)
class _Sum:
    """The terms of one score as texts, and whether they are exactly what was computed."""

    terms: list[str]
    total: str
    exact: bool


def refuse_large_model(plans: Sequence[Plan]) -> None:
    """Refuse to write out what nobody would read.

    Raises
    ------
    UsageError
        The model has too many features or categories.
    """
    n_features, n_categories = plans[0].weights_shape
    if n_features > MAX_TERMS or n_categories > MAX_CATEGORIES:
        what = (
            f"--show-work is for at most {MAX_TERMS} features and {MAX_CATEGORIES} categories, and "
            f"the weights have {n_features:,} and {n_categories:,}"
        )
        raise UsageError(what, "leave it out")


def render_work(summary: Summary[ScoreTally], console: Console, max_rows: int) -> None:
    """Print the terms of every score of the first rows.

    Parameters
    ----------
    summary : Summary
        Of a run whose format is ``table``.
    console : Console
        Where to print.
    max_rows : int
        Rows to show.
    """
    signs, done = signs_for(console), 0
    for preview in summary.previews:
        for row in range(min(preview.frame.height, max_rows - done)):
            console.print()
            for line in _explain_row(summary.plans[0], preview, row, signs, console.width):
                console.print(line, soft_wrap=True)
            done += 1


def _explain_row(
    plan: Plan, preview: Preview, row: int, signs: Signs, width: int
) -> Iterator[Text]:
    model = cast("Model", preview.work.model)
    values: list[float] = [] if preview.features is None else preview.features[:, row].tolist()
    marks = [False] * len(model.categories)
    if preview.marks is not None:
        marks = preview.marks[:, row].tolist()
    names = [signs.shorten(signs.show(name), _LONGEST) for name in plan.feature_names]
    names += ["intercept"] * (model.intercept is not None)
    heads = [signs.shorten(signs.show(name), _LONGEST) for name in model.categories]
    scores = model.packed.multiply(np.array(values)[:, None])[:, 0]
    sums = [_add_up(model, values, j, score, signs) for j, score in enumerate(scores.tolist())]
    label = str(preview.frame.values(next(iter(preview.frame.columns)))[row])
    yield Text(signs.shorten(signs.show(label[:1000]), width), style=_HEAD)
    lines = list(_write_across(names, heads, sums, marks, signs))
    if max(line.cell_len for line in lines) > width:
        lines = list(_write_down(names, heads, sums, marks, signs))
    yield from lines


def _write_across(
    names: Sequence[str],
    heads: Sequence[str],
    sums: Sequence[_Sum],
    marks: Sequence[bool],
    signs: Signs,
) -> Iterator[Text]:
    """Write a score a line, its terms below each other's."""
    widths = [
        max(cell_len(text) for text in (name, *(one.terms[i] for one in sums)))
        for i, name in enumerate(names)
    ]
    head, total = max(map(cell_len, heads)), max(len(one.total) for one in sums)
    titles = "   ".join(_pad_all(names, widths))
    yield Text(f"  {' ' * head}   {titles}".rstrip(), style=_DIM)
    for name, one, mark in zip(heads, sums, marks, strict=True):
        line = Text(f"  {pad(name, head)} = {' + '.join(_pad_all(one.terms, widths))} ")
        line.append("= " if one.exact else f"{signs.about} ")
        yield line.append(one.total.rjust(total) + _sign(mark, marks, signs), _BEST * bool(mark))


def _pad_all(texts: Sequence[str], widths: Sequence[int]) -> Iterator[str]:
    return (pad(text, width) for text, width in zip(texts, widths, strict=True))


def _write_down(
    names: Sequence[str],
    heads: Sequence[str],
    sums: Sequence[_Sum],
    marks: Sequence[bool],
    signs: Signs,
) -> Iterator[Text]:
    """Write a term a line, one score after another."""
    for head, one, mark in zip(heads, sums, marks, strict=True):
        yield Text(f"  {head} {'=' if one.exact else signs.about} ").append(
            one.total + _sign(mark, marks, signs), _BEST * bool(mark)
        )
        width = max(map(len, one.terms))
        for done, (name, term) in enumerate(zip(names, one.terms, strict=True)):
            yield Text(f"  {'+' if done else ' '} {pad(term, width)}  ").append(name, style=_DIM)


def _sign(mark: bool, marks: Sequence[bool], signs: Signs) -> str:
    return f" {signs.best if sum(marks) == 1 else signs.tie}" if mark else ""


def _add_up(
    model: Model, values: Sequence[float], category: int, score: float, signs: Signs
) -> _Sum:
    """Write the terms of one score, which is that of the numbers, not of what is shown."""
    products = [
        (value, float(weight))
        for value, weight in zip(values, model.weights[:, category], strict=True)
    ]
    added = [] if model.intercept is None else [float(model.intercept[category])]
    terms = [f"{_guard(value)} {signs.times} {_guard(weight)}" for value, weight in products]
    terms += map(_guard, added)
    if any(math.isnan(value) for value, _ in products):  # missing values that were kept
        return _Sum(terms, "NaN", True)
    shown = sum((_read(v) * _read(w) for v, w in products), sum(map(_read, added), Fraction(0)))
    return _Sum(terms, _write(score), shown == _read(score))


def _read(value: float) -> Fraction:
    return Fraction(_write(value))


def _guard(value: float) -> str:
    return f"({_write(value)})" if value < 0 else _write(value)


def _write(value: float) -> str:
    return f"{value + 0.0:.{_DIGITS}g}"
