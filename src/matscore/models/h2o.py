"""H2O: the MOJO of a generalized linear model, a ZIP of texts.

Read after `GlmMojoReader`, `GlmMojoModel` and `ModelMojoReader` of https://github.com/h2oai/h2o-3
(h2o-genmodel): the columns are first the texts, then the numbers; a text's level is a weight by its
place in the column's domain. The label of a binomial model is by a threshold of its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from matscore.links import Link
from matscore.models.algebra import Feature, column
from matscore.models.bounds import ModelFile, Zip, has_member, open_zip
from matscore.models.options import ImportOptions
from matscore.models.refusal import Refusal, refused_as
from matscore.models.texts import text
from matscore.models.types import ImportedModel, Source, Threshold

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
_DAMAGED, _AGAIN = "damaged: model.ini does not say what a MOJO says", "save the model again"


def _recognise(file: ModelFile) -> bool:
    return has_member(file, "model.ini")


@dataclass(frozen=True)
class _Mojo:
    info: Mapping[str, str]
    columns: Sequence[str]
    domains: Mapping[int, Sequence[str]]  # levels by the column's place

    def word(self, key: str, default: str | None = None) -> str:
        word = self.info.get(key, default)
        if word is None:
            raise Refusal(f'damaged: model.ini has no "{key}"', _AGAIN)
        return word

    def count(self, key: str) -> int:
        word = self.word(key)
        if not (word.isdigit() and len(word) < 10):
            raise Refusal(_DAMAGED, _AGAIN)
        return int(word)

    def numbers(self, key: str) -> list[float]:
        """Return a list such as ``[0.5, 1.0]``; none where it is not there."""
        found = re.fullmatch(r"\[([^][]*)\]", self.word(key, "[]"))
        if found is None:
            raise Refusal(_DAMAGED, _AGAIN)
        try:
            return [float(word) for word in found[1].split(",") if word.strip()]
        except ValueError as error:
            raise Refusal(_DAMAGED, _AGAIN) from error

    def counts(self, key: str) -> list[int]:
        numbers = self.numbers(key)
        if not all(number.is_integer() and abs(number) < 2**40 for number in numbers):
            raise Refusal(_DAMAGED, _AGAIN)
        return [int(number) for number in numbers]


def _parse(archive: Zip) -> _Mojo:
    sections: dict[str, list[str]] = {}
    lines: list[str] = []
    with refused_as("damaged: model.ini is no text in UTF-8", _AGAIN):
        content = archive.read("model.ini").decode("utf-8")
    for line in content.split("\n"):
        if line.strip() in ("[info]", "[columns]", "[domains]"):
            lines = sections.setdefault(line.strip(), [])
        elif line.strip() and not line.startswith("#"):
            lines.append(line.strip())
    pairs = (line.partition("=") for line in sections.get("[info]", ()))
    info = {key.strip(): word.strip() for key, _, word in pairs}
    is_escaped = info.get("escape_domain_values") == "true"
    domains: dict[int, list[str]] = {}
    for line in sections.get("[domains]", ()):
        found = re.fullmatch(r"([0-9]{1,9}):\s*([0-9]{1,9}) (\S+)", line)
        if found is None:
            raise Refusal(_DAMAGED, _AGAIN)
        domains[int(found[1])] = _read_domain(
            archive, found[3], int(found[2]), is_escaped=is_escaped
        )
    return _Mojo(info, sections.get("[columns]", []), domains)


def _read_domain(archive: Zip, name: str, size: int, *, is_escaped: bool) -> list[str]:
    with refused_as(f'damaged: "{name}" is no text in UTF-8', _AGAIN):
        levels = archive.read(f"domains/{name}").decode("utf-8").split("\n")[:-1]
    if is_escaped:
        levels = [re.sub(r"\\(.)", lambda m: "\n" if m[1] == "n" else m[1], one) for one in levels]
    elif any(level.startswith('"') for level in levels):
        raise Refusal("its levels are in quotes, as one version of H2O wrote them")
    if len(levels) != size:
        raise Refusal(f'damaged: "{name}" has {len(levels)} levels, not {size}', _AGAIN)
    return levels


def _read(file: ModelFile, _: ImportOptions) -> ImportedModel:
    mojo = _parse(open_zip(file.data))
    _check_kind(mojo)
    family, link = mojo.word("family"), _find_link(mojo)
    features = _make_features(mojo)
    n_classes = mojo.count("n_classes") if family == "multinomial" else 1
    beta, width = mojo.numbers("beta"), sum(len(one) for one in features) + 1
    if len(beta) != n_classes * width or not n_classes:
        raise Refusal(
            f"damaged: it has {len(beta)} coefficients, not {n_classes} × {width}", _AGAIN
        )
    rows = [beta[i : i + width] for i in range(0, len(beta), width)]
    flat = [feature for group in features for feature in group]
    matrix = [row[:-1] for row in rows]
    if offset := _find_offset(mojo):
        flat, matrix = [*flat, column(offset)], [[*row, 1.0] for row in matrix]
    categories = ("y",) if n_classes == 1 else _read_classes(mojo, n_classes)
    is_binomial = family in _BINOMIAL
    threshold = float(mojo.word("default_threshold", "0.5")) if is_binomial else 0.5
    return ImportedModel(
        producer=f"H2O {mojo.word('h2o_version', '')}".strip(),
        kind=f"GLM, {family}",
        categories=_read_classes(mojo, 2) if is_binomial else categories,
        features=flat,
        coefficients=matrix,
        intercept=[row[-1] for row in rows],
        link=link,
        steps=("mean imputation",) if mojo.word("mean_imputation", "false") == "true" else (),
        facts=_say_facts(mojo),
        threshold=Threshold(threshold, "probability") if threshold != 0.5 else None,
    )


def _check_kind(mojo: _Mojo) -> None:
    if mojo.word("algo", "") != "glm":
        raise Refusal(
            f"it is a model of H2O's {mojo.word('algo', 'unknown kind')}, which is not linear"
        )
    if mojo.word("family") == "ordinal" or mojo.word("hglm", "false") == "true":
        raise Refusal(f"a GLM of the family {mojo.word('family')} is not one linear predictor")
    if mojo.word("num_interactions", "0") != "0":
        raise Refusal("it has interactions, which its MOJO does not say how to compute")
    unknown = set(mojo.info) - _KNOWN
    if unknown:
        raise Refusal(f'its "{min(unknown)}" in model.ini is not known')
    if mojo.count("n_columns") != len(mojo.columns):
        raise Refusal(_DAMAGED, _AGAIN)


def _find_link(mojo: _Mojo) -> Link | None:
    link = mojo.word("link")
    if link == "tweedie":
        power = float(mojo.word("tweedie_link_power", "nan"))
        link = {0.0: "log", 1.0: "identity"}.get(power, f"tweedie with the power {power}")
    if link not in _LINKS:
        raise Refusal(f"its link is {link}, for which a weights file has no word")
    return _LINKS[link]


def _find_offset(mojo: _Mojo) -> str:
    offset = mojo.word("offset_column", "null")
    return "" if offset == "null" else offset


def _read_classes(mojo: _Mojo, n_classes: int) -> tuple[str, ...]:
    """Return the levels of the response, the last column; without a domain they are 0 and 1."""
    levels = mojo.domains.get(len(mojo.columns) - 1, ("0", "1"))
    if len(levels) != n_classes:
        raise Refusal(f"damaged: it has {len(levels)} levels for {n_classes} classes", _AGAIN)
    return tuple(levels)


def _make_features(mojo: _Mojo) -> list[list[Feature]]:
    """Return the features of each column: one a level that has a coefficient, one of a number."""
    n_texts, n_numbers = mojo.count("cats"), mojo.count("nums")
    offsets, modes, means = (
        mojo.counts("cat_offsets"),
        mojo.counts("cat_modes"),
        mojo.numbers("num_means"),
    )
    is_imputed = mojo.word("mean_imputation", "false") == "true"
    skipped = 0 if mojo.word("use_all_factor_levels", "false") == "true" else 1
    names = mojo.columns[: n_texts + n_numbers]
    sizes = [b - a for a, b in pairwise(offsets)]
    if len(names) < n_texts + n_numbers or len(sizes) != n_texts or offsets[:1] not in ([0], []):
        raise Refusal(_DAMAGED, _AGAIN)
    if is_imputed and (len(modes) != n_texts or len(means) != n_numbers):
        raise Refusal(_DAMAGED, _AGAIN)
    features: list[list[Feature]] = []
    for i, (name, size) in enumerate(zip(names[:n_texts], sizes, strict=True)):
        levels = mojo.domains.get(i, ())
        # Levels past the coefficients count 0, as those do that were never met in training.
        if size > len(levels) - skipped or (is_imputed and not 0 <= modes[i] < len(levels)):
            raise Refusal(
                f'damaged: "{name}" has {size} coefficients for {len(levels)} levels', _AGAIN
            )
        groups = [[level] for level in levels]
        of_levels = text(name).one_hot(groups, other=modes[i] if is_imputed else "error")
        features.append(of_levels[skipped : skipped + size])
    for i, name in enumerate(names[n_texts:]):
        features.append([column(name).impute(means[i]) if is_imputed else column(name)])
    return features


def _say_facts(mojo: _Mojo) -> tuple[str, ...]:
    facts = []
    if mojo.word("mean_imputation", "false") == "true" and mojo.count("cats"):
        facts.append(
            "a level that it does not know, or a missing one, counts as the most frequent one"
        )
    if offset := _find_offset(mojo):
        facts.append(f'the column "{offset}" is added to the score')
    return tuple(facts)


SOURCE = Source("H2O MOJO", _recognise, _read)
