"""Score tables with a linear model: ``scores = features @ weights + intercept``.

The names below are loaded when they are first used, so that importing the package costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matscore.api.check import check_files
    from matscore.api.classify import classify_file
    from matscore.api.recommend import recommend_file
    from matscore.errors import (
        FileError,
        InputError,
        MatscoreError,
        MissingExtraError,
        OutputError,
        PlanError,
        UsageError,
    )
    from matscore.files.table import ReadOptions
    from matscore.frames.check import check
    from matscore.frames.classify import classify
    from matscore.frames.recommend import recommend
    from matscore.options import OutputOptions, RejectOptions, RunOptions
    from matscore.plan import Plan, PlanOptions
    from matscore.retrieve import RecommendOptions
    from matscore.score import ScoreOptions
    from matscore.summary import Progress, Summary
    from matscore.work.classify import ScoreTally
    from matscore.work.recommend import RecommendTally

__version__ = "0.1.0"

__all__ = [
    "FileError",
    "InputError",
    "MatscoreError",
    "MissingExtraError",
    "OutputError",
    "OutputOptions",
    "Plan",
    "PlanError",
    "PlanOptions",
    "Progress",
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
    "recommend",
    "recommend_file",
]

_HOMES = {
    "matscore.api.check": ("check_files",),
    "matscore.api.classify": ("classify_file",),
    "matscore.api.recommend": ("recommend_file",),
    "matscore.errors": (
        "FileError", "InputError", "MatscoreError", "MissingExtraError", "OutputError",
        "PlanError", "UsageError",
    ),
    "matscore.files.table": ("ReadOptions",),
    "matscore.frames.check": ("check",),
    "matscore.frames.classify": ("classify",),
    "matscore.frames.recommend": ("recommend",),
    "matscore.options": ("OutputOptions", "RejectOptions", "RunOptions"),
    "matscore.plan": ("Plan", "PlanOptions"),
    "matscore.retrieve": ("RecommendOptions",),
    "matscore.score": ("ScoreOptions",),
    "matscore.summary": ("Progress", "Summary"),
    "matscore.work.classify": ("ScoreTally",),
    "matscore.work.recommend": ("RecommendTally",),
}  # fmt: skip


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(home), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
