"""One category against the rest, as tables, CSV and Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.text import Text

from matscore.names import quote_name
from matscore.numerics.binary import MOST_NEGATIVES
from matscore.show.table import Column, Table
from matscore.show.text import (
    DIM,
    HEAD,
    Signs,
    format_numbers,
    plural,
    show_number,
    show_percent,
    show_share,
)

if TYPE_CHECKING:
    from matscore.numerics.binary import BinaryMetrics
    from matscore.numerics.metrics import Metrics

Facts = Mapping[str, Any]
_MEASURES = (
    "positives", "negatives", "rows_without_score", "ranked_by", "roc_auc", "average_precision",
    "log_loss", "brier_score",
)  # fmt: skip
_BEST = {"f1": "F1", "youden": "J"}


def iter_binary(facts: Facts) -> Iterator[tuple[str, object]]:
    """Yield the measures of a category, each with a name of its own."""
    for name in _MEASURES:
        yield name, facts[name]
    points = {"decision": facts["decision"]}
    points |= {f"best_{name}": point for name, point in facts["best"].items()}
    points |= {f"share_{share}": point for share, point in facts["thresholds"].items()}
    for start, point in points.items():
        for name, value in point.items():
            yield f"{start}_{name}", value
    for tenth in facts["calibration"]:
        for name in ("rows", "probability", "positive"):
            yield f"calibration_{tenth['from']}_{name}", tenth[name]


def list_binary_tables(compared: Facts) -> Iterator[tuple[Sequence[str], list[Sequence[object]]]]:
    """Yield headings and rows: all categories, then thresholds and calibration of each."""
    header = ("positive", *_MEASURES)
    yield header, [(name, *(facts[key] for key in _MEASURES)) for name, facts in compared.items()]
    for name, facts in compared.items():
        named = [("decision", facts["decision"])]
        named += [(f"best {key}", point) for key, point in facts["best"].items()]
        named += [(f"share {share}", point) for share, point in facts["thresholds"].items()]
        keys = list(facts["decision"])
        yield (name, *keys), [(which, *(point[key] for key in keys)) for which, point in named]
        keys = ["from", "to", "rows", "probability", "positive"]
        yield keys, [[tenth[key] for key in keys] for tenth in facts["calibration"]]


def show_binary(metrics: Metrics, signs: Signs, width: int) -> Iterator[list[Text]]:
    """Yield what a terminal shows of categories against the rest, part by part."""
    measures = metrics.one_vs_rest
    if len(measures) > 1:
        yield _list_measures(metrics, signs, width)
        return
    for one in measures:
        yield _say_measures(one, signs)
        yield _list_thresholds(one, signs, width)
        yield _show_calibration(one, signs, width)


def _list_measures(metrics: Metrics, signs: Signs, width: int) -> list[Text]:
    measures = metrics.one_vs_rest

    def shares(heading: str, name: str) -> Column:
        texts = [show_share(getattr(one, name), signs) for one in measures]
        return Column(heading, texts, is_numeric=True)

    columns = [
        Column("category", [signs.show(one.positive) for one in measures], is_label=True),
        Column.of_counts("rows", [one.decision.n_positive for one in measures]),
        shares("ROC area", "roc_auc"),
        shares("average precision", "average_precision"),
        shares("log-loss", "log_loss"),
        shares("Brier", "brier_score"),
    ]
    mean = f"mean ROC area {show_share(metrics.macro_roc_auc, signs)}"
    title = f"each category against the rest, by its {_name_number(measures[0])}; {mean}"
    return [Text(title, style=DIM), *Table(columns, signs).render(width)]


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


def _list_thresholds(one: BinaryMetrics, signs: Signs, width: int) -> list[Text]:
    """Show thresholds by shares of the rows, the best and the chosen one, highest first."""
    if not one.thresholds:
        return []
    points = {point.threshold: point for point in one.thresholds.values()}
    points |= {point.threshold: point for point in (*one.best.values(), one.decision)}
    order = sorted((number for number in points if number is not None), reverse=True)
    rows = [points[threshold] for threshold in order]
    taken = [point.true_positives + point.false_positives for point in rows]
    n_rows = one.decision.n_positive + one.decision.n_negative

    def shares(heading: str, name: str) -> Column:
        texts = [show_share(getattr(point, name), signs) for point in rows]
        return Column(heading, texts, is_numeric=True)

    columns = [
        Column(_name_number(one), format_numbers(order), is_numeric=True),
        Column.of_counts("rows", taken),
        Column("share", [show_percent(n / n_rows) for n in taken], is_numeric=True),
        shares("precision", "precision"),
        shares("recall", "recall"),
        shares("specificity", "specificity"),
        shares("F1", "f1"),
        Column("", [_note(one, threshold) for threshold in order]),
    ]
    title = "thresholds: what is positive from each on; best are those of these rows, J is Youden's"
    return [Text(title, style=DIM), *Table(columns, signs).render(width)]


def _note(one: BinaryMetrics, threshold: float) -> str:
    """Say what a threshold is, besides one of several."""
    best = [_BEST[name] for name, point in one.best.items() if point.threshold == threshold]
    notes = [f"best {', '.join(best)}"] if best else []
    return ", ".join(["chosen"] * (one.decision.threshold == threshold) + notes)


def _show_calibration(one: BinaryMetrics, signs: Signs, width: int) -> list[Text]:
    tenths = [(i / 10, *tenth) for i, tenth in enumerate(one.calibration) if tenth[0]]
    if not tenths:
        return []
    lows, counts, means, shares = (list(values) for values in zip(*tenths, strict=True))
    columns = [
        Column("probability", [f"{low:.1f} to {low + 0.1:.1f}" for low in lows]),
        Column.of_counts("rows", counts),
        Column("mean", format_numbers(means, 4), is_numeric=True),
        Column("positive", format_numbers(shares, 4), is_numeric=True),
    ]
    title = f"calibration: the probability of {signs.show(quote_name(one.positive))}, and its share"
    return [Text(title, style=DIM), *Table(columns, signs).render(width)]
