"""The benchmarks are programs: only their tests are collected."""

from __future__ import annotations

from pathlib import Path

collect_ignore_glob = ["*/*.py"]
collect_ignore = [
    path.name
    for path in Path(__file__).parent.glob("*.py")
    if not path.name.startswith(("test_", "conftest"))
]
