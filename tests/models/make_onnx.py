"""Write the ONNX models of the tests and what onnxruntime answers to them.

Made with onnx 1.23.2, skl2onnx 1.20.0, onnxruntime 1.32.0 and scikit-learn 1.9.1, which the tests
themselves do not need:

    python tests/models/make_onnx.py
"""

from __future__ import annotations

import json
import math
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, Int64TensorType, StringTensorType
from sklearn.compose import ColumnTransformer
from sklearn.cross_decomposition import PLSRegression
from sklearn.decomposition import PCA, IncrementalPCA, TruncatedSVD
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.feature_selection import VarianceThreshold
from sklearn.impute import SimpleImputer
from sklearn.linear_model import (
    GammaRegressor,
    LinearRegression,
    LogisticRegression,
    Perceptron,
    PoissonRegressor,
    Ridge,
    RidgeClassifier,
    SGDClassifier,
    SGDRegressor,
    TweedieRegressor,
)  # fmt: skip
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputRegressor
from sklearn.naive_bayes import BernoulliNB, ComplementNB, MultinomialNB
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import (
    Binarizer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    PowerTransformer,
    RobustScaler,
    StandardScaler,
    TargetEncoder,
)  # fmt: skip
from sklearn.svm import SVC, SVR, LinearSVC, LinearSVR

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.models.make_rows import AMOUNT, NUMBERS, ROWS, TEXTS, THREE, TRAIN, TWO

HERE = Path(__file__).parent / "data" / "onnx"


def encode(texts: Any, numbers: Any = None) -> ColumnTransformer:
    numbers = numbers or make_pipeline(SimpleImputer(), StandardScaler())
    return ColumnTransformer([("numbers", numbers, NUMBERS), ("texts", texts, TEXTS)])


FITTED: list[Any] = []
MIXED = [*((name, FloatTensorType([None, 1])) for name in NUMBERS),
         *((name, StringTensorType([None, 1])) for name in TEXTS)]  # fmt: skip


def iter_pipelines() -> Iterator[tuple[str, Callable[[], Any]]]:
    """Yield the name of each model and what converts it."""

    def convert(
        model: Any, y: Any, types: Any = None, double: bool = False, **options: Any
    ) -> Callable[[], Any]:
        def make() -> Any:
            X = TRAIN[NUMBERS].to_numpy(np.float64 if double else np.float32)
            fitted = model.fit(TRAIN if types else X, y)
            FITTED.append(fitted)
            return to_onnx(fitted, None if types else X[:1], initial_types=types, **options)

        return make

    logistic = LogisticRegression
    yield "logistic", convert(logistic(), TWO)
    yield "logistic3", convert(logistic(), THREE)
    yield "logistic_no_map", convert(logistic(), TWO, options={"zipmap": False})
    yield "logistic_columns", convert(logistic(), THREE, options={"zipmap": "columns"})
    yield "logistic_raw", convert(logistic(), TWO, options={"raw_scores": True})
    yield "one_vs_rest", convert(OneVsRestClassifier(logistic()), THREE)
    double = make_pipeline(StandardScaler(), logistic())
    yield "double", convert(double, TWO, double=True, options={"zipmap": False})
    double = make_pipeline(SimpleImputer(), StandardScaler(), logistic())
    yield "double_imputer", convert(double, TWO, double=True)
    ignore = OneHotEncoder(handle_unknown="ignore")
    yield "one_hot", convert(make_pipeline(encode(ignore), logistic()), TWO, MIXED)
    yield "one_hot3", convert(make_pipeline(encode(ignore), logistic()), THREE, MIXED)
    drop = OneHotEncoder(drop="first")
    yield "one_hot_drop", convert(make_pipeline(encode(drop), logistic()), TWO, MIXED)
    rare = OneHotEncoder(min_frequency=70, handle_unknown="infrequent_if_exist")
    yield "one_hot_rare", convert(make_pipeline(encode(rare), logistic()), TWO, MIXED)
    ordinal = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    yield "ordinal", convert(make_pipeline(encode(ordinal), logistic()), TWO, MIXED)
    target = TargetEncoder(random_state=0)
    yield "target", convert(make_pipeline(encode(target), logistic()), TWO, MIXED)
    rooms = ColumnTransformer([("rooms", OneHotEncoder(handle_unknown="ignore"), ["rooms"])])
    whole = [("rooms", Int64TensorType([None, 1]))]
    yield "one_hot_whole", convert(make_pipeline(rooms, logistic()), TWO, whole)
    wide = ColumnTransformer([
        ("scaled", StandardScaler(), [0, 1]), ("again", MinMaxScaler(), [1])])  # fmt: skip
    yield "positions", convert(make_pipeline(wide, Ridge()), AMOUNT)

    steps = {
        "minmax": MinMaxScaler(), "maxabs": MaxAbsScaler(), "robust": RobustScaler(),
        "binarizer": Binarizer(threshold=40), "pca": PCA(2), "svd": TruncatedSVD(1),
        "variance": VarianceThreshold(), "incremental": IncrementalPCA(2),
        "imputer": SimpleImputer(), "union": make_union(StandardScaler(), PCA(1)),
        "polynomial": make_pipeline(StandardScaler(), PolynomialFeatures(2)),
        "interactions": PolynomialFeatures(2, interaction_only=True, include_bias=False),
        "normalizer": Normalizer(), "power": PowerTransformer(),
    }  # fmt: skip
    for name, step in steps.items():
        yield name, convert(make_pipeline(step, logistic(max_iter=2000)), TWO)

    scaled: dict[str, Any] = {
        "lda": LinearDiscriminantAnalysis(), "ridge_classifier": RidgeClassifier(),
        "perceptron": Perceptron(), "sgd_log": SGDClassifier(loss="log_loss", random_state=0),
        "sgd_hinge": SGDClassifier(random_state=0), "liblinear": logistic(solver="liblinear"),
    }  # fmt: skip
    for name, model in scaled.items():
        yield name, convert(make_pipeline(StandardScaler(), model), TWO)
        if name != "liblinear":
            yield f"{name}3", convert(make_pipeline(StandardScaler(), model), THREE)
    for name, bayes in {"multinomial": MultinomialNB(), "complement": ComplementNB()}.items():
        yield name, convert(bayes, THREE)
    yield "bernoulli", convert(BernoulliNB(binarize=40), TWO)
    regressions: dict[str, Any] = {
        "linear": LinearRegression(), "poisson": PoissonRegressor(), "gamma": GammaRegressor(),
        "tweedie": TweedieRegressor(power=1.5), "linear_svr": LinearSVR(random_state=0),
        "svr": SVR(kernel="linear"), "sgd": SGDRegressor(random_state=0), "pls": PLSRegression(1),
    }  # fmt: skip
    for name, model in regressions.items():
        yield name, convert(make_pipeline(StandardScaler(), model), AMOUNT)
    both = np.column_stack([AMOUNT, -2 * AMOUNT + TRAIN.income])
    yield "targets", convert(LinearRegression(), both)
    yield "targets_each", convert(MultiOutputRegressor(Ridge()), both)
    yield "svc", convert(make_pipeline(StandardScaler(), SVC(kernel="linear")), TWO)
    yield "linear_svc", convert(make_pipeline(StandardScaler(), LinearSVC()), TWO, options={})


def iter_graphs() -> Iterator[tuple[str, Any]]:
    """Yield models as networks are exported: one dense layer."""
    rng = np.random.default_rng(3)

    def describe(name: str, n: int | None, is_text: bool = False) -> Any:
        if is_text:
            return helper.make_tensor_value_info(name, TensorProto.STRING, ["batch"])
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", n])

    def node(kind: str, inputs: str, outputs: str, domain: str = "", **attributes: Any) -> Any:
        names = inputs.split(), outputs.split()
        return helper.make_node(kind, *names, domain=domain, **attributes)

    def build(
        nodes: list[Any], outputs: list[str], constants: dict[str, Any], inputs: Any,
        texts: Sequence[str] = (),
    ) -> Any:  # fmt: skip
        graph = helper.make_graph(
            nodes, "main_graph",
            [describe(name, n) for name, n in inputs],
            [describe(name, None, is_text=name in texts) for name in outputs],
            [numpy_helper.from_array(np.asarray(v), name) for name, v in constants.items()],
        )  # fmt: skip
        opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
        model = helper.make_model(
            graph, opset_imports=opsets, producer_name="pytorch", ir_version=8
        )
        onnx.checker.check_model(model)
        return model

    weight, bias = rng.normal(size=(1, 2)).astype("f4") / 10, rng.normal(size=1).astype("f4")
    gemm = helper.make_node("Gemm", ["x", "w", "b"], ["s"], transB=1)
    yield (
        "torch_sigmoid",
        build(
            [gemm, helper.make_node("Sigmoid", ["s"], ["p"])],
            ["p"],
            {"w": weight, "b": bias},
            [("x", 2)],
        ),
    )
    weight, bias = rng.normal(size=(2, 3)).astype("f4") / 10, rng.normal(size=3).astype("f4")
    dense = [
        helper.make_node("MatMul", ["x", "w"], ["m"]),
        helper.make_node("Add", ["m", "b"], ["s"]),
    ]
    softmax = helper.make_node("Softmax", ["s"], ["p"], axis=-1)
    yield "keras_softmax", build([*dense, softmax], ["p"], {"w": weight, "b": bias}, [("x", None)])
    log_softmax = helper.make_node("LogSoftmax", ["s"], ["p"], axis=1)
    yield (
        "torch_log_softmax",
        build([*dense, log_softmax], ["p"], {"w": weight, "b": bias}, [("x", 2)]),
    )
    yield "torch_two_inputs", build(
        [helper.make_node("Concat", ["age", "income"], ["x"], axis=1), *dense], ["s"],
        {"w": weight, "b": bias}, [("age", 1), ("income", 1)],
    )  # fmt: skip
    relu = helper.make_node("Relu", ["s"], ["p"])
    yield "torch_relu", build([*dense, relu], ["p"], {"w": weight, "b": bias}, [("x", 2)])
    one = np.array([1.0], "f4")
    yield "exp_over_sum", build(
        [*dense, node("Exp", "s", "e"), node("ReduceSum", "e axis", "t", keepdims=1),
         node("Div", "e t", "p")],
        ["p"], {"w": weight, "b": bias, "axis": np.array([1])}, [("x", 2)],
    )  # fmt: skip
    yield "one_over", build(
        [node("MatMul", "x v", "s"), node("Neg", "s", "n"), node("Exp", "n", "e"),
         node("Add", "one e", "d"), node("Div", "one d", "p")],
        ["p"], {"v": weight[:, :1], "one": one}, [("x", 2)],
    )  # fmt: skip
    yield "computed", build(
        [node("Slice", "x zero_ one_ axis", "age"), node("Gather", "x two_", "income", axis=1),
         node("Pow", "age two", "age2"), node("Sqrt", "income", "root"),
         node("Log", "income", "log"), node("Greater", "age forty", "g"),
         node("Cast", "g", "old", to=1),
         node("LessOrEqual", "income twenty", "l"), node("Cast", "l", "low", to=1),
         node("Mul", "age income", "both"), node("Div", "age forty", "share"),
         node("Sub", "forty age", "left"), node("ReduceSum", "x axis", "total", keepdims=1),
         node("Concat", "age2 root log old low both share left total", "z", axis=1),
         node("Gemm", "z w b", "s", alpha=0.5, beta=2.0)],
        ["s"],
        {"zero_": np.array([0]), "one_": np.array([1]), "axis": np.array([1]),
         "two_": np.array([1]), "two": np.array([2.0], "f4"), "forty": np.array([40.0], "f4"),
         "twenty": np.array([[20.0]], "f4"), "w": rng.normal(size=(9, 2)).astype("f4"),
         "b": rng.normal(size=2).astype("f4")},
        [("x", 2)],
    )  # fmt: skip
    yield "gaps", build(
        [node("IsNaN", "x", "m"), node("Cast", "m", "gaps", to=1),
         node("Split", "x sizes", "a i", axis=1),
         node("Imputer", "a", "age", "ai.onnx.ml", imputed_value_floats=[45.0],
              replaced_value_float=float("nan")),
         node("Imputer", "i", "income", "ai.onnx.ml", imputed_value_floats=[20.0],
              replaced_value_float=float("nan")),
         node("FeatureVectorizer", "age income gaps", "z", "ai.onnx.ml", inputdimensions=[1, 1, 2]),
         node("Flatten", "z", "f", axis=1), node("MatMul", "f w", "m2"), node("Add", "m2 b", "s"),
         node("ArgMax", "s", "k", axis=1, keepdims=0),
         node("LabelEncoder", "k", "label", "ai.onnx.ml", keys_int64s=[0, 1, 2],
              values_strings=["low", "middle", "high"]),
         node("Softmax", "s", "p", axis=1)],
        ["label", "p"],
        {"sizes": np.array([1, 1]), "w": rng.normal(size=(4, 3)).astype("f4") / 5, "b": bias},
        [("x", 2)], ["label"],
    )  # fmt: skip
    # One row of coefficients for two classes; and one that is short of half of them.
    row = helper.make_node(
        "LinearClassifier", ["x"], ["label", "p"], domain="ai.onnx.ml", coefficients=[0.1, -0.3],
        intercepts=[0.5], classlabels_ints=[0, 1], post_transform="LOGISTIC",
    )  # fmt: skip
    yield "one_row", build([row], ["p"], {}, [("x", 2)])
    short = helper.make_node(
        "LinearClassifier", ["x"], ["label", "p"], domain="ai.onnx.ml",
        coefficients=[0.1, -0.3, 0.2, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2],
        intercepts=[0.5, 0.1, 0.2], classlabels_ints=[0, 1, 2], post_transform="LOGISTIC",
    )  # fmt: skip
    yield "too_many_coefficients", build([short], ["p"], {}, [("x", 2)])


def answer(model: Any) -> dict[str, Any]:
    """Return the outputs for each row, None where there is an error or a number is NaN."""
    try:
        session: Any = onnxruntime.InferenceSession(model.SerializeToString())
    except Exception as error:
        # It has no Imputer of float64, which the standard has: scikit-learn's own answers.
        print("   onnxruntime cannot run it:", str(error)[:100])
        return answer_by_model(FITTED[-1])
    found: dict[str, list[Any]] = {output.name: [] for output in session.get_outputs()}
    kinds = {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(int64)": np.int64}
    inputs = session.get_inputs()
    wide = inputs[0].shape[-1] != 1 or (len(inputs) > 1 and inputs[0].name == "x")
    for _, row in ROWS.iterrows():
        names = [NUMBERS] if wide else [[one.name] for one in inputs]
        feed = {
            one.name: np.array([[row[name] for name in columns]], dtype=kinds.get(one.type, object))
            for one, columns in zip(inputs, names, strict=True)
        }
        try:
            outputs = session.run(None, feed)
        except Exception:
            outputs = [None] * len(found)
        for values, output in zip(found.values(), outputs, strict=True):
            values.append(clean(output))
    return found


def answer_by_model(fitted: Any) -> dict[str, Any]:
    X = ROWS[NUMBERS].to_numpy()
    labels, numbers = fitted.predict(X).tolist(), fitted.predict_proba(X).tolist()
    return {"label": [[label] for label in labels], "probabilities": numbers}


def clean(output: Any) -> Any:
    if output is None:
        return None
    output = output[0] if isinstance(output, list) else output
    is_double = getattr(output, "dtype", None) == np.float64
    values = list(output.values()) if isinstance(output, dict) else np.ravel(output).tolist()
    values = [v if isinstance(v, str) else float(v) for v in values]
    if any(not isinstance(v, str) and math.isnan(v) for v in values):
        return None
    return [v if isinstance(v, str) or is_double else float(f"{v:.9g}") for v in values]


def main() -> None:
    warnings.simplefilter("ignore")
    onnxruntime.set_default_logger_severity(4)
    HERE.mkdir(parents=True, exist_ok=True)
    for old in HERE.iterdir():
        old.unlink()
    ROWS.to_csv(HERE / "rows.csv", index=False)
    answers = {}
    models = [*iter_pipelines(), *((name, lambda m=m: m) for name, m in iter_graphs())]
    for name, make in models:
        try:
            model = make()
        except Exception as error:
            print(name, "is not converted:", str(error)[:100])
            continue
        (HERE / f"{name}.onnx").write_bytes(model.SerializeToString())
        answers[name] = answer(model)
        print(name, len(model.SerializeToString()))
    lines = (f"{json.dumps(name)}: {json.dumps(found)}" for name, found in answers.items())
    (HERE / "answers.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
