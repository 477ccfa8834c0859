"""One category against the rest on a page: curves, thresholds, calibration."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from matscore.pages.charts import BLUE, DASHES, FAINT, draw_inline
from matscore.pages.page import Cell, Column, Figure, Pair, Section, Table, cut
from matscore.pages.scores import MOST_SHADED
from matscore.show.text import show_percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from matscore.numerics.binary import BinaryMetrics, Point
    from matscore.numerics.metrics import Metrics

PROMISE = "Where the points lie under the line, the probabilities promise too much."
_MOST_CURVES = 6
_BEST = {"f1": "best F1", "youden": "best Youden's J"}
_NONE = "–"


def show_binary(metrics: Metrics) -> list[Section]:
    """Return the sections of categories that are compared with the rest."""
    measures = metrics.one_vs_rest
    if not measures:
        return []
    drawn = [one for one in measures if one.curve][:_MOST_CURVES]
    figures = [_draw_curve(one, number) for number, one in enumerate(drawn)]
    parts: list[Pair | Table] = [_list_measures(measures), *([Pair(figures)] if figures else [])]
    if len(measures) == 1:
        parts.append(_list_thresholds(measures[0]))
    lead = "The area is the share of pairs, one of the category and one not, that are in order."
    if len(measures) > len(drawn) > 1:
        lead += f" The first {len(drawn)} categories are drawn."
    sections = [Section("ranking", "Against the rest", parts, lead)]
    for one in measures if len(measures) == 1 else ():
        tenths = [(i / 10, *tenth) for i, tenth in enumerate(one.calibration) if tenth[0]]
        if tenths:
            shown = draw_calibration("chances", tenths, ("probability", "positive", "positive"))
            lead = f"How often rows are {cut(one.positive)[0]}, by the probability of it. {PROMISE}"
            sections.append(Section("chances", "Calibration of the probability", shown, lead))
    return sections


def _list_measures(measures: Sequence[BinaryMetrics]) -> Table:
    names = ("roc_auc", "average_precision", "log_loss", "brier_score")
    rows = [
        [
            Cell.of_text(one.positive),
            Cell.of_count(one.decision.n_positive),
            Cell.of_count(one.decision.n_negative),
            *(_share(getattr(one, name)) for name in names),
        ]
        for one in measures[: 5 * MOST_SHADED]
    ]
    headings = ("rows", "others", "area under ROC", "average precision", "log-loss", "Brier score")
    columns = [Column("category"), *Column.of_numbers(*headings)]
    return Table("Told from the rest", columns, rows)


def _share(value: float) -> Cell:
    return Cell(_NONE) if math.isnan(value) else Cell(f"{value:.4f}", value=value)


def _draw_curve(one: BinaryMetrics, number: int) -> Figure:
    def draw(axes: Axes) -> None:
        axes.plot([0, 1], [0, 1], color=FAINT, linewidth=1, linestyle=DASHES)
        false, true = zip(*one.curve, strict=True)
        axes.plot(false, true, color=BLUE, linewidth=1.6)
        point = one.decision
        axes.scatter([1 - point.specificity], [point.recall], s=36, color=BLUE, zorder=3)
        axes.set_xlim(-0.02, 1.02)
        axes.set_ylim(-0.02, 1.04)
        axes.set_aspect("equal")
        axes.set_xlabel("false positive rate")
        axes.set_ylabel("true positive rate")

    name = cut(one.positive)[0]
    point = one.decision
    svg = draw_inline(f"roc{number}", draw, width=4.2, height=3.6)
    words = f"The ROC curve of {name}, its area {one.roc_auc:.4f}; the dot is what is chosen"
    found, wrong = show_percent(point.recall), show_percent(1 - point.specificity)
    return Figure(svg, words, f"{words}: {found} found, {wrong} of the others taken.")


def _list_thresholds(one: BinaryMetrics) -> Table:
    named: list[tuple[str, Point]] = [("chosen", one.decision)]
    named += [(_BEST[name], point) for name, point in one.best.items()]
    named += [(f"{percent}% of the rows", point) for percent, point in one.thresholds.items()]
    rows = [
        [
            Cell(words),
            Cell.of_number(point.threshold),
            Cell.of_count(point.true_positives + point.false_positives),
            *map(_share, (point.precision, point.recall, point.specificity, point.f1)),
        ]
        for words, point in named
    ]
    number = "probability" if one.by_probability else "score"
    headings = (number, "taken", "precision", "recall", "specificity", "F1")
    note = "What is positive from each on; the best are those of these rows, so of others less."
    return Table("Thresholds", [Column("threshold"), *Column.of_numbers(*headings)], rows, note)


def draw_calibration(
    name: str, tenths: Sequence[tuple[float, int, float, float]], words: tuple[str, str, str]
) -> list[Figure | Table]:
    """Draw and list tenths: where each starts, its rows, their mean probability, what comes true.

    The words name the last two, the second of them also in short.
    """
    most = max(n for _, n, _, _ in tenths)
    given, true, short = words
    rows = [
        [
            Cell(f"{start:.1f} to {start + 0.1:.1f}", value=start),
            Cell.of_count(n, of=most),
            Cell(show_percent(mean), value=mean),
            Cell(show_percent(share), value=share),
        ]
        for start, n, mean, share in tenths
    ]
    points = [f"{share.text} {short} at {mean.text}" for *_, mean, share in rows]

    def draw(axes: Axes) -> None:
        axes.plot([0, 1], [0, 1], color=FAINT, linewidth=1, linestyle=DASHES)
        _, counts, means, shares = zip(*tenths, strict=True)
        axes.plot(means, shares, color=BLUE, linewidth=1.6)
        axes.scatter(means, shares, s=[18 + 90 * n / most for n in counts], color=BLUE, zorder=3)
        axes.set_xlim(0, 1.02)
        axes.set_ylim(0, 1.04)
        axes.set_aspect("equal")
        axes.set_xlabel(given)
        axes.set_ylabel(true)

    figure = Figure(
        draw_inline(name, draw, width=4.2, height=3.6),
        f"Share {true} by {given}; the dashed line is where they agree",
        f"Calibration: {', '.join(points)}.",
    )
    headings = Column.of_numbers(f"mean {given}", true)
    return [figure, Table("In numbers", [Column(given), Column.of_bars("rows"), *headings], rows)]
