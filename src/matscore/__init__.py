"""Score tables with a linear model: ``scores = features @ weights + intercept``.

The names below are loaded when they are first used, so that importing the package costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matscore.command_options import ColumnOptions, ExplainOptions, FitOptions, RecommendOptions
    from matscore.commands.check import check, check_files
    from matscore.commands.classify import ScoreTally, classify, classify_file
    from matscore.commands.evaluate import Evaluation, evaluate, evaluate_file
    from matscore.commands.explain import ExplainTally, explain, explain_file
    from matscore.commands.fit import FitResult, FitSummary, fit, fit_file
    from matscore.commands.import_model import Imported, import_file, import_model
    from matscore.commands.prove import Proof
    from matscore.commands.recommend import recommend, recommend_file
    from matscore.commands.truths import EvaluateTally
    from matscore.commands.users import RecommendTally
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
    from matscore.models.options import ImportOptions
    from matscore.numerics.learn import Learned
    from matscore.numerics.metrics import Metrics
    from matscore.options import (
        OutputOptions,
        PlanOptions,
        ReadOptions,
        RejectOptions,
        RunOptions,
        ScoreOptions,
    )
    from matscore.plan import Plan
    from matscore.run.run import Progress, Summary

__version__ = "0.1.0"

# Where each public name lives. Type checkers want `__all__` spelled out.
_HOMES = {
    "matscore.commands.check": ("check", "check_files"),
    "matscore.commands.classify": ("ScoreTally", "classify", "classify_file"),
    "matscore.commands.evaluate": ("Evaluation", "evaluate", "evaluate_file"),
    "matscore.commands.truths": ("EvaluateTally",),
    "matscore.commands.explain": ("ExplainTally", "explain", "explain_file"),
    "matscore.commands.fit": ("FitResult", "FitSummary", "fit", "fit_file"),
    "matscore.commands.import_model": ("Imported", "import_file", "import_model"),
    "matscore.commands.prove": ("Proof",),
    "matscore.commands.recommend": ("recommend", "recommend_file"),
    "matscore.commands.users": ("RecommendTally",),
    "matscore.errors": (
        "FileError", "InputError", "MatscoreError", "MisfitError", "MissingExtraError",
        "OutputError", "PlanError", "QualityError", "UsageError",
    ),
    "matscore.command_options": (
        "ColumnOptions", "ExplainOptions", "FitOptions", "RecommendOptions",
    ),
    "matscore.models.options": ("ImportOptions",),
    "matscore.numerics.learn": ("Learned",),
    "matscore.numerics.metrics": ("Metrics",),
    "matscore.options": (
        "OutputOptions", "PlanOptions",
        "ReadOptions", "RejectOptions", "RunOptions", "ScoreOptions",
    ),
    "matscore.plan": ("Plan",),
    "matscore.run.run": ("Progress", "Summary"),
}  # fmt: skip

__all__ = [
    "ColumnOptions", "EvaluateTally", "Evaluation", "ExplainOptions", "ExplainTally",
    "FileError", "FitOptions", "FitResult", "FitSummary", "ImportOptions", "Imported",
    "InputError", "Learned", "MatscoreError", "Metrics", "MisfitError", "MissingExtraError",
    "OutputError", "OutputOptions", "Plan", "PlanError", "PlanOptions", "Progress", "Proof",
    "QualityError", "ReadOptions", "RecommendOptions", "RecommendTally", "RejectOptions",
    "RunOptions", "ScoreOptions", "ScoreTally", "Summary", "UsageError", "check", "check_files",
    "classify", "classify_file", "evaluate", "evaluate_file", "explain", "explain_file", "fit",
    "fit_file", "import_file", "import_model", "recommend", "recommend_file",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(home), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
