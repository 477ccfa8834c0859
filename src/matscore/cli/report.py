"""``--report``: what a run read, decided and counted, as JSON or as a page."""

from __future__ import annotations

import json
import stat
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matscore
from matscore.errors import MatscoreError, OutputError, require_extra
from matscore.options import PathLike, RejectOptions
from matscore.plan import Plan
from matscore.read.inputs import list_inputs
from matscore.read.source import SourceFacts
from matscore.run.run import Summary
from matscore.write.whole import open_output, refuse_same_outputs

if TYPE_CHECKING:
    from matscore.commands.fit import FitSummary
    from matscore.numerics.statistics import Reasons
    from matscore.options import Gather

SCHEMA_VERSION = 1


@dataclass
class Record:
    """What is known of a run so far."""

    started: datetime
    plans: tuple[Plan, ...] = ()
    summary: Summary[Any] | FitSummary | None = None  # of a run that has ended well
    counts: Sequence[str] = ()  # names of the command's own counts, null until then
    roles: Sequence[str] = ()  # of the inputs; without them features and, last, weights
    gather: tuple[Gather, ...] = ()
    reasons: Reasons | None = None  # why rows were set aside, counted where a page shows it

    def watch(self, options: RejectOptions) -> RejectOptions:
        """Return options by which rows set aside are counted here, where a page shows them."""
        return options if self.reasons is None else replace(options, on_rejects=self.reasons.add)


@contextmanager
def open_report(
    paths: Sequence[str | Path],
    inputs: Sequence[str],
    outputs: Sequence[PathLike | None],
    counts: Sequence[str] = (),
    roles: Sequence[str] = (),
    others: Sequence[str | None] = (),
) -> Iterator[Record]:
    """Write reports at the end of a run, also of one that fails.

    `outputs` are the files of the rows and of the rejects; reports do not name the `others`.
    """
    names = list(map(str, paths))
    gather: tuple[Gather, ...] = ("page",) if any(map(_is_page, names)) else ()
    record = Record(datetime.now(UTC), counts=counts, roles=roles, gather=gather)
    begun = time.monotonic()
    written = [str(name) for name in (*outputs, *others) if name is not None]
    refuse_same_outputs([*names, *written])
    if gather:
        require_extra("a report as a page", "jinja2", "matplotlib")
        from matscore.numerics.statistics import Reasons

        record.reasons = Reasons()
    if not names:
        yield record
        return
    failure: BaseException | None = None
    try:
        with ExitStack() as stack:
            found = _find_inputs(inputs)
            outs = [stack.enter_context(open_output(name, inputs=found)) for name in names]
            try:
                yield record
            except BaseException as error:
                failure = error
            facts = make_report(record, inputs, outputs, time.monotonic() - begun, failure)
            for name, out in zip(names, outs, strict=True):
                text = _write_page(record, facts) if _is_page(name) else _write_json(facts)
                out.write(text.encode("utf-8", "backslashreplace"))  # of a path that is not UTF-8
    except OutputError:
        if failure is None:
            raise
    if failure is not None:
        raise failure


def make_report(
    record: Record,
    inputs: Sequence[str],
    outputs: Sequence[PathLike | None],
    seconds: float,
    failure: BaseException | None,
) -> dict[str, Any]:
    """Return the report's content; ``report.schema.json`` in the package describes it."""
    from matscore.cli.errors import exit_code_of, message_of
    from matscore.show.plan import plan_facts

    summary = record.summary
    plan = record.plans[0] if record.plans else getattr(failure, "plan", None)
    plans = record.plans or ((plan,) if plan else ())
    argv = sys.argv[1:]
    return {
        "schema_version": SCHEMA_VERSION,
        "program": "matscore",
        "version": matscore.__version__,
        "command": argv,
        "inputs": _describe_inputs(inputs, record),
        "output": outputs[0],
        "rejects": outputs[1],
        "shapes": _describe_shapes(plan, summary),
        "plans": [plan_facts(one, argv) for one in plans],
        "rows_in": summary and summary.n_rows + summary.n_rejected,
        "rows_scored": summary and summary.n_rows,
        "rows_rejected": summary and summary.n_rejected,
        **(dict.fromkeys(record.counts) if summary is None else summary.tally.facts()),
        "started": record.started.isoformat(timespec="seconds"),
        "seconds": round(seconds, 3),
        "exit": 0 if failure is None else int(exit_code_of(failure)),
        "error": None if failure is None else message_of(failure),
    }


def _find_inputs(inputs: Sequence[str]) -> list[str]:
    """Return the files that directories and patterns stand for, none of which a report may be."""
    try:
        return [one.path for one in list_inputs(inputs)]
    except MatscoreError:  # which the run itself will tell
        return list(inputs)


def _is_page(name: str) -> bool:
    return name.lower().endswith((".html", ".htm"))


def _write_json(facts: dict[str, Any]) -> str:
    return json.dumps(facts, indent=2, ensure_ascii=False) + "\n"


def _write_page(record: Record, facts: dict[str, Any]) -> str:
    from matscore.numerics.statistics import Reasons
    from matscore.pages.report import Run, render_report

    return render_report(Run(facts, record.summary, record.reasons or Reasons()))


def _describe_inputs(inputs: Sequence[str], record: Record) -> list[dict[str, Any]]:
    summary = record.summary
    facts = summary.inputs if summary else tuple(_look(path) for path in inputs)
    roles = record.roles or [*["features"] * (len(facts) - 1), "weights"]
    return [
        {
            "role": role,
            "path": fact.path,
            "size": fact.size,
            "mtime": fact.mtime and datetime.fromtimestamp(fact.mtime, UTC).isoformat(),
            "sha256": fact.sha256,
        }
        for role, fact in zip(roles, facts, strict=True)
    ]


def _look(path: str) -> SourceFacts:
    try:
        info = None if path == "-" else Path(path).stat()
    except OSError:
        info = None
    if info is None or not stat.S_ISREG(info.st_mode):
        return SourceFacts(path, None, None, None)
    return SourceFacts(path, info.st_size, info.st_mtime, None)


def _describe_shapes(
    plan: Plan | None, summary: Summary[Any] | FitSummary | None
) -> dict[str, Any] | None:
    if summary is not None and not isinstance(summary, Summary):
        return summary.shapes
    if plan is None:
        return None
    n_in = n_out = plan.features_shape[0]
    if summary is not None:
        n_in, n_out = summary.n_rows + summary.n_rejected, summary.n_rows
    return {
        "features": [n_in, plan.features_shape[1]],
        "weights": list(plan.weights_shape),
        "scores": [n_out, plan.weights_shape[1]],
    }
