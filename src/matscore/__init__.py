"""Score tables with a linear model: ``scores = features @ weights + intercept``.

The names below are loaded when they are first used, so that importing the package costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matscore.commands.check_files import check_files
    from matscore.commands.check_frame import check
    from matscore.commands.classify_files import classify_file
    from matscore.commands.classify_frame import classify
    from matscore.commands.classify_rows import ScoreTally
    from matscore.commands.evaluate_files import evaluate_file
    from matscore.commands.evaluate_frame import Evaluation, evaluate
    from matscore.commands.evaluate_rows import EvaluateTally
    from matscore.commands.explain_files import explain_file
    from matscore.commands.explain_frame import explain
    from matscore.commands.explain_rows import ExplainTally
    from matscore.commands.fit_files import FitSummary, fit_file
    from matscore.commands.fit_frame import FitResult, fit
    from matscore.commands.recommend_files import recommend_file
    from matscore.commands.recommend_frame import recommend
    from matscore.commands.recommend_rows import RecommendTally
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
    from matscore.numerics.learn import Learned
    from matscore.numerics.metrics import Metrics
    from matscore.options import (
        ColumnOptions,
        ExplainOptions,
        FitOptions,
        OutputOptions,
        PlanOptions,
        ReadOptions,
        RecommendOptions,
        RejectOptions,
        RunOptions,
        ScoreOptions,
    )
    from matscore.plan import Plan
    from matscore.run.summary import Progress, Summary

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
    "matscore.commands.check_files": ("check_files",),
    "matscore.commands.check_frame": ("check",),
    "matscore.commands.classify_files": ("classify_file",),
    "matscore.commands.classify_frame": ("classify",),
    "matscore.commands.classify_rows": ("ScoreTally",),
    "matscore.commands.evaluate_files": ("evaluate_file",),
    "matscore.commands.evaluate_frame": ("Evaluation", "evaluate"),
    "matscore.commands.evaluate_rows": ("EvaluateTally",),
    "matscore.commands.explain_files": ("explain_file",),
    "matscore.commands.explain_frame": ("explain",),
    "matscore.commands.explain_rows": ("ExplainTally",),
    "matscore.commands.fit_files": ("FitSummary", "fit_file"),
    "matscore.commands.fit_frame": ("FitResult", "fit"),
    "matscore.commands.recommend_files": ("recommend_file",),
    "matscore.commands.recommend_frame": ("recommend",),
    "matscore.commands.recommend_rows": ("RecommendTally",),
    "matscore.errors": (
        "FileError", "InputError", "MatscoreError", "MisfitError", "MissingExtraError",
        "OutputError", "PlanError", "QualityError", "UsageError",
    ),
    "matscore.numerics.learn": ("Learned",),
    "matscore.numerics.metrics": ("Metrics",),
    "matscore.options": (
        "ExplainOptions", "ReadOptions", "FitOptions", "OutputOptions", "RejectOptions",
        "RunOptions", "PlanOptions", "ColumnOptions", "RecommendOptions", "ScoreOptions",
    ),
    "matscore.plan": ("Plan",),
    "matscore.run.summary": ("Progress", "Summary"),
}  # fmt: skip


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(home), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
