"""How good predictions are, as tables, CSV, JSON and Markdown."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from rich.text import Text

from matscore.colors import Heat
from matscore.names import quote_name
from matscore.numerics.binary import MOST_NEGATIVES
from matscore.show.table import (
    DIM,
    HEAD,
    Column,
    Signs,
    Table,
    format_numbers,
    list_counts,
    plural,
    print_lines,
    show_number,
    show_percent,
    show_share,
)
from matscore.write.formats import escape_markdown

if TYPE_CHECKING:
    from rich.console import Console

    from matscore.commands.truths import EvaluateTally
    from matscore.numerics.binary import BinaryMetrics
    from matscore.numerics.metrics import Metrics
    from matscore.run.run import Summary

Calibration = Sequence[tuple[int, float, float]]
Facts = Mapping[str, Any]
TextFormat = Literal["table", "csv", "json", "markdown"]
TEXT_FORMATS: tuple[TextFormat, ...] = ("table", "csv", "json", "markdown")
_MOST_RANKS = 5
_MOST_CONFUSIONS = 10
_OVERALL = (
    "rows", "rows_without_prediction", "accuracy", "balanced_accuracy", "macro_precision",
    "macro_recall", "macro_f1", "log_loss",
)  # fmt: skip
_BINARY = (
    "positives", "negatives", "rows_without_score", "ranked_by", "roc_auc", "average_precision",
    "log_loss", "brier_score",
)  # fmt: skip
_BEST = {"f1": "F1", "youden": "J"}


class Tenth(NamedTuple):
    """Rows of similar probability: from where on, how many, its mean, and how often it is right."""

    start: float
    n_rows: int
    mean: float
    share: float

    @property
    def range(self) -> str:
        """The tenth in words."""
        return f"{self.start:.1f} to {self.start + 0.1:.1f}"


def list_tenths(calibration: Calibration) -> list[Tenth]:
    """Return the tenths of a calibration that have rows."""
    return [Tenth(i / 10, *tenth) for i, tenth in enumerate(calibration) if tenth[0]]


def encode_metrics(metrics: Metrics, form: TextFormat) -> str:
    """Write measures for a program, in full precision; those that are undefined are empty.

    CSV has one measure a line; JSON has null for what is undefined.
    """
    if form == "json":
        return json.dumps(metrics.facts(), indent=2, ensure_ascii=False) + "\n"
    if form == "markdown":
        return _write_markdown(metrics)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["measure", "category", "predicted", "value"])
    writer.writerows(_iter_measures(metrics))
    return text.getvalue()


def _iter_measures(metrics: Metrics) -> Iterator[tuple[str, str, str, object]]:
    facts = metrics.facts()
    for name, value in _iter_overall(facts):
        yield name, "", "", value
    for category, row in facts["categories"].items():
        for name, value in row.items():
            yield name, category, "", value
    for truth, row in facts["confusion"].items():
        for predicted, n in row.items():
            yield "confusion", truth, predicted, n
    for tenth in facts["calibration"]:
        for name in ("rows", "confidence", "accuracy"):
            yield f"calibration_{tenth['from']}_{name}", "", "", tenth[name]
    if len(metrics.one_vs_rest) > 1:
        yield "macro_roc_auc", "", "", facts["macro_roc_auc"]
    for positive, measures in facts["one_vs_rest"].items():
        for name, value in _iter_binary(measures):
            yield name, positive, "", value


def _iter_overall(facts: Facts) -> Iterator[tuple[str, object]]:
    yield from ((name, facts[name]) for name in _OVERALL)
    yield from ((f"top_{k}_accuracy", v) for k, v in enumerate(facts["top_k_accuracy"], start=1))


def _iter_binary(facts: Facts) -> Iterator[tuple[str, object]]:
    """Yield the measures of a category, each with a name of its own."""
    yield from ((name, facts[name]) for name in _BINARY)
    for start, point in _iter_points(facts):
        yield from ((f"{start}_{name}", value) for name, value in point.items())
    for tenth in facts["calibration"]:
        for name in ("rows", "probability", "positive"):
            yield f"calibration_{tenth['from']}_{name}", tenth[name]


def _iter_points(facts: Facts, joint: str = "_") -> Iterator[tuple[str, Facts]]:
    """Yield what decides, and the thresholds, each with a name of its own."""
    yield "decision", facts["decision"]
    yield from ((f"best{joint}{name}", point) for name, point in facts["best"].items())
    yield from ((f"share{joint}{share}", point) for share, point in facts["thresholds"].items())


def _write_markdown(metrics: Metrics) -> str:
    facts = metrics.facts()
    names = ("support", "predicted", "precision", "recall", "f1")
    rows = [(c, *(row[name] for name in names)) for c, row in facts["categories"].items()]
    confusion = [(truth, *row.values()) for truth, row in facts["confusion"].items()]
    parts = [
        _table(("measure", "value"), _iter_overall(facts)),
        _table(("category", *names), rows),
        _table(("truth", *(f"predicted {name}" for name in metrics.categories)), confusion),
    ]
    if facts["calibration"]:
        parts.append(_tabulate_tenths(facts, "confidence", "accuracy"))
    if compared := facts["one_vs_rest"]:
        rows = [(name, *(one[key] for key in _BINARY)) for name, one in compared.items()]
        parts.append(_table(("positive", *_BINARY), rows))
    for name, one in compared.items():
        points = [(which, *point.values()) for which, point in _iter_points(one, " ")]
        parts.append(_table((name, *one["decision"]), points))
        parts.append(_tabulate_tenths(one, "probability", "positive"))
    return "\n".join(parts)


def _tabulate_tenths(facts: Facts, *names: str) -> str:
    header = ("from", "to", "rows", *names)
    return _table(header, [[tenth[name] for name in header] for tenth in facts["calibration"]])


def _table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    rule = ["---", *["---:"] * (len(header) - 1)]
    lines = [[escape_markdown(str(cell)) for cell in header], rule]
    lines += [["" if cell is None else escape_markdown(str(cell)) for cell in row] for row in rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def render_metrics(summary: Summary[EvaluateTally], console: Console) -> None:
    """Print the measures of a run of ``evaluate`` as tables."""
    metrics, signs = summary.tally.metrics, Signs.of(console)
    print_lines(console, _say_overall(metrics, summary, signs))
    about = "the probability of the prediction, and how often it is right"
    for part in (
        _list_categories(metrics, signs),
        _show_confusion(metrics, signs, console),
        _show_calibration(metrics.calibration, "confidence", "accuracy", about, signs),
        *_show_binary(metrics, signs),
    ):
        if part is not None:
            lines = part.render(console.width) if isinstance(part, Table) else part
            print_lines(console, [Text(""), *lines])


def _say_overall(metrics: Metrics, summary: Summary[EvaluateTally], signs: Signs) -> list[Text]:
    n_right = int(metrics.confusion.diagonal().sum())
    rows = plural(metrics.n_rows, "row")
    accuracy = f"accuracy {show_share(metrics.accuracy, signs)}"
    # Among all categories the truth always is: the last rank says nothing.
    last = min(_MOST_RANKS, len(metrics.categories) - 1)
    ranks = [
        f"top {k} {show_share(metrics.top_k_accuracy[k - 1], signs)}" for k in range(2, last + 1)
    ]
    special = list_counts(
        (summary.tally.n_ties, "tie", ""),
        (metrics.n_unpredicted, "row", " without prediction, counted wrong"),
        (summary.n_rejected, "row", " rejected"),
    )
    link = summary.plans[0].link
    if (
        link is not None
        and metrics.n_rows > metrics.n_unpredicted
        and not metrics.counts.n_probable
    ):
        special.append(f"no log-loss, no calibration: the link is {link}")
    lines = [
        Text(accuracy, style=HEAD).append(f": {n_right:,} of {rows}", style=""),
        Text(
            f"balanced accuracy {show_share(metrics.balanced_accuracy, signs)}   "
            f"log-loss {show_share(metrics.log_loss, signs)}   "
            f"macro F1 {show_share(metrics.macro_f1, signs)}"
        ),
        Text("   ".join(ranks)),
        Text("   ".join(special), style=DIM),
    ]
    return [line for line in lines if line]


def _list_categories(metrics: Metrics, signs: Signs) -> Table:
    columns = [
        Column("category", [signs.show(name) for name in metrics.categories], is_label=True),
        Column.of_counts("support", metrics.support.tolist()),
        Column.of_counts("predicted", metrics.predicted.tolist()),
        Column.of_shares("precision", metrics.precision.tolist(), signs),
        Column.of_shares("recall", metrics.recall.tolist(), signs),
        Column.of_shares("F1", metrics.f1.tolist(), signs),
    ]
    return Table(columns, signs)


def _show_confusion(metrics: Metrics, signs: Signs, console: Console) -> list[Text] | Table | None:
    """Show the matrix, shaded by the share of each row; the commonest confusions, if too wide."""
    heat = Heat.for_console(console, signs.density)
    names = [signs.show(name) for name in metrics.categories]
    # The column "none" is there only where some row has no prediction.
    counts = metrics.counts.confusion if metrics.n_unpredicted else metrics.confusion
    headings = [*names, "none"] if metrics.n_unpredicted else names
    with np.errstate(invalid="ignore"):  # a category without rows has no shares
        shares = counts / metrics.support[:, None]
    columns = [Column("truth", names, is_label=True)]
    for j, heading in enumerate(headings):
        shaded = [
            heat.shade(share, f"{n:,}", "", bold=i == j)
            if n
            else heat.shade(math.nan, signs.dot, DIM)
            for i, (n, share) in enumerate(zip(counts[:, j].tolist(), shares[:, j], strict=True))
        ]
        columns.append(Column.of_shades(heading, shaded))
    table = Table(columns, signs, "rows by truth, down, and prediction, across")
    if table.count_cells() > console.width:
        return _list_confusions(metrics, signs)
    return [*table.render(console.width), Text(heat.legend(), style=DIM)]


def _list_confusions(metrics: Metrics, signs: Signs) -> Table | None:
    # Equally common ones stay in the categories' order, by the stable sort.
    wrong = metrics.confusion.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:_MOST_CONFUSIONS]
    pairs = [divmod(int(at), len(wrong)) for at in order if wrong.flat[at]]
    if not pairs:
        return None
    names = [signs.show(name) for name in metrics.categories]
    columns = [
        Column("truth", [names[i] for i, _ in pairs], is_label=True),
        Column("predicted", [names[j] for _, j in pairs]),
        Column.of_counts("rows", [wrong[pair] for pair in pairs]),
    ]
    return Table(columns, signs, "the commonest confusions; -f csv gives all")


def _show_calibration(
    calibration: Calibration, given: str, true: str, about: str, signs: Signs
) -> Table | None:
    tenths = list_tenths(calibration)
    if not tenths:
        return None
    columns = [
        Column(given, [tenth.range for tenth in tenths]),
        Column.of_counts("rows", [tenth.n_rows for tenth in tenths]),
        Column("mean", format_numbers([tenth.mean for tenth in tenths], 4), is_numeric=True),
        Column(true, format_numbers([tenth.share for tenth in tenths], 4), is_numeric=True),
    ]
    return Table(columns, signs, f"calibration: {about}")


def _show_binary(metrics: Metrics, signs: Signs) -> Iterator[list[Text] | Table | None]:
    """Yield what a terminal shows of categories against the rest, part by part."""
    measures = metrics.one_vs_rest
    if len(measures) > 1:
        yield _list_measures(metrics, signs)
        return
    for one in measures:
        yield _say_measures(one, signs)
        yield _list_thresholds(one, signs)
        about = f"the probability of {signs.show(quote_name(one.positive))}, and its share"
        yield _show_calibration(one.calibration, "probability", "positive", about, signs)


def _list_measures(metrics: Metrics, signs: Signs) -> Table:
    measures = metrics.one_vs_rest
    columns = [
        Column("category", [signs.show(one.positive) for one in measures], is_label=True),
        Column.of_counts("rows", [one.decision.n_positive for one in measures]),
        Column.of_shares("ROC area", [one.roc_auc for one in measures], signs),
        Column.of_shares("average precision", [one.average_precision for one in measures], signs),
        Column.of_shares("log-loss", [one.log_loss for one in measures], signs),
        Column.of_shares("Brier", [one.brier_score for one in measures], signs),
    ]
    mean = f"mean ROC area {show_share(metrics.macro_roc_auc, signs)}"
    title = f"each category against the rest, by its {_name_number(measures[0])}; {mean}"
    return Table(columns, signs, title)


def _say_measures(one: BinaryMetrics, signs: Signs) -> list[Text]:
    point, name = one.decision, signs.show(quote_name(one.positive))
    others = [*map(quote_name, one.negatives[:MOST_NEGATIVES])]
    if len(one.negatives) > len(others):
        others.append(signs.ellipsis)
    rest = f" ({signs.show(', '.join(others))})" if others else ""
    rule = "what is predicted so"
    if point.threshold is not None:
        rule = f"a {_name_number(one)} of {show_number(point.threshold)} or more"
    measures = {
        "ROC area": one.roc_auc,
        "average precision": one.average_precision,
        "log-loss": one.log_loss,
        "Brier score": one.brier_score,
    }
    shares = {"precision": point.precision, "recall": point.recall}
    return [
        Text(f"{name}: {plural(point.n_positive, 'row')}", style=HEAD).append(
            f", against {plural(point.n_negative, 'other')}{rest}", style=""
        ),
        Text("   ".join(f"{words} {show_share(v, signs)}" for words, v in measures.items())),
        Text(
            f"{name} is {rule}: "
            + ", ".join(f"{words} {show_share(v, signs)}" for words, v in shares.items())
        ),
    ]


def _name_number(one: BinaryMetrics) -> str:
    return "probability" if one.by_probability else "score"


def _list_thresholds(one: BinaryMetrics, signs: Signs) -> Table | None:
    """Show thresholds by shares of the rows, the best and the chosen one, highest first."""
    if not one.thresholds:
        return None
    points = {point.threshold: point for point in one.thresholds.values()}
    points |= {point.threshold: point for point in (*one.best.values(), one.decision)}
    order = sorted((number for number in points if number is not None), reverse=True)
    rows = [points[threshold] for threshold in order]
    taken = [point.true_positives + point.false_positives for point in rows]
    n_rows = one.decision.n_positive + one.decision.n_negative
    columns = [
        Column(_name_number(one), format_numbers(order), is_numeric=True),
        Column.of_counts("rows", taken),
        Column("share", [show_percent(n / n_rows) for n in taken], is_numeric=True),
        Column.of_shares("precision", [point.precision for point in rows], signs),
        Column.of_shares("recall", [point.recall for point in rows], signs),
        Column.of_shares("specificity", [point.specificity for point in rows], signs),
        Column.of_shares("F1", [point.f1 for point in rows], signs),
        Column("", [_note(one, threshold) for threshold in order]),
    ]
    title = "thresholds: what is positive from each on; best are those of these rows, J is Youden's"
    return Table(columns, signs, title)


def _note(one: BinaryMetrics, threshold: float) -> str:
    """Say what a threshold is, besides one of several."""
    best = [_BEST[name] for name, point in one.best.items() if point.threshold == threshold]
    notes = [f"best {', '.join(best)}"] if best else []
    return ", ".join(["chosen"] * (one.decision.threshold == threshold) + notes)
