"""Models as lines of text: LIBLINEAR and LIBSVM, Vowpal Wabbit.

LIBLINEAR and LIBSVM know columns by their number. The keys and what the tools do with them:
`linear.cpp` of https://github.com/cjlin1/liblinear (`save_model`, `predict_values`,
`predict_probability`) and `svm.cpp` of https://github.com/cjlin1/libsvm. Of two labels a positive
score means the first in the file, and a score of 0 the second.

Of Vowpal Wabbit it is the text of ``--invert_hash``, which has the features' names. A line is
``namespace^feature:hash:weight`` and, where the state of training is kept, two numbers more;
factors of an interaction are joined by ``*``, the classes of ``--oaa`` numbered in brackets. What
is not in an example counts 0 there. The text says neither the loss nor, for most models, the link:
https://vowpalwabbit.org/blog/save-resume-clarification.html. Weights have six digits.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import reduce
from operator import mul
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matscore.models.algebra import Feature, column, exact, sum_products
from matscore.models.bounds import (
    ModelFile,
    Refusal,
    check_fit,
    damaged,
    read_count,
    read_numbers,
    read_text,
)
from matscore.models.columns import Raw
from matscore.models.options import ImportOptions
from matscore.models.types import FLOAT32, FLOAT64, ImportedModel, Source
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


# --------------------------------------------------------------------------------- Vowpal Wabbit

_NUMBER = r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:e[-+]?[0-9]+)?"
_WEIGHT = re.compile(rf"(?:(.*):)?([0-9]+):({_NUMBER})((?: {_NUMBER})*)")
_CLASS = re.compile(r"(.*)\[([0-9]{1,6})\]")
_BINARY = re.compile(rb"[\x05-\x0c]\x00\x00\x00[0-9]+\.[0-9]+\.[0-9]+\x00")
_END = re.compile(r":[01]")
_STATE = re.compile(rf"[a-z0-9_:. ]+ {_NUMBER}")
_WITH_NAMES = "have vw write it with --invert_hash FILE over its training data"
# Options that change how names or examples are made, not what is computed from them.
_HARMLESS = frozenset({
    "--quadratic", "-q", "--cubic", "--interactions", "--noconstant", "--hash", "--hash_seed",
    "--bit_precision", "-b", "--keep", "--ignore", "--constant", "--random_seed",
})  # fmt: skip
_LINKS: Mapping[str, Link | None] = {"identity": "identity", "logistic": None, "poisson": "exp"}


def _is_vw(file: ModelFile) -> bool:
    head = file.head
    return _BINARY.match(head) is not None or (
        head.startswith(b"Version ") and b"\nId " in head and b"\nbits:" in head
    )


def _read_vw(file: ModelFile, options: ImportOptions) -> ImportedModel:
    if _BINARY.match(file.head):
        raise Refusal("it is a model of Vowpal Wabbit without names", _WITH_NAMES)
    lines = read_text(file.data).split("\n")
    end = next((i for i, line in enumerate(lines[:40]) if _END.fullmatch(line)), None)
    if end is None or lines[-1]:  # a last line that is not whole is another number
        raise damaged()
    head = dict(line.partition(":")[::2] for line in lines[1:end])
    trained = _parse_options(head.get("options", ""))
    n_classes = _count_classes(trained)
    by_name = _read_weights(lines[end + 1 :], n_classes)
    link, two = _find_link(trained, options, n_classes)
    intercept = by_name.pop("Constant", [0.0] * n_classes)
    features, namespaces = _make_features(tuple(by_name))
    facts = ["an unknown level counts 0; of missing numbers --missing zero makes what vw does"]
    if namespaces:
        facts.append(f"namespaces left out: {', '.join(sorted(namespaces))}")
    if link == "identity" and not two:
        low, high = head.get("Min label", "?"), head.get("Max label", "?")
        facts.append(f"vw cuts its predictions off at {low} and {high}; the scores are not cut")
    numbered = ("y",) if n_classes == 1 else tuple(map(str, range(1, n_classes + 1)))
    return ImportedModel(
        producer=f"Vowpal Wabbit {lines[0].removeprefix('Version ')}",
        kind="--oaa" if n_classes > 1 else "a linear model",
        categories=two or numbered,
        features=features,
        coefficients=[[weights[k] for weights in by_name.values()] for k in range(n_classes)],
        intercept=intercept,
        link=link,
        facts=tuple(facts),
        rounding=FLOAT32,
        knows_link=n_classes == 1 and not {"--link", "--binary"}.isdisjoint(trained),
        uncertainty=_find_doubts([*by_name.values(), intercept]),
    )


def _parse_options(line: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for word in line.replace("=", " ").split():
        if word.startswith("-") and not re.fullmatch(_NUMBER, word):
            found[word] = ""
        elif found:
            name = next(reversed(found))
            found[name] = f"{found[name]} {word}".strip()
    for name in found:
        if name not in (*_HARMLESS, "--link", "--oaa", "--binary", "--probabilities"):
            raise Refusal(f"it was trained with {name}, which is not known to be linear")
    return found


def _count_classes(options: Mapping[str, str]) -> int:
    if "--oaa" not in options:
        return 1
    if not re.fullmatch(r"[1-9][0-9]{0,5}", options["--oaa"]) or options["--oaa"] == "1":
        raise Refusal(f'it has "--oaa {options["--oaa"]}"')
    return int(options["--oaa"])


def _find_link(
    options: Mapping[str, str], given: ImportOptions, n_classes: int
) -> tuple[Link | None, tuple[str, ...]]:
    """Return the link, and the two labels of a model that is a classifier of two."""
    named = options.get("--link")
    if named is not None and named not in _LINKS:
        raise Refusal(f"its link {named} is none that is known")
    two, is_binary = ("-1", "1"), "--binary" in options
    if n_classes == 1 and (named is not None or is_binary):
        link = _LINKS[named or "identity"]
        return link, two if link is None or is_binary else ()
    if given.link is None:
        what = "its text does not say what was trained, and so not what turns scores into answers"
        words = "one-vs-rest" if n_classes > 1 else "logistic, exp (of Poisson's loss)"
        raise Refusal(what, f"say it by --link: {words} or identity (of squared or hinge loss)")
    if given.link == "logistic" and n_classes == 1:
        return None, two
    return None if given.link == "none" else given.link, ()


def _read_weights(lines: Sequence[str], n_classes: int) -> dict[str, list[float]]:
    """Return the weights of each feature by its name, one a class, those of the constant too."""
    found: dict[str, list[float]] = {}
    seen: set[tuple[str, int]] = set()
    if n_classes * len(lines) > 50_000_000:
        raise Refusal(f"it has {n_classes:,} classes, too many")
    for line in lines:
        match = _WEIGHT.fullmatch(line)
        if match is None:
            # The state of training may stand before the weights: a number without a colon.
            check_fit(not line or _STATE.fullmatch(line))
            continue
        if not (name := match[1]):
            raise Refusal(f'its weights have no names, as in "{line[:60]}"', _WITH_NAMES)
        k = 0
        if n_classes > 1 and (numbered := _CLASS.fullmatch(name)) and int(numbered[2]) < n_classes:
            name, k = numbered[1], int(numbered[2])
        if (name, k) in seen:
            raise Refusal(f'it has "{match[1]}" twice')
        seen.add((name, k))
        found.setdefault(name, [0.0] * n_classes)[k] = float(match[3])
    check_fit(found)
    return found


def _find_doubts(weights: Sequence[Sequence[float]]) -> NDArray[np.float64]:
    """Return half of the last of six digits, for each class and weight."""
    sizes = np.abs(np.array(weights).T)
    places = np.floor(np.log10(np.where(sizes > 0, sizes, 1)))
    return np.where(sizes > 0, 0.5 * 10.0 ** (places - 5), 0.0)


def _make_features(names: Sequence[str]) -> tuple[list[Feature], set[str]]:
    """Return a feature for each name, and the namespaces that the names have."""
    namespaces: dict[str, str] = {}  # by what stands in them
    products: list[list[tuple[str, str | None]]] = []
    levels: dict[str, list[str]] = {}
    for name in names:
        products.append([])
        for factor in name.split("*"):
            namespace, rest = factor.split("^", 1) if "^" in factor else ("", factor)
            if namespaces.setdefault(rest, namespace) != namespace:
                raise Refusal(f'it has "{rest}" in two namespaces, which are one column here')
            # A text as a value: `region:North` is the feature region^North.
            of, sign, level = rest.partition("^" if "^" in rest else "=")
            products[-1].append((of, level if sign else None))
            if sign:
                levels.setdefault(of, []).append(level)
    made: dict[tuple[str, str | None], Feature] = {}
    for of, known in levels.items():
        texts = tuple(dict.fromkeys(known))
        # A converter that writes `region=` for a missing cell has made a level of it.
        encoded = Raw(of).one_hot([[level or None] for level in texts], other="zero")
        made.update(zip([(of, level) for level in texts], encoded, strict=True))
    features = [
        reduce(mul, (column(of) if level is None else made[of, level] for of, level in product))
        for product in products
    ]
    return features, {namespace for namespace in namespaces.values() if namespace}


SOURCES = (
    Source("LIBLINEAR", lambda file: file.head.startswith(b"solver_type "), _read_liblinear),
    Source("LIBSVM", lambda file: file.head.startswith(b"svm_type "), _read_libsvm),
    Source("Vowpal Wabbit", _is_vw, _read_vw),
)
