"""Models in PMML against the answers of the JPMML evaluator; `make_pmml.py` made both."""

from __future__ import annotations

import csv
import math
import re
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pytest

from matscore.models.bounds import ModelFile, Refusal
from matscore.models.options import ImportOptions
from matscore.models.pmml import SOURCE
from matscore.models.types import FLOAT32, ImportedModel
from matscore.models.weights import make_table
from tests.models.exact import BadRowError, score

HERE = Path(__file__).parent / "pmml"
FILES = sorted(path.stem for path in HERE.glob("*.csv") if path.stem != "raw")

INVERSE: dict[str, Callable[[float], float]] = {
    "identity": lambda s: s,
    "exp": math.exp,
    "logistic": lambda s: 1 / (1 + math.exp(-s)),
    "probit": NormalDist().cdf,
    "cloglog": lambda s: -math.expm1(-math.exp(s)),
    "loglog": lambda s: math.exp(-math.exp(-s)),
    "cauchit": lambda s: 0.5 + math.atan(s) / math.pi,
    "1/": lambda s: 1 / s,
}


# What the file says of numbers outside of its Interval, and what a user says who wants them scored.
AS_IS = (b'name="age" outliers', b'name="age" invalidValueTreatment="asIs" outliers')


def read_content(name: str) -> bytes:
    content = (HERE / f"{name}.pmml").read_bytes()
    if name == "sklearn_domains":
        assert AS_IS[0] in content
        return content.replace(*AS_IS)
    return content


def open_model(name: str) -> ImportedModel:
    file = ModelFile(name, read_content(name))
    assert SOURCE.recognise(file)
    return SOURCE.read(file, ImportOptions())


def read_rows(name: str) -> list[dict[str, str | None]]:
    with (HERE / f"{name}.csv").open(newline="", encoding="utf-8") as file:
        return [{k: v or None for k, v in row.items()} for row in csv.DictReader(file)]


def answer(name: str, model: ImportedModel, scores: list[float]) -> dict[str, float]:
    """Return what the tool calls the answer: a number, or the probability of each category."""
    if len(model.categories) == 1:
        spelled = next(
            (k for k in ("loglog", "cauchit", "1/") if model.categories[0].startswith(k)), ""
        )
        return {"y": INVERSE[spelled or model.link or ""](scores[0])}
    if model.is_binary_vector:
        link = name.split("_")[1] if model.link == "identity" else model.link or ""
        one = INVERSE[link](scores[1])
        shares = [1 - one, one]
    elif model.link == "identity":
        shares = [min(max(s, 0), 1) for s in scores] if len(scores) == 2 else scores
    elif model.link == "one-vs-rest":
        shares = [INVERSE["logistic"](s) for s in scores]
        shares = [s / sum(shares) for s in shares]
    else:
        powers = [math.exp(s - max(scores)) for s in scores]
        shares = [p / sum(powers) for p in powers]
    return {f"probability({c})": p for c, p in zip(model.categories, shares, strict=True)}


@pytest.mark.parametrize("name", FILES)
def test_scores_and_labels_are_those_of_the_evaluator(name: str) -> None:
    model = open_model(name)
    compared = 0
    for row, theirs in zip(read_rows("raw"), read_rows(name), strict=True):
        try:
            ours = answer(name, model, scores := score(model, dict(row)))
        except BadRowError:
            assert set(theirs.values()) == {row["id"], None}, row
            continue
        label = theirs.get("c")
        if label is not None and model.threshold is None:
            assert label == model.categories[scores.index(max(scores))], row
        for key, one in ours.items():
            if key in theirs:
                told = theirs[key]
                if told is None and name == "sklearn_domains":
                    assert not 18 <= float(row["age"] or 0) <= 79.5, row
                    continue
                assert told is not None, (row, one)
                assert one == pytest.approx(float(told), rel=1e-12, abs=1e-13), row
        compared += 1
    assert compared >= 8, compared


# A file, what of it is replaced by what, and what is said then.
REFUSED: dict[str, tuple[str, str, str, str]] = {
    "simplemax": ("refused_simplemax", "", "", "simplemax divides scores by their sum"),
    "function": (
        "refused_bins",
        "",
        "",
        'step "discretize(add_eps(age))", step "add_eps(age)": function add_eps is not known',
    ),
    "unknown function": (
        "derived_apply",
        '"ln"',
        '"round"',
        'step "logged": function round is not',
    ),
    "several models": ("regression_none", "</PMML>", "<TreeModel/></PMML>", "it holds 2 models"),
    "tree": ("regression_none", "RegressionModel", "TreeModel", "TreeModel is no linear model"),
    "not scorable": (
        "regression_none",
        "functionName",
        'isScorable="false" functionName',
        "not for",
    ),
    "rescaled": ("refused_rescaled", "", "", "its Target has a rescaleFactor"),
    "integer": (
        "regression_none",
        "<RegressionTable",
        '<Targets><Target castInteger="round"/></Targets><RegressionTable',
        "its Target has castInteger, which is no linear model",
    ),
    "interval": ("sklearn_domains", "", "", '"age" has no result outside of its Interval'),
    "no coefficient": (
        "regression_none",
        'coefficient="0.01"',
        "",
        "NumericPredictor has no coeff",
    ),
    "no number": ("regression_none", '"0.01"', '"1_0"', '"1_0" is no number'),
    "not finite": ("regression_none", '"0.01"', '"inf"', '"inf" is no number'),
    "unknown field": (
        "regression_none",
        'NumericPredictor name="age"',
        'NumericPredictor name="agee"',
        'field "agee" is neither in its MiningSchema',
    ),
    "text as number": (
        "regression_none",
        'FieldRef field="age"',
        'FieldRef field="region"',
        "is a text",
    ),
    "ordinal": (
        "several_softmax",
        'name="c" optype="categorical"',
        'name="c" optype="ordinal"',
        "an ordinal target",
    ),
    "missing table": (
        "several_softmax",
        '<Value value="a"/>',
        '<Value value="a"/><Value value="z"/>',
        "not those of its categories",
    ),
    "trials": (
        "general_log",
        "offsetValue",
        'trialsValue="3" offsetValue',
        "trialsValue multiplies",
    ),
    "cox": ("general_linear", "generalLinear", "CoxRegression", "CoxRegression is not linear"),
    "offset without link": (
        "general_log",
        "generalizedLinear",
        "generalLinear",
        "offsetValue has no",
    ),
    "reference": (
        "general_logit",
        '<Value value="yes"/>',
        '<Value value="yes"/><Value value="no2"/>',
        "which of its categories is the reference",
    ),
    "gap": (
        "scorecard_plain",
        'operator="lessThan" value="30"',
        'operator="lessThan" value="29"',
        'step "age": for some numbers or texts of "age" it has',
    ),
    "derived of itself": (
        "derived_apply",
        '"+" ><FieldRef field="income"',
        '"+" ><FieldRef field="logged"',
        "made of itself",
    ),
    "as missing without one": (
        "schema_as_missing",
        'missingValueReplacement="45.5" ',
        "",
        "has no replacement for that",
    ),
    "entities": ("regression_none", "<PMML", '<!DOCTYPE a [<!ENTITY x "y">]><PMML', "DOCTYPE"),
    "damaged": ("regression_none", "</Header>", "", "XML that cannot be read: mismatched tag"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_linear_or_not_known_is_refused_by_name(name: str) -> None:
    file, old, new, said = REFUSED[name]
    content = (HERE / f"{file}.pmml").read_text()
    assert old in content
    with pytest.raises(Refusal) as error:
        SOURCE.read(ModelFile(name, content.replace(old, new).encode()), ImportOptions())
    assert said in str(error.value)


def test_categories_links_and_thresholds() -> None:
    found = {name: open_model(name) for name in ("binary_logit", "binary_probit", "binary_cloglog")}
    assert [model.categories for model in found.values()] == [("yes", "no"), *[("no", "yes")] * 2]
    assert [model.link for model in found.values()] == [None, "probit", "cloglog"]
    assert found["binary_cloglog"].threshold == (0.5, "probability", False)
    assert open_model("binary_threshold").threshold == (0.7, "probability", False)  # of "no"
    assert open_model("general_inverse").categories == ("1/y",)
    assert open_model("regression_loglog").link == "identity"


def test_a_threshold_is_folded_where_it_is_asked_for() -> None:
    """The evaluator's own decision is the label, once the intercept is shifted."""
    model = open_model("binary_threshold").at_threshold()
    labels = set()
    for row, theirs in zip(read_rows("raw"), read_rows("binary_threshold"), strict=True):
        try:
            scores = score(model, dict(row))
        except BadRowError:
            continue
        labels.add(label := model.categories[scores.index(max(scores))])
        assert label == theirs["decision"]
    assert labels == {"yes", "no"}


def test_who_made_it_and_what_was_computed_is_said() -> None:
    model = open_model("sklearn_logistic")
    assert re.fullmatch(r"SkLearn2PMML package [0-9.]+", model.producer)
    assert model.steps == ("standardScaler(age)", "standardScaler(income)")


SAS = """<PMML><Header><Application name="SAS(r)" version="9.4"/></Header><DataDictionary>
<DataField name="region" optype="categorical" dataType="string"/></DataDictionary>
<RegressionModel functionName="regression"><MiningSchema><MiningField name="region"/></MiningSchema>
<LocalTransformations><DerivedField name="r"><Apply function="SAS-EM-String-Normalize">
<Constant>2</Constant><Apply function="SAS-FORMAT-$CHARw"><Constant>2</Constant>
<FieldRef field="region"/></Apply></Apply></DerivedField>
<DerivedField name="one"><MapValues outputColumn="To"><FieldColumnPair field="r" column="From"/>
<InlineTable><row><From>NO</From><To>1</To></row><row><From>S</From><To>0</To></row></InlineTable>
</MapValues></DerivedField></LocalTransformations><RegressionTable intercept="1.5">
<NumericPredictor name="one" coefficient="0.25"/></RegressionTable></RegressionModel></PMML>"""


def test_texts_that_sas_normalises_are_those_of_the_sample(tmp_path: Path) -> None:
    sample = tmp_path / "raw.csv"
    sample.write_text("region\nNorth\nnord\ns\n")
    take = ImportOptions(sample=str(sample))
    model = SOURCE.read(ModelFile("sas", SAS.encode()), take)
    table = make_table(model)
    assert table.names == ("region=North", "region=nord", "region=s", "(Intercept)")
    assert table.values.ravel().tolist() == [0.25, 0.25, 0, 1.5]
    assert model.rounding == 0.05 / 1.5
    with pytest.raises(Refusal, match=r"texts of .region., and the file does not list them; give"):
        SOURCE.read(ModelFile("sas", SAS.encode()), ImportOptions())


def test_float32_is_told() -> None:
    content = (HERE / "regression_none.pmml").read_text()
    for old, new in (("<RegressionModel", '<RegressionModel x-mathContext="float"'),
                     ('"age" optype="continuous" dataType="double"',
                      '"age" optype="continuous" dataType="float"')):  # fmt: skip
        assert old in content
        file = ModelFile("float", content.replace(old, new).encode())
        model = SOURCE.read(file, ImportOptions())
        assert "the tool computes with float32" in model.facts
        assert model.rounding == FLOAT32


def test_every_file_is_used() -> None:
    refused = {file for file, *_ in REFUSED.values() if file.startswith("refused_")}
    assert {path.stem for path in HERE.iterdir()} == {*FILES, *refused, "raw", "versions"}


@pytest.mark.parametrize("name", ["derived_apply", "general_contrast", "scorecard_compound"])
def test_a_file_cut_at_any_byte_is_refused(name: str) -> None:
    data = (HERE / f"{name}.pmml").read_bytes().rstrip()
    for size in range(len(data)):
        with pytest.raises(Refusal):
            SOURCE.read(ModelFile("cut", data[:size]), ImportOptions())


def test_a_changed_byte_gives_a_model_or_a_refusal() -> None:
    random = np.random.default_rng(3)
    contents = [path.read_bytes() for path in sorted(HERE.glob("*.pmml"))]
    for _ in range(1000):
        data = bytearray(contents[random.integers(len(contents))])
        data[random.integers(len(data))] = random.integers(32, 127)
        try:
            SOURCE.read(ModelFile("changed", bytes(data)), ImportOptions()).folded  # noqa: B018
        except Refusal:
            continue


def _nest(depth: int, inside: str) -> str:
    opened = "<Apply function='+'>" * depth
    return f"<DerivedField name='d0'>{opened}{inside}{'</Apply>' * depth}</DerivedField>"


def _wrap(transformations: str, predictor: str = "d0") -> str:
    return f"""<PMML><DataDictionary><DataField name="x" optype="continuous" dataType="double"/>
<DataField name="z" optype="continuous" dataType="double"/></DataDictionary>
<TransformationDictionary>{transformations}</TransformationDictionary>
<RegressionModel functionName="regression"><MiningSchema><MiningField name="x"/>
<MiningField name="z"/></MiningSchema>
<RegressionTable><NumericPredictor name="{predictor}" coefficient="1"/></RegressionTable>
</RegressionModel></PMML>"""


def _double(n: int) -> str:
    """Return fields each of which is the square of the one before."""
    first = ("<DerivedField name='d0'><Apply function='+'><FieldRef field='x'/>"
             "<FieldRef field='z'/></Apply></DerivedField>")  # fmt: skip
    return first + "".join(
        f"<DerivedField name='d{i}'><Apply function='*'><FieldRef field='d{i - 1}'/>"
        f"<FieldRef field='d{i - 1}'/></Apply></DerivedField>"
        for i in range(1, n + 1)
    )


HOSTILE = {
    "deep": _wrap(_nest(200_000, "<FieldRef field='x'/>")),
    "deep and cut": "<PMML>" + "<a>" * 500_000,
    "many": "<PMML>" + "<a/>" * 2_000_000 + "</PMML>",
    "long text": "<PMML>" + "x" * 20_000_000 + "</PMML>",
    "powers of powers": _wrap(_double(40), "d40"),
    "chain of fields": _wrap(
        "".join(f"<DerivedField name='d{i}'><FieldRef field='d{i + 1}'/></DerivedField>"
                for i in range(50_000))),
    "intervals in each other": _wrap(
        "<DerivedField name='d0'><Discretize field='x'>" + "".join(
            f"<DiscretizeBin binValue='{i}'><Interval closure='openOpen' leftMargin='{-i}' "
            f"rightMargin='{i + 1}'/></DiscretizeBin>" for i in range(5_000)
        ) + "</Discretize></DerivedField>"),
    "laughs": "<!DOCTYPE PMML [" + "".join(
        f"<!ENTITY l{i + 1} '{f'&l{i};' * 10}'>" for i in range(10)) + "]><PMML>&l9;</PMML>",
    "outside": "<!DOCTYPE PMML SYSTEM 'file:///etc/passwd'><PMML/>",
    "encoding": "<?xml version='1.0' encoding='no-such'?><PMML/>",
    "empty": "<PMML/>",
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_within_bounds(name: str) -> None:
    data = HOSTILE[name].encode()
    start = time.process_time()
    tracemalloc.start()
    with pytest.raises(Refusal):
        SOURCE.read(ModelFile(name, data), ImportOptions())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 150 << 20
    assert time.process_time() - start < 20  # tracing makes it slow


def test_other_files_are_not_taken_for_pmml() -> None:
    for content in (b"", b"feature,a\nx,1\n", b"<html/>", b"\x80\x04."):
        assert not SOURCE.recognise(ModelFile("other", content))


AS_IT_IS = """<PMML><DataDictionary><DataField name="r" optype="categorical" dataType="string">
<Value value="N"/></DataField></DataDictionary><RegressionModel functionName="regression">
<MiningSchema><MiningField name="r" invalidValueTreatment="asIs"/></MiningSchema>
<RegressionTable intercept="1"><CategoricalPredictor name="r" value="N" coefficient="2"/>
<CategoricalPredictor name="r" value="W" coefficient="4"/></RegressionTable></RegressionModel>
</PMML>"""


def test_an_invalid_value_counts_as_it_is_where_the_model_tests_for_it() -> None:
    model = SOURCE.read(ModelFile("w", AS_IT_IS.encode()), ImportOptions())
    assert [score(model, {"r": r}) for r in ("N", "W", "E", None)] == [[3], [5], [1], [1]]
    content = AS_IT_IS.replace("asIs", "returnInvalid").encode()
    model = SOURCE.read(ModelFile("w", content), ImportOptions())
    for unknown in ("W", "E"):
        with pytest.raises(BadRowError):
            score(model, {"r": unknown})


def test_values_of_a_column_that_lists_none_are_known_or_refused() -> None:
    """What is tested of a derived field may be any text of the column, and would count 0."""
    content = AS_IT_IS.replace('<Value value="N"/>', "").replace(
        "<RegressionTable",
        '<LocalTransformations><DerivedField name="d"><FieldRef field="r"/></DerivedField>'
        "</LocalTransformations><RegressionTable",
    )
    content = content.replace('name="r" value="W"', 'name="d" value="W"')
    with pytest.raises(Refusal, match='it tests for "W" what is made of a column that lists no'):
        SOURCE.read(ModelFile("w", content.encode()), ImportOptions())
