"""The pages of ``evaluate`` and ``fit``: how good predictions are, how well weights fit."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from matscore.colors import LEVELS
from matscore.model import Model
from matscore.pages.charts import BLUE, DASHES, FAINT, draw_inline
from matscore.pages.page import (
    Cell,
    Column,
    Figure,
    Notes,
    Pair,
    Section,
    Sections,
    Table,
    cut,
    heat_cells,
    say_hidden,
    show_line,
)
from matscore.pages.scores import MOST_SHADED, MOST_WEIGHTS, show_weights
from matscore.show.quality import Tenth, list_tenths
from matscore.show.table import show_percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from matscore.commands.fit import FitSummary
    from matscore.commands.truths import EvaluateTally
    from matscore.numerics.binary import BinaryMetrics, Point
    from matscore.numerics.metrics import Metrics
    from matscore.run.run import Summary

_MEASURES = {
    "accuracy": "rows predicted rightly",
    "balanced_accuracy": "mean recall of the categories that have rows",
    "macro_precision": "mean precision of the categories",
    "macro_recall": "mean recall of the categories",
    "macro_f1": "mean F1 of the categories",
    "log_loss": "mean of -log(probability of the truth)",
}
_MEASURES_OF_FIT = {
    "method": "",
    "alpha": "penalty on the weights; 0 for none",
    "rank": "features that are no combination of others",
    "condition": "how much a change of the targets can grow in the weights",
    "accuracy": "of the rows that it learned from",
    "log_loss": "of the rows that it learned from",
}
_MOST_CATEGORIES = 5 * MOST_SHADED
_MOST_CURVES = 6
_BEST = {"f1": "best F1", "youden": "best Youden's J"}
_PROMISE = "Where the points lie under the line, the probabilities promise too much."


def show_evaluation(summary: Summary[EvaluateTally]) -> Sections:
    """Return the measures, the confusion matrix, calibration; and the weights."""
    metrics, model = summary.tally.metrics, summary.works[0].model  # type: ignore[attr-defined]
    weights = [show_weights(model, summary.plans[0].feature_names)]
    if not metrics.n_rows:
        return [], weights
    whole = _list_measures({name: getattr(metrics, name) for name in _MEASURES}, _MEASURES)
    sections = [
        Section("measures", "How good", [whole, _list_categories(metrics)]),
        _show_confusion(metrics),
    ]
    if tenths := list_tenths(metrics.calibration):
        words = ("confidence", "predicted rightly", "right")
        parts = _show_calibration("calibration", tenths, words)
        sections.append(Section("calibration", "Calibration", parts, _PROMISE))
    return [*sections, *_show_binary(metrics.one_vs_rest)], weights


def show_fit(summary: FitSummary) -> Sections:
    """Return how well the weights fit, and the weights, which are the result."""
    learned = summary.learned
    measures = {name: getattr(learned, name) for name in _MEASURES_OF_FIT}
    there = {name: value for name, value in measures.items() if value is not None}
    parts: list[Notes | Table] = [_list_measures(there, _MEASURES_OF_FIT)]
    if summary.warnings:
        parts.insert(0, Notes([show_line(text) for text in summary.warnings]))
    if learned.r2 is not None:
        shares = learned.r2[:MOST_WEIGHTS].tolist()
        bars = [replace(Cell.of_share(s), bar=_fill(s)) for s in shares]
        columns = [
            Column.of_texts("target", learned.targets[:MOST_WEIGHTS]),
            Column("R²", bars, is_number=True, has_bars=True),
        ]
        note = "R² is the share of a target's variance that the weights explain."
        parts.append(Table("Target by target", columns, note))
    lead = "Measured on the rows that it learned from: on others it will be less."
    model = Model(learned.weights, learned.intercept, learned.targets)
    quality = Section("quality", "How well it fits", parts, lead)
    return [quality, show_weights(model, learned.features)], []


def _fill(share: float) -> float | None:
    return None if math.isnan(share) else min(max(share, 0.0), 1.0)


def _list_measures(measures: Mapping[str, Any], meanings: Mapping[str, str]) -> Table:
    """Return a table of measures and what they mean; there is nothing for NaN."""
    cells = [
        Cell.of_text(value)
        if isinstance(value, str)
        else Cell.of_number(None if math.isnan(value) else value)
        for value in measures.values()
    ]
    columns = [
        Column.of_texts("measure", (name.replace("_", " ") for name in measures)),
        Column("value", cells, is_number=True),
        Column.of_texts("meaning", (meanings[name] for name in measures)),
    ]
    return Table("All in all", columns)


def _list_categories(metrics: Metrics) -> Table:
    n = _MOST_CATEGORIES
    shares = [metrics.precision[:n], metrics.recall[:n], metrics.f1[:n]]
    shaded = [[_shade(cell, 1.0) for cell in cells] for cells in heat_cells(np.array(shares).T, 4)]
    headings = zip(("precision", "recall", "F1"), shaded, strict=True)
    columns = [
        Column.of_texts("category", metrics.categories[:n]),
        Column.of_counts("rows", metrics.support[:n].tolist()),
        Column.of_counts("predicted", metrics.predicted[:n].tolist()),
        *(Column(heading, cells, is_number=True) for heading, cells in headings),
    ]
    note = say_hidden(len(metrics.categories) - n, "categories")
    return Table("Category by category", columns, note, is_heat=True)


def _shade(cell: Cell, whole: float) -> Cell:
    """Shade a share by its own size, from nothing to the whole."""
    # By the scale of all cells a matrix of equal shares would be as dark as a perfect one.
    if cell.value is None or np.isnan(cell.value):
        return Cell("–")
    return replace(cell, level=round(LEVELS * cell.value / whole))


def _show_confusion(metrics: Metrics) -> Section:
    names = metrics.categories[:MOST_SHADED]
    wholes = np.maximum(metrics.support, 1)[:MOST_SHADED].tolist()
    columns = [Column.of_texts("truth", names)]
    for name, counts in zip(names, metrics.confusion.T[:MOST_SHADED].tolist(), strict=True):
        pairs = zip(counts[:MOST_SHADED], wholes, strict=True)
        columns.append(Column.of_name(name, [_shade(Cell.of_count(n), of) for n, of in pairs]))
    note = "A column for each prediction; shaded by the share of the truth's rows."
    hidden = say_hidden(len(metrics.categories) - len(names), "categories")
    note = f"{note} {hidden}".rstrip()
    table = Table("Rows by truth and prediction", columns, note, is_heat=True)
    lead = "The diagonal is right; what stands beside it is taken for something else."
    return Section("confusion", "Confusion matrix", [table], lead)


def _show_binary(measures: Sequence[BinaryMetrics]) -> list[Section]:
    """Return the sections of categories that are compared with the rest."""
    if not measures:
        return []
    drawn = [one for one in measures if one.curve][:_MOST_CURVES]
    figures = [_draw_curve(one, number) for number, one in enumerate(drawn)]
    parts: list[Pair | Table] = [_list_areas(measures[:_MOST_CATEGORIES])]
    parts += [Pair(figures)] if figures else []
    lead = "The area is the share of pairs, one of the category and one not, that are in order."
    if len(measures) > len(drawn) > 1:
        lead += f" The first {len(drawn)} categories are drawn."
    sections = [Section("ranking", "Against the rest", parts, lead)]
    if len(measures) == 1:
        parts.append(_list_thresholds(measures[0]))
        if tenths := list_tenths(measures[0].calibration):
            shown = _show_calibration("chances", tenths, ("probability", "positive", "positive"))
            name = cut(measures[0].positive)[0]
            lead = f"How often rows are {name}, by the probability of it. {_PROMISE}"
            sections.append(Section("chances", "Calibration of the probability", shown, lead))
    return sections


def _list_areas(measures: Sequence[BinaryMetrics]) -> Table:
    shares = {
        "area under ROC": (one.roc_auc for one in measures),
        "average precision": (one.average_precision for one in measures),
        "log-loss": (one.log_loss for one in measures),
        "Brier score": (one.brier_score for one in measures),
    }
    columns = [
        Column.of_texts("category", (one.positive for one in measures)),
        Column.of_counts("rows", (one.decision.n_positive for one in measures)),
        Column.of_counts("others", (one.decision.n_negative for one in measures)),
        *(Column.of_shares(heading, values) for heading, values in shares.items()),
    ]
    return Table("Told from the rest", columns)


def _draw_curve(one: BinaryMetrics, number: int) -> Figure:
    name, point = cut(one.positive)[0], one.decision

    def draw(axes: Axes) -> None:
        false, true = zip(*one.curve, strict=True)
        axes.plot(false, true, color=BLUE, linewidth=1.6)
        axes.scatter([1 - point.specificity], [point.recall], s=36, color=BLUE, zorder=3)
        axes.set_xlim(-0.02, 1.02)

    svg = _draw_square(f"roc{number}", draw, ("false positive rate", "true positive rate"))
    words = f"The ROC curve of {name}, its area {one.roc_auc:.4f}; the dot is what is chosen"
    found, wrong = show_percent(point.recall), show_percent(1 - point.specificity)
    return Figure(svg, words, f"{words}: {found} found, {wrong} of the others taken.")


def _draw_square(name: str, draw: Callable[[Axes], None], labels: tuple[str, str]) -> str:
    """Draw two rates or probabilities against each other, over the line where they are the same."""

    def draw_over(axes: Axes) -> None:
        axes.plot([0, 1], [0, 1], color=FAINT, linewidth=1, linestyle=DASHES)
        draw(axes)
        axes.set_ylim(axes.get_xlim()[0], 1.04)
        axes.set_aspect("equal")
        axes.set_xlabel(labels[0])
        axes.set_ylabel(labels[1])

    return draw_inline(name, draw_over, width=4.2, height=3.6)


def _list_thresholds(one: BinaryMetrics) -> Table:
    named: dict[str, Point] = {"chosen": one.decision}
    named |= {_BEST[name]: point for name, point in one.best.items()}
    named |= {f"{percent}% of the rows": point for percent, point in one.thresholds.items()}
    points = named.values()
    shares = {
        "precision": (point.precision for point in points),
        "recall": (point.recall for point in points),
        "specificity": (point.specificity for point in points),
        "F1": (point.f1 for point in points),
    }
    columns = [
        Column.of_texts("threshold", named),
        Column.of_numbers(
            "probability" if one.by_probability else "score", (point.threshold for point in points)
        ),
        Column.of_counts(
            "taken", (point.true_positives + point.false_positives for point in points)
        ),
        *(Column.of_shares(heading, values) for heading, values in shares.items()),
    ]
    note = "What is positive from each on; the best are those of these rows, so of others less."
    return Table("Thresholds", columns, note)


def _show_calibration(
    name: str, tenths: Sequence[Tenth], words: tuple[str, str, str]
) -> list[Figure | Table]:
    """Draw and list tenths, of which the words name what is given and what comes true.

    The last one names the latter in short.
    """
    most = max(tenth.n_rows for tenth in tenths)
    given, true, short = words
    means = [tenth.mean for tenth in tenths]
    shares = [tenth.share for tenth in tenths]
    columns = [
        Column(given, [Cell(tenth.range, value=tenth.start) for tenth in tenths]),
        Column.of_counts("rows", (tenth.n_rows for tenth in tenths), most=most),
        Column.of_shares(f"mean {given}", means, in_percent=True),
        Column.of_shares(true, shares, in_percent=True),
    ]

    def draw(axes: Axes) -> None:
        sizes = [18 + 90 * tenth.n_rows / most for tenth in tenths]
        axes.plot(means, shares, color=BLUE, linewidth=1.6)
        axes.scatter(means, shares, s=sizes, color=BLUE, zorder=3)
        axes.set_xlim(0, 1.02)

    rows = zip(means, shares, strict=True)
    points = [f"{show_percent(share)} {short} at {show_percent(mean)}" for mean, share in rows]
    figure = Figure(
        _draw_square(name, draw, (given, true)),
        f"Share {true} by {given}; the dashed line is where they agree",
        f"Calibration: {', '.join(points)}.",
    )
    return [figure, Table("In numbers", columns)]
