"""An option is one field: on the command line once, and refused in Python as it is there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import typer

import matscore
from matscore import (
    ColumnOptions,
    ExplainOptions,
    FitOptions,
    ImportOptions,
    OutputOptions,
    PlanOptions,
    ReadOptions,
    RecommendOptions,
    RejectOptions,
    RunOptions,
    ScoreOptions,
    evaluate_file,
)
from matscore.cli.build import Given
from matscore.cli.commands import COMMANDS
from matscore.cli.main import make_app
from matscore.cli.session import ProgramOptions
from matscore.command_options import PairOptions, TruthOptions
from matscore.errors import UsageError
from matscore.fields import Option, Options, list_choices
from matscore.options import check_options
from tests.helpers import SAMPLES, run

GROUPS: tuple[type[Options], ...] = (
    ReadOptions, PlanOptions, ColumnOptions, ScoreOptions, OutputOptions, RejectOptions,
    RunOptions, RecommendOptions, ExplainOptions, FitOptions, ImportOptions,
    PairOptions, ProgramOptions, TruthOptions,
)  # fmt: skip
PROGRAM: Any = typer.main.get_command(make_app())
MOVIES = ("movies.csv", "genres.csv")
SPECIES = ("iris.csv", "iris_weights.csv", "--truth", "species")
IRIS = ("iris.csv", "--target", "petal_width", "--drop-cols", "species")


def list_words(param: Any) -> list[str]:
    return [*param.opts, *param.secondary_opts]


def place_of(option: Option) -> tuple[type, str]:
    return option.group, option.field


@pytest.mark.parametrize("name", COMMANDS)
def test_each_option_is_a_parameter_once(name: str) -> None:
    options = COMMANDS[name].list_options()
    assert len({place_of(option) for option in options}) == len(options)
    assert {option.group for option in options} <= set(COMMANDS[name].groups)
    shown = [param for param in PROGRAM.commands[name].params if param.param_type_name == "option"]
    assert [param.help for param in shown] == [option.help for option in options]
    assert [param.envvar for param in shown] == [option.variable for option in options]
    said = [word for param in shown for word in list_words(param)]
    assert len(set(said)) == len(said)


@pytest.mark.parametrize("name", COMMANDS)
def test_options_that_are_not_said_are_as_they_are_in_the_whole_program(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Typer is told of the options that are said alone, which changes nothing but the start."""
    made: list[dict[str, Any]] = []

    def look(given: Given, *_: Any) -> None:
        made.append({group.__name__: vars(given(group)) for group in COMMANDS[name].groups})

    def read(program: Any, argv: list[str]) -> dict[str, Any] | None:
        try:
            program.main(argv, standalone_mode=False)
        except typer.BadParameter:
            return None
        return made.pop()

    monkeypatch.setitem(COMMANDS, name, replace(COMMANDS[name], work=look))
    whole: Any = typer.main.get_command(make_app([name]))
    params = [p for p in whole.commands[name].params if p.param_type_name == "option"]
    switches = {word for p in params if p.is_flag for word in list_words(p)}
    for option in COMMANDS[name].list_options():
        for spelling in sorted(option.spellings):
            values = (*list_choices(option.kind), *(("#", "ascii") if option.parse else "a"), "1")
            for value in values:
                said = [spelling] if spelling in switches else [spelling, value]
                argv = [name, *said, *("a", "b")[: len(COMMANDS[name].arguments)]]
                part: Any = typer.main.get_command(make_app(argv))
                assert len(part.commands[name].params) < 7  # few options, files and help
                found = read(whole, argv)
                assert read(part, argv) == found, argv
                if found is not None:
                    break
            else:
                pytest.fail(f"no value of {spelling} is taken")


def test_every_field_with_a_flag_is_on_the_command_line() -> None:
    declared = {place_of(option) for group in GROUPS for option in group.OPTIONS if option.names}
    commands = [command.list_options() for command in COMMANDS.values()]
    assert {place_of(option) for options in commands for option in options} == declared
    assert {group for command in COMMANDS.values() for group in command.groups} == set(GROUPS)


@pytest.mark.parametrize("group", GROUPS)
def test_a_group_is_documented_by_its_fields(group: type[Options]) -> None:
    for option in group.OPTIONS:
        assert f"\n    {option.field} : " in (group.__doc__ or "")
        assert (option.doc or option.help) in (group.__doc__ or "")


def test_variables_mean_one_thing() -> None:
    """Two options share one only where they are one field, or one with the same meaning."""
    meanings: dict[str, set[tuple[str, str]]] = {}
    for command in COMMANDS.values():
        for option in command.list_options():
            meanings.setdefault(option.variable, set()).add((option.field, str(option.kind)))
    shared = {variable for variable, fields in meanings.items() if len(fields) > 1}
    assert shared == {"MATSCORE_MISSING"}  # of `fit` it cannot be `keep`


# What is refused: the command line's words, and the same in Python.
CONTRADICTIONS: dict[str, tuple[tuple[str, ...], Callable[[], Any]]] = {
    "labels": (("--id-col", "a", "--no-id-col"), PlanOptions(id_col="a", no_id_col=True).check),
    "intercept": (
        ("--intercept", "a", "--no-intercept"),
        PlanOptions(intercept="a", no_intercept=True).check,
    ),
    "no threshold": (("--threshold", "nan"), ScoreOptions(threshold=float("nan")).check),
    "no probability": (
        ("--threshold", "2", "--probabilities"),
        ScoreOptions(probabilities=True, threshold=2.0).check,
    ),
    "margin of ranks": (("--margin", "-k", "1"), OutputOptions(margin=True, top_k=1).check),
    "rejects to nowhere": (("--on-error", "reject"), RejectOptions("reject").check),
    "skipped to nowhere": (
        ("--missing", "skip"),
        lambda: check_options(ReadOptions(missing="skip"), RejectOptions()),
    ),
    "a place for none": (("--rejects", "r.csv"), RejectOptions(path="r.csv").check),
    "a limit of none": (("--max-rejects", "3"), RejectOptions(max_rows=3).check),
    "a share of none": (("--max-rejects", "3%"), RejectOptions(max_share=0.03).check),
    "no cluster": (("--scheduler", "tcp://a:1"), RunOptions(scheduler="tcp://a:1").check),
    "jobs of a cluster": (
        ("--engine", "dask", "--scheduler", "tcp://a:1", "--jobs", "2"),
        RunOptions(2, engine="dask", scheduler="tcp://a:1").check,
    ),
}  # fmt: skip
OTHERS: dict[str, tuple[tuple[str, ...], Callable[[], Any]]] = {
    "a proof without rows": (
        ("import", "genres.csv", "--expect", "e.csv"),
        ImportOptions(expect="e.csv").check,
    ),
    "a column of no proof": (
        ("import", "genres.csv", "--expect-column", "p"),
        ImportOptions(expect_column="p").check,
    ),
    "itself": (
        ("explain", *MOVIES, "--category", "a", "--versus", "a"),
        ExplainOptions("a", "a").check,
    ),
    "no score": (
        ("recommend", "users.csv", "films.csv", "--min-score", "inf"),
        RecommendOptions(min_score=float("inf")).check,
    ),
    "ranks of a matrix": (
        ("recommend", "users.csv", "films.csv", "--matrix", "-k", "10"),
        lambda: RecommendOptions(10).check(matrix=True),
    ),
    "pairs of a matrix": (
        ("recommend", "users.csv", "films.csv", "--matrix", "--exclude", "e.csv"),
        lambda: RecommendOptions().check("e.csv", matrix=True),
    ),
    "labels of examples": (
        ("fit", *IRIS, "--id-col", "flower", "--no-id-col"),
        ColumnOptions("flower", no_id_col=True).check,
    ),
    "numbers as categories": (
        ("fit", *IRIS, "--method", "logistic", "--numbers"),
        FitOptions("logistic", categories=False).check,
    ),
    "a penalty of none": (
        ("fit", *IRIS, "--method", "least-squares", "--alpha", "1"),
        FitOptions("least-squares", 1.0).check,
    ),
    "a threshold that is looked for": (
        ("evaluate", *SPECIES, "--threshold", "1", "--best", "f1"),
        lambda: evaluate_file(
            *SPECIES[:2], truth="species", best="f1", score=ScoreOptions(threshold=1.0)
        ),
    ),
    "one and all": (
        ("evaluate", *SPECIES, "--positive", "setosa", "--one-vs-rest"),
        lambda: evaluate_file(*SPECIES[:2], truth="species", positive="setosa", one_vs_rest=True),
    ),
    "an endless penalty": (
        ("fit", *IRIS, "--method", "ridge", "--alpha", "inf"),
        FitOptions("ridge", float("inf")).check,
    ),
}


@pytest.mark.parametrize(
    ("argv", "check"),
    [
        *((("classify", *MOVIES, *words), check) for words, check in CONTRADICTIONS.values()),
        *OTHERS.values(),
    ],
    ids=[*CONTRADICTIONS, *OTHERS],
)
def test_python_users_are_refused_in_the_same_words(
    argv: tuple[str, ...], check: Callable[[], Any]
) -> None:
    with pytest.raises(UsageError) as refused:
        check()
    done = run(*argv).check(2)
    assert done.err == f"matscore: {refused.value}\n" and done.out == b""


def list_bounds() -> list[tuple[str, Option, Any]]:
    """List each option of a command with values that it must refuse."""
    found: list[tuple[str, Option, Any]] = []
    for name, command in COMMANDS.items():
        for option in command.list_options():
            if option.settle is not None or option.set_by.endswith("FORMAT"):
                continue
            settings = option.settings
            found += [(name, option, "no such word")] if list_choices(option.kind) else []
            found += [(name, option, settings["min"] - 1)] if "min" in settings else []
            found += [(name, option, settings["max"] + 1)] if "max" in settings else []
    return found


@pytest.mark.parametrize(
    ("name", "option", "value"),
    list_bounds(),
    ids=[f"{name} {option.flag} {value}" for name, option, value in list_bounds()],
)
def test_limits_and_choices_are_those_of_the_command_line(
    name: str, option: Option, value: Any
) -> None:
    group: Any = option.group
    with pytest.raises(UsageError, match=f"{option.field} cannot be"):
        Options.check(group(**{option.field: value}))
    files = ("iris.csv",) if name == "fit" else MOVIES
    assert run(name, *files, f"--{option.flag}={value}").check(2).out == b""


@pytest.mark.parametrize(
    ("group", "words"),
    [
        (ReadOptions(delimiter=";;"), ("--delimiter", ";;")),
        (ReadOptions(encoding="utf-9"), ("--encoding", "utf-9")),
        (RunOptions(chunk_bytes=0), ("--chunk-size", "0")),
        (RunOptions(memory_bytes=0), ("--memory", "0")),
    ],
)
def test_texts_and_sizes_are_those_of_the_command_line(
    group: Options, words: tuple[str, ...]
) -> None:
    with pytest.raises(UsageError, match="cannot be"):
        group.check()
    assert run("classify", *MOVIES, *words).check(2).out == b""


def test_functions_on_files_check_their_groups(tmp_path: Path) -> None:
    files = (SAMPLES / "movies.csv", SAMPLES / "genres.csv")
    bad: Any = {"align": PlanOptions(id_col="a", no_id_col=True)}
    with pytest.raises(UsageError, match="--id-col and --no-id-col"):
        matscore.classify_file(*files, **bad)
    with pytest.raises(UsageError, match="--id-col and --no-id-col"):
        matscore.explain_file(*files, **bad)
    with pytest.raises(UsageError, match="--id-col and --no-id-col"):
        matscore.check_files(*files, **bad)
    with pytest.raises(UsageError, match="--id-col and --no-id-col"):
        matscore.recommend_file(*files, **bad)
    with pytest.raises(UsageError, match="--id-col and --no-id-col"):
        matscore.evaluate_file(*files, truth="film", **bad)
    with pytest.raises(UsageError, match="--scheduler has no effect"):
        matscore.fit_file(
            SAMPLES / "iris.csv",
            columns=ColumnOptions(target=("petal_width",)),
            run=RunOptions(scheduler="tcp://a:1"),
        )
    with pytest.raises(UsageError, match="--missing skip needs --rejects"):
        matscore.classify_file(*files, tmp_path / "o.csv", read=ReadOptions(missing="skip"))
    with pytest.raises(UsageError, match="--on-error reject needs --rejects"):
        matscore.classify_file(*files, tmp_path / "o.csv", rejects=RejectOptions("reject"))
    assert list(tmp_path.iterdir()) == []
