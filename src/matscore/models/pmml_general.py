"""GeneralRegressionModel of PMML: parameters that are products of cells, and betas for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from matscore.models.algebra import Feature, combine, constant
from matscore.models.operations import multiply, raise_to
from matscore.models.pmml_derived import Derived
from matscore.models.pmml_fields import TextField, read_array
from matscore.models.pmml_scores import Scores, score_binary, score_regression
from matscore.models.pmml_xml import Element, read_number
from matscore.models.refusal import Refusal

_KINDS = {"regression", "generalLinear", "generalizedLinear", "multinomialLogistic"}


def read_general(model: Element, derived: Derived, target: str) -> Scores:
    """Return the scores of a GeneralRegressionModel."""
    kind = model.need("modelType")
    if kind not in _KINDS:
        raise Refusal(f"modelType {kind} is not linear in its categories")
    for name in ("trialsVariable", "trialsValue"):
        if name in model.attributes:
            raise Refusal(f"its {name} multiplies what it predicts")
    link = model.get("linkFunction", "identity") if kind == "generalizedLinear" else "identity"
    reader = _Parameters(model, derived)
    if model.need("functionName") == "regression":
        if set(reader.betas) != {""}:
            raise Refusal("a regression whose parameters are of categories")
        score = reader.score("") + _read_offset(model, derived, kind)
        parameter = model.number("linkParameter") if "linkParameter" in model.attributes else None
        return score_regression(score, target, link, parameter)
    return _read_categories(model, derived, target, reader, link)


def _read_categories(
    model: Element, derived: Derived, target: str, reader: _Parameters, link: str
) -> Scores:
    kind = model.get("modelType")
    known = derived.fields.values_of(target)
    reference = model.get("targetReferenceCategory")
    if not reference:  # the one that has no parameters
        left = [value for value in known if value not in reader.betas]
        if len(left) != 1:
            raise Refusal("it does not say which of its categories is the reference")
        reference = left[0]
    others = [value for value in known or reader.betas if value not in {reference, ""}]
    offset = _read_offset(model, derived, kind)
    if len(others) == 1 and set(reader.betas) == {""}:
        scores = [reader.score("") + offset]
    elif set(reader.betas) - {reference} == set(others) and others:
        scores = [reader.score(value) + offset for value in others]
    else:
        raise Refusal("its parameters are not those of its categories")
    if kind == "multinomialLogistic":
        return Scores((*others, reference), (*scores, constant(0)))
    if len(others) != 1 or kind != "generalizedLinear":
        raise Refusal(f"modelType {kind} of {len(others) + 1} categories")
    return score_binary(others[0], reference, scores[0], link)


def _read_offset(model: Element, derived: Derived, kind: str) -> Feature:
    names = [name for name in ("offsetVariable", "offsetValue") if name in model.attributes]
    if not names:
        return constant(0)
    if kind != "generalizedLinear":
        raise Refusal(f"its {names[0]} has no meaning for modelType {kind}")
    if names[0] == "offsetVariable":
        return derived.find(model.get("offsetVariable")).number()
    return constant(model.number("offsetValue"))


class _Parameters:
    """Parameters by name, and their betas by category; the category "" is all of them."""

    def __init__(self, model: Element, derived: Derived) -> None:
        self.derived = derived
        self.factors = {one.need("name"): one for one in model.only("FactorList").find("Predictor")}
        covariates = model.only("CovariateList").find("Predictor")
        self.covariates = {one.need("name") for one in covariates}
        self.cells: dict[tuple[str, str], list[Element]] = {}
        for cell in model.only("PPMatrix").find("PPCell"):
            key = cell.get("targetCategory"), cell.need("parameterName")
            self.cells.setdefault(key, []).append(cell)
        self.betas: dict[str, list[tuple[str, float]]] = {}
        for cell in model.only("ParamMatrix").find("PCell"):
            pair = cell.need("parameterName"), cell.number("beta")
            self.betas.setdefault(cell.get("targetCategory"), []).append(pair)
        self.made: dict[tuple[str, str], Feature] = {}

    def score(self, category: str) -> Feature:
        """Return the linear predictor of a category."""
        betas = self.betas[category]
        own = category if any(key[0] == category for key in self.cells) else ""
        features = [self._parameter(own, name) for name, _ in betas]
        return combine(features, [beta for _, beta in betas])

    def _parameter(self, category: str, name: str) -> Feature:
        key = category, name
        if key not in self.made:
            found = constant(1)
            for i, cell in enumerate(self.cells.get(key, [])):
                factor = self._cell(cell)
                found = multiply(found, factor) if i else factor
            self.made[key] = found
        return self.made[key]

    def _cell(self, cell: Element) -> Feature:
        name, value = cell.need("predictorName"), cell.need("value")
        field = self.derived.find(name)
        if name in self.factors:
            weights = _read_contrast(self.factors[name], value)
            if len(weights) > 1 and isinstance(field, TextField):  # there is no other level
                field = replace(field, values=tuple(weights), unknown="error", made={})
            tests = [field.equals(one, "nan") for one in weights]
            return combine(tests, list(weights.values()))
        if name not in self.covariates:
            raise Refusal(f'"{name}" is neither among its factors nor its covariates')
        exponent = read_number(value)
        number = field.number()
        return number if exponent == 1 else raise_to(number, constant(exponent))


def _read_contrast(factor: Element, value: str) -> Mapping[str, float]:
    """Return what each category weighs in the column of one: 1 for itself without a matrix."""
    matrix = factor.find("Matrix")
    if not matrix:
        return {value: 1}
    names = [one.need("value") for one in factor.only("Categories").find("Category")]
    rows = [[read_number(number) for number in read_array(row)] for row in matrix[0].find("Array")]
    place = names.index(value) if value in names else len(names)
    if len(rows) != len(names) or any(len(row) <= place for row in rows):
        raise Refusal(f'the contrasts of "{factor.get("name")}" do not fit its categories')
    return {name: row[place] for name, row in zip(names, rows, strict=True)}
