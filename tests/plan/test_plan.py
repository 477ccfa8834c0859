"""Lining up names and shapes: every rule of the plan, and what it promises for all inputs."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Set
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matscore.commands.check import check
from matscore.commands.classify import classify
from matscore.errors import PlanError
from matscore.names import POINT, Grammar
from matscore.options import PlanOptions, ReadOptions
from matscore.plan import Plan, Side, make_plan, require_fit
from matscore.plan.labels import OtherSide, judge_first_record
from matscore.read.table import open_table

SAMPLES = Path(__file__).parents[2] / "sample_data"

RENAME = "--rename FILE takes two names for one"


def side(text: str, *, path: str = "", header: bool | None = None, stream: bool = False) -> Side:
    """Have the reader look at CSV text; ``header`` None guesses."""
    read = ReadOptions(headers=header)
    with tempfile.NamedTemporaryFile("w", suffix=".csv", encoding="utf-8", newline="") as file:
        file.write(text.strip("\n") + "\n")
        file.flush()
        with contextlib.closing(open_table(file.name, read)) as table:
            found = replace(table.side(read), path=path)
    return replace(found, n_rows=None, first=None) if stream else found


def features(text: str, *, header: bool | None = None, stream: bool = False) -> Side:
    return side(text, path="F.csv", header=header, stream=stream)


def weights(text: str, *, header: bool | None = None) -> Side:
    return side(text, path="W.csv", header=header)


def sample(name: str) -> Side:
    return side((SAMPLES / name).read_text(encoding="utf-8"), path=name)


def plan_of(F: Side | str, W: Side | str, **options: object) -> Plan:
    F = features(F) if isinstance(F, str) else F
    W = weights(W) if isinstance(W, str) else W
    return make_plan(F, W, PlanOptions(**options))  # type: ignore[arg-type]


def follow(plan: Plan) -> Plan:
    """Plan again with what the plan says would work."""
    names = {name: name.removeprefix("--").replace("-", "_") for name in plan.drop_options}
    options = replace(plan.options, **dict.fromkeys(names.values(), False))  # type: ignore[arg-type]
    added = {name.removeprefix("--").replace("-", "_"): True for name in plan.add_options}
    options = replace(options, **added)  # type: ignore[arg-type]
    sides = (plan.weights, plan.features) if plan.swap else (plan.features, plan.weights)
    return make_plan(*sides, options)


def problem_of(plan: Plan) -> str:
    assert plan.problem is not None
    assert plan.problem[:1] != "" and not plan.problem.endswith(".")
    assert not plan.hint.endswith(".")
    return plan.problem


MOVIES = "film,action,comedy\nThunder Pass,5,2\nTwo Left Boots,4,4"
GENRES = "feature,adventure,family,romance\naction,1.1,0.4,0.1\ncomedy,0.2,0.5,1.2"
USERS = "user,action,comedy\nAmina,0.9,0.2\nBruno,0.1,0.8\nChloe,0.8,0.7"
FILMS = "film,action,comedy\nOrbit Nine,0.8,0.1\nSunday Lunch,0.2,0.9"


class TestLesson:
    def test_movies(self) -> None:
        plan = require_fit(make_plan(sample("movies.csv"), sample("genres.csv")))
        assert plan.matched_by == "name"
        assert (plan.label_column, plan.label_name) == (0, "film")
        assert plan.feature_names == ("action", "comedy")
        assert plan.feature_columns == (1, 2)
        assert plan.weights_index == (0, 1)
        assert plan.weights_label_column
        assert plan.categories == ("adventure", "family", "romance")
        assert not (plan.transpose or plan.reordered or plan.left_out or plan.intercept_name)
        assert (plan.features_shape, plan.weights_shape) == ((3, 2), (2, 3))
        assert plan.scores_shape == (3, 3)

    def test_users_need_transpose(self) -> None:
        plan = make_plan(sample("users.csv"), sample("films.csv"))
        problem = problem_of(plan)
        assert problem.startswith("features (3 × 4) and weights (2 × 4) do not line up: ")
        assert "the columns of films.csv are the features" in problem
        assert '"Orbit Nine", "Sunday Lunch"' in problem
        assert plan.add_options == ("--transpose",)
        assert plan.hint == "add --transpose"
        turned = require_fit(follow(plan))
        assert turned.transpose
        assert turned.scores_shape == (3, 2)
        assert turned.categories == ("Orbit Nine", "Sunday Lunch")
        assert turned.feature_names == ("action", "comedy", "drama", "science fiction")

    @pytest.mark.parametrize("name", ["iris", "digits"])
    def test_real_ones(self, name: str) -> None:
        plan = require_fit(make_plan(sample(f"{name}.csv"), sample(f"{name}_weights.csv")))
        assert plan.intercept_name == "(Intercept)"
        assert plan.intercept_index == plan.weights_shape[0] == len(plan.feature_names)
        assert plan.left_out == ({"iris": "species", "digits": "digit"}[name],)

    @pytest.mark.parametrize("name", ["iris", "digits"])
    def test_real_ones_swapped(self, name: str) -> None:
        plan = make_plan(sample(f"{name}_weights.csv"), sample(f"{name}.csv"))
        assert plan.swap
        assert problem_of(plan) == f"{name}_weights.csv and {name}.csv are swapped"
        require_fit(follow(plan))


class TestNames:
    def test_order_is_canonical(self) -> None:
        plan = require_fit(plan_of("id,b,a\nx,1,2", "feature,k\na,1\nb,2"))
        assert plan.feature_names == ("a", "b")
        assert plan.feature_columns == (2, 1)
        assert plan.weights_index == (0, 1)
        assert plan.reordered
        assert any("different orders" in fact for fact in plan.facts)

    def test_missing_with_a_close_match(self) -> None:
        plan = plan_of("film,acton,comedy\nx,1,2", GENRES)
        assert problem_of(plan) == 'F.csv lacks a feature of W.csv: "action"'
        assert plan.missing[0].close == ("acton",)
        assert plan.hint == f'did you mean "acton"; {RENAME}'
        assert not (plan.add_options or plan.drop_options or plan.swap)

    @pytest.mark.parametrize(
        ("name", "reason"),
        [
            ("Action", "differs only by case"),
            ("action ", "differs only by blanks"),
            ("action\u00a0", "differs only by blanks"),
            ("ac\u200btion", "differs only by invisible characters"),
            ("\ufeffaction", "differs only by invisible characters"),
            ("\uff41ction", "differs only by Unicode form"),
            (" ACTION", "differs only by case and blanks"),
        ],
    )
    def test_hard_to_see_differences(self, name: str, reason: str) -> None:
        plan = plan_of(f"film,{name},comedy\nx,1,2", GENRES)
        assert [m.name for m in plan.missing] == ["action"]
        assert plan.missing[0].close[0] == name
        assert plan.missing[0].reason == reason
        assert reason in plan.hint

    def test_first_column_may_be_the_close_match(self) -> None:
        plan = plan_of("Action,comedy\n1,2\n3,4", GENRES)
        assert plan.missing[0].close == ("Action",)
        assert plan.missing[0].reason == "differs only by case"

    def test_several_close_matches(self) -> None:
        plan = plan_of("film,acton,comdy\nx,1,2", GENRES)
        hint = 'did you mean "acton" for "action", "comdy" for "comedy"'
        assert plan.hint == f"{hint}; {RENAME}"
        plan = plan_of("film,Action,Comedy\nx,1,2", GENRES)
        case = "(differs only by case)"
        hint = f'did you mean "Action" for "action", "Comedy" for "comedy" {case}'
        assert plan.hint == f"{hint}; {RENAME}"
        plan = plan_of("film,Action,comdy\nx,1,2", GENRES)
        hint = f'did you mean "Action" for "action" {case}, "comdy" for "comedy"'
        assert plan.hint == f"{hint}; {RENAME}"

    def test_names_in_use_are_no_close_match(self) -> None:
        plan = plan_of("film,action,comedy\nx,1,2", GENRES + "\nactions,1,2,3")
        assert [m.close for m in plan.missing] == [()]

    def test_at_most_five_names_in_a_sentence(self) -> None:
        rows = "\n".join(f"f{i},1" for i in range(12))
        plan = plan_of("id,x\na,1", f"feature,k\n{rows}")
        assert "lacks 12 features" in problem_of(plan)
        assert "and 7 more" in problem_of(plan)
        assert len(plan.missing) == 12

    def test_near_misses_tell_the_axis(self) -> None:
        plan = plan_of("user,Action,Comedy\nAmina,1,2", FILMS)
        assert [m.name for m in plan.missing] == ["action", "comedy"]
        assert "--transpose" in plan.hint

    def test_transposed_and_missing(self) -> None:
        plan = plan_of("user,action,comdy\nAmina,1,2", FILMS)
        assert [m.name for m in plan.missing] == ["comedy"]
        assert plan.hint.endswith("and add --transpose")
        assert not plan.add_options  # it alone would not do

    def test_transposed_and_misspelt(self) -> None:
        plan = plan_of("user,acton,comdy,romanc\nAmina,1,2,3", FILMS)
        assert [m.close for m in plan.missing] == [("acton",), ("comdy",)]
        assert plan.hint.startswith('did you mean "acton" for "action", "comdy" for "comedy"')
        assert plan.hint.endswith(", and add --transpose")

    def test_transposed_and_spelt_by_a_tool(self) -> None:
        plan = plan_of("user,num__action,num__comedy\nAmina,1,2", "film,action,comedy\na,1,2")
        assert "differs only by the prefix of a step" in plan.hint
        assert plan.hint.endswith(", and add --transpose")

    def test_features_transposed_and_misspelt(self) -> None:
        plan = plan_of("genre,Amina,Ben\nacton,1,2\ncomdy,3,4", GENRES)
        assert problem_of(plan) == 'F.csv lacks 2 features of W.csv: "action", "comedy"'
        assert plan.hint == (
            'did you mean "acton" for "action", "comdy" for "comedy", and add --transpose-features'
        )
        plan = plan_of("film,acton,comdy\nx,1,2", GENRES, transpose_features=True)
        assert "leave --transpose-features out" in plan.hint

    def test_swapped_and_misspelt(self) -> None:
        plan = plan_of(weights(GENRES), features("film,acton,comdy\nx,1,2\ny,3,4"))
        assert plan.hint == (
            'did you mean "acton" for "action", "comdy" for "comedy", and give F.csv first'
        )

    def test_a_name_close_by_chance_turns_nothing(self) -> None:
        plan = plan_of("id,car,x,y\na,1,2,3", "f,cat,emu,gnu\np,1,2,3\nq,1,2,3")
        assert "transpose" not in plan.hint

    @pytest.mark.parametrize(
        ("header", "rows", "hint"),
        [
            ("TP53,ENSG000001.5", "TP53 ENSG000001", "the version"),
            ("age,sepal.width..cm.", "age sepal~width~(cm)", "what R's make.names changes"),
            ("age,`a b`", "age a~b", "backticks"),
            ("code1,code2", "code1 code02", "leading zeros"),
            ("age,rs123_A", "age rs123", "the allele that is counted"),
            ("age,bin_1", "age bin_1.0", "how a number is written"),
        ],
    )
    def test_names_as_tools_write_them(self, header: str, rows: str, hint: str) -> None:
        wanted = "\n".join(f"{name.replace('~', ' ')},1" for name in rows.split())
        plan = plan_of(f"id,{header}\na,1,2", f"feature,k\n{wanted}")
        assert not plan.ok and f"(differs only by {hint})" in plan.hint

    def test_rows_that_are_numbers_with_a_point(self) -> None:
        plan = plan_of("id,0,1\na,1,2", "feature,k\n0.0,1\n1.0,1")
        assert plan.hint.startswith('if "0.0" is the column "0", write it so; name every row')
        plan = plan_of(features("id,0.0,1.0\na,1,2", header=True), "feature,k\n0,1\n1,1")
        assert plan.hint.startswith('if "0" is the column "0.0", write it so; name every row')

    def test_names_with_the_prefix_of_a_step_and_misspelt_ones(self) -> None:
        plan = plan_of("id,age,income\na,1,2", "feature,k\nnum__age,1\nincom,2")
        meant = 'did you mean "income"; --rename FILE takes two names for one'
        assert plan.hint == f'write age for "num__age"; {meant}'

    def test_an_intercept_of_another_tool(self) -> None:
        plan = plan_of("id,age,income\na,1,2", "feature,k\nage,1\nincom,2\n_cons,3")
        assert plan.hint.startswith('if "_cons" is the intercept, say --intercept _cons; did you')
        assert '"income" for "incom"' in plan.hint or 'did you mean "income"' in plan.hint
        weights = "feature,k\nage,1\n(Constant),3"
        plan = plan_of("id,age\na,1", weights)
        assert plan.hint == "if \"(Constant)\" is the intercept, say --intercept '(Constant)'"
        require_fit(plan_of("id,age\na,1", weights, intercept="(Constant)"))

    def test_a_column_that_pandas_has_named(self) -> None:
        plan = plan_of(",age\n1,30", "feature,k\nage,1\nUnnamed: 0,3")
        assert plan.hint == (
            '"Unnamed: 0" is what pandas calls a column without a heading: name that of F.csv so'
        )
        plan = plan_of("id,age\n1,30", "feature,k\nage,1\nUnnamed: 0,3")
        assert plan.hint.endswith("without a heading, which F.csv has not")

    def test_a_blank_heading_of_labels_stays(self) -> None:
        for heading in ("", " ", "id"):
            plan = require_fit(plan_of(f"{heading},action,comedy\nx,1,2", GENRES))
            assert (plan.label_column, plan.label_name) == (0, heading)
        bare = features("x,1,2\ny,3,4", header=False)
        assert require_fit(plan_of(bare, GENRES)).label_name == "label"

    def test_left_out(self) -> None:
        plan = require_fit(plan_of("film,year,action,comedy,x\na,1,2,3,4", GENRES))
        assert plan.left_out == ("year", "x")
        assert any('"year", "x"' in fact for fact in plan.facts)

    def test_strict_refuses_left_out(self) -> None:
        plan = plan_of("film,year,action,comedy\na,1,2,3", GENRES, strict=True)
        assert '"year"' in problem_of(plan)
        assert plan.drop_options == ("--strict",)
        require_fit(follow(plan))
        kept = plan_of("film,year,action,comedy\na,1,2,3", GENRES, strict=True, keep_cols=("year",))
        require_fit(kept)

    def test_strict_and_transposed(self) -> None:
        plan = plan_of("user,year,action,comedy\na,1,2,3", FILMS, strict=True)
        assert plan.add_options == ("--transpose",)
        assert plan.drop_options == ("--strict",)
        require_fit(follow(plan))


class TestFeaturesLabels:
    def test_none_when_the_first_column_is_a_feature(self) -> None:
        plan = require_fit(plan_of("action,comedy\n1,2", GENRES))
        assert (plan.label_column, plan.label_name) == (None, "row")

    def test_blank_name(self) -> None:
        plan = require_fit(plan_of(",action,comedy\n0,1,2", GENRES))
        assert (plan.label_column, plan.label_name) == (0, "")

    def test_id_col(self) -> None:
        plan = require_fit(plan_of("x,action,comedy,film\n0,1,2,a", GENRES, id_col="film"))
        assert (plan.label_column, plan.label_name) == (3, "film")
        assert plan.left_out == ("x",)
        assert not any("taken for the labels" in fact for fact in plan.facts)

    def test_no_id_col_leaves_the_first_column_out(self) -> None:
        plan = require_fit(plan_of(MOVIES, GENRES, no_id_col=True))
        assert plan.label_column is None and plan.left_out == ("film",)

    def test_unknown_id_col(self) -> None:
        plan = plan_of(MOVIES, GENRES, id_col="flim")
        assert problem_of(plan) == 'F.csv has no column "flim"'
        assert '"film"' in plan.hint
        far = plan_of(MOVIES, GENRES, id_col="zzz")
        assert '"film", "action", "comedy"' in far.hint

    def test_id_col_is_a_feature(self) -> None:
        assert "both" in problem_of(plan_of(MOVIES, GENRES, id_col="action"))

    def test_id_col_twice(self) -> None:
        plan = plan_of("id,action,comedy,id\n1,2,3,4", GENRES, id_col="id")
        assert "columns 1, 4" in problem_of(plan)

    def test_id_col_by_number(self) -> None:
        F = features("1,2,7\n3,4,8", header=False)
        plan = require_fit(plan_of(F, GENRES, id_col="3"))
        assert (plan.label_column, plan.label_name) == (2, "label")
        assert plan.feature_columns == (0, 1)
        for bad in ("0", "4", "id"):
            assert "1 to 3" in problem_of(plan_of(F, GENRES, id_col=bad))
        assert "no column" in problem_of(plan_of(MOVIES, GENRES, id_col="1"))

    @pytest.mark.parametrize("stream", [False, True])
    def test_by_width(self, *, stream: bool) -> None:
        F = features("1,5,2\n2,4,4", header=False, stream=stream)
        plan = require_fit(plan_of(F, GENRES))
        assert plan.matched_by == "position"
        assert (plan.label_column, plan.label_name) == (0, "label")
        assert plan.feature_columns == (1, 2)

    def test_text_labels_tell_without_a_header(self) -> None:
        F = features("a,1,5\nb,2,4", header=False)
        plan = plan_of(F, GENRES + "\ndrama,1,2,3")
        assert "2 features against 3" in problem_of(plan)


class TestWeightsLabels:
    def test_numeric_pixel_names(self) -> None:
        header = ",".join(map(str, range(64)))
        rows = "\n".join(f"{i},0.5,0.25" for i in range(64))
        plan = require_fit(plan_of(f"image,{header}\n" + "a" + ",0" * 64, f"pixel,0,1\n{rows}"))
        assert plan.weights_label_column
        assert plan.matched_by == "name"
        assert plan.weights_shape == (64, 2)
        assert plan.categories == ("0", "1")

    def test_numeric_names_and_an_intercept(self) -> None:
        plan = require_fit(plan_of("id,0,1\na,5,6", "feature,k\n0,1\n1,2\n(Intercept),3"))
        assert plan.intercept_name == "(Intercept)"
        assert plan.feature_names == ("0", "1")

    def test_transposed_with_numbered_categories(self) -> None:
        W = weights("digit,action,comedy,bias\n0,1,2,0.5\n1,3,4,0.5")
        plan = plan_of(MOVIES, W)
        assert plan.weights_label_column
        assert plan.add_options == ("--transpose",)
        turned = require_fit(follow(plan))
        assert turned.categories == ("0", "1")
        assert (turned.intercept_name, turned.intercept_index) == ("bias", 2)
        assert turned.weights_shape == (2, 2)

    def test_unknown_feature_is_no_category_column(self) -> None:
        W = weights("speed,action,comedy\n0.3,1,2\n0.7,3,4")
        plan = plan_of(MOVIES, W, transpose=True)
        assert [m.name for m in plan.missing] == ["speed"]

    @pytest.mark.parametrize("cells", ["1,2", "0.3,x"])
    def test_near_miss_is_no_category_column(self, cells: str) -> None:
        one, two = cells.split(",")
        W = weights(f"Action,comedy\n{one},1\n{two},3")
        assert not plan_of(MOVIES, W, transpose=True).ok
        assert not plan_of(MOVIES, W, auto_transpose=True).ok

    @pytest.mark.parametrize(
        "column",
        ["0.5,x", "x,1_000", "0x1A,b", "TRUE,b", "−3,b", "x,", "NA,x"],
    )
    @pytest.mark.parametrize("known", [True, False])
    def test_mixture_is_not_guessed(self, column: str, *, known: bool) -> None:
        one, two = column.split(",")
        F = features("1,2\n3,4", header=False) if not known else features("a,b\n3,4")
        plan = plan_of(F, weights(f"u,v\n{one},1\n{two},2"))
        assert "cannot tell" in problem_of(plan)
        assert plan.hint

    @pytest.mark.parametrize(
        "column",
        [("1,5", "2,5"), ("NA", "NA"), ("5%", "7%"), ("1", "5%"), ("1.5", "NA"), ("2", "")],
    )
    def test_broken_numbers_are_no_names(self, column: tuple[str, str]) -> None:
        """The reader refuses the cell, where it stands."""
        rows = "\n".join(f'"{cell}",1' for cell in column)
        F = features("1,2\n3,4", header=False)
        assert not require_fit(plan_of(F, weights(f"u,v\n{rows}"))).weights_label_column
        assert "cannot tell" in problem_of(plan_of(F, weights(f"id,v\n{rows}")))

    def test_decimal_commas_are_the_readers_affair(self) -> None:
        W = replace(weights('u,v\n"1,5",1\n"2,5",1'), grammar=Grammar(decimal=","))
        plan = require_fit(plan_of(features("1,2\n3,4", header=False), W))
        assert not plan.weights_label_column

    def test_mixture_of_feature_names(self) -> None:
        plan = require_fit(plan_of("id,age,2020\na,1,2", "feature,k\nage,1\n2020,2\nbias,3"))
        assert plan.feature_names == ("2020", "age")

    def test_mixture_mostly_of_feature_names(self) -> None:
        plan = plan_of("id,age,size,2020\na,1,2,3", "feature,k\nage,1\nsize,2\n2021,2")
        assert [m.name for m in plan.missing] == ["2021"]
        assert plan.missing[0].close == ("2020",)

    def test_one_cell_is_no_evidence(self) -> None:
        assert "cannot tell" in problem_of(plan_of(features("id,5\na,1"), "u,v\n5,0.3"))
        require_fit(plan_of("id,5\na,1", "feature,v\n5,0.3"))

    @pytest.mark.parametrize(
        "W",
        [
            "feature,u\n7,1\n9,2",  # a usual name over numbers
            ",u\n7,1\n9,2",  # pandas' index
            "pixel,u\n1,1\n0,2\n9,3",  # half of them are features
            "pixel,u\n1,.1\n2,.1\n3,.1\n4,.1\n5,.1",  # they count
        ],
    )
    def test_numbers_that_may_be_names(self, W: str) -> None:
        plan = plan_of(features("id,0,1\na,3,4", header=True), W)
        assert "cannot tell" in problem_of(plan)

    def test_plain_numbers_are_weights(self) -> None:
        plan = require_fit(plan_of("x,y\n3,4", "u,v\n0.5,1\n7,2"))
        assert plan.matched_by == "position"
        assert not plan.weights_label_column
        assert plan.categories == ("u", "v")

    def test_repeated_numbers_are_weights(self) -> None:
        W = "u,v\n0,1\n0,2\n0,3"
        assert not require_fit(
            plan_of(features("0,1,x\n3,4,5", header=True), W)
        ).weights_label_column
        assert "may be a header" in problem_of(plan_of("0,1,x\n3,4,5", W))

    def test_without_header(self) -> None:
        W = weights("action,1.1,0.4\ncomedy,0.2,0.5", header=False)
        plan = require_fit(plan_of(MOVIES, W))
        assert plan.weights_label_column
        assert plan.categories == ("1", "2")


class TestGuessedHeaders:
    def test_weights_without_a_header(self) -> None:
        plan = plan_of(MOVIES, "action,1.1,0.4\ncomedy,0.2,0.5")
        assert "the first record of W.csv may be a header or data" in problem_of(plan)
        assert plan.hint.startswith("say --headers or --no-headers; of this file alone --")

    @pytest.mark.parametrize("W", ["action,1,0\ncomedy,2,5", "action,1\ncomedy,2"])
    def test_weights_of_integers(self, W: str) -> None:
        assert "may be a header" in problem_of(plan_of(MOVIES, W))
        lacks_it = "film,comedy\na,1"
        assert "may be a header" in problem_of(plan_of(lacks_it, W))
        assert "may be a header" in problem_of(plan_of(features("1\n2", header=False), W))

    def test_features_without_a_header(self) -> None:
        F = "Thunder Pass,5,2\nBoots,4,4"
        assert "the first record of F.csv" in problem_of(plan_of(F, GENRES))
        by_position = weights("0.5,2\n1,1", header=False)
        assert "the first record of F.csv" in problem_of(plan_of(F, by_position))

    def test_saying_so_helps(self) -> None:
        F = features("Thunder Pass,5,2\nBoots,4,4", header=False)
        plan = require_fit(plan_of(F, GENRES))
        assert plan.label_column == 0
        W = weights("action,1.1,0.4\ncomedy,0.2,0.5", header=True)
        assert not plan_of(MOVIES, W).missing
        assert plan_of("film,comedy\na,1", W).categories == ("1.1", "0.4")

    @pytest.mark.parametrize("header", [None, True])
    def test_numeric_categories(self, *, header: bool | None) -> None:
        names = ",".join(map(str, range(10)))
        row = ",".join(["0.5"] * 10)
        W = weights(f"feature,{names}\naction,{row}\ncomedy,{row}", header=header)
        plan = require_fit(plan_of(MOVIES, W))
        assert plan.categories == tuple(map(str, range(10)))

    @pytest.mark.parametrize("corner", ["feature", "", "pixel"])
    def test_two_numeric_categories(self, corner: str) -> None:
        require_fit(plan_of(MOVIES, f"{corner},0,1\naction,1,2\ncomedy,3,4"))

    def test_numbers_that_a_sure_header_has_too(self) -> None:
        F = "film,0,1,2,3\n5,-3.4,-4.6,-3.5,7.8"
        W = "name,3,0,1,2\nu,-8.6,1,-8,-8.5\nt,-8.6,2,5.8,-0.4"
        assert require_fit(plan_of(F, W, transpose=True)).feature_names == ("0", "1", "2", "3")
        bare = "3,0,1,2\n-8.6,1,-8,-8.5"
        assert not plan_of(F, bare, transpose=True).ok

    def test_data_that_repeats_is_no_header(self) -> None:
        assert not plan_of("img,0,1,1,0\nb,1,1,1,1", "feature,u,v\n0,.5,.5\n1,.5,.5").ok

    def test_category_numbers(self) -> None:
        def judge(*cells: str, names: Set[str] = frozenset({"x"})) -> str:
            return judge_first_record(cells, POINT, OtherSide(names))

        assert judge("feature", "2019", "2020") == judge("", "3", "1") == "header"
        assert judge("year", "2019", "2020") == judge("year", "3", "1") == "doubtful"
        assert judge("feature", "1", "1") == judge("feature", "1.5", "2") == "doubtful"
        assert judge("Id", "1", "2", names={"id"}) == "doubtful"
        assert judge("(Intercept)", "1", "2") == judge("bias", "0", "1") == "doubtful"


class TestTranspose:
    SQUARE = "film,action,comedy\nA,1,2\nB,3,4"

    def test_square_weights_by_name(self) -> None:
        plan = plan_of(USERS, self.SQUARE)
        assert plan.add_options == ("--transpose",)
        assert follow(plan).categories == ("A", "B")

    @pytest.mark.parametrize("option", ["transpose", "auto_transpose"])
    def test_options(self, option: str) -> None:
        plan = require_fit(plan_of(USERS, self.SQUARE, **{option: True}))
        assert plan.transpose
        assert plan.weights_index == (0, 1)
        assert any("transposed" in fact for fact in plan.facts)

    def test_not_needed(self) -> None:
        plan = plan_of(MOVIES, GENRES, transpose=True)
        assert "the rows of W.csv are the features" in problem_of(plan)
        assert plan.drop_options == ("--transpose",)
        assert plan.hint == "leave --transpose out"
        require_fit(follow(plan))

    def test_auto_does_nothing_when_it_fits(self) -> None:
        assert not require_fit(plan_of(MOVIES, GENRES, auto_transpose=True)).transpose

    def test_auto_needs_all_names(self) -> None:
        plan = plan_of("user,action\nAmina,1", FILMS, auto_transpose=True)
        assert [m.name for m in plan.missing] == ["comedy"]

    def test_both_axes_carry_the_features(self) -> None:
        W = "feature,action,comedy\naction,1,2\ncomedy,3,4"
        assert not require_fit(plan_of(MOVIES, W)).transpose
        assert require_fit(plan_of(MOVIES, W, transpose=True)).transpose

    def test_rows_win_a_draw(self) -> None:
        W = "feature,comedy,x\naction,1,2\ny,3,4"
        assert [m.name for m in plan_of(MOVIES, W).missing] == ["y"]

    def test_without_category_names(self) -> None:
        W = "action,comedy\n0.5,2\n0.1,4\n0.7,4"
        plan = plan_of(MOVIES, W)
        assert plan.add_options == ("--transpose",)
        turned = require_fit(follow(plan))
        assert not turned.weights_label_column
        assert turned.categories == ("1", "2", "3")

    def test_by_shape(self) -> None:
        F = features("1,2,3,4\n5,6,7,8\n1,1,1,1", header=False)
        W = weights("1,2,3,4\n5,6,7,8", header=False)
        plan = plan_of(F, W)
        assert problem_of(plan) == (
            "features (3 × 4) and weights (2 × 4) do not line up: 4 features against 2"
        )
        assert plan.add_options == ("--transpose",)
        assert follow(plan).scores_shape == (3, 2)
        assert require_fit(plan_of(F, W, auto_transpose=True)).transpose

    def test_by_shape_not_needed(self) -> None:
        F = features("1,2,3,4\n5,6,7,8", header=False)
        W = weights("1,2\n5,6\n7,8\n9,9", header=False)
        plan = plan_of(F, W, transpose=True)
        assert plan.drop_options == ("--transpose",)
        require_fit(follow(plan))

    def test_by_shape_square_is_taken_as_asked(self) -> None:
        F = features("1,2\n5,6", header=False)
        W = weights("1,2\n5,6", header=False)
        assert not require_fit(plan_of(F, W)).transpose
        assert not require_fit(plan_of(F, W, auto_transpose=True)).transpose
        assert require_fit(plan_of(F, W, transpose=True)).transpose

    def test_numbers_that_name_rows_and_columns_are_in_doubt(self) -> None:
        F = features("10,3,1.5,1\n0,0,0,0", header=True)
        W = weights("10,1\n1,1\n1.5,1", header=True)
        assert "the rows or the columns" in problem_of(plan_of(F, W, auto_transpose=True))
        assert not require_fit(plan_of(F, W)).transpose

    @pytest.mark.parametrize("auto", [False, True])
    def test_by_shape_in_two_ways(self, *, auto: bool) -> None:
        F = features("1,2,3,4\n5,6,7,8", header=False)
        W = weights("1,2,3,4\n5,6,7,8\n9,9,9,9", header=False)
        plan = plan_of(F, W, auto_transpose=auto)
        assert "in two ways" in problem_of(plan)
        assert require_fit(plan_of(F, W, id_col="1")).scores_shape == (2, 4)
        assert require_fit(plan_of(F, W, transpose=True)).scores_shape == (2, 3)

    def test_by_shape_in_two_ways_when_transposed(self) -> None:
        F = features("1,2,3\n5,6,7", header=False)
        W = weights("1,2\n5,6\n7,8", header=False)
        assert "in two ways" in problem_of(plan_of(F, W, transpose=True))
        assert require_fit(plan_of(F, W, transpose=True, id_col="1")).scores_shape == (2, 3)
        assert require_fit(plan_of(F, W)).scores_shape == (2, 2)

    def test_an_intercept_that_is_asked_for_tells_the_axis(self) -> None:
        F, W = features("1,2\n3,4", header=False), weights("p,q,foo\n1,2,3\n4,5,6")
        plan = require_fit(plan_of(F, W, auto_transpose=True, intercept="foo"))
        assert plan.transpose and plan.intercept_index == 2

    def test_labels_that_look_like_values(self) -> None:
        F = features("0.9,2,3,4\n0.1,6,7,8", header=False)
        W = weights("film,a,b,c,d\nA,1,2,3,4\nB,1,2,3,4\nC,1,2,3,4")
        assert "in two ways" in problem_of(plan_of(F, W))
        numbered = features("1,2,3,4\n2,6,7,8", header=False)
        assert require_fit(plan_of(numbered, W)).label_column == 0

    def test_unnamed_rows_and_near_misses(self) -> None:
        for header in ("Action,Comedy", "Action,comedy"):
            plan = plan_of(MOVIES, f"{header}\n1,2\n3,4", auto_transpose=True)
            assert plan.missing[0].reason == "differs only by case"

    def test_labelled_categories_without_headers(self) -> None:
        W = weights("cat,0.1,0.2\ndog,0.3,0.4\nfox,0.3,0.4", header=False)
        plan = plan_of("id,x,y\na,1,2", W)
        assert plan.add_options == ("--transpose",)
        assert follow(plan).categories == ("cat", "dog", "fox")

    def test_neither_way(self) -> None:
        F = features("1,2,3,4,5\n1,2,3,4,5", header=False, stream=True)
        plan = plan_of(F, weights("1,2\n3,4", header=False))
        assert "features (? × 5) and weights (2 × 2)" in problem_of(plan)
        assert not (plan.add_options or plan.drop_options or plan.swap)


class TestTransposedFeatures:
    TURNED = "feature,Amina,Bruno,Chloe\ncomedy,1,2,3\naction,4,5,6"

    def test_is_found(self) -> None:
        plan = plan_of(self.TURNED, GENRES)
        assert plan.add_options == ("--transpose-features",)
        assert "the rows of F.csv are the features" in problem_of(plan)
        require_fit(follow(plan))

    def test_layout_with_labels(self) -> None:
        plan = require_fit(plan_of(self.TURNED, GENRES, transpose_features=True))
        assert plan.transpose_features
        assert plan.features_name_column
        assert (plan.label_column, plan.label_name) == (0, "feature")
        assert plan.feature_names == ("action", "comedy")
        assert plan.feature_columns == (2, 1)
        assert plan.features_shape == (3, 2)

    def test_layout_without_header(self) -> None:
        F = features("comedy,1,2,3\naction,4,5,6", header=False)
        plan = require_fit(plan_of(F, GENRES, transpose_features=True))
        assert (plan.label_column, plan.label_name) == (None, "row")
        assert plan.feature_columns == (1, 0)
        assert plan.features_shape == (3, 2)

    def test_layout_without_names(self) -> None:
        F = features("1.5,2,3\n4.5,5,6", header=False)
        plan = require_fit(plan_of(F, GENRES, transpose_features=True))
        assert plan.matched_by == "position"
        assert plan.label_column is None
        assert plan.feature_columns == (0, 1)
        assert plan.features_shape == (3, 2)

    def test_layout_with_labels_only(self) -> None:
        F = features("Amina,Bruno,Chloe\n1.5,2,3\n4.5,5,6")
        plan = require_fit(plan_of(F, GENRES, transpose_features=True))
        assert not plan.features_name_column
        assert (plan.label_column, plan.label_name) == (0, "label")
        assert plan.feature_columns == (1, 2)
        assert plan.features_shape == (3, 2)

    def test_by_shape(self) -> None:
        F = features("1.5,2,3,1\n4.5,5,6,1", header=False)
        plan = plan_of(F, weights("1,2,3,4,5\n3,4,5,6,7", header=False))
        assert plan.add_options == ("--transpose-features",)
        assert follow(plan).scores_shape == (4, 5)

    def test_not_needed(self) -> None:
        plan = plan_of(MOVIES, GENRES, transpose_features=True)
        assert plan.drop_options == ("--transpose-features",)
        require_fit(follow(plan))

    def test_both(self) -> None:
        plan = require_fit(plan_of(self.TURNED, FILMS, transpose=True, transpose_features=True))
        assert plan.scores_shape == (3, 2)

    def test_id_col_is_the_first(self) -> None:
        require_fit(plan_of(self.TURNED, GENRES, transpose_features=True, id_col="feature"))
        plan = plan_of(self.TURNED, GENRES, transpose_features=True, id_col="Amina")
        assert "--id-col feature" in plan.hint

    def test_a_stream_cannot(self) -> None:
        plan = plan_of(features(self.TURNED, stream=True), GENRES, transpose_features=True)
        assert "not known" in problem_of(plan)

    def test_kept_rows(self) -> None:
        F = self.TURNED + "\nyear,1,2,3"
        plan = require_fit(plan_of(F, GENRES, transpose_features=True, keep_cols=("year",)))
        assert plan.kept_columns == (3,)

    def test_corner_is_no_feature(self) -> None:
        F = self.TURNED.replace("feature", "action")
        plan = require_fit(plan_of(F, GENRES, transpose_features=True))
        assert (plan.label_name, plan.feature_columns) == ("action", (2, 1))

    def test_twice_is_told_by_row(self) -> None:
        plan = plan_of(self.TURNED + "\naction,1,2,3", GENRES, transpose_features=True)
        assert "rows 2, 3" in problem_of(plan)


class TestSwapped:
    def test_found(self) -> None:
        plan = plan_of(GENRES, MOVIES)
        assert plan.swap
        assert plan.hint == "give W.csv first"
        assert require_fit(follow(plan)).scores_shape == (2, 3)
        assert not plan.missing

    def test_a_stream_cannot_tell(self) -> None:
        plan = plan_of(features(GENRES, stream=True), MOVIES)
        assert not plan.swap
        assert plan.missing

    def test_numbered_rows(self) -> None:
        rows = "\n".join(f"{i},1,2" for i in range(1, 9))
        assert plan_of(GENRES, f"id,action,comedy\n{rows}").swap

    def test_same_file(self) -> None:
        plan = make_plan(sample("users.csv"), sample("users.csv"))
        assert "the same file is given as features and weights" in problem_of(plan)
        for options in (PlanOptions(transpose=True), PlanOptions(auto_transpose=True)):
            turned = require_fit(make_plan(sample("users.csv"), sample("users.csv"), options))
            assert turned.scores_shape == (3, 3)

    def test_error_carries_the_plan(self) -> None:
        plan = plan_of(GENRES, MOVIES)
        with pytest.raises(PlanError) as caught:
            require_fit(plan)
        assert caught.value.plan is plan
        assert str(caught.value) == f"{plan.problem}; {plan.hint}"


class TestKept:
    F = "film,year,action,comedy,maker\na,1,2,3,b"

    def test_in_the_order_asked(self) -> None:
        plan = require_fit(plan_of(self.F, GENRES, keep_cols=("maker", "year", "maker")))
        assert plan.kept_columns == (4, 1)
        assert plan.kept_names == ("maker", "year")
        assert plan.left_out == ()

    def test_all(self) -> None:
        plan = require_fit(plan_of(self.F, GENRES, keep_all=True))
        assert plan.kept_columns == (1, 4)
        assert not plan.left_out

    def test_a_feature_and_the_label(self) -> None:
        plan = require_fit(plan_of(self.F, GENRES, keep_cols=("action", "film")))
        assert plan.kept_columns == (2,)
        assert 2 in plan.feature_columns

    def test_unknown(self) -> None:
        plan = plan_of(self.F, GENRES, keep_cols=("Year",))
        assert problem_of(plan) == 'F.csv has no column "Year"'
        assert plan.hint == 'did you mean "year" (differs only by case)'

    def test_twice(self) -> None:
        F = "film,x,action,comedy,x\na,1,2,3,b"
        assert require_fit(plan_of(F, GENRES)).left_out == ("x", "x")
        for options in ({"keep_all": True}, {"keep_cols": ("x",)}):
            assert "columns 2, 5" in problem_of(plan_of(F, GENRES, **options))


class TestBadNames:
    def test_features_twice(self) -> None:
        plan = plan_of("film,action,comedy,action\na,1,2,3", GENRES)
        assert problem_of(plan) == ('F.csv has a feature more than once: "action" in columns 2, 4')

    def test_features_twice_by_position(self) -> None:
        plan = plan_of("action,comedy,action\n1,2,3", weights("1\n2\n2", header=False))
        assert '"action" in columns 1, 3' in problem_of(plan)

    def test_weights_twice(self) -> None:
        plan = plan_of(MOVIES, GENRES + "\naction,1,2,3")
        assert '"action" in rows 1, 3' in problem_of(plan)

    def test_categories_twice(self) -> None:
        plan = plan_of(MOVIES, GENRES.replace("family", "romance"))
        assert problem_of(plan) == 'W.csv has a category more than once: "romance" in columns 3, 4'

    def test_categories_twice_when_transposed(self) -> None:
        plan = plan_of(USERS, FILMS + "\nOrbit Nine,1,1", transpose=True)
        assert '"Orbit Nine" in rows 1, 3' in problem_of(plan)

    def test_blank(self) -> None:
        assert "row 3" in problem_of(plan_of(MOVIES, GENRES + "\n ,1,2,3"))
        assert "column 3" in problem_of(plan_of(MOVIES, GENRES.replace("family", "")))
        by_position = plan_of("x,,z\n1,2,3", weights("1\n2\n2", header=False))
        assert "column 2" in problem_of(by_position)

    def test_blank_columns_not_in_use(self) -> None:
        plan = require_fit(plan_of("film,action,comedy,\na,1,2,", GENRES))
        assert plan.left_out == ("",)


class TestIntercept:
    @pytest.mark.parametrize("name", ["(Intercept)", "intercept", "BIAS", "Const", "constant"])
    def test_is_found(self, name: str) -> None:
        plan = require_fit(plan_of(MOVIES, f"{GENRES}\n{name},1,2,3"))
        assert (plan.intercept_name, plan.intercept_index) == (name, 2)
        assert plan.weights_shape == (2, 3)
        assert any(name in fact for fact in plan.facts)

    def test_is_a_feature_when_the_features_have_it(self) -> None:
        plan = require_fit(plan_of("film,action,bias,comedy\na,1,1,2", f"{GENRES}\nbias,1,2,3"))
        assert plan.intercept_name is None
        assert plan.feature_names == ("action", "bias", "comedy")

    def test_in_another_case_is_refused(self) -> None:
        plan = plan_of("film,action,Bias,comedy\na,1,1,2", f"{GENRES}\nbias,1,2,3")
        assert plan.missing[0].reason == "differs only by case"

    def test_none(self) -> None:
        plan = plan_of(MOVIES, f"{GENRES}\nbias,1,2,3", no_intercept=True)
        assert [m.name for m in plan.missing] == ["bias"]

    def test_two(self) -> None:
        W = f"{GENRES}\nbias,1,2,3\nconst,1,2,3"
        plan = plan_of(MOVIES, W)
        assert '"bias", "const"' in problem_of(plan)
        assert plan.hint == "keep only one"

    def test_named(self) -> None:
        plan = require_fit(plan_of(MOVIES, f"{GENRES}\noffset,1,2,3", intercept="offset"))
        assert plan.intercept_name == "offset"
        plan = plan_of(MOVIES, f"{GENRES}\noffset,1,2,3", intercept="ofset")
        assert problem_of(plan) == 'W.csv has no row "ofset"'
        assert '"offset"' in plan.hint

    def test_named_without_names(self) -> None:
        W = weights("1,2\n3,4", header=False)
        assert "intercept" in problem_of(plan_of("x,y\n1,2", W, intercept="x"))

    def test_transposed(self) -> None:
        plan = plan_of(USERS, "film,action,bias,comedy\nA,1,2,3\nB,1,2,3", transpose=True)
        assert (plan.intercept_index, plan.weights_index) == (1, (0, 2))

    def test_by_position(self) -> None:
        F = features("1,2\n3,4", header=False)
        plan = require_fit(plan_of(F, f"{GENRES}\nbias,1,2,3"))
        assert plan.intercept_index == 2
        assert plan.feature_names == ("action", "comedy")

    def test_by_position_or_a_feature(self) -> None:
        F = features("5,2,1\n4,4,1", header=False)
        W = f"{GENRES}\nbias,1,2,3"
        assert "cannot tell" in problem_of(plan_of(F, W))
        assert require_fit(plan_of(F, W, no_intercept=True)).label_column is None
        assert require_fit(plan_of(F, W, id_col="1")).intercept_name == "bias"
        assert require_fit(plan_of(F, W, intercept="bias")).label_column == 0

    def test_alone(self) -> None:
        assert "no features" in problem_of(plan_of("x,y\n1,2", "feature,k\nbias,1"))


class TestShapes:
    def test_small_ones(self) -> None:
        assert plan_of("x\n1", "feature,k\nx,1").scores_shape == (1, 1)
        assert plan_of("x\n1", weights("2", header=False)).scores_shape == (1, 1)
        F, W = features("2", header=False), weights("3", header=False)
        plan = require_fit(plan_of(F, W))
        assert plan.feature_names == plan.categories == ("1",)

    def test_no_rows(self) -> None:
        F = Side("F.csv", 3, ("film", "action", "comedy"), 0, ())
        assert plan_of(F, GENRES).scores_shape == (0, 3)

    def test_unknown_rows(self) -> None:
        assert plan_of(features(MOVIES, stream=True), GENRES).scores_shape == (None, 3)

    def test_no_weights(self) -> None:
        assert "no rows" in problem_of(plan_of(MOVIES, weights("feature,a,b")))
        assert "no weights" in problem_of(plan_of(MOVIES, "feature\naction\ncomedy"))

    @pytest.mark.parametrize(
        "header",
        [
            "y.level,estimate,std.error",
            "feature,category,weight",
        ],
    )
    def test_long_form(self, header: str) -> None:
        numbers = ",1" * header.count(",")
        plan = plan_of(MOVIES, f"{header}\naction{numbers}\ncomedy{numbers}")
        assert "long form" in problem_of(plan)
        assert "each category" in plan.hint

    def test_long_form_needs_strange_columns(self) -> None:
        header = "id,estimate,std.error"
        turned = plan_of(f"{header}\na,1,2", f"{header}\nk,1,2\nl,3,4", transpose=True)
        assert require_fit(turned).categories == ("k", "l")
        both = "term,estimate,std.error\nestimate,1,2\nstd.error,3,4"
        assert require_fit(plan_of(f"{header}\na,1,2", both)).feature_names[0] == "estimate"

    def test_one_estimate_is_a_category(self) -> None:
        require_fit(plan_of(MOVIES, "term,estimate\naction,1\ncomedy,2"))


class TestKnownLabels:
    """Where the first column is known to hold labels or numbers, its content tells nothing."""

    F = replace(features(MOVIES), labelled=True)
    W = replace(weights(GENRES), labelled=True)

    @pytest.mark.parametrize("cells", [("7", "9"), ("5", "0.3"), ("0.5", "x")])
    def test_labels_of_numbers(self, cells: tuple[str, str]) -> None:
        W = Side("W.csv", 3, ("", "u", "v"), 2, cells)
        header = ("id", *cells)
        assert "cannot tell" in problem_of(plan_of("a,b\n3,4", W))
        labelled = replace(W, labelled=True)
        assert plan_of("a,b\n3,4", labelled).missing
        plan = require_fit(make_plan(Side("F.csv", 3, header, 1, ("a",)), labelled))
        assert plan.feature_names == tuple(sorted(cells))

    def test_numbers_that_look_like_labels(self) -> None:
        W = Side("W.csv", 2, ("u", "v"), 2, ("0", "1"), labelled=False)
        plan = require_fit(make_plan(features("0,1\n3,4", header=True), W))
        assert not plan.weights_label_column
        assert plan.matched_by == "position"
        assert plan.weights_shape == (2, 2)

    def test_a_header_is_no_doubt(self) -> None:
        W = weights("action,1,0\ncomedy,2,5")
        assert "may be a header" in problem_of(plan_of(MOVIES, W))
        assert require_fit(plan_of(MOVIES, replace(W, labelled=True))).categories == ("1", "0")

    @pytest.mark.parametrize("name", ["", "film", "action", "bias", "1.5"])
    def test_features_labels(self, name: str) -> None:
        F = replace(features(f"{name},comedy,action\na,1,2", header=True), labelled=True)
        plan = require_fit(make_plan(F, self.W, PlanOptions(strict=True)))
        assert (plan.label_column, plan.label_name) == (0, name)
        assert plan.feature_columns == (2, 1)
        assert plan.features_shape == (1, 2)
        assert not plan.facts[1:]  # that the order differs; the labels are no finding
        require_fit(make_plan(F, replace(self.W, first=("action", "comedy"))))

    def test_labels_are_no_feature(self) -> None:
        F = replace(features("action,comedy\n1,2"), labelled=True)
        plan = make_plan(F, self.W)
        assert [(m.name, m.close) for m in plan.missing] == [("action", ())]

    def test_labels_are_no_intercept(self) -> None:
        F = replace(features("bias,action,comedy\na,1,2"), labelled=True)
        assert require_fit(plan_of(F, f"{GENRES}\nbias,1,2,3")).intercept_name == "bias"

    def test_twice_besides_the_labels(self) -> None:
        F = replace(features("action,comedy,action,action\na,1,2,3"), labelled=True)
        assert '"action" in columns 2, 3' in problem_of(make_plan(F, self.W))

    def test_categories_are_counted_without_the_labels(self) -> None:
        W = replace(weights(GENRES.replace("romance", "family")), labelled=True)
        assert '"family" in columns 2, 3' in problem_of(make_plan(self.F, W))

    def test_features_without_labels(self) -> None:
        F = replace(features("film,action,comedy\n7,1,2"), labelled=False)
        plan = require_fit(make_plan(F, self.W))
        assert (plan.label_column, plan.left_out) == (None, ("film",))
        F = replace(features("7,1,2\n8,3,4", header=False), labelled=False)
        assert "3 features against 2" in problem_of(make_plan(F, self.W))

    @pytest.mark.parametrize("header", [True, False])
    def test_by_position(self, *, header: bool) -> None:
        text = "9,1,2\n8,3,4"
        F = replace(features(("x,y,z\n" if header else "") + text, header=header), labelled=True)
        W = Side("W.csv", 2, ("u", "v"), 2, ("5", "6"), labelled=False)
        plan = require_fit(make_plan(F, W))
        assert (plan.label_column, plan.feature_columns) == (0, (1, 2))
        assert plan.feature_names == (("y", "z") if header else ("1", "2"))
        W = replace(W, n_rows=3, first=("5", "6", "7"))
        assert "2 features against 3" in problem_of(make_plan(F, W))

    @pytest.mark.parametrize("labelled", [True, False, None])
    def test_id_col(self, *, labelled: bool | None) -> None:
        F = replace(features("x,action,comedy,film\n0,1,2,a"), labelled=labelled)
        plan = require_fit(make_plan(F, self.W, PlanOptions(id_col="film")))
        assert plan.label_column == 3
        assert plan.left_out == (() if labelled else ("x",))
        own = require_fit(make_plan(self.F, self.W, PlanOptions(id_col="film")))
        assert own.label_column == 0

    def test_id_col_by_position(self) -> None:
        F = replace(features("0,1,2,a\n0,1,2,a", header=False), labelled=True)
        plan = require_fit(make_plan(F, self.W, PlanOptions(id_col="3")))
        assert (plan.label_column, plan.feature_columns) == (3, (1, 2))
        plan = make_plan(F, replace(self.W, first=("a", "b", "c"), n_rows=3))
        assert plan.features_shape == (2, 3)
        plan = make_plan(F, self.W, PlanOptions(id_col="1"))
        assert plan.label_column == 1
        assert "1 to 3" in problem_of(make_plan(F, self.W, PlanOptions(id_col="4")))

    def test_kept(self) -> None:
        F = replace(features("film,film,action,comedy,x\na,b,1,2,3"), labelled=True)
        plan = require_fit(make_plan(F, self.W, PlanOptions(keep_cols=("film",))))
        assert (plan.kept_columns, plan.left_out) == ((1,), ("x",))
        plan = require_fit(make_plan(self.F, self.W, PlanOptions(keep_cols=("film",))))
        assert plan.kept_columns == ()
        plan = require_fit(make_plan(F, self.W, PlanOptions(keep_all=True)))
        assert plan.kept_names == ("film", "x")

    def test_way_out(self) -> None:
        assert make_plan(self.W, self.F).swap
        W = Side("W.csv", 2, ("action", "comedy"), 3, ("1", "2", "3"), labelled=False)
        assert make_plan(self.F, W).add_options == ("--transpose",)
        turned = replace(features(TestTransposedFeatures.TURNED), labelled=True)
        assert make_plan(turned, self.W).add_options == ("--transpose-features",)
        turned = Side("F.csv", 2, ("a", "b"), 2, ("1", "2"), labelled=False)
        plan = require_fit(plan_of(turned, self.W, transpose_features=True))
        assert not plan.features_name_column


class TestFrames:
    X = pd.DataFrame({"action": [5, 1], "comedy": [2, 5]}, index=["a", "b"])
    W = pd.DataFrame({"u": [1.0, 0.0], "v": [0.0, 1.0]}, index=["action", "comedy"])

    @pytest.mark.parametrize("name", [None, "", "film", "action"])
    def test_index_is_no_feature(self, name: str | None) -> None:
        plan = require_fit(check(self.X.rename_axis(name), self.W, strict=True))
        assert plan.label_column == 0
        assert plan.feature_columns == (1, 2)
        assert list(classify(self.X.rename_axis(name), self.W)["u"]) == [5.0, 1.0]

    def test_names_that_are_numbers(self) -> None:
        names = pd.Index([7, 9])
        X, W = self.X.set_axis(names, axis=1), self.W.set_axis(names)
        plan = require_fit(check(X, W))
        assert plan.matched_by == "name"
        assert list(classify(X, W.iloc[::-1])["v"]) == [2.0, 5.0]

    def test_names_that_are_few(self) -> None:
        X, W = self.X[["action"]], self.W.loc[["action"]]
        named = {"action": "5"}
        assert require_fit(check(X.rename(columns=named), W.rename(named))).matched_by == "name"

    def test_without_names(self) -> None:
        W = self.W.reset_index(drop=True)
        plan = require_fit(check(self.X, W))
        assert plan.matched_by == "position"
        assert not plan.weights_label_column
        assert plan.feature_names == ("action", "comedy")
        X = pd.DataFrame(self.X.to_numpy())
        assert require_fit(check(X, W)).feature_columns == (1, 2)
        assert list(classify(X, W)["u"]) == [5.0, 1.0]

    def test_sentences(self) -> None:
        plan = check(self.X.rename(columns={"comedy": "action"}), self.W.iloc[:1])
        assert problem_of(plan) == 'features has a feature more than once: "action" in columns 1, 2'
        plan = check(self.X[["action"]], self.W)
        assert problem_of(plan) == 'features lacks a feature of weights: "comedy"'
        turned = check(self.X, self.W.T)
        assert turned.add_options == ("--transpose",)
        assert list(classify(self.X, self.W.T, transpose=True)["u"]) == [5.0, 1.0]


NAMES = st.lists(
    st.text(st.sampled_from("abcdeXYZ_ 0é"), min_size=1, max_size=5).filter(str.strip),
    min_size=1,
    max_size=6,
    unique=True,
)


@given(NAMES, st.randoms(use_true_random=False), st.booleans(), st.booleans())
def test_shuffled_files_give_the_same_pairs(
    names: list[str], random: object, transpose: bool, labelled: bool
) -> None:
    """Indexing both sides by the plan gives each feature its own weight, whatever the order."""
    names = [f"f{name}" for name in names]
    columns, rows = list(names), list(names)
    random.shuffle(columns)  # type: ignore[attr-defined]
    random.shuffle(rows)  # type: ignore[attr-defined]
    header = (*(("who",) if labelled else ()), *columns)
    F = Side("F", len(header), header, 2, None)
    W = Side("W", 3, ("feature", "k1", "k2"), len(rows), tuple(rows))
    if transpose:
        W = Side("W", len(rows) + 1, ("kind", *rows), 2, ("k1", "k2"))
    plan = require_fit(make_plan(F, W, PlanOptions(transpose=transpose)))
    assert plan.feature_names == tuple(sorted(names))
    assert tuple(header[i] for i in plan.feature_columns) == plan.feature_names
    assert tuple(rows[i] for i in plan.weights_index) == plan.feature_names
    assert plan.label_column == (0 if labelled else None)
    assert plan.categories == ("k1", "k2")
    assert plan.reordered == (columns != rows)


CELLS = st.sampled_from(
    ["a", "b", "c", "A", "d", "k", "1", "2", "0.5", "", "bias", "NA", "feature", "x"]
)


@st.composite
def sides(draw: st.DrawFn) -> Side:
    width = draw(st.integers(1, 4))
    n_rows = draw(st.integers(0, 4))
    names = draw(st.none() | st.tuples(*[CELLS] * width))
    first = draw(st.tuples(*[CELLS] * n_rows))
    return Side(
        draw(st.sampled_from("FW")),
        width,
        names,
        n_rows,
        first,
        guessed=draw(st.booleans()),
        labelled=draw(st.none() | st.booleans()),
        first_record=names if names is not None else (*first[:1], *["1"] * width)[:width],
    )


OPTIONS = st.builds(
    PlanOptions,
    id_col=st.none() | CELLS,
    transpose=st.booleans(),
    transpose_features=st.booleans(),
    auto_transpose=st.booleans(),
    strict=st.booleans(),
    keep_cols=st.lists(CELLS, max_size=1).map(tuple),
    keep_all=st.booleans(),
    intercept=st.none() | CELLS,
    no_intercept=st.booleans(),
)


@given(sides(), sides(), st.just(PlanOptions()) | OPTIONS, st.booleans())
def test_any_two_sides(F: Side, W: Side, options: PlanOptions, stream: bool) -> None:
    if stream:
        F = replace(F, first=None, n_rows=None)
    plan = make_plan(F, W, options)
    if plan.ok:
        check_fit(plan)
        return
    problem_of(plan)
    assert plan.hint
    if plan.swap or plan.add_options or plan.drop_options == ("--strict",):
        require_fit(follow(plan))


def check_fit(plan: Plan) -> None:
    n = len(plan.feature_names)
    assert n == len(plan.feature_columns) == len(plan.weights_index) == plan.weights_shape[0] > 0
    assert len(set(plan.feature_names)) == len(set(plan.feature_columns)) == n
    assert plan.label_column not in plan.feature_columns
    assert plan.label_column not in plan.kept_columns
    if plan.features.labelled and not plan.transpose_features:
        assert 0 not in {*plan.feature_columns, *plan.kept_columns}
    assert len(set(plan.categories)) == len(plan.categories) == plan.weights_shape[1]
    along = {*plan.weights_index, *({plan.intercept_index} - {None})}
    assert along == set(range(len(along)))
    assert plan.scores_shape == (plan.features_shape[0], plan.weights_shape[1])
    assert plan.features_shape[1] == n
    if plan.matched_by == "name":
        assert list(plan.feature_names) == sorted(plan.feature_names)
    assert not (plan.missing or plan.hint or plan.add_options or plan.drop_options or plan.swap)


@given(sides(), sides())
def test_a_stream_is_planned_like_a_file_or_refused(F: Side, W: Side) -> None:
    """Knowing the first column may settle a doubt, but never gives other scores."""
    known = make_plan(F, W)
    unknown = make_plan(replace(F, first=None, n_rows=None), W)
    if known.ok and unknown.ok:
        assert known.feature_columns == unknown.feature_columns
        assert known.weights_index == unknown.weights_index
        assert known.label_column == unknown.label_column


N_MANY = 60_000
MANY = tuple(f"feature_{i:06}" for i in range(N_MANY))


@pytest.mark.parametrize(
    ("header", "ok"),
    [
        (("id", *reversed(MANY)), True),
        (("id", *(name.upper() for name in MANY)), False),
        (("id", *(f"{name}x" for name in MANY)), False),
        (("id", *(f"é{name}" for name in MANY)), False),
    ],
    ids=["fits", "case", "close", "unicode"],
)
@pytest.mark.parametrize("first", [None, ("a", "b")], ids=["stream", "file"])
def test_many_names_are_fast(
    header: tuple[str, ...], ok: bool, first: tuple[str, ...] | None
) -> None:
    F = Side("F", len(header), header, None, first)
    W = Side("W", 3, ("feature", "k1", "k2"), N_MANY, MANY)
    start = time.process_time()
    plan = make_plan(F, W)
    seconds = time.process_time() - start
    assert plan.ok is ok
    assert ok or (plan.missing[0].close and not plan.missing[9].close)
    # It takes about a second, of spelling; were it quadratic, it would take minutes.
    assert seconds < 3
