"""Vowpal Wabbit: the text of ``--invert_hash``, which has the features' names.

A line is ``namespace^feature:hash:weight`` and, where the state of training is kept, two numbers
more; factors of an interaction are joined by ``*``, the classes of ``--oaa`` numbered in brackets.
What is not in an example counts 0 there. The text says neither the loss nor, for most models, the
link: https://vowpalwabbit.org/blog/save-resume-clarification.html. Weights have six digits.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import reduce
from operator import mul

import numpy as np
from numpy.typing import NDArray

from matscore.models.algebra import Feature, column
from matscore.models.bounds import ModelFile, Refusal, check_fit, damaged, read_text
from matscore.models.columns import Raw
from matscore.models.options import ImportOptions
from matscore.models.types import FLOAT32, ImportedModel, Source
from matscore.options import Link

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


def _recognise(file: ModelFile) -> bool:
    head = file.head
    return _BINARY.match(head) is not None or (
        head.startswith(b"Version ") and b"\nId " in head and b"\nbits:" in head
    )


def _read(file: ModelFile, options: ImportOptions) -> ImportedModel:
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


SOURCE = Source("Vowpal Wabbit", _recognise, _read)
