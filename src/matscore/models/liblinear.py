"""LIBLINEAR and LIBSVM: models as text, with columns by their number.

The keys and what the tools do with them: `linear.cpp` of https://github.com/cjlin1/liblinear
(`save_model`, `predict_values`, `predict_probability`) and `svm.cpp` of
https://github.com/cjlin1/libsvm. Of two labels a positive score means the first in the file, and a
score of 0 the second.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from matscore.models.algebra import column, exact, sum_products
from matscore.models.bounds import (
    ModelFile,
    Refusal,
    check_fit,
    damaged,
    read_count,
    read_numbers,
    read_text,
)
from matscore.models.options import ImportOptions
from matscore.models.types import FLOAT64, ImportedModel, Source
from matscore.options import Link

_LOGISTIC = ("L2R_LR", "L1R_LR", "L2R_LR_DUAL")
_REGRESSION = ("L2R_L2LOSS_SVR", "L2R_L2LOSS_SVR_DUAL", "L2R_L1LOSS_SVR_DUAL")
_CLASSIFIERS = (
    *_LOGISTIC, "L2R_L2LOSS_SVC", "L2R_L2LOSS_SVC_DUAL", "L2R_L1LOSS_SVC_DUAL", "L1R_L2LOSS_SVC",
    "MCSVM_CS",
)  # fmt: skip
_SVM_CLASSIFIERS, _SVM_REGRESSIONS = ("c_svc", "nu_svc"), ("epsilon_svr", "nu_svr")
_MOST_COLUMNS = 10_000_000
_DIGITS = 5e-8  # of the eight of a vector's numbers, relative


class _Keys:
    """The keys of a file with their words, each taken once, and the lines after the last."""

    def __init__(self, data: bytes, last: str) -> None:
        lines = read_text(data).split("\n")
        check_fit(not lines.pop().strip())  # a number that is cut off is another number
        self._words: dict[str, list[str]] = {}
        for i, line in enumerate(lines):
            key, *words = line.split() or [""]
            if key == last:
                self.rows = [row.split() for row in lines[i + 1 :] if row.strip()]
                return
            check_fit(key and key not in self._words)
            self._words[key] = words
        raise damaged()

    def all(self, key: str) -> list[str]:
        """Return the words of a key, none where it is not there."""
        return self._words.pop(key, [])

    def one(self, key: str) -> str:
        """Return the only word of a key."""
        words = self.all(key)
        check_fit(len(words) == 1)
        return words[0]

    def check_left(self) -> None:
        """Refuse keys that nobody has taken."""
        if self._words:
            raise Refusal(f'it has "{min(self._words)}", which is not known')


def _read_liblinear(file: ModelFile, _: ImportOptions) -> ImportedModel:
    keys = _Keys(file.data, "w")
    solver, n_classes = keys.one("solver_type"), read_count(keys.one("nr_class"))
    n_columns, (bias,) = read_count(keys.one("nr_feature")), read_numbers([keys.one("bias")])
    labels, (rho,) = keys.all("label"), read_numbers(keys.all("rho") or [0])[:1]
    keys.check_left()
    if solver not in (*_CLASSIFIERS, *_REGRESSION, "ONECLASS_SVM"):
        raise Refusal(f"its solver {solver} is not known")
    is_classifier = solver in _CLASSIFIERS
    check_fit(len(labels) == (n_classes if is_classifier else 0) and n_classes >= 2)
    n_vectors = n_classes if n_classes > 2 or solver == "MCSVM_CS" else 1
    check_fit(len(keys.rows) == n_columns + (bias >= 0))
    check_fit(n_columns and all(len(row) == n_vectors for row in keys.rows))
    weights = read_numbers([word for row in keys.rows for word in row]).reshape(-1, n_vectors).T
    ends = [exact(bias) * exact(row[-1]) if bias >= 0 else Fraction(0) for row in weights]
    matrix = weights[:, :n_columns]
    if is_classifier and n_classes > 2:
        link: Link = "one-vs-rest" if solver in _LOGISTIC else "identity"
        return _make("LIBLINEAR", solver, labels, matrix, ends, link)
    # Two labels are told apart by the first vector alone, also where MCSVM_CS has two.
    return _make(
        "LIBLINEAR", solver, None if solver in _REGRESSION else labels, matrix[:1],
        [ends[0] - exact(rho)], None if solver in _LOGISTIC else "identity",
    )  # fmt: skip


def _read_libsvm(file: ModelFile, _: ImportOptions) -> ImportedModel:
    keys = _Keys(file.data, "SV")
    kind, kernel = keys.one("svm_type"), keys.one("kernel_type")
    if kernel != "linear":
        raise Refusal(f"its kernel is {kernel}, which is not linear", "train it with -t 0")
    n_classes, n_vectors = read_count(keys.one("nr_class")), read_count(keys.one("total_sv"))
    labels, rho = keys.all("label"), read_numbers(keys.all("rho"))
    fitted = [keys.all(key) for key in ("probA", "probB", "prob_density_marks")]
    keys.all("nr_sv")
    keys.check_left()
    is_classifier = kind in _SVM_CLASSIFIERS
    if is_classifier and n_classes > 2:
        what = f"it votes between {n_classes} classes, two and two, which is not one linear model"
        raise Refusal(what, "train it with LIBLINEAR")
    if kind not in (*_SVM_CLASSIFIERS, *_SVM_REGRESSIONS, "one_class"):
        raise Refusal(f"its type {kind} is not known")
    check_fit(len(labels) == (2 if is_classifier else 0))
    check_fit(len(rho) == 1 and len(keys.rows) == n_vectors)
    return _make(
        "LIBSVM", kind, None if kind in _SVM_REGRESSIONS else labels, [_add_vectors(keys.rows)],
        [-exact(rho[0])], "identity",
        facts=["its fitted probabilities (svm-predict -b 1) are not taken over"]
        if any(fitted) and is_classifier else [], rounding=_DIGITS,
    )  # fmt: skip


def _add_vectors(rows: Sequence[Sequence[str]]) -> list[Fraction]:
    """Return the sum of the vectors, each times its coefficient, in exact fractions."""
    parts: dict[int, list[tuple[Fraction, Fraction]]] = {}
    for first, *pairs in rows:
        words = [pair.split(":") for pair in pairs]
        check_fit(all(len(word) == 2 for word in words))
        c, *numbers = read_numbers([first, *(number for _, number in words)])
        for (index, _), number in zip(words, numbers, strict=True):
            parts.setdefault(read_count(index), []).append((exact(c), exact(number)))
    n_columns = max(parts, default=0)
    check_fit(0 < n_columns <= _MOST_COLUMNS and 0 not in parts)
    return [sum_products(parts.get(i, [])) for i in range(1, n_columns + 1)]


def _make(
    tool: str, kind: str, labels: Sequence[str] | None, coefficients: Any,
    intercept: Sequence[Fraction], link: Link | None, facts: Sequence[str] = (),
    rounding: float = FLOAT64,
) -> ImportedModel:  # fmt: skip
    """Return the model of a vector a label, or of one: for two labels, one class, none (None)."""
    facts = ("the file has no names: columns are known by their number", *facts)
    categories = ["y"] if labels is None else list(labels)
    if labels is not None and len(coefficients) == 1:
        categories = categories[::-1] or ["-1", "1"]
        facts = (*facts, f'a score of exactly 0 is "{categories[0]}", which stands first')
    names = tuple(f"x{i}" for i in range(1, len(coefficients[0]) + 1))
    return ImportedModel(
        producer=tool, kind=kind, categories=tuple(categories),
        features=[column(name) for name in names], coefficients=coefficients,
        intercept=intercept, link=link, positional=names, rounding=rounding, facts=facts,
    )  # fmt: skip


SOURCES = (
    Source("LIBLINEAR", lambda file: file.head.startswith(b"solver_type "), _read_liblinear),
    Source("LIBSVM", lambda file: file.head.startswith(b"svm_type "), _read_libsvm),
)
