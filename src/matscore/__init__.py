"""Score tables with a linear model: ``scores = features @ weights + intercept``.

The names below are loaded when they are first used, so that importing the package costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matscore.api.check import check_files
    from matscore.api.classify import classify_file
    from matscore.api.evaluate import evaluate_file
    from matscore.api.explain import explain_file
    from matscore.api.fit import FitSummary, fit_file
    from matscore.api.recommend import recommend_file
    from matscore.contributions import ExplainOptions
    from matscore.errors import (
        FileError,
        InputError,
        MatscoreError,
        MisfitError,
        MissingExtraError,
        OutputError,
        PlanError,
        QualityError,
        UsageError,
    )
    from matscore.files.table import ReadOptions
    from matscore.frames.check import check
    from matscore.frames.classify import classify
    from matscore.frames.evaluate import Evaluation, evaluate
    from matscore.frames.explain import explain
    from matscore.frames.fit import FitResult, fit
    from matscore.frames.recommend import recommend
    from matscore.learn import FitOptions, Learned
    from matscore.metrics import Metrics
    from matscore.options import OutputOptions, RejectOptions, RunOptions
    from matscore.plan import Plan, PlanOptions
    from matscore.plan.learning import ColumnOptions
    from matscore.score import RecommendOptions, ScoreOptions
    from matscore.summary import Progress, Summary
    from matscore.work.classify import ScoreTally
    from matscore.work.evaluate import EvaluateTally
    from matscore.work.explain import ExplainTally
    from matscore.work.recommend import RecommendTally

__version__ = "0.1.0"

__all__ = [
    "ColumnOptions",
    "EvaluateTally",
    "Evaluation",
    "ExplainOptions",
    "ExplainTally",
    "FileError",
    "FitOptions",
    "FitResult",
    "FitSummary",
    "InputError",
    "Learned",
    "MatscoreError",
    "Metrics",
    "MisfitError",
    "MissingExtraError",
    "OutputError",
    "OutputOptions",
    "Plan",
    "PlanError",
    "PlanOptions",
    "Progress",
    "QualityError",
    "ReadOptions",
    "RecommendOptions",
    "RecommendTally",
    "RejectOptions",
    "RunOptions",
    "ScoreOptions",
    "ScoreTally",
    "Summary",
    "UsageError",
    "check",
    "check_files",
    "classify",
    "classify_file",
    "evaluate",
    "evaluate_file",
    "explain",
    "explain_file",
    "fit",
    "fit_file",
    "recommend",
    "recommend_file",
]

_HOMES = {
    "matscore.api.check": ("check_files",),
    "matscore.api.classify": ("classify_file",),
    "matscore.api.evaluate": ("evaluate_file",),
    "matscore.api.explain": ("explain_file",),
    "matscore.api.fit": ("FitSummary", "fit_file"),
    "matscore.api.recommend": ("recommend_file",),
    "matscore.contributions": ("ExplainOptions",),
    "matscore.errors": (
        "FileError", "InputError", "MatscoreError", "MisfitError", "MissingExtraError",
        "OutputError", "PlanError", "QualityError", "UsageError",
    ),
    "matscore.files.table": ("ReadOptions",),
    "matscore.frames.check": ("check",),
    "matscore.frames.classify": ("classify",),
    "matscore.frames.evaluate": ("Evaluation", "evaluate"),
    "matscore.frames.explain": ("explain",),
    "matscore.frames.fit": ("FitResult", "fit"),
    "matscore.frames.recommend": ("recommend",),
    "matscore.learn": ("FitOptions", "Learned"),
    "matscore.metrics": ("Metrics",),
    "matscore.options": ("OutputOptions", "RejectOptions", "RunOptions"),
    "matscore.plan": ("Plan", "PlanOptions"),
    "matscore.plan.learning": ("ColumnOptions",),
    "matscore.score": ("RecommendOptions", "ScoreOptions"),
    "matscore.summary": ("Progress", "Summary"),
    "matscore.work.classify": ("ScoreTally",),
    "matscore.work.evaluate": ("EvaluateTally",),
    "matscore.work.explain": ("ExplainTally",),
    "matscore.work.recommend": ("RecommendTally",),
}  # fmt: skip


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(home), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
