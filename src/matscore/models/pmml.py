"""PMML: which model a file holds, and what all kinds of them have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from matscore.models.bounds import ModelFile
from matscore.models.options import ImportOptions
from matscore.models.pmml_derived import Derived
from matscore.models.pmml_general import read_general
from matscore.models.pmml_regression import read_regression
from matscore.models.pmml_scorecard import read_scorecard
from matscore.models.pmml_scores import Scores, read_output, rescale
from matscore.models.pmml_xml import Element, parse_xml, read_number
from matscore.models.refusal import Refusal
from matscore.models.types import FLOAT32, FLOAT64, ImportedModel, Source

_READERS: Mapping[str, Callable[[Element, Derived, str], Scores]] = {
    "RegressionModel": read_regression,
    "GeneralRegressionModel": read_general,
    "Scorecard": read_scorecard,
}


def recognise(file: ModelFile) -> bool:
    """Say whether a file is XML whose first elements say PMML."""
    head = file.head.replace(b"\0", b"")  # as UTF-16 has them
    return file.folder is None and (b"<PMML" in head or b":PMML" in head)


def read(file: ModelFile, options: ImportOptions) -> ImportedModel:
    """Read a linear model in PMML."""
    root = parse_xml(file.data)
    if root.tag != "PMML":
        raise Refusal(f"XML of {root.tag}, not PMML")
    model = _choose(root)
    if model.get("isScorable", "true") in {"false", "0"}:
        raise Refusal("its model is not for scoring, as it says itself")
    derived = Derived(root, model, options.sample)
    fields = derived.fields
    target = fields.target or model.get("targetFieldName") or model.get("targetVariableName")
    scores = _READERS[model.tag](model, derived, target or "score")
    if len(scores.categories) == 1:
        scores = rescale(scores, model, target)
    scores = read_output(scores, model)
    n = len(scores.features)
    floats = any(one.get("dataType") == "float" for one in fields.data.values())
    floats |= "float" in {model.get("mathContext"), model.get("x-mathContext")}
    about = root.only("Header").only("Application")
    producer = f"{about.get('name')} {about.get('version')}".strip()
    facts = ("the tool computes with float32",) if floats else ()
    return ImportedModel(
        producer or f"PMML {root.get('version')}",
        model.get("algorithmName") or model.get("modelType") or model.tag,
        scores.categories, scores.features,
        [[int(i == j) for j in range(n)] for i in range(n)], [0] * n,
        link=scores.link, steps=tuple(derived.steps), threshold=scores.threshold,
        facts=(*scores.facts, *fields.facts, *facts),
        rounding=FLOAT32 if floats else _read_digits(model) if "SAS" in producer else FLOAT64,
    )  # fmt: skip


def _read_digits(model: Element) -> float:
    """Return the relative precision of numbers that are written with few decimals."""
    worst = FLOAT64
    for element in model.walk():
        for name in ("coefficient", "intercept", "beta"):
            text = element.get(name)
            decimals = text.partition(".")[2]
            if decimals.isdigit() and (size := abs(read_number(text))):
                worst = max(worst, 0.5 * 10.0 ** -len(decimals) / size)
    return worst


SOURCE = Source("PMML", recognise, read)


def _choose(root: Element) -> Element:
    """Return the one model of a file."""
    found = [one for one in root.children if one.tag.endswith("Model") or one.tag in _READERS]
    if len(found) != 1:
        raise Refusal(f"it holds {len(found)} models", "keep one of them in the file")
    if found[0].tag not in _READERS:
        known = ", ".join(_READERS)
        raise Refusal(f"{found[0].tag} is no linear model that is known", f"known are {known}")
    return found[0]
