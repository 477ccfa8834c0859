"""What is written beside the rows: ``--report``, as JSON or as a page, and ``--plot``."""

from __future__ import annotations

import json
import stat
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matscore
from matscore.errors import MatscoreError, OutputError, UsageError, require_extra
from matscore.plan import Plan
from matscore.read.inputs import list_inputs
from matscore.read.source import SourceFacts
from matscore.run.run import Summary
from matscore.write.whole import open_output

if TYPE_CHECKING:
    from matscore.cli.session import Record
    from matscore.commands.classify import ScoreTally
    from matscore.commands.fit import FitSummary
    from matscore.commands.import_model import Imported

SCHEMA_VERSION = 1


@contextmanager
def write_reports(record: Record, paths: Sequence[str]) -> Iterator[None]:
    """Write reports at the end of a run, also of one that fails."""
    begun = time.monotonic()
    if any(map(is_page, paths)):
        require_extra("a report as a page", "jinja2", "matplotlib")
        from matscore.numerics.statistics import Reasons

        record.gather, record.reasons = ("page",), Reasons()

    def write(name: str, failure: BaseException | None) -> str:
        facts = make_report(record, time.monotonic() - begun, failure)
        return _write_page(record, facts) if is_page(name) else _write_json(facts)

    with write_at_end(paths, _find_inputs(record.inputs), write):
        yield


@contextmanager
def write_at_end(
    paths: Sequence[str],
    inputs: Sequence[str],
    write: Callable[[str, BaseException | None], str],
) -> Iterator[None]:
    """Write what is told of a run at its end, also of one that fails."""
    failure: BaseException | None = None
    try:
        with ExitStack() as stack:
            outs = [stack.enter_context(open_output(name, inputs=inputs)) for name in paths]
            try:
                yield
            except BaseException as error:
                failure = error
            for name, out in zip(paths, outs, strict=True):
                text = write(name, failure)
                out.write(text.encode("utf-8", "backslashreplace"))  # of a path that is not UTF-8
    except OutputError:
        # Why the run has failed says more than why its report is not there.
        if failure is None:
            raise
    if failure is not None:
        raise failure


def write_import(model: str, imported: Imported | None, failure: BaseException | None) -> str:
    """Return the report of an import; of one that failed with nothing but why."""
    from matscore.cli.process import exit_code_of, message_of
    from matscore.commands.import_model import describe_failure

    if failure is None:
        assert imported is not None
        return _write_json(imported.describe())
    return _write_json(describe_failure(model, int(exit_code_of(failure)), message_of(failure)))


def make_report(record: Record, seconds: float, failure: BaseException | None) -> dict[str, Any]:
    """Return the report's content; ``report.schema.json`` in the package describes it."""
    from matscore.cli.process import exit_code_of, message_of
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
        "inputs": _describe_inputs(record),
        "output": record.outputs[0],
        "rejects": record.outputs[1],
        "shapes": _describe_shapes(plan, summary),
        "plans": [plan_facts(one, argv) for one in plans],
        "columns": _describe_columns(plan, summary),
        "rows_in": summary and summary.n_rows + summary.n_rejected,
        "rows_scored": summary and summary.n_rows,
        "rows_rejected": summary and summary.n_rejected,
        "rows_doubled": summary.n_doubled if isinstance(summary, Summary) else None,
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


def is_page(name: str) -> bool:
    """Say whether a report is a page, by the ending of its file."""
    return name.lower().endswith((".html", ".htm"))


def _write_json(facts: dict[str, Any]) -> str:
    return json.dumps(facts, indent=2, ensure_ascii=False) + "\n"


def _write_page(record: Record, facts: dict[str, Any]) -> str:
    from matscore.numerics.statistics import Reasons
    from matscore.pages.report import render_report

    return render_report(facts, record.summary, record.reasons or Reasons())


def _describe_inputs(record: Record) -> list[dict[str, Any]]:
    summary = record.summary
    facts = summary.inputs if summary else tuple(_look(path) for path in record.inputs)
    roles = record.roles or [*["features"] * (len(facts) - 1), "weights"]
    return [
        {
            "role": role,
            "path": fact.path,
            "size": fact.size,
            "mtime": fact.mtime and datetime.fromtimestamp(fact.mtime, UTC).isoformat(),
            "sha256": fact.sha256,
            "comment_lines": fact.n_comments,
            "skipped_lines": fact.n_skipped,
        }
        for role, fact in zip(roles, facts, strict=True)
    ]


def _describe_columns(
    plan: Plan | None, summary: Summary[Any] | FitSummary | None
) -> list[dict[str, Any]]:
    """Tell how columns were read that features are computed from, and what was odd in them."""
    if plan is None or plan.terms is None or not isinstance(summary, Summary):
        return []
    texts = {column.name: column for column in plan.terms.texts}
    columns = []
    for name, (n_unknown, n_missing) in summary.odd.items():
        kind: dict[str, Any] = {"read_as": "number"}
        if name in texts:
            kind = {"read_as": "text", "levels": len(texts[name].levels)}
        columns.append({"name": name, **kind, "unknown": n_unknown, "missing": n_missing})
    return columns


def _look(path: str) -> SourceFacts:
    # A run that failed has not read its inputs to the end: they are described as they lie there.
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


@contextmanager
def open_plot(path: str, inputs: Sequence[str]) -> Iterator[Callable[[Any], None]]:
    """Open the file of a picture, whole or not at all; yield what draws the summary of a run."""
    form = next((form for form in ("svg", "png") if path.lower().endswith(f".{form}")), None)
    if form is None:
        raise UsageError(f'--plot cannot draw "{path}"', "name a .svg or a .png file")
    require_extra("--plot", "matplotlib")
    with open_output(path, inputs=inputs) as out:

        def draw(summary: Summary[ScoreTally]) -> None:
            from matscore.pages.charts import render_plot

            out.write(render_plot(summary, form))

        yield draw
