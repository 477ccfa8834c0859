"""LIBLINEAR and LIBSVM: models as text, with columns by their number.

The keys and what the tools do with them: `linear.cpp` of https://github.com/cjlin1/liblinear
(`save_model`, `predict_values`, `predict_probability`) and `svm.cpp` of
https://github.com/cjlin1/libsvm. Of two labels a positive score means the first in the file, and a
score of 0 the second.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matscore.links import Link
from matscore.models.algebra import add_up, column, exact
from matscore.models.bounds import ModelFile
from matscore.models.options import ImportOptions
from matscore.models.refusal import Refusal, refused_as
from matscore.models.types import FLOAT64, ImportedModel, Source

_LOGISTIC = ("L2R_LR", "L1R_LR", "L2R_LR_DUAL")
_REGRESSION = ("L2R_L2LOSS_SVR", "L2R_L2LOSS_SVR_DUAL", "L2R_L1LOSS_SVR_DUAL")
_CLASSIFIERS = (
    *_LOGISTIC, "L2R_L2LOSS_SVC", "L2R_L2LOSS_SVC_DUAL", "L2R_L1LOSS_SVC_DUAL", "L1R_L2LOSS_SVC",
    "MCSVM_CS",
)  # fmt: skip
_MOST_COLUMNS = 10_000_000
_DIGITS = 5e-8  # of the eight of a vector's numbers, relative
_DAMAGED, _AGAIN = "damaged: it ends too early, or a number is none", "copy the file again"


def _read_text(data: bytes, last: str) -> tuple[dict[str, list[str]], list[str]]:
    """Return the keys with their words, and the lines after the key `last`."""
    with refused_as("damaged: it is no text", _AGAIN):
        lines = data.decode("ascii").split("\n")
    if lines.pop().strip():  # a number that is cut off is another number
        raise Refusal("damaged: its last line has no end", _AGAIN)
    keys: dict[str, list[str]] = {}
    for i, line in enumerate(lines):
        words = line.split()
        if words[:1] == [last]:
            return keys, [line for line in lines[i + 1 :] if line.strip()]
        if not words or words[0] in keys:
            break
        keys[words[0]] = words[1:]
    raise Refusal(_DAMAGED, _AGAIN)


def _take(keys: dict[str, list[str]], key: str, default: str | None = None) -> str:
    words = keys.pop(key, [] if default is None else [default])
    if len(words) != 1:
        raise Refusal(f'it has no "{key}"' if not words else f'it has several values of "{key}"')
    return words[0]


def _read_count(word: str) -> int:
    if not (word.isdigit() and len(word) < 10):
        raise Refusal(_DAMAGED, _AGAIN)
    return int(word)


def _read_numbers(words: Sequence[str]) -> NDArray[np.float64]:
    """Return finite numbers; `float` would take underscores too."""
    try:
        numbers = np.array(list(map(float, words)), dtype=np.float64)
    except ValueError as error:
        raise Refusal(_DAMAGED, _AGAIN) from error
    if not np.isfinite(numbers).all() or any("_" in word for word in words):
        raise Refusal("it has a weight that is no finite number")
    return numbers


def _check_left(keys: Mapping[str, object]) -> None:
    if keys:
        raise Refusal(f'it has "{min(keys)}", which is not known')


def _read_liblinear(file: ModelFile, _: ImportOptions) -> ImportedModel:
    keys, lines = _read_text(file.data, "w")
    solver, n_classes = _take(keys, "solver_type"), _read_count(_take(keys, "nr_class"))
    n_columns, bias = (
        _read_count(_take(keys, "nr_feature")),
        _read_numbers([_take(keys, "bias")])[0],
    )
    labels, rho = keys.pop("label", []), _read_numbers([_take(keys, "rho", "0")])[0]
    _check_left(keys)
    if solver not in (*_CLASSIFIERS, *_REGRESSION, "ONECLASS_SVM"):
        raise Refusal(f"its solver {solver} is not known")
    is_classifier = solver in _CLASSIFIERS
    if len(labels) != (n_classes if is_classifier else 0) or n_classes < 2:
        raise Refusal(f"it has {len(labels)} labels for {n_classes} classes")
    n_vectors = n_classes if n_classes > 2 or solver == "MCSVM_CS" else 1
    words = [line.split() for line in lines]
    if len(words) != n_columns + (bias >= 0) or any(len(line) != n_vectors for line in words):
        what = f"damaged: it has not {n_columns} lines of {n_vectors} weights"
        raise Refusal(what, _AGAIN)
    weights = _read_numbers([word for line in words for word in line]).reshape(-1, n_vectors).T
    ends = [exact(bias) * exact(row[-1]) if bias >= 0 else Fraction(0) for row in weights]
    matrix = weights[:, :n_columns]
    facts = ["the file has no names: columns are known by their number"]
    if is_classifier and n_classes > 2:
        link: Link | None = "one-vs-rest" if solver in _LOGISTIC else "identity"
        return _make("LIBLINEAR", solver, labels, matrix, ends, link, facts)
    # Two labels are told apart by the first vector alone, also where MCSVM_CS has two.
    ends = [ends[0] - exact(rho)]
    if solver in _REGRESSION:
        return _make("LIBLINEAR", solver, ["y"], matrix[:1], ends, "identity", facts)
    two = [labels[1], labels[0]] if is_classifier else ["-1", "1"]
    facts.append(f'a score of exactly 0 is "{two[0]}", which stands first')
    link = None if solver in _LOGISTIC else "identity"
    return _make("LIBLINEAR", solver, two, matrix[:1], ends, link, facts)


def _read_libsvm(file: ModelFile, _: ImportOptions) -> ImportedModel:
    keys, lines = _read_text(file.data, "SV")
    kind, kernel = _take(keys, "svm_type"), _take(keys, "kernel_type")
    if kernel != "linear":
        raise Refusal(f"its kernel is {kernel}, which is not linear", "train it with -t 0")
    n_classes, n_vectors = (
        _read_count(_take(keys, "nr_class")),
        _read_count(_take(keys, "total_sv")),
    )
    labels, rho = keys.pop("label", []), _read_numbers(keys.pop("rho", []))
    fitted = [keys.pop(key, []) for key in ("probA", "probB", "prob_density_marks")]
    keys.pop("nr_sv", None)
    _check_left(keys)
    is_classifier = kind in ("c_svc", "nu_svc")
    if is_classifier and n_classes > 2:
        what = f"it votes between {n_classes} classes, two and two, which is not one linear model"
        raise Refusal(what, "train it with LIBLINEAR")
    if not is_classifier and kind not in ("epsilon_svr", "nu_svr", "one_class"):
        raise Refusal(f"its type {kind} is not known")
    if len(rho) != 1 or len(labels) != (2 if is_classifier else 0) or len(lines) != n_vectors:
        raise Refusal("damaged: its labels, rho and vectors do not fit", _AGAIN)
    weights, ends = _add_vectors(lines), [-exact(rho[0])]
    facts = ["the file has no names: columns are known by their number"]
    if any(fitted) and is_classifier:
        facts.append("its fitted probabilities (svm-predict -b 1) are not taken over")
    if kind.endswith("svr"):
        return _make("LIBSVM", kind, ["y"], [weights], ends, "identity", facts, _DIGITS)
    two = [labels[1], labels[0]] if is_classifier else ["-1", "1"]
    facts.append(f'a score of exactly 0 is "{two[0]}", which stands first')
    return _make("LIBSVM", kind, two, [weights], ends, "identity", facts, _DIGITS)


def _add_vectors(lines: Sequence[str]) -> list[Fraction]:
    """Return the sum of the vectors, each times its coefficient, in exact fractions."""
    parts: dict[int, list[Fraction]] = {}
    for line in lines:
        first, *pairs = line.split()
        words = [pair.split(":") for pair in pairs]
        if any(len(word) != 2 for word in words):
            raise Refusal(_DAMAGED, _AGAIN)
        c = exact(_read_numbers([first])[0])
        numbers = _read_numbers([number for _, number in words])
        for (index, _), number in zip(words, numbers, strict=True):
            parts.setdefault(_read_count(index), []).append(c * exact(number))
    n_columns = max(parts, default=0)
    if not 0 < n_columns <= _MOST_COLUMNS or 0 in parts:
        raise Refusal(
            f"damaged: it has columns from {min(parts, default=0)} to {n_columns}", _AGAIN
        )
    return [add_up(parts.get(i, [])) for i in range(1, n_columns + 1)]


def _make(
    tool: str, kind: str, categories: Sequence[str], coefficients: Any,
    intercept: Sequence[Fraction], link: Link | None, facts: Sequence[str],
    rounding: float = FLOAT64,
) -> ImportedModel:  # fmt: skip
    names = tuple(f"x{i}" for i in range(1, len(coefficients[0]) + 1))
    return ImportedModel(
        producer=tool, kind=kind, categories=tuple(categories),
        features=[column(name) for name in names], coefficients=coefficients,
        intercept=intercept, link=link, facts=tuple(facts), positional=names, rounding=rounding,
    )  # fmt: skip


SOURCES = (
    Source("LIBLINEAR", lambda file: file.head.startswith(b"solver_type "), _read_liblinear),
    Source("LIBSVM", lambda file: file.head.startswith(b"svm_type "), _read_libsvm),
)
