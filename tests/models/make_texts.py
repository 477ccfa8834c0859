"""Write the models of LIBLINEAR, LIBSVM, Vowpal Wabbit and XGBoost, and what these tools answer.

Made with liblinear-official 2.50.0, libsvm-official 3.37.0, vowpalwabbit 9.11.9 and xgboost-cpu
3.2.0, which the tests themselves do not need:

    python tests/models/make_texts.py
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import vowpalwabbit
import xgboost
from liblinear import liblinearutil
from libsvm import svmutil

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.models.make_rows import AMOUNT, NUMBERS, ROWS, THREE, TRAIN, TWO

HERE = Path(__file__).parent / "data" / "texts"
Answers = dict[str, list[Any]]
SIGNS = np.where(TWO == "yes", 1, -1)
LABELS = np.where(TWO == "yes", 7, 3)


def run_liblinear() -> Iterator[tuple[str, Answers]]:
    X, rows = scale(TRAIN).tolist(), scale(ROWS).tolist()
    cases: list[tuple[str, Any, str]] = [
        *((f"liblinear_{s}", LABELS, f"-s {s} -B 1") for s in (0, 1, 2, 3, 4, 5, 6, 7)),
        *((f"liblinear3_{s}", THREE, f"-s {s} -B 2.5") for s in (0, 1, 4, 5, 7)),
        ("liblinear_no_bias", LABELS, "-s 0 -B -1"), ("liblinear3_no_bias", THREE, "-s 6 -B -1"),
        *((f"liblinear_{s}", AMOUNT, f"-s {s} -B 1") for s in (11, 12, 13)),
        ("liblinear_21", LABELS, "-s 21 -B -1"),
    ]  # fmt: skip
    for name, y, options in cases:
        model = liblinearutil.train(np.asarray(y, float).tolist(), X, f"{options} -q")
        liblinearutil.save_model(str(HERE / f"{name}.txt"), model)
        kind = int(options.split()[1])
        labels, _, values = liblinearutil.predict([], rows, model, "-q")
        found: Answers = {"scores": values}
        if kind in (0, 6, 7):
            found["probabilities"] = liblinearutil.predict([], rows, model, "-b 1 -q")[2]
        if kind < 10 or kind == 21:
            found["label"] = [f"{label:.0f}" for label in labels]
            found["order"] = [str(label) for label in model.get_labels()] if kind != 21 else []
        yield name, found


def scale(frame: pd.DataFrame) -> Any:
    # As with svm-scale: without it LIBSVM does not come to an end. A missing cell is no zero here.
    X = frame[NUMBERS].fillna(0).to_numpy() / [40, 25]
    return np.round(X, 3)


def run_libsvm() -> Iterator[tuple[str, Answers]]:
    X, rows = scale(TRAIN).tolist(), scale(ROWS).tolist()
    cases = [("libsvm_svc", LABELS, "-s 0 -t 0"), ("libsvm_nu", LABELS, "-s 1 -t 0 -b 1"),
             ("libsvm_svr", AMOUNT, "-s 3 -t 0"), ("libsvm_nu_svr", AMOUNT, "-s 4 -t 0"),
             ("libsvm_one_class", LABELS, "-s 2 -t 0"), ("libsvm3", THREE, "-s 0 -t 0"),
             ("libsvm_rbf", LABELS, "-s 0 -t 2")]  # fmt: skip
    for name, y, options in cases:
        # 40 rows keep the files small.
        model = svmutil.svm_train(np.asarray(y, float)[:40].tolist(), X[:40], f"{options} -q")
        svmutil.svm_save_model(str(HERE / f"{name}.txt"), model)
        labels, _, values = svmutil.svm_predict([], rows, model, "-q")
        found: Answers = {"scores": values}
        if "svr" not in name:
            found["label"] = [f"{label:.0f}" for label in labels]
        yield name, found


def run_vowpal_wabbit() -> Iterator[tuple[str, Answers]]:
    cases: list[tuple[str, Any, str, str]] = [
        ("vw_logistic", SIGNS, "--loss_function logistic", "spaces"),
        ("vw_link", SIGNS, "--loss_function logistic --link logistic", "values"),
        ("vw_squared", AMOUNT, "", "spaces"),
        ("vw_predict_only", AMOUNT, "--predict_only_model", "plain"),
        ("vw_hinge", SIGNS, "--loss_function hinge --binary", "plain"),
        ("vw_oaa", THREE + 1, "--oaa 3 --loss_function logistic", "spaces"),
        ("vw_interactions", SIGNS, "--loss_function logistic --quadratic nt", "spaces"),
        ("vw_squares", AMOUNT / 10, "--quadratic nn --noconstant", "spaces"),
        ("vw_poisson", THREE, "--loss_function poisson --link poisson", "spaces"),
        ("vw_nn", SIGNS, "--nn 2", "spaces"),
        ("vw_readable", SIGNS, "--loss_function logistic", "readable"),
    ]
    for name, y, options, form in cases:
        with tempfile.TemporaryDirectory() as folder:
            text, model = HERE / f"{name}.txt", Path(folder) / "model.vw"
            kept = "--readable_model" if form == "readable" else "--invert_hash"
            learner = vowpalwabbit.Workspace(f"{options} {kept} {text} -f {model} --quiet")
            for label, (_, row) in zip(y, TRAIN.iterrows(), strict=True):
                learner.learn(f"{label:g} {write_example(row, form)}")
            learner.finish()
            # Raw predictions are the scores, before they are cut off.
            answers = f"{folder}/raw"
            predictor = vowpalwabbit.Workspace(f"-t -i {model} -r {answers} --quiet")
            predictions = []
            for _, row in ROWS.iterrows():
                predictions.append(predictor.predict(write_example(row, form)))
            predictor.finish()
            lines = Path(answers).read_text().splitlines()
        is_refused = name in ("vw_nn", "vw_readable")
        found: Answers = {} if is_refused else {"scores": list(map(read_raw, filter(None, lines)))}
        if "oaa" in name or "hinge" in name:
            found["label"] = [f"{p:.0f}" for p in predictions]
        if "link" in name or "poisson" in name:
            found["responses"] = [[p] for p in predictions]
        yield name, found


def read_raw(line: str) -> list[float]:
    words = [word.rpartition(":")[2] for word in line.split()]
    return [float(word) for word in words]


def write_example(row: Any, form: str) -> str:
    """Write a row as an example; a missing number is left out."""
    numbers = " ".join(f"{name}:{row[name]:g}" for name in NUMBERS if row[name] == row[name])
    sign = ":" if form == "values" else "="
    texts = [f"{name}{sign}{row[name]}" for name in ("region", "smoker") if row[name]]
    if form in ("plain", "readable"):
        return f"| {numbers} {' '.join(texts)}"
    return f"|num {numbers} |text {' '.join(texts)}"


def run_xgboost() -> Iterator[tuple[str, Answers]]:
    rooms = TRAIN.rooms.to_numpy()
    cases: list[tuple[str, Any, dict[str, Any]]] = [
        ("xgb_logistic", TWO == "yes", {"objective": "binary:logistic"}),
        ("xgb_logitraw", TWO == "yes", {"objective": "binary:logitraw"}),
        ("xgb_hinge", TWO == "yes", {"objective": "binary:hinge"}),
        ("xgb_softprob", THREE, {"objective": "multi:softprob", "num_class": 3}),
        ("xgb_softmax", THREE, {"objective": "multi:softmax", "num_class": 3}),
        ("xgb_squared", AMOUNT, {"objective": "reg:squarederror", "base_score": 12.5}),
        ("xgb_poisson", rooms, {"objective": "count:poisson"}),
        ("xgb_gamma", rooms, {"objective": "reg:gamma"}),
        ("xgb_tweedie", rooms, {"objective": "reg:tweedie"}),
        ("xgb_absolute", AMOUNT, {"objective": "reg:absoluteerror"}),
        ("xgb_share", rooms / 10, {"objective": "reg:logistic", "base_score": 0.3}),
        ("xgb_targets", np.column_stack([AMOUNT, rooms]), {"objective": "reg:squarederror"}),
        ("xgb_trees", TWO == "yes", {"objective": "binary:logistic", "booster": "gbtree"}),
    ]
    for name, y, parameters in cases:
        has_names = name != "xgb_squared"
        X = TRAIN[NUMBERS] / [40, 25] if has_names else (TRAIN[NUMBERS] / [40, 25]).to_numpy()
        rows = ROWS[NUMBERS] / [40, 25] if has_names else (ROWS[NUMBERS] / [40, 25]).to_numpy()
        settings = {"booster": "gblinear", "nthread": 1, "seed": 0, **parameters}
        booster = xgboost.train(settings, xgboost.DMatrix(X, y), 20 if "trees" not in name else 1)
        for ending in ("json", "ubj"):
            booster.save_model(HERE / f"{name}.{ending}")
        matrix = xgboost.DMatrix(rows)
        margins, answers = booster.predict(matrix, output_margin=True), booster.predict(matrix)
        found = {"scores": as_rows(margins), "responses": as_rows(answers)}
        yield name, found


def as_rows(values: Any) -> list[list[float]]:
    return [[float(f"{v:.9g}") for v in row] for row in np.reshape(values, (len(values), -1))]


def main() -> None:
    HERE.mkdir(parents=True, exist_ok=True)
    for old in HERE.iterdir():
        old.unlink()
    ROWS.to_csv(HERE / "rows.csv", index=False)
    pd.DataFrame(scale(ROWS), columns=NUMBERS).to_csv(HERE / "scaled.csv", index=False)
    (ROWS[NUMBERS] / [40, 25]).to_csv(HERE / "shares.csv", index=False)
    runs = (run_liblinear(), run_libsvm(), run_vowpal_wabbit(), run_xgboost())
    lines = [f"{json.dumps(name)}: {json.dumps(found)}" for run in runs for name, found in run]
    (HERE / "answers.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
