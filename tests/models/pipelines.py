"""Random pipelines of scikit-learn on random raw frames, by a seed."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn import decomposition, feature_selection, linear_model, svm
from sklearn import preprocessing as pre
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline

REGIONS = ["North", "South", "a=b", "New: York", "x^2", "(other)", "01", "Ümlaut, ok"]
NUMBERS = ["age", "income", "score"]
TEXTS = ["region", "grade", "flag"]


@dataclass
class Case:
    """A fitted model, and rows it has not seen."""

    model: Any
    rows: pd.DataFrame
    is_classifier: bool


def make_frame(rng: np.random.Generator, n: int, *, unseen: bool) -> pd.DataFrame:
    """Return rows with missing cells; those that are unseen have unknown levels too."""
    regions = REGIONS[: int(rng.integers(3, 7))] + (REGIONS[7:] if unseen else [])
    frame = pd.DataFrame(
        {
            "age": rng.integers(18, 80, n).astype(float),
            "income": np.round(rng.lognormal(3, 1, n), 2),
            "score": rng.normal(0, 2, n),
            "region": rng.choice(regions, n),
            "grade": rng.choice([1.0, 2.0, 3.0, 4.5] + ([7.0] if unseen else []), n),
            "flag": rng.choice(["yes", "no"], n),
        }
    )
    for name in ("age", "region", "grade", "score"):
        frame.loc[rng.random(n) < 0.15, name] = np.nan
    return frame


class Maker:
    """Draws one pipeline."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def pick(self, *options: Any) -> Any:
        return options[int(self.rng.integers(len(options)))]

    def scaler(self) -> Any:
        return self.pick(
            pre.StandardScaler(),
            pre.StandardScaler(with_mean=False),
            pre.StandardScaler(with_std=False),
            pre.MinMaxScaler((-1, 2)),
            pre.MaxAbsScaler(),
            pre.RobustScaler(),
            pre.RobustScaler(with_centering=False, quantile_range=(10, 80)),
            "passthrough",
        )

    def imputer(self) -> Any:
        strategy = self.pick("mean", "median", "most_frequent", "constant")
        fill = 3.5 if strategy == "constant" else None
        return SimpleImputer(
            strategy=strategy, fill_value=fill, add_indicator=self.pick(True, False)
        )

    def numbers(self) -> Any:
        """Return steps for columns of numbers with missing cells."""
        steps: list[Any] = [self.scaler(), self.imputer()]
        if self.pick(True, False):
            steps.reverse()
        more = self.pick("", "poly", "bins", "binary", "project", "union", "select", "")
        match more:
            case "poly":
                steps.append(
                    pre.PolynomialFeatures(
                        self.pick(2, 3, (2, 2), (0, 2)),
                        interaction_only=self.pick(True, False),
                        include_bias=self.pick(True, False),
                    )
                )
            case "bins":
                steps.append(
                    pre.KBinsDiscretizer(
                        self.pick(2, 3, 5),
                        encode=self.pick("onehot", "onehot-dense", "ordinal"),
                        strategy=self.pick("uniform", "quantile"),
                        quantile_method="averaged_inverted_cdf",
                    )
                )
            case "binary":
                steps.append(pre.Binarizer(threshold=self.pick(0.0, 0.37)))
            case "project":
                steps.append(
                    self.pick(
                        decomposition.PCA(2),
                        decomposition.PCA(2, whiten=True),
                        decomposition.TruncatedSVD(2, random_state=0),
                        decomposition.IncrementalPCA(1),
                    )
                )
            case "union":
                steps.append(
                    FeatureUnion(
                        [("a", "passthrough"), ("b", pre.StandardScaler()), ("c", "drop")],
                        transformer_weights=self.pick(None, {"b": 0.3, "a": 2.0}),
                    )
                )
            case "select":
                steps.append(
                    self.pick(
                        feature_selection.SelectKBest(feature_selection.f_regression, k=1),
                        feature_selection.SelectPercentile(
                            feature_selection.f_regression, percentile=60
                        ),
                        feature_selection.VarianceThreshold(1e-3),
                        feature_selection.SelectFpr(feature_selection.f_regression, alpha=0.999),
                        feature_selection.SelectFromModel(linear_model.Lasso(1e-3)),
                        feature_selection.RFE(linear_model.Ridge(), n_features_to_select=1),
                    )
                )
        return make_pipeline(*steps)

    def texts(self) -> Any:
        """Return steps for columns of texts."""
        unknown = self.pick("ignore", "infrequent_if_exist", "error")
        one_hot = pre.OneHotEncoder(
            handle_unknown=unknown,
            drop=self.pick(None, "first", "if_binary"),
            min_frequency=self.pick(None, 0.2, 12),
            sparse_output=False,
        )
        ordinal = pre.OrdinalEncoder(
            handle_unknown="use_encoded_value",
            unknown_value=self.pick(-1, np.nan),
            encoded_missing_value=self.pick(-2, np.nan),
            min_frequency=self.pick(None, 0.2),
        )
        fill = SimpleImputer(strategy=self.pick("most_frequent", "constant"))
        match self.pick("one", "fill", "ordinal", "target", "two"):
            case "one":
                return one_hot
            case "fill":
                return make_pipeline(fill, one_hot)
            case "ordinal":
                return make_pipeline(ordinal, SimpleImputer(), self.scaler())
            case "target":
                return make_pipeline(pre.TargetEncoder(random_state=0), self.scaler())
        return FeatureUnion([("o", one_hot), ("t", pre.TargetEncoder(random_state=0))])

    def columns(self) -> Any:
        grade = self.pick(
            pre.OneHotEncoder(handle_unknown="ignore"),
            SimpleImputer(),
            make_pipeline(
                SimpleImputer(strategy="most_frequent"), pre.OneHotEncoder(handle_unknown="ignore")
            ),
            MissingIndicator(),
        )
        function = pre.FunctionTransformer(
            self.pick(None, np.log, np.log1p, np.sqrt, np.square, np.abs)
        )
        parts = [
            ("n", self.numbers(), self.pick(["age", "score"], [0, 2], slice("age", "score"))),
            ("t", self.texts(), ["region", "flag"]),
            ("g", grade, self.pick(["grade"], [4], [False] * 4 + [True, False])),
            ("f", function, ["income"]),
        ]
        kept = [
            parts[i]
            for i in sorted(self.rng.choice(4, int(self.rng.integers(2, 5)), replace=False))
        ]
        used = {"n": {"age", "score"}, "t": {"region", "flag"}, "g": {"grade"}, "f": {"income"}}
        only_income = set().union(*(used[name] for name, *_ in kept)) >= {
            "age",
            "score",
            "region",
            "flag",
            "grade",
        }
        return ColumnTransformer(
            kept,
            remainder=self.pick("drop", "passthrough") if only_income else "drop",
            transformer_weights=self.pick(None, None, {"n": 0.5}),
            sparse_threshold=0,
        )

    def classifier(self, binary: bool) -> Any:
        logistic = linear_model.LogisticRegression(C=self.pick(0.1, 1.0), max_iter=50)
        options = [
            logistic,
            linear_model.LogisticRegression(solver="newton-cg", max_iter=20),
            linear_model.SGDClassifier(
                loss=self.pick("log_loss", "hinge", "modified_huber"), max_iter=20, tol=None
            ),
            linear_model.RidgeClassifier(),
            linear_model.Perceptron(max_iter=20, tol=None),
            svm.LinearSVC(max_iter=200),
            LinearDiscriminantAnalysis(),
            OneVsRestClassifier(logistic),
            OneVsRestClassifier(make_pipeline(pre.StandardScaler(), svm.LinearSVC())),
            GridSearchCV(logistic, {"C": [0.1, 1]}, cv=2),
        ]
        if binary:
            options += [
                linear_model.LogisticRegression(solver="liblinear"),
                make_pipeline(pre.StandardScaler(), svm.SVC(kernel="linear")),
                FixedThresholdClassifier(logistic, threshold=0.3),
            ]
        return self.pick(*options)

    def regressor(self) -> Any:
        ridge = linear_model.Ridge(alpha=2.0)
        return self.pick(
            linear_model.LinearRegression(fit_intercept=self.pick(True, False)),
            ridge,
            linear_model.Lasso(0.01),
            linear_model.ElasticNet(0.01),
            linear_model.BayesianRidge(),
            linear_model.HuberRegressor(max_iter=30),
            svm.LinearSVR(max_iter=200),
            linear_model.PoissonRegressor(max_iter=20),
            linear_model.TweedieRegressor(power=0, max_iter=20),
            MultiOutputRegressor(ridge),
            make_pipeline(pre.StandardScaler(), svm.SVR(kernel="linear")),
            TransformedTargetRegressor(
                ridge,
                transformer=self.pick(
                    pre.StandardScaler(), pre.MinMaxScaler(), pre.RobustScaler(), pre.MaxAbsScaler()
                ),
            ),
            TransformedTargetRegressor(
                ridge, func=np.log, inverse_func=np.exp, check_inverse=False
            ),
        )


def make_case(seed: int) -> Case:
    """Return a fitted pipeline of a seed; what cannot be fitted is drawn again."""
    for attempt in range(20):
        try:
            return _draw(seed * 1000 + attempt)
        except (ValueError, TypeError):  # such as texts for a selector by regression
            continue
    raise AssertionError(seed)


def _draw(seed: int) -> Case:
    maker = Maker(seed)
    rng = maker.rng
    train = make_frame(rng, 120, unseen=False)
    signal = train["age"].fillna(40) / 20 + train["score"].fillna(0) + (train["region"] == "North")
    is_classifier = bool(rng.random() < 0.6)
    target: Any
    if is_classifier:
        n_classes = int(rng.integers(2, 5))
        codes = pd.qcut(signal + rng.normal(0, 1, len(train)), n_classes, labels=False)
        names: Any = maker.pick(["a", "b", "c", "d"], [3, 1, 2, 0], [1.0, 2.0, 3.0, 4.0])
        target = np.array(names)[codes.to_numpy()]
        last = maker.classifier(n_classes == 2)
    else:
        target = np.abs(signal.to_numpy()) + 1.0
        last = maker.regressor()
        if isinstance(last, MultiOutputRegressor):
            target = np.column_stack([target, target**2])
    model = Pipeline([("columns", maker.columns()), ("last", last)])
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        model.fit(train, target)
    return Case(model, make_frame(rng, 25, unseen=True), is_classifier)
