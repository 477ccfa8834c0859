"""A fitted step of scikit-learn as its attributes, and the columns that go through steps."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from matscore.models.algebra import Feature
from matscore.models.bounds import Refusal, check_depth
from matscore.models.records import Array, Name, Record, array, describe, plain

_MOST_STEPS = 10_000

# What steers training, speed or memory, and never what a fitted step answers.
_HARMLESS_WORDS = """
    accept_sparse algorithm alpha alpha_1 alpha_2 alpha_init alpha_per_target alphas average
    batch_size C cache_size categorical_features check_inverse class_prior class_weight coef0
    compute_score copy copy_X covariance_estimator criterion Cs cv degree dense_output direction
    dual early_stopping eps epsilon error_score estimator eta0 feature_name_combiner
    feature_names_out fill_value fit_path fit_prior force_alpha force_int_remainder_cols fun
    fun_args gamma gcv_mode importance_getter input_features intercept_scaling is_data_valid
    is_model_valid iterated_power jitter k l1_ratio l1_ratios lambda_1 lambda_2 lambda_init
    learning_rate loss max_categories max_features max_iter max_n_alphas max_skips max_subpopulation
    max_trials memory min_categories min_features_to_select min_frequency min_samples mode n_alphas
    n_components n_features_to_select n_iter n_iter_no_change n_jobs n_nonzero_coefs n_oversamples
    n_subsamples n_values noise_variance norm norm_order normalize nu param param_distributions
    param_grid penalty percentile positive power power_iteration_normalizer power_t pre_dispatch
    precompute prefit priors probability quantile quantile_method random_state refit regressor
    residual_threshold return_train_score scale score_func scoring selection separator shrinkage
    shrinking shuffle smooth solver solver_options sort sparse sparse_output sparse_threshold step
    stop_n_inliers stop_probability stop_score store_covariance store_cv_results store_cv_values
    strategy subsample svd_solver target_type threshold threshold_lambda tol transform_input
    use_legacy_attributes validation_fraction verbose verbose_feature_names_out w_init warm_start
    whiten_solver
"""
_HARMLESS = frozenset(_HARMLESS_WORDS.split())


@dataclass
class Walk:
    """What is met on the way through a model."""

    steps: list[str] = field(default_factory=list)  # what was folded, for people
    facts: list[str] = field(default_factory=list)
    checks: list[Feature] = field(default_factory=list)  # of no weight, but for what they refuse
    n_steps: int = 0
    depth: int = 0

    def say(self, fact: str) -> None:
        """Keep a sentence for people, once."""
        if fact not in self.facts:
            self.facts.append(fact)

    @contextmanager
    def deeper(self) -> Iterator[None]:
        """Go a level further down in a model, which may not be too deep."""
        self.depth += 1
        check_depth(self.depth, 40)
        yield
        self.depth -= 1


@dataclass(frozen=True, eq=False)
class Step:
    """A transformer, an estimator or another object of a model: its class and its attributes."""

    record: Record
    walk: Walk

    @property
    def kind(self) -> str:
        """Name of its class."""
        return self.record.name

    @cached_property
    def attributes(self) -> Mapping[str, Any]:
        """What it holds."""
        return self.record.attributes

    @cached_property
    def version(self) -> tuple[int, ...]:
        """The version of scikit-learn that it was saved by; a high one where that is not known."""
        parts = str(self.get("_sklearn_version", "99")).split(".")[:2]
        return tuple(int(part) for part in parts if part.isdecimal())

    def has(self, name: str) -> bool:
        """Whether it has an attribute that is not None."""
        return self.attributes.get(name) is not None

    def get(self, name: str, default: Any = None) -> Any:
        """Return an attribute, as a plain value or a record where it is one."""
        return plain(describe(self.attributes[name])) if name in self.attributes else default

    def need(self, name: str) -> Any:
        """Return an attribute that it must have."""
        if not self.has(name):
            raise Refusal(f"it has no {name}: it is not fitted, or of a version that is not known")
        return self.get(name)

    def items(self, name: str, n: int | None = None) -> list[Any]:
        """Return a list that it must have, of n elements where that is said."""
        found = self.need(name)
        if not isinstance(found, list | tuple):
            found = array(found)
        if n is not None and len(found) != n:
            raise Refusal(f"its {name} has {len(found)} elements, where {n} are needed")
        return [plain(describe(item)) for item in found]

    def numbers(self, name: str, n: int | None = None) -> Array:
        """Return an array of float64, of n elements where that is said."""
        found = as_numbers(self.need(name), name)
        if n is not None and found.shape != (n,):
            raise Refusal(f"its {name} is of the shape {found.shape}, where {n} columns come in")
        return found

    def number(self, name: str, default: float | None = None) -> float:
        """Return a finite number that it must have, unless there is a default."""
        found = self.get(name, default)
        if not isinstance(found, int | float) or not math.isfinite(found):
            raise Refusal(f"its {name} is no number")
        return float(found)

    def word(self, name: str, default: str = "") -> str:
        """Return a parameter that is a word, or nothing."""
        found = self.get(name, default)
        if not (found is None or isinstance(found, str)):
            raise Refusal(f"with a {name} that is no word it is not imported")
        return found or ""

    def is_on(self, name: str, default: bool = False) -> bool:
        """Return a switch."""
        found = self.get(name, default)
        if not (found is None or isinstance(found, bool | int)):
            raise Refusal(f"its {name} is neither true nor false")
        return bool(found)

    def child(self, value: Any) -> Step:
        """Return a step within it: an attribute by its name, or a part of one."""
        value = describe(self.need(value) if isinstance(value, str) else value)
        if not isinstance(value, Record):
            raise Refusal("a step of it is no estimator")
        self.walk.n_steps += 1
        if self.walk.n_steps > _MOST_STEPS:
            raise Refusal(f"it has more than {_MOST_STEPS:,} steps")
        return Step(value, self.walk)

    def check_known(self, handled: Collection[str]) -> None:
        """Refuse a parameter that is not known, since it may change what the step answers."""
        for name in self.attributes:
            if name.startswith("_") or name.endswith("_") or name in _HARMLESS or name in handled:
                continue
            value = self.get(name)
            if value is not None and value is not False:
                raise Refusal(f'its attribute "{name}" is not known', "it may change what it does")

    def refuse(self, name: str, *allowed: Any) -> None:
        """Refuse an attribute that has another value than those allowed."""
        value = self.get(name)
        if value is not None and not any(value is one or value == one for one in allowed):
            shown = value if isinstance(value, str | int | float) else getattr(value, "name", "set")
            raise Refusal(f"with {name}={shown!r} it is not imported")


def as_numbers(value: Any, name: str) -> Array:
    """Return an array of finite float64."""
    found = np.array(value) if isinstance(value, int | float) else array(value)
    if found.dtype.kind == "O":
        items = [plain(item) for item in found.ravel().tolist()]
        if not all(isinstance(item, int | float) for item in items):
            raise Refusal(f"its {name} holds more than numbers")
        found = np.array(items, dtype=float).reshape(found.shape)
    if found.dtype.kind not in "fiub":
        raise Refusal(f"its {name} holds no numbers")
    numbers = found.astype(np.float64, copy=False)
    if not np.isfinite(numbers).all():
        raise Refusal(f"its {name} holds numbers that are not finite")
    return numbers


def is_missing(value: Any) -> bool:
    """Whether a value of a tool is one of those that stand for a missing cell."""
    value = plain(value)
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return True
    # pandas.NA is a call of a function without arguments.
    return isinstance(value, Record | Name) and "NA" in str(getattr(value, "of", value))
