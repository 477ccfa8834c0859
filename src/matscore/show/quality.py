"""How good predictions are, as tables, CSV, JSON and Markdown, and how well weights fit."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from rich.console import Console
from rich.text import Text

from matscore.colors import Heat
from matscore.kernel import Floats
from matscore.names import quote_name
from matscore.show.binary import iter_binary, list_binary_tables, show_binary
from matscore.show.table import Column, Table
from matscore.show.text import (
    DIM,
    HEAD,
    Signs,
    format_numbers,
    list_counts,
    plural,
    print_lines,
    show_shape,
    show_share,
)
from matscore.write.formats import escape_markdown

if TYPE_CHECKING:
    from matscore.commands.fit import FitSummary
    from matscore.commands.truths import EvaluateTally
    from matscore.numerics.learn import Learned
    from matscore.numerics.metrics import Metrics
    from matscore.run.run import Summary

TextFormat = Literal["table", "csv", "json", "markdown"]
TEXT_FORMATS: tuple[TextFormat, ...] = ("table", "csv", "json", "markdown")
_MOST_RANKS = _MOST_TARGETS = 5
_MOST_CONFUSIONS = 10
_OVERALL = (
    "rows", "rows_without_prediction", "accuracy", "balanced_accuracy", "macro_precision",
    "macro_recall", "macro_f1", "log_loss",
)  # fmt: skip


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


def list_tenths(calibration: Sequence[tuple[int, float, float]]) -> list[Tenth]:
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
    for name in _OVERALL:
        yield name, "", "", facts[name]
    for k, value in enumerate(facts["top_k_accuracy"], start=1):
        yield f"top_{k}_accuracy", "", "", value
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
        for name, value in iter_binary(measures):
            yield name, positive, "", value


def _write_markdown(metrics: Metrics) -> str:
    facts = metrics.facts()
    overall = [(name, facts[name]) for name in _OVERALL]
    overall += [(f"top_{k}_accuracy", v) for k, v in enumerate(facts["top_k_accuracy"], start=1)]
    names = ("support", "predicted", "precision", "recall", "f1")
    rows = [(c, *(row[name] for name in names)) for c, row in facts["categories"].items()]
    confusion = [(truth, *row.values()) for truth, row in facts["confusion"].items()]
    tenths = [tuple(tenth.values()) for tenth in facts["calibration"]]
    parts = [
        _table(("measure", "value"), overall),
        _table(("category", *names), rows),
        _table(("truth", *(f"predicted {name}" for name in metrics.categories)), confusion),
    ]
    if tenths:
        parts.append(_table(("from", "to", "rows", "confidence", "accuracy"), tenths))
    if compared := facts["one_vs_rest"]:
        parts += [_table(*table) for table in list_binary_tables(compared)]
    return "\n".join(parts)


def _table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    rule = ["---", *["---:"] * (len(header) - 1)]
    lines = [[escape_markdown(str(cell)) for cell in header], rule]
    lines += [["" if cell is None else escape_markdown(str(cell)) for cell in row] for row in rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def render_metrics(summary: Summary[EvaluateTally], console: Console) -> None:
    """Print the measures of a run of ``evaluate`` as tables."""
    metrics, signs = summary.tally.metrics, Signs.of(console)
    categories = _list_categories(metrics, signs).render(console.width)
    print_lines(console, [*_say_overall(metrics, summary, signs), Text(""), *categories])
    for lines in (
        _show_confusion(metrics, signs, console),
        _show_calibration(metrics, console.width, signs),
        *show_binary(metrics, signs, console.width),
    ):
        print_lines(console, [Text(""), *lines] if lines else [])


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
    def shares(heading: str, values: Floats) -> Column:
        texts = [show_share(value, signs) for value in values.tolist()]
        return Column(heading, texts, is_numeric=True)

    columns = [
        Column("category", [signs.show(name) for name in metrics.categories], is_label=True),
        Column.of_counts("support", metrics.support.tolist()),
        Column.of_counts("predicted", metrics.predicted.tolist()),
        shares("precision", metrics.precision),
        shares("recall", metrics.recall),
        shares("F1", metrics.f1),
    ]
    return Table(columns, signs)


def _show_confusion(metrics: Metrics, signs: Signs, console: Console) -> list[Text]:
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
        texts, styles = zip(*shaded, strict=True)
        columns.append(Column(heading, texts, styles, is_numeric=True))
    table = Table(columns, signs)
    if table.count_cells() > console.width:
        return _list_confusions(metrics, signs, console.width)
    title = "rows by truth, down, and prediction, across"
    lines = table.render(console.width)
    return [Text(title, style=DIM), *lines, Text(heat.legend(), style=DIM)]


def _list_confusions(metrics: Metrics, signs: Signs, width: int) -> list[Text]:
    # Equally common ones stay in the categories' order, by the stable sort.
    wrong = metrics.confusion.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:_MOST_CONFUSIONS]
    pairs = [divmod(int(at), len(wrong)) for at in order if wrong.flat[at]]
    if not pairs:
        return []
    names = [signs.show(name) for name in metrics.categories]
    columns = [
        Column("truth", [names[i] for i, _ in pairs], is_label=True),
        Column("predicted", [names[j] for _, j in pairs]),
        Column.of_counts("rows", [wrong[pair] for pair in pairs]),
    ]
    title = "the commonest confusions; -f csv gives all"
    return [Text(title, style=DIM), *Table(columns, signs).render(width)]


def _show_calibration(metrics: Metrics, width: int, signs: Signs) -> list[Text]:
    tenths = [(i / 10, *tenth) for i, tenth in enumerate(metrics.calibration) if tenth[0]]
    if not tenths:
        return []
    lows, counts, means, shares = (list(values) for values in zip(*tenths, strict=True))
    columns = [
        Column("confidence", [f"{low:.1f} to {low + 0.1:.1f}" for low in lows]),
        Column.of_counts("rows", counts),
        Column("mean", format_numbers(means, 4), is_numeric=True),
        Column("accuracy", format_numbers(shares, 4), is_numeric=True),
    ]
    title = "calibration: the probability of the prediction, and how often it is right"
    return [Text(title, style=DIM), *Table(columns, signs).render(width)]


def list_quality(learned: Learned) -> list[str]:
    """Say how well the weights fit the rows that they were learned from."""
    penalty = f", alpha {learned.alpha:g}" if learned.alpha else ""
    sentences = [f"{learned.method}{penalty}, {plural(learned.n_rows, 'row')}"]
    if learned.r2 is not None:
        pairs = list(zip(learned.targets, learned.r2.tolist(), strict=True))
        shown = [f"{quote_name(name)} {_short(value)}" for name, value in pairs[:_MOST_TARGETS]]
        rest = f" and {len(pairs) - _MOST_TARGETS} more" if len(pairs) > _MOST_TARGETS else ""
        sentences.append(f"R²: {', '.join(shown)}{rest}")
    if learned.accuracy is not None and learned.log_loss is not None:
        measures = f"accuracy {learned.accuracy:.4f}, log-loss {learned.log_loss:.4f}"
        sentences.append(f"on these rows: {measures}")
    if learned.rank is not None and learned.condition is not None:
        rank = f"rank {learned.rank} of {len(learned.features)}"
        sentences.append(f"{rank}, condition {learned.condition:.3g}")
    return sentences


def _short(value: float) -> str:
    return "unknown, as it does not vary" if math.isnan(value) else f"{value:.6g}"


def render_fit(summary: FitSummary, console: Console, *, max_rows: int) -> None:
    """Print learned weights, the intercept and at most some features, and how well they fit."""
    learned, signs = summary.learned, Signs.of(console)
    n_features, n_targets = learned.weights.shape
    weights = show_shape(n_features, n_targets, signs)
    features = show_shape(summary.n_rows, n_features, signs)
    scores = show_shape(summary.n_rows, n_targets, signs)
    equation = f"{features} {signs.dot} {weights} {signs.about} {scores}"
    console.print(Text(equation, style=HEAD), soft_wrap=True)
    for fact in list_quality(learned):
        console.print(Text(signs.show(fact)))
    console.print("")
    heat = Heat.for_console(console, signs.density)
    shown = _list_columns(learned, signs, heat, max_rows)
    # Whole columns give way, the last first: a number that is cut is another number.
    while len(shown) > 2 and Table(shown, signs).count_cells() > console.width:
        shown.pop()
    print_lines(console, Table(shown, signs).render(console.width))
    rest = []
    if n_features > max_rows:
        rest.append(f"{signs.ellipsis} and {plural(n_features - max_rows, 'more feature')}")
    if len(shown) - 1 < n_targets:
        rest.append(f"{len(shown) - 1} of {n_targets:,} columns shown")
    print_lines(console, [Text(text, style=DIM) for text in (*rest, heat.legend())])


def _list_columns(learned: Learned, signs: Signs, heat: Heat, max_rows: int) -> list[Column]:
    """Return the names, and a shaded column a target; the intercept is not on the scale."""
    weights = learned.weights[:max_rows]
    names = [signs.show(name) for name in learned.features[:max_rows]]
    # Placed before rows are left out: what is shown of a model does not change its shades.
    places = heat.place(learned.weights)[:max_rows]
    if learned.intercept is not None:
        names.append("(Intercept)")
        weights = np.vstack([weights, learned.intercept])
        places = np.vstack([places, np.full(weights.shape[1], np.nan)])
    columns = [Column("feature", names, is_label=True)]
    for j, target in enumerate(learned.targets):
        numbers = format_numbers(weights[:, j].tolist())
        cells = zip(places[:, j], numbers, strict=True)
        shaded = [heat.shade(place, number, "") for place, number in cells]
        texts, styles = [text for text, _ in shaded], [style for _, style in shaded]
        columns.append(Column(signs.show(target), texts, styles, is_numeric=True))
    return columns
