"""The proof of an import: the sample scored by the new weights, against the tool's own answers."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from matscore.commands.answers import (
    Difference,
    Kind,
    Look,
    Question,
    compare_labels,
    compare_numbers,
    name_columns,
)
from matscore.commands.output import find_faults, open_sink
from matscore.errors import InputError, MisfitError, PlanError
from matscore.kernel import Floats
from matscore.model import Model, Weights, load_weights, score_rows
from matscore.models.types import ImportedModel
from matscore.models.weights import WeightsTable, make_magnitudes
from matscore.names import Grammar, quote_names
from matscore.options import ReadOptions, ScoreOptions
from matscore.plan import Plan, Side
from matscore.plan.learning import find_name
from matscore.read.rows import Rows, parse_sound
from matscore.read.table import open_table
from matscore.run.paired import PairedRows, PairedTable, open_pair
from matscore.run.parts import plan_part
from matscore.run.run import run as run_command
from matscore.run.work import Command, Counted, Settings, Tally, Work
from matscore.write.formats import write_weights

_CHUNK_BYTES = 2**22
_SLACK = 8  # operations of a tool besides one a feature: centring, the link


@dataclass(frozen=True)
class Proof:
    """How the weights compare with the tool's own predictions.

    Attributes
    ----------
    path : str
        The file with the predictions.
    n_rows : int
        Rows that were compared.
    columns : tuple of str
        What was compared, as in ``probability_yes is its probability of yes``.
    largest_difference : float or None
        Of all numbers; None where only labels were compared.
    n_labels_differ, n_ties : int or None
        Labels that differ, and labels that differ where two categories are as good as equal.
    allowed : float
        The largest difference that rounding, or the digits of what is printed, would explain.
    """

    path: str
    n_rows: int
    columns: tuple[str, ...]
    largest_difference: float | None
    n_labels_differ: int | None
    n_ties: int
    allowed: float = 0.0

    def describe(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {
            "path": self.path,
            "rows": self.n_rows,
            "columns": list(self.columns),
            "largest_difference": self.largest_difference,
            "allowed_difference": self.allowed,
            "labels_differ": self.n_labels_differ,
            "ties": self.n_ties,
        }

    def __str__(self) -> str:
        found = []
        if self.largest_difference is not None:
            allowed = f" (rounding may make it {self.allowed:.2g})"
            found.append(f"largest difference {self.largest_difference:.2g}{allowed}")
        if self.n_labels_differ is not None:
            ties = f" ({self.n_ties} ties)" if self.n_ties else ""
            found.append(f"{self.n_labels_differ} labels differ{ties}")
        return f"{self.n_rows:,} rows of {self.path}: {', '.join(found)}"


def prove(
    model: ImportedModel,
    table: WeightsTable,
    sample: str,
    expect: str | None,
    column: str | None,
    how: Settings,
) -> Proof | None:
    """Line the sample up with the weights; with predictions, score it and compare.

    What differs by more than rounding explains is an `InputError` about the predictions.
    """
    held = _hold(model, table, how.read)
    with contextlib.closing(open_table(sample, how.read.of_features)) as features:
        plan = plan_part(features, held, how.read, how.align).plan
    if not plan.ok:
        # What reads the features alone is said of the sample here.
        raise PlanError(replace(plan, hint=plan.hint.replace("features-headers", "sample-headers")))
    if expect is None:
        return None
    questions = _ask(model, expect, column, plan, how)
    command = ProveCommand(
        how=how, model=model, table=table, held=held, expect=expect, questions=questions
    )
    summary = run_command(command, sample, "the weights", open_sink(None))
    tally: ProveTally = summary.tally
    return tally.conclude(model, expect, questions, summary.n_rows)


def _hold(model: ImportedModel, table: WeightsTable, read: ReadOptions) -> Weights:
    """Return the weights as they are read back from their file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "weights.csv")
        with path.open("wb") as out:
            write_weights(table.names, model.categories, table.values, out, "csv", model.link)
        held = load_weights(str(path), ReadOptions(missing_values=read.missing_values))
    side = replace(held.matrix.side, path="the weights")
    return replace(held, matrix=replace(held.matrix, side=side))


@dataclass(frozen=True, kw_only=True)
class ProveCommand(Command):
    """Scores against what the tool says; no rows are written."""

    model: ImportedModel
    table: WeightsTable
    held: Weights  # which are in no file yet
    expect: str  # the file of predictions
    questions: tuple[Question, ...]

    @property
    def others(self) -> tuple[str, ...]:
        """The predictions."""
        return (self.expect,)

    def load(self, path: str, *, checksum: bool) -> Weights:
        """Return the new weights."""
        del path, checksum
        return self.held

    def make_work(self, plan: Plan, model: Model) -> Prove:
        """Return what compares the rows."""
        places = {name: i for i, name in enumerate(self.table.names)}
        order = [places[name] for name in plan.feature_names]
        sizes, doubts = make_magnitudes(self.model, self.table)
        # Of each operation of the tool; our own are at least as exact as those of float64.
        sizes *= self.model.rounding * (plan.n_counting + _SLACK)
        slack = sizes + doubts
        bounds = Model(slack[order], slack[-1], model.categories, plan.terms)
        return Prove(model, bounds, self.questions, self.how.read.grammar)

    def open_paired(self, stack: contextlib.ExitStack, plan: Plan) -> PairedTable | None:
        """Open the predictions."""
        columns = tuple(one.column for one in self.questions)
        answers = [one.name for one in self.questions]
        chosen = columns, ()
        return open_pair(stack, self.expect, plan, self.how, lambda *_: chosen, answers=answers)


def _ask(
    model: ImportedModel, path: str, column: str | None, plan: Plan, how: Settings
) -> tuple[Question, ...]:
    """Find the columns of predictions, and what each may be."""
    found: list[tuple[Side, int | None]] = []

    def look(side: Side, label: int | None) -> tuple[tuple[int, ...], tuple[int, ...]]:
        found.append((side, label))
        return (), ()

    with contextlib.ExitStack() as stack:
        answers = name_columns(model.categories) if column is None else [column]
        table = open_pair(stack, path, plan, how, look, answers=answers).table
        ((side, label),) = found
        chosen = _choose_columns(side, label, column, model.categories)
        layout = table.lay_out(how.read, label=None, kept=chosen, missing="keep")
        chunks = table.iter_chunks(layout, chunk_bytes=_CHUNK_BYTES)
        looks = [Look(how.read.grammar) for _ in chosen]
        for chunk in chunks:
            for one, texts in zip(looks, parse_sound(layout, chunk).texts, strict=True):
                one.add([text for text in texts if not how.read.grammar.is_missing(text)])
    pairs = zip(chosen, looks, strict=True)
    return tuple(one.ask(i, side.name_of(i), model.categories, path) for i, one in pairs)


def _choose_columns(
    side: Side, label: int | None, column: str | None, categories: Sequence[str]
) -> tuple[int, ...]:
    if column is not None:
        return (find_name(side, column, "--expect-column"),)
    columns = [i for i in range(side.width) if i != label]
    named = name_columns(categories)
    known = tuple(i for i in columns if side.names is not None and side.name_of(i) in named)
    if known or len(columns) == 1:
        return known or (columns[0],)
    what = f"which column is the prediction? {quote_names([side.name_of(i) for i in columns])}"
    raise MisfitError(side.path, what, "name it with --expect-column")


@dataclass(frozen=True)
class Prove(Work):
    """The work of the proof."""

    model: Model
    bounds: Model  # by how much a score may be off, of the sizes of the features
    questions: tuple[Question, ...]
    grammar: Grammar
    beside: PairedRows | None = None

    def zero(self) -> ProveTally:
        """Return what is known of no rows."""
        nothing = tuple((Difference(),) * len(one.quantities) for one in self.questions)
        return ProveTally(nothing)

    def values_a_row(self) -> tuple[int, int]:
        """Count the values of a row: held at a time besides its features, and written."""
        return 6 * len(self.model.categories) + 16, 0

    def apply(self, rows: Rows) -> Counted:
        """Score rows and compare them with the predictions."""
        assert self.beside is not None
        frame = self.beside.of(rows)
        scored = score_rows(self.model, rows.features, ScoreOptions())
        faults = {fault.row: fault for fault in self.beside.find_faults(frame)}
        faults |= {fault.row: fault for fault in find_faults(self.model, scored)}
        if faults:
            return Counted(None, list(faults.values()))
        slack = self._find_slack(rows)
        numbers: dict[Kind, Floats] = {"score": scored.scores}
        found: list[tuple[Difference, ...]] = []
        for question in self.questions:
            texts = frame.values(str(question.column))
            if question.quantities[0].kind == "label":
                tied = scored.decision.tied | (scored.decision.margin <= 2 * slack.max(axis=0))
                best = scored.decision.best.tolist()
                categories = self.model.categories
                found.append((compare_labels(texts, best, tied, categories, rows.labels),))
                continue
            expected = np.array([self._read(text) for text in texts])
            differences = []
            for kind, k in question.quantities:
                if kind not in numbers:
                    numbers[kind] = self._answer(kind, scored.scores)
                own, allowed = numbers[kind][k], slack[k] if kind == "score" else slack.max(axis=0)
                if kind == "response" and self.model.link == "exp":
                    allowed = own * np.expm1(allowed)
                differences.append(compare_numbers(question, expected, own, allowed, rows.labels))
            found.append(tuple(differences))
        return Counted(ProveTally(tuple(found)))

    def _read(self, text: str | None) -> float:
        return np.nan if text is None else self.grammar.read(text)

    def _answer(self, kind: Kind, scores: Floats) -> Floats:
        """Return probabilities or responses; NaN where there are none."""
        if kind == "response":
            return self.model.find_response(scores)
        if self.model.refuse_probabilities()[0]:
            return np.full_like(scores, np.nan)
        return self.model.find_probabilities(scores)

    def _find_slack(self, rows: Rows) -> Floats:
        """Return by how much each score may be off, (n_categories, n_rows)."""
        sizes = np.abs(rows.features)
        if (terms := self.model.terms) is not None:  # codes stand behind the numbers
            n_numbers = len(terms.products)
            sizes[n_numbers:] = rows.features[n_numbers:]
        slack: Floats = np.nan_to_num(self.bounds.packed.multiply(np.ascontiguousarray(sizes)))
        return slack


@dataclass(frozen=True)
class ProveTally(Tally):
    """How far each column is from all that it may be."""

    differences: tuple[tuple[Difference, ...], ...]

    def __add__(self, other: ProveTally, /) -> ProveTally:
        pairs = zip(self.differences, other.differences, strict=True)
        return ProveTally(
            tuple(tuple(a + b for a, b in zip(one, two, strict=True)) for one, two in pairs)
        )

    def conclude(
        self, model: ImportedModel, path: str, questions: Sequence[Question], n_rows: int
    ) -> Proof:
        """Return what the comparison comes to; refuse what differs."""
        told, largest, n_differ, n_ties, allowed = [], None, None, 0, 0.0
        for question, differences in zip(questions, self.differences, strict=True):
            # A column of an unknown meaning is what it fits best; of equals the first.
            fits = zip(question.quantities, differences, strict=True)
            quantity, best = min(fits, key=lambda one: (one[1].n_over, one[1].excess))
            meaning = f"{question.name} is the {quantity.say(model.categories)}"
            if best.n_over:
                raise _refuse(model, path, meaning, best, n_rows)
            told.append(meaning)
            if quantity.kind == "label":
                n_differ, n_ties = 0, n_ties + best.n_ties
            else:
                largest, allowed = max(largest or 0.0, best.largest), max(allowed, best.allowed)
        return Proof(path, n_rows, tuple(told), largest, n_differ, n_ties, allowed)


def _refuse(
    model: ImportedModel, path: str, meaning: str, found: Difference, n_rows: int
) -> InputError:
    rows = "; ".join(f"row {row}: {theirs} there, {ours} here" for row, theirs, ours in found.shown)
    gap = f", by {found.largest:.2g} at most" if 0 < found.largest < np.inf else ""
    what = f"{found.n_over:,} of {n_rows:,} rows differ{gap}, if {meaning}: {rows}"
    hint = "nothing is written"
    if meaning.endswith("label") and model.threshold is not None:
        hint = f"the tool's threshold is {model.threshold.value:g}: add --at-threshold"
    return InputError(path, what, hint)
