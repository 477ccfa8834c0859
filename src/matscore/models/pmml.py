"""PMML: regressions by tables or by parameters, scorecards, and what all of them have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce

from matscore.models.algebra import Feature, combine, constant
from matscore.models.bounds import ModelFile, Refusal, in_step
from matscore.models.operations import both, compute, multiply, raise_to
from matscore.models.options import ImportOptions
from matscore.models.pmml_derived import COMPARISONS, Fields, find_first
from matscore.models.pmml_fields import (
    Element,
    Field,
    as_number,
    equals,
    find_gaps,
    holds,
    missing,
    never_missing,
    parse_xml,
    read_array,
    read_number,
)
from matscore.models.types import (
    FLOAT32,
    FLOAT64,
    Answer,
    ImportedModel,
    Source,
    Threshold,
    answer_classes,
    answer_number,
    name_power,
)


@dataclass(frozen=True)
class Scores:
    """What scores are of, and one for each category, or for the second of two."""

    answer: Answer
    features: Sequence[Feature]


def recognise(file: ModelFile) -> bool:
    """Say whether a file is XML whose first elements say PMML."""
    head = file.head.replace(b"\0", b"")  # as UTF-16 has them
    return file.folder is None and (b"<PMML" in head or b":PMML" in head)


def read(file: ModelFile, options: ImportOptions) -> ImportedModel:
    """Read a linear model in PMML."""
    root = parse_xml(file.data)
    if root.tag != "PMML":
        raise Refusal(f"XML of {root.tag}, not PMML")
    model = _find_model(root)
    if model.get("isScorable", "true") in {"false", "0"}:
        raise Refusal("its model is not for scoring, as it says itself")
    for target in model.only("Targets").find("Target"):
        for name, neutral in (("rescaleFactor", 1.0), ("rescaleConstant", 0.0)):
            if target.number(name, neutral) != neutral:
                raise Refusal(f"its Target has a {name}")
        for name in ("castInteger", "min", "max"):
            if name in target.attributes:
                raise Refusal(f"its Target has {name}, which is no linear model")
    fields = Fields(root, model, options.sample)
    columns = fields.columns
    target_name = columns.target or model.get("targetFieldName") or model.get("targetVariableName")
    scores = _READERS[model.tag](model, fields, target_name or "score")
    outputs = model.only("Output").find("OutputField")
    computed = [one for one in outputs if one.get("feature") in {"transformedValue", "decision"}]
    told = [
        f'output "{one.get("name")}" is computed after the model, and is not taken over'
        for one in computed
        if one.children
    ]
    shares = {f.need("name"): f.get("value") for f in outputs if f.get("feature") == "probability"}
    threshold = _find_threshold(computed, shares, scores.answer)
    n = len(scores.features)
    floats = any(one.get("dataType") == "float" for one in columns.data.values())
    floats |= "float" in {model.get("mathContext"), model.get("x-mathContext")}
    about = root.only("Header").only("Application")
    producer = f"{about.get('name')} {about.get('version')}".strip()
    return ImportedModel(
        producer or f"PMML {root.get('version')}",
        model.get("algorithmName") or model.get("modelType") or model.tag,
        scores.answer.categories, scores.features,
        [[int(i == j) for j in range(n)] for i in range(n)], [0] * n,
        link=scores.answer.link, steps=tuple(fields.steps), threshold=threshold,
        facts=(*scores.answer.facts, *told, *["the tool computes with float32"] * floats),
        rounding=FLOAT32 if floats else _read_digits(model) if "SAS" in producer else FLOAT64,
    )  # fmt: skip


SOURCE = Source("PMML", recognise, read)


def _find_model(root: Element) -> Element:
    """Return the one model of a file."""
    found = [one for one in root.children if one.tag.endswith("Model") or one.tag in _READERS]
    if len(found) != 1:
        raise Refusal(f"it holds {len(found)} models", "keep one of them in the file")
    if found[0].tag not in _READERS:
        known = ", ".join(_READERS)
        raise Refusal(f"{found[0].tag} is no linear model that is known", f"known are {known}")
    return found[0]


def _read_digits(model: Element) -> float:
    """Return the relative precision of numbers that are written with few decimals."""
    names = ("coefficient", "intercept", "beta")
    worst = FLOAT64
    for text in (one.get(name) for one in model.walk() for name in names):
        decimals = text.partition(".")[2]
        if decimals.isdigit() and (size := abs(read_number(text))):
            worst = max(worst, 0.5 * 10.0 ** -len(decimals) / size)
    return worst


def _find_threshold(
    outputs: Sequence[Element], shares: Mapping[str, str], answer: Answer
) -> Threshold | None:
    """Return the border that one of two probabilities is compared with behind the model."""
    found = set[tuple[str, float]]()
    for apply in (one for output in outputs for one in output.walk()):
        of = [shares[ref] for one in apply.find("FieldRef") if (ref := one.get("field")) in shares]
        borders = apply.find("Constant")
        if apply.get("function") in {*COMPARISONS, "threshold"} and len(of) == len(borders) == 1:
            found.add((of[0], read_number(borders[0].text)))
    if len(found) != 1 or len(answer.categories) != 2:
        return answer.threshold
    ((category, border),) = found
    if category not in answer.categories:
        raise Refusal(f'its Output has a probability of "{category}", which is no category')
    value = border if category == answer.categories[1] else 1 - border
    return Threshold(value, "probability")


def _score_classes(first: str, second: str, score: Feature, link: str) -> Scores:
    """Return the scores of two categories, of which the first has the probability of the score."""
    if link in {"logit", "softmax"}:
        answer = answer_classes(second, first, "logit")
        return Scores(replace(answer, categories=(first, second)), (score, constant(0)))
    if link in {"none", "identity"}:
        facts = (f'scores are probabilities, cut at 0 and 1 by the tool; they favour "{first}"',)
        return Scores(Answer((first, second), "identity", facts), (score, 1 - score))
    if link not in {"probit", "cloglog", "loglog", "cauchit"}:
        raise Refusal(f"link {link} is not known for two categories")
    answer = answer_classes(second, first, link)
    tie = f'a tie is "{first}" in the tool, "{second}" here'
    return Scores(replace(answer, facts=(*answer.facts, tie)), (score,))


# ------------------------------------------------------------------------------------- by tables


def _read_regression(model: Element, fields: Fields, target: str) -> Scores:
    """Read a RegressionModel: tables of numeric and categorical predictors and of products."""
    tables = model.find("RegressionTable")
    link = model.get("normalizationMethod", "none")
    if model.need("functionName") == "regression":
        if len(tables) != 1:
            raise Refusal(f"a regression of {len(tables)} tables")
        return Scores(answer_number(target, link), (_read_table(tables[0], fields),))
    categories = tuple(table.need("targetCategory") for table in tables)
    known = fields.columns.values_of(target)
    if len(tables) < 2 or (known and set(known) != set(categories)):
        raise Refusal("its tables are not those of its categories")
    if fields.columns.data and fields.columns.optype_of(target) == "ordinal":
        raise Refusal("an ordinal target: its categories are intervals of one score, not linear")
    scores = [_read_table(table, fields) for table in tables]
    if len(tables) == 2 and link not in {"softmax", "simplemax"}:
        # The second table does not count.
        return _score_classes(categories[0], categories[1], scores[0], link)
    match link:
        case "softmax":
            return Scores(Answer(categories, None), scores)
        case "none":  # scores are probabilities, the last what is left
            last = 1 - combine(scores[:-1], [1] * (len(scores) - 1))
            fact = f'scores are probabilities; that of "{categories[-1]}" is 1 less the others'
            return Scores(Answer(categories, "identity", (fact,)), (*scores[:-1], last))
        case "logit":
            return Scores(Answer(categories, "one-vs-rest"), scores)  # as the evaluator has it
        case "simplemax":
            raise Refusal("simplemax divides scores by their sum: under 0 the least is its label")
    raise Refusal(f"normalizationMethod {link} of {len(categories)} categories")


def _read_table(table: Element, fields: Fields) -> Feature:
    features, weights = [constant(1)], [table.number("intercept", 0.0)]
    for one in table.children:
        name = one.get("name") or one.get("field")
        match one.tag:
            case "NumericPredictor":
                power = constant(one.number("exponent", 1.0))
                feature = raise_to(fields.number(name), power)
            case "CategoricalPredictor":
                feature = holds(fields.find(name), one.need("value"))
            case "PredictorTerm":
                parts = [fields.number(ref.need("field")) for ref in one.find("FieldRef")]
                feature = reduce(multiply, parts, constant(1))
            case _:
                raise Refusal(f"{one.tag} in a RegressionTable is not known")
        features.append(feature)
        weights.append(one.number("coefficient"))
    return combine(features, weights)


# --------------------------------------------------------------------------------- by parameters

_KINDS = {"regression", "generalLinear", "generalizedLinear", "multinomialLogistic"}


def _read_general(model: Element, fields: Fields, target: str) -> Scores:
    """Read a GeneralRegressionModel."""
    kind = model.need("modelType")
    if kind not in _KINDS:
        raise Refusal(f"modelType {kind} is not linear in its categories")
    for name in ("trialsVariable", "trialsValue"):
        if name in model.attributes:
            raise Refusal(f"its {name} multiplies what it predicts")
    link = model.get("linkFunction", "identity") if kind == "generalizedLinear" else "identity"
    if link == "power":
        link = name_power(model.number("linkParameter"))
    scores = _read_parameters(model, fields, _read_offset(model, fields, kind))
    if model.need("functionName") == "regression":
        if set(scores) != {""}:
            raise Refusal("a regression whose parameters are of categories")
        return Scores(answer_number(target, link), (scores[""],))
    known = fields.columns.values_of(target)
    reference = model.get("targetReferenceCategory")
    if not reference:  # the one that has no parameters
        left = [value for value in known if value not in scores]
        if len(left) != 1:
            raise Refusal("it does not say which of its categories is the reference")
        reference = left[0]
    others = [value for value in known or scores if value not in {reference, ""}]
    if len(others) == 1 and set(scores) == {""}:
        scores = {others[0]: scores[""]}
    if scores.keys() - {reference} != set(others) or not others:
        raise Refusal("its parameters are not those of its categories")
    if kind == "multinomialLogistic":
        found = [scores[one] for one in others]
        return Scores(Answer((*others, reference), None), (*found, constant(0)))
    if len(others) != 1 or kind != "generalizedLinear":
        raise Refusal(f"modelType {kind} of {len(others) + 1} categories")
    return _score_classes(others[0], reference, scores[others[0]], link)


def _read_offset(model: Element, fields: Fields, kind: str) -> Feature:
    names = [name for name in ("offsetVariable", "offsetValue") if name in model.attributes]
    if not names:
        return constant(0)
    if kind != "generalizedLinear":
        raise Refusal(f"its {names[0]} has no meaning for modelType {kind}")
    if names[0] == "offsetVariable":
        return fields.number(model.get("offsetVariable"))
    return constant(model.number("offsetValue"))


def _read_parameters(model: Element, fields: Fields, offset: Feature) -> dict[str, Feature]:
    """Return the linear predictor of each category; that of "" is of all of them."""
    factors = {one.need("name"): one for one in model.only("FactorList").find("Predictor")}
    covariates = {one.need("name") for one in model.only("CovariateList").find("Predictor")}
    products: dict[tuple[str, str], Feature] = {}  # by category and parameter
    for cell in model.only("PPMatrix").find("PPCell"):
        name, value = cell.need("predictorName"), cell.need("value")
        if name in factors:
            found = _read_factor(factors[name], value, fields)
        elif name in covariates:
            found = raise_to(fields.number(name), constant(read_number(value)))
        else:
            raise Refusal(f'"{name}" is neither among its factors nor its covariates')
        key = cell.get("targetCategory"), cell.need("parameterName")
        products[key] = multiply(products[key], found) if key in products else found
    own = {category for category, _ in products}
    parts: dict[str, list[tuple[Feature, float]]] = {}
    for cell in model.only("ParamMatrix").find("PCell"):
        category = cell.get("targetCategory")
        key = category if category in own else "", cell.need("parameterName")
        pair = products.get(key, constant(1)), cell.number("beta")
        parts.setdefault(category, []).append(pair)
    return {
        category: combine([offset, *(one for one, _ in pairs)], [1, *(beta for _, beta in pairs)])
        for category, pairs in parts.items()
    }


def _read_factor(factor: Element, value: str, fields: Fields) -> Feature:
    """Return the column of a category: of itself, or as a matrix of contrasts has it."""
    field, matrix = fields.find(factor.need("name")), factor.find("Matrix")
    if not matrix:
        return equals(field, value)
    names = [one.need("value") for one in factor.only("Categories").find("Category")]
    rows = [[read_number(number) for number in read_array(row)] for row in matrix[0].find("Array")]
    place = names.index(value) if value in names else len(names)
    if len(rows) != len(names) or any(len(row) <= place for row in rows):
        raise Refusal(f'the contrasts of "{factor.get("name")}" do not fit its categories')
    return combine([equals(field, name) for name in names], [row[place] for row in rows])


# ------------------------------------------------------------------------------------- scorecards


def _read_scorecard(model: Element, fields: Fields, target: str) -> Scores:
    """Read the points of the first attribute of each characteristic that is true."""
    parts = [constant(model.number("initialScore", 0.0))]
    for one in model.only("Characteristics").find("Characteristic"):
        with in_step(one.get("name") or "characteristic"):
            parts.append(_read_characteristic(one.find("Attribute"), fields))
    if len(parts) == 1:
        raise Refusal("it has no characteristics")
    facts = ("reason codes are not taken over",) if model.get("useReasonCodes") != "false" else ()
    return Scores(Answer((target,), "identity", facts), (combine(parts, [1] * len(parts)),))


def _read_characteristic(attributes: Sequence[Element], fields: Fields) -> Feature:
    tests = [
        _read_predicate(one.children[0] if one.children else one, fields) for one in attributes
    ]
    indicators, left = find_first(tests)
    parts = [
        both(indicator, _read_points(one, fields))
        for indicator, one in zip(indicators, attributes, strict=True)
    ]
    found = combine(parts, [1] * len(parts))
    return replace(found, undefined=found.undefined | find_gaps(left))


def _read_points(attribute: Element, fields: Fields) -> Feature:
    computed = attribute.only("ComplexPartialScore").children
    if computed:
        return as_number(fields.evaluate(computed[0]))
    return constant(attribute.number("partialScore"))


def _read_predicate(element: Element, fields: Fields) -> Feature:
    """Return 1 where a predicate is true; what is unknown is not."""
    match element.tag:
        case "True":
            return constant(1)
        case "False":
            return constant(0)
        case "SimplePredicate":
            return never_missing(_read_simple(element, fields))
        case "SimpleSetPredicate":
            field, operator = fields.find(element.need("field")), element.need("booleanOperator")
            values = dict.fromkeys(read_array(element.only("Array")))
            inside = combine([holds(field, value) for value in values], [1] * len(values))
            if operator in {"isIn", "isNotIn"}:
                return inside if operator == "isIn" else _not_in(field, inside)
        case "CompoundPredicate":
            operator = element.need("booleanOperator")
            parts = [_read_predicate(one, fields) for one in element.children]
            if operator in {"and", "or"} and parts:
                return compute("&" if operator == "and" else "|", *parts)
    raise Refusal(f"{element.tag} is no predicate that is known")


def _read_simple(element: Element, fields: Fields) -> Feature:
    field, operator = fields.find(element.need("field")), element.need("operator")
    match operator:
        case "isMissing":
            return missing(field)
        case "isNotMissing":
            return 1 - missing(field)
        case "equal":
            return holds(field, element.need("value"))
        case "notEqual":
            return _not_in(field, holds(field, element.need("value")))
    if operator not in COMPARISONS:
        raise Refusal(f"operator {operator} is not known")
    border = constant(element.number("value"))
    return compute(COMPARISONS[operator], as_number(field), border)


def _not_in(field: Field, inside: Feature) -> Feature:
    return multiply(1 - inside, 1 - missing(field))


_READERS: Mapping[str, Callable[[Element, Fields, str], Scores]] = {
    "RegressionModel": _read_regression,
    "GeneralRegressionModel": _read_general,
    "Scorecard": _read_scorecard,
}
