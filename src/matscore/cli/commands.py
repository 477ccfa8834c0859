"""The commands: what can be said to each, what it shows, and what is said in the end."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import typer

from matscore.cli.build import Argument, Command, Given
from matscore.cli.session import ProgramOptions, Session, render_to_text
from matscore.errors import QualityError, UsageError
from matscore.options import (
    OutputOptions,
    PlanOptions,
    ReadOptions,
    RejectOptions,
    RunOptions,
    ScoreOptions,
)

if TYPE_CHECKING:
    from rich.console import Console

    from matscore.plan import Plan
    from matscore.run.run import Summary

_FEW_LINES = 10  # that a screen has room for, of each row; a file gets all contributions


def classify(given: Given, features: list[str], weights: str) -> None:
    """Score rows and name the best category of each.

    Multiplies FEATURES by WEIGHTS, adds the intercept if there is one, and writes the scores with
    the category that scores highest. Features are matched by name; nothing is guessed.
    """
    from matscore.commands.classify import ScoreTally, classify_file

    session, write = Session(given), given(OutputOptions)
    form = session.choose_format(write.format)
    asked = session.asked
    for flag, is_set in (("--heatmap", asked.heatmap), ("--show-work", asked.show_work)):
        if is_set and (form != "table" or write.top_k is not None):
            hint = "add --format table" if write.top_k is None else "leave --top-k out"
            raise UsageError(f"{flag} goes with the table of scores", hint)

    # Plans are told, and refused, before the first row is read.
    def look_first(plans: tuple[Plan, ...]) -> None:
        session.tell_plans(plans)
        if asked.show_work:
            from matscore.show.explain import refuse_large_model

            refuse_large_model(plans)

    def render(summary: Summary[Any], console: Console) -> None:
        from matscore.show.explain import render_work
        from matscore.show.scores import render_scores

        render_scores(summary, console, heatmap=asked.heatmap)
        if asked.show_work:
            render_work(summary, console, write.max_rows)

    with session.watch([*features, weights], ScoreTally.NAMES) as settings:
        run = partial(
            classify_file, features, weights, align=given(PlanOptions), score=given(ScoreOptions),
            write=given(OutputOptions, format=form), on_plan=look_first, **settings,
        )  # fmt: skip
        summary = session.write(run, form, render)
        if given(ScoreOptions).probabilities:
            session.warn_of_weights(summary)
    session.end(summary, form, render)


def recommend(given: Given, users: str, items: str) -> None:
    """Find the best items for each user.

    Users and items are rows of the same features, matched by name; the score of the two is the
    product of USERS with ITEMS transposed. Writes the items with the highest scores, best first.
    """
    from matscore.command_options import PairOptions, RecommendOptions
    from matscore.commands.recommend import recommend_file
    from matscore.commands.users import RecommendTally

    session, pairs = Session(given), given(PairOptions)
    form = session.choose_format(given(OutputOptions).format)
    inputs = [users, items, *([] if pairs.exclude is None else [pairs.exclude])]

    def render(summary: Summary[Any], console: Console) -> None:
        from matscore.show.scores import render_recommended

        render_recommended(summary, console, metric=pairs.metric)

    with session.watch(inputs, RecommendTally.NAMES, "users items exclude") as settings:
        run = partial(
            recommend_file, users, items, metric=pairs.metric, recommend=given(RecommendOptions),
            exclude=pairs.exclude, matrix=pairs.matrix, align=given(PlanOptions),
            write=given(OutputOptions, format=form), on_plan=session.tell_plans, **settings,
        )  # fmt: skip
        summary = session.write(run, form, render)
    session.end(summary, form, render)
    tally = summary.tally
    if (seen := tally.seen) is not None and (tally.n_unknown_users or seen.n_unknown_items):
        from matscore.show.table import list_counts

        counts = (tally.n_unknown_users, "user", ""), (seen.n_unknown_items, "item", "")
        session.warn(
            f"{seen.facts.path} names {' and '.join(list_counts(*counts))} not to be found"
        )


def check(given: Given, features: str, weights: str) -> None:
    """Say how two files line up: shapes, names, verdict, and the command that works.

    Computes no scores. Exits with 0 when the files fit and with 3 when they do not.
    """
    import json

    from matscore.cli.process import Exit
    from matscore.commands.check import check_files
    from matscore.show.picture import render_picture
    from matscore.show.plan import plan_facts, render_plan

    session, argv = Session(given), sys.argv[1:]
    plan = check_files(features, weights, read=given(ReadOptions), align=given(PlanOptions))
    if given(OutputOptions).format == "json":
        text = json.dumps(plan_facts(plan, argv), indent=2, ensure_ascii=False)
        session.streams.out.write(f"{text}\n".encode())
        session.streams.out.finish()
    else:
        render = render_picture if session.asked.picture else render_plan
        session.streams.print_out(partial(render, plan, argv=argv))
    raise typer.Exit(Exit.DONE if plan.ok else Exit.MISFIT)


def explain(given: Given, features: str, weights: str) -> None:
    """Say why: what each feature contributed to the score of the predicted category.

    A contribution is value × weight; with the intercept they add up to the score that classify
    gives, but for its rounding. On a terminal each row is compared with its runner-up.
    """
    from matscore.command_options import ExplainOptions
    from matscore.commands.explain import ExplainTally, explain_file
    from matscore.show.explain import render_explanation
    from matscore.show.table import plural

    session, asked = Session(given), given(ExplainOptions)
    form = session.choose_format(given(OutputOptions).format)
    few = {"top_features": _FEW_LINES} if asked.top_features is None and form == "table" else {}
    with session.watch([features, weights], ExplainTally.NAMES) as settings:
        run = partial(
            explain_file, features, weights, explain=given(ExplainOptions, **few),
            align=given(PlanOptions), write=given(OutputOptions, format=form),
            on_plan=session.tell_plans, **settings,
        )  # fmt: skip
        summary = session.write(run, form, render_explanation)
    session.end(summary, form, render_explanation)
    if n_empty := summary.tally.n_empty:
        why = "as a value is missing; with --category C there is something to explain"
        session.warn(f"{plural(n_empty, 'row')} without a prediction, {why}")


def fit(given: Given, features: str, targets: str | None) -> None:
    """Learn a weights file from examples: the way back from scores to weights.

    The targets are numbers to reproduce or a column of categories: a column of FEATURES, or a file
    with the same rows. The rows are read once, however many there are.
    """
    from matscore.command_options import ColumnOptions, FitOptions
    from matscore.commands.fit import FitSummary, fit_file
    from matscore.show.weights import list_quality, render_fit

    session, write = Session(given), given(OutputOptions)
    streams, output = session.streams, session.asked.output
    inputs = [features, *([] if targets is None else [targets])]
    # The weights go to a file or a pipe; a person without either sees a table of them, and with a
    # file both, unless --quiet asks for the file alone.
    is_shown = write.format == "table" or (
        write.format is None
        and streams.out_is_terminal
        and not (session.asked.quiet and output is not None)
    )
    with session.watch(inputs, FitSummary.NAMES, "features targets") as settings:
        summary = fit_file(
            features,
            targets,
            output if output is not None else None if is_shown else streams.out,
            fit=given(FitOptions),
            columns=given(ColumnOptions),
            form=None if write.format == "table" else write.format,
            on_facts=session.say,
            **settings,
        )
        session.record.summary = summary
        session.say(summary.learned.facts)
        if is_shown:
            streams.print_out(partial(render_fit, summary, max_rows=write.max_rows))
        else:
            session.say(list_quality(summary.learned))
            streams.out.finish()
    session.warn(*(f"warning: {line}" for line in summary.warnings))
    session.tell_rest(summary)


def evaluate(given: Given, features: str, weights: str) -> None:
    """Say how good: accuracy, a table of the categories, confusions, log-loss, calibration.

    The truth is a column of FEATURES, or of a file with the same rows. A truth that is missing or
    no category of WEIGHTS makes a bad row. A single category is told from the rest: areas under
    curves, a table of thresholds.
    """
    from matscore.command_options import TruthOptions
    from matscore.commands.evaluate import evaluate_file
    from matscore.commands.truths import EvaluateTally
    from matscore.show.quality import TEXT_FORMATS, encode_metrics, render_metrics

    session, truth = Session(given), given(TruthOptions)
    chosen = session.choose_format(given(OutputOptions).format)
    form = next((known for known in TEXT_FORMATS if known == chosen), None)
    if form is None:
        hint = "name a .csv, .json, .md or .txt file"
        raise UsageError(f"measures are not written as {chosen}", hint)
    inputs = [features, weights, *([] if truth.truth_file is None else [truth.truth_file])]

    def as_text(summary: Summary[EvaluateTally]) -> str:
        if form == "table":
            return render_to_text(render_metrics, summary)
        return encode_metrics(summary.tally.metrics, form)

    with session.watch(inputs, EvaluateTally.NAMES, "features weights truth") as settings:
        run = partial(
            evaluate_file, features, weights, truth=truth.truth, truth_file=truth.truth_file,
            positive=truth.positive, best=truth.best, one_vs_rest=truth.one_vs_rest,
            score=given(ScoreOptions), align=given(PlanOptions), on_plan=session.tell_plans,
            **settings,
        )  # fmt: skip
        # A table on standard output is printed by `end`, in colours where there are any.
        if form == "table" and session.asked.output is None:
            session.record.summary = summary = run()
        else:
            summary = session.write_text(run, as_text)
        # The measures are written all the same, and the report tells why the run has failed.
        session.end(summary, form, render_metrics)
        session.warn(*(f"warning: {line}" for line in summary.tally.warnings))
        session.warn_of_weights(summary)
        accuracy, least = summary.tally.metrics.accuracy, truth.min_accuracy
        if least is not None and not accuracy >= least:  # of no rows it is NaN
            what = f"the accuracy {accuracy:.6g} is under {least:.6g} (--min-accuracy)"
            raise QualityError(what)


def import_(given: Given, model: str) -> None:
    """Make a weights file of a model that another tool has written, running nothing of it.

    MODEL is a file of scikit-learn, statsmodels or R, PMML, ONNX or a table of coefficients. What
    stood before it is folded into terms; --expect proves the weights before they are written.
    """
    from matscore.cli.report import is_page, write_at_end, write_import
    from matscore.commands.import_model import Imported, import_file
    from matscore.models.options import ImportOptions
    from matscore.show.weights import list_import
    from matscore.write.whole import refuse_same_outputs

    session, take = Session(given), given(ImportOptions)
    output, as_json = session.asked.output, given(OutputOptions).format == "json"
    reports = [str(path) for path in session.asked.report]
    refuse_same_outputs([name for name in (*reports, output) if name is not None])
    if pages := [name for name in reports if is_page(name)]:
        raise UsageError(f'a model has no report as a page ("{pages[0]}")', "name a .json file")
    # The report takes standard output, so that the weights need a file.
    out = None if as_json else session.streams.out
    inputs = [model, *(one for one in (take.sample, take.expect) if one is not None)]
    imported: Imported | None = None
    read, align = given(ReadOptions), given(PlanOptions)
    with write_at_end(reports, inputs, lambda _, error: write_import(model, imported, error)):
        imported = import_file(
            model, out if output is None else output, take=take, read=read, align=align
        )
    if as_json:
        text = write_import(model, imported, None)
        session.streams.out.write(text.encode("utf-8", "backslashreplace"))
    session.streams.out.finish()
    session.say(list_import(imported, output, take.sample, read, align))
    session.warn(*(f"warning: {line}" for line in imported.warnings))


_FEATURES = Argument(
    "features", "File with one row an item and one column a feature; `-` is standard input."
)
_MANY_FEATURES = Argument(
    "features", "Files with one row an item and one column a feature, directories of them and "
    "quoted patterns; `-` is standard input.", list[str], "FEATURES...",
)  # fmt: skip
_WEIGHTS = Argument("weights", "File with one row a feature and one column a category.")
_USERS = Argument(
    "users", "File with one row a user and one column a feature; `-` is standard input."
)
_ITEMS = Argument(
    "items", "File with one row an item and one column a feature; it is held in memory."
)
_TARGETS = Argument(
    "targets", "File with the same rows: columns of numbers, or one column of categories.",
    str | None, "[TARGETS]", None,
)  # fmt: skip
_MODEL = Argument(
    "model", "File or folder that another tool has written, or a table; `-` is standard input."
)

_SIDES = "headers features-headers weights-headers"
_LINES = "comment skip-lines"
_MARKS = "weights-delimiter weights-decimal"
_READ = f"delimiter encoding {_SIDES} {_LINES} decimal {_MARKS} missing missing-values booleans"
_INTERCEPT = "auto-transpose intercept no-intercept"
_LIFTED = "weights-cols drop-weights-cols rename absent max-absent"
_ASIDE = "on-error rejects max-rejects report color"
_RUN = "engine scheduler jobs chunk-size memory"
_SAY = "verbose quiet"
_FILES = (OutputOptions, RejectOptions, ProgramOptions)
_OWN = "matscore.command_options"  # loaded for its commands alone
_SCORING = (ReadOptions, PlanOptions, *_FILES, RunOptions)


def _rename_side(side: str, name: str, words: str) -> dict[str, dict[str, Any]]:
    """Name the options that are for one of two files alone after what a command calls it."""
    flags = {"headers": f"--{name}-headers/--no-{name}-headers"}
    flags |= {kind: f"--{name}-{kind}" for kind in ("delimiter", "decimal")}
    return {
        f"{side}-{kind}": {"names": (flag,), "help": f"As --{kind}, for the {words} alone."}
        for kind, flag in flags.items()
    }


COMMANDS = {
    "classify": Command(
        classify, (_MANY_FEATURES, _WEIGHTS), (*_SCORING, ScoreOptions),
        f"{_READ} min-present unknown empty-files id-col no-id-col unique-labels keep-cols strict "
        f"transpose transpose-features {_INTERCEPT} {_LIFTED} probabilities response margin "
        "no-scores threshold top-k "
        "format output precision max-rows heatmap show-work plot excel-safe "
        f"{_ASIDE} resume {_RUN} {_SAY}",
    ),
    "recommend": Command(
        recommend, (_USERS, _ITEMS), (f"{_OWN}:RecommendOptions", f"{_OWN}:PairOptions", *_SCORING),
        f"{_READ} empty-files id-col no-id-col unique-labels keep-cols strict "
        "transpose-features transpose rename absent max-absent keep-item-cols drop-item-cols "
        "top-k metric min-score exclude matrix format output precision max-rows excel-safe "
        f"{_ASIDE} resume {_RUN} {_SAY}",
        {
            "missing": {"kind": Literal["error", "skip", "zero", "keep"],
                        "help": "A user's missing cell: stop; reject its row; read it as 0; keep "
                                "the user, with no items."},
            **_rename_side("features", "users", "users"),
            **_rename_side("weights", "items", "items"),
            "skip-lines": {"help": "Leave out the first N lines of each file of users."},
            "empty-files": {"help": "A file of users without a byte: stop; or pass over it."},
            "id-col": {"help": "Users column that holds their labels."},
            "keep-cols": {"help": "Users columns to carry into the output unchanged, or `all` that "
                                  "are not features."},
            "strict": {"help": "Refuse users columns that the items do not have."},
            "transpose-features": {"names": ("--transpose-users",),
                                   "help": "Transpose the users; they are read into memory."},
            "transpose": {"names": ("--transpose-items",),
                          "help": "Transpose the items, which then are columns."},
            "rename": {"help": "File of two columns: the name of a column in the users file, its "
                               "name in the items file."},
            "absent": {"help": "Features of the items that count 0 where the users file lacks "
                               "them; `zero` for all."},
            "max-rows": {"help": "Users that a table shows."},
        },
    ),
    "check": Command(
        check, (_FEATURES, _WEIGHTS), (ReadOptions, PlanOptions, OutputOptions, ProgramOptions),
        f"delimiter encoding {_SIDES} {_LINES} decimal {_MARKS} missing missing-values "
        "booleans min-present id-col no-id-col unique-labels keep-cols strict "
        f"transpose transpose-features {_INTERCEPT} {_LIFTED} picture format color",
        {"format": {"kind": Literal["text", "json"], "default": "text", "help": "Format.",
                    "set_by": "MATSCORE_CHECK_FORMAT"}},
    ),
    "explain": Command(
        explain, (_FEATURES, _WEIGHTS), (*_SCORING, f"{_OWN}:ExplainOptions"),
        f"{_READ} min-present unknown empty-files id-col no-id-col unique-labels strict transpose "
        f"transpose-features {_INTERCEPT} {_LIFTED} category versus top-features row "
        f"format output precision max-rows excel-safe {_ASIDE} resume {_RUN} {_SAY}",
        {"max-rows": {"default": 5}},
    ),
    "fit": Command(
        fit, (_FEATURES, _TARGETS),
        (ReadOptions, f"{_OWN}:ColumnOptions", f"{_OWN}:FitOptions", *_FILES, RunOptions),
        f"{_READ} target drop-cols id-col no-id-col method alpha standardize intercept categories "
        "terms max-levels rare "
        f"format output max-rows {_ASIDE} {_RUN} {_SAY}",
        {
            **_rename_side("weights", "targets", "file of targets"),
            "missing": {"kind": Literal["error", "skip", "zero"],
                        "help": "A missing cell: stop; reject its row; read it as 0, unless it is "
                                "a target."},
            "format": {"kind": Literal["table", "csv", "tsv", "parquet", "arrow"] | None,
                       "set_by": "MATSCORE_FIT_FORMAT"},
        },
    ),
    "evaluate": Command(
        evaluate, (_FEATURES, _WEIGHTS), (f"{_OWN}:TruthOptions", *_SCORING, ScoreOptions),
        f"truth truth-file {_READ} min-present unknown empty-files id-col no-id-col unique-labels "
        f"strict transpose {_INTERCEPT} {_LIFTED} positive one-vs-rest threshold probabilities "
        f"best min-accuracy format output {_ASIDE} {_RUN} {_SAY}",
        {
            "threshold": {"help": "What is positive: a score of T or more, 0 without it. With "
                                  "--probabilities and of several categories a probability; "
                                  "without it 0.5, or what is predicted.",
                          "set_by": "MATSCORE_EVALUATE_THRESHOLD"},
            "probabilities": {"help": "Rank the rows of a single category by its probability, "
                                      "which thresholds then are.",
                              "set_by": "MATSCORE_EVALUATE_PROBABILITIES"},
            "format": {"kind": Literal["table", "csv", "json", "markdown"] | None,
                       "help": "Without it the ending of --output decides; else tables on a "
                               "terminal, CSV elsewhere.",
                       "set_by": "MATSCORE_EVALUATE_FORMAT"},
        },
    ),
    "import": Command(
        import_, (_MODEL,),
        ("matscore.models.options:ImportOptions", ReadOptions, PlanOptions, OutputOptions,
         ProgramOptions),
        "sample expect expect-column categories coef lambda link at-threshold "
        f"delimiter encoding headers features-headers {_LINES} decimal missing missing-values "
        f"booleans id-col no-id-col format output report color {_SAY}",
        {
            **_rename_side("features", "sample", "sample"),
            "skip-lines": {"help": "Leave out the first N lines of the sample."},
            "format": {"kind": Literal["text", "json"], "default": "text",
                       "help": "What is told of the model; `json` goes to standard output.",
                       "set_by": "MATSCORE_IMPORT_FORMAT"},
            "missing": {"kind": Literal["error", "zero", "keep"],
                        "help": "A missing cell of the sample: stop; read it as 0; keep the row, "
                                "its scores NaN."},
            "output": {"help": "Write the weights to FILE, whole or not at all, in the format of "
                               "its ending."},
            "report": {"help": "Write what is told as JSON; can be given twice.",
                       "settings": {"metavar": "FILE.json"}},
        },
    ),
}  # fmt: skip
