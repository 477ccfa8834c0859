"""RegressionModel of PMML: tables of numeric and categorical predictors and of products."""

from __future__ import annotations

from matscore.models.algebra import Feature, combine, constant
from matscore.models.operations import multiply, raise_to
from matscore.models.pmml_derived import Derived, evaluate
from matscore.models.pmml_scores import Scores, score_binary, score_regression
from matscore.models.pmml_xml import Element
from matscore.models.refusal import Refusal


def read_regression(model: Element, derived: Derived, target: str) -> Scores:
    """Return the scores of a RegressionModel."""
    tables = model.find("RegressionTable")
    link = model.get("normalizationMethod", "none")
    if model.need("functionName") == "regression":
        if len(tables) != 1:
            raise Refusal(f"a regression of {len(tables)} tables")
        return score_regression(_read_table(tables[0], derived), target, link)
    categories = tuple(table.need("targetCategory") for table in tables)
    known = derived.fields.values_of(target)
    if len(tables) < 2 or (known and set(known) != set(categories)):
        raise Refusal("its tables are not those of its categories")
    if derived.fields.data and derived.fields.optype_of(target) == "ordinal":
        raise Refusal("an ordinal target: its categories are intervals of one score, not linear")
    scores = [_read_table(table, derived) for table in tables]
    if len(tables) == 2 and link not in {"softmax", "simplemax"}:
        first, second = categories
        return score_binary(first, second, scores[0], link)  # the second table does not count
    return _score_several(categories, scores, link)


def _score_several(categories: tuple[str, ...], scores: list[Feature], link: str) -> Scores:
    if link == "softmax":
        return Scores(categories, tuple(scores))
    if link == "none":  # scores are probabilities, the last what is left
        last = 1 - combine(scores[:-1], [1] * (len(scores) - 1))
        fact = f'scores are probabilities; that of "{categories[-1]}" is 1 less the others'
        return Scores(categories, (*scores[:-1], last), "identity", (fact,))
    if link == "logit":
        return Scores(categories, tuple(scores), "one-vs-rest")  # as the evaluator has it
    if link == "simplemax":
        raise Refusal("simplemax divides scores by their sum: below 0 the least one is its label")
    raise Refusal(f"normalizationMethod {link} of {len(categories)} categories")


def _read_table(table: Element, derived: Derived) -> Feature:
    features, weights = [constant(1)], [table.number("intercept", 0.0)]
    for one in table.children:
        match one.tag:
            case "NumericPredictor":
                number = derived.find(_name(one)).number()
                exponent = one.number("exponent", 1.0)
                feature = number if exponent == 1 else raise_to(number, constant(exponent))
            case "CategoricalPredictor":
                feature = derived.find(_name(one)).equals(one.need("value"), "zero")
            case "PredictorTerm":
                feature = constant(1)
                for i, reference in enumerate(one.find("FieldRef")):
                    factor = evaluate(reference, derived).number()
                    feature = multiply(feature, factor) if i else factor
            case _:
                raise Refusal(f"{one.tag} in a RegressionTable is not known")
        features.append(feature)
        weights.append(one.number("coefficient"))
    return combine(features, weights)


def _name(predictor: Element) -> str:
    return predictor.get("name") or predictor.need("field")
