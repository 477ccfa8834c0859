"""H2O: the MOJO of a generalized linear model, a ZIP of texts.

Read after `GlmMojoReader`, `GlmMojoModel` and `ModelMojoReader` of https://github.com/h2oai/h2o-3
(h2o-genmodel): the columns are first the texts, then the numbers; a text's level is a weight by its
place in the column's domain. The label of a binomial model is by a threshold of its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from matscore.models.algebra import Feature, column
from matscore.models.bounds import (
    ModelFile,
    Refusal,
    Zip,
    check_fit,
    has_member,
    read_count,
    read_numbers,
    read_text,
)
from matscore.models.columns import Raw
from matscore.models.options import ImportOptions
from matscore.models.types import ImportedModel, Source, Threshold
from matscore.options import Link

_BINOMIAL = ("binomial", "quasibinomial", "fractionalbinomial")
_LINKS: Mapping[str, Link | None] = {
    "identity": "identity", "logit": None, "log": "exp", "multinomial": None,
}  # fmt: skip
_KNOWN = frozenset({
    "h2o_version", "mojo_version", "license", "algo", "algorithm", "endianness", "category",
    "uuid", "supervised", "n_features", "n_classes", "n_columns", "n_domains", "balance_classes",
    "default_threshold", "prior_class_distrib", "model_class_distrib", "timestamp",
    "escape_domain_values", "use_all_factor_levels", "cats", "cat_offsets", "nums",
    "mean_imputation", "num_means", "cat_modes", "beta", "family", "link", "tweedie_link_power",
    "num_interactions", "offset_column", "dispersion_estimated", "hglm",
})  # fmt: skip


@dataclass(frozen=True)
class _Mojo:
    """What model.ini says, and the levels by the column's place."""

    info: Mapping[str, str]
    columns: Sequence[str]
    domains: Mapping[int, Sequence[str]]

    def word(self, key: str, default: str | None = None) -> str:
        word = self.info.get(key, default)
        check_fit(word is not None)
        return str(word)

    def count(self, key: str) -> int:
        return read_count(self.word(key))

    def is_true(self, key: str) -> bool:
        return self.word(key, "false") == "true"

    def words(self, key: str) -> list[str]:
        """Return a list such as ``[0.5, 1.0]``; none where it is not there."""
        word = self.word(key, "[]")
        check_fit(word[:1] == "[" and word[-1:] == "]")
        return [one.strip() for one in word[1:-1].split(",") if one.strip()]


def _recognise(file: ModelFile) -> bool:
    return has_member(file, "model.ini")


def _parse(archive: Zip) -> _Mojo:
    sections: dict[str, list[str]] = {"[info]": [], "[columns]": [], "[domains]": []}
    lines: list[str] = []
    for line in read_text(archive.read("model.ini")).split("\n"):
        if line.strip() in sections:
            lines = sections[line.strip()]
        elif line.strip() and not line.startswith("#"):
            lines.append(line.strip())
    pairs = (line.partition("=") for line in sections["[info]"])
    info = {key.strip(): word.strip() for key, _, word in pairs}
    domains: dict[int, list[str]] = {}
    for line in sections["[domains]"]:
        place, size, name = [*line.replace(":", " ", 1).split(maxsplit=2), "", "", ""][:3]
        levels = _read_domain(archive, name, info.get("escape_domain_values") == "true")
        check_fit(len(levels) == read_count(size))
        domains[read_count(place)] = levels
    return _Mojo(info, sections["[columns]"], domains)


def _read_domain(archive: Zip, name: str, is_escaped: bool) -> list[str]:
    levels = read_text(archive.read(f"domains/{name}")).split("\n")[:-1]
    if is_escaped:
        return [re.sub(r"\\(.)", lambda m: "\n" if m[1] == "n" else m[1], one) for one in levels]
    if any(level.startswith('"') for level in levels):
        raise Refusal("its levels are in quotes, as one version of H2O wrote them")
    return levels


def _read(file: ModelFile, _: ImportOptions) -> ImportedModel:
    mojo = _parse(Zip(file.data))
    _check_kind(mojo)
    family, link = mojo.word("family"), _find_link(mojo)
    features = _make_features(mojo)
    n_classes = mojo.count("n_classes") if family == "multinomial" else 1
    beta, width = read_numbers(mojo.words("beta")), len(features) + 1
    check_fit(n_classes and len(beta) == n_classes * width)
    rows = beta.reshape(n_classes, width).tolist()
    matrix = [row[:-1] for row in rows]
    facts = []
    if mojo.is_true("mean_imputation") and mojo.count("cats"):
        facts.append(
            "a level that it does not know, or a missing one, counts as the most frequent one"
        )
    if (offset := mojo.word("offset_column", "null")) != "null":
        facts.append(f'the column "{offset}" is added to the score')
        features, matrix = [*features, column(offset)], [[*row, 1.0] for row in matrix]
    categories: tuple[str, ...] = ("y",)
    threshold = 0.5
    if family in _BINOMIAL:
        categories = _read_classes(mojo, 2)
        (threshold,) = read_numbers([mojo.word("default_threshold", "0.5")]).tolist()
    elif n_classes > 1:
        categories = _read_classes(mojo, n_classes)
    model = ImportedModel(
        producer=f"H2O {mojo.word('h2o_version', '')}".strip(),
        kind=f"GLM, {family}",
        categories=categories,
        features=features,
        coefficients=matrix,
        intercept=[row[-1] for row in rows],
        link=link,
        steps=("mean imputation",) if mojo.is_true("mean_imputation") else (),
        facts=tuple(facts),
    )
    # `GenModel.getPrediction` takes the second class at exactly the threshold, which is the
    # probability of one of the rows that the model was trained on.
    if threshold != 0.5:
        return replace(model, threshold=Threshold(threshold, "probability", is_second=True))
    return model.turn_round() if family in _BINOMIAL else model


def _check_kind(mojo: _Mojo) -> None:
    if mojo.word("algo", "") != "glm":
        kind = mojo.word("algo", "unknown kind")
        raise Refusal(f"it is a model of H2O's {kind}, which is not linear")
    if mojo.word("family") == "ordinal" or mojo.is_true("hglm"):
        raise Refusal(f"a GLM of the family {mojo.word('family')} is not one linear predictor")
    if mojo.word("num_interactions", "0") != "0":
        raise Refusal("it has interactions, which its MOJO does not say how to compute")
    if unknown := set(mojo.info) - _KNOWN:
        raise Refusal(f'its "{min(unknown)}" in model.ini is not known')
    check_fit(mojo.count("n_columns") == len(mojo.columns))


def _find_link(mojo: _Mojo) -> Link | None:
    link = mojo.word("link")
    if link == "tweedie":
        power = mojo.word("tweedie_link_power", "?")
        link = {"0.0": "log", "1.0": "identity"}.get(power, f"tweedie with the power {power}")
    if link not in _LINKS:
        raise Refusal(f"its link is {link}, for which a weights file has no word")
    return _LINKS[link]


def _read_classes(mojo: _Mojo, n_classes: int) -> tuple[str, ...]:
    """Return the levels of the response, the last column; without a domain they are 0 and 1."""
    levels = mojo.domains.get(len(mojo.columns) - 1, ("0", "1"))
    check_fit(len(levels) == n_classes)
    return tuple(levels)


def _make_features(mojo: _Mojo) -> list[Feature]:
    """Return the features of the columns: one a level that has a coefficient, one of a number."""
    n_texts, n_numbers = mojo.count("cats"), mojo.count("nums")
    names, is_imputed = mojo.columns[: n_texts + n_numbers], mojo.is_true("mean_imputation")
    offsets, modes = (list(map(read_count, mojo.words(k))) for k in ("cat_offsets", "cat_modes"))
    means = read_numbers(mojo.words("num_means")).tolist()
    sizes = [b - a for a, b in pairwise(offsets)]
    check_fit(len(names) == n_texts + n_numbers and len(sizes) == n_texts)
    check_fit(offsets[:1] in ([0], []) and min(sizes, default=0) >= 0)
    check_fit(not is_imputed or (len(modes), len(means)) == (n_texts, n_numbers))
    skipped = 0 if mojo.is_true("use_all_factor_levels") else 1
    features: list[Feature] = []
    for i, (name, size) in enumerate(zip(names[:n_texts], sizes, strict=True)):
        levels = mojo.domains.get(i, ())
        # Levels past the coefficients count 0, as those do that were never met in training.
        check_fit(size <= len(levels) - skipped)
        check_fit(not is_imputed or modes[i] < len(levels))
        groups = [[level] for level in levels]
        of_levels = Raw(name).one_hot(groups, other=modes[i] if is_imputed else "error")
        features += of_levels[skipped : skipped + size]
    for i, name in enumerate(names[n_texts:]):
        features.append(column(name).impute(means[i]) if is_imputed else column(name))
    return features


SOURCE = Source("H2O MOJO", _recognise, _read)
