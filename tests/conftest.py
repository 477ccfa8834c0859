"""What holds for all tests."""

from __future__ import annotations

from pathlib import Path

from hypothesis import HealthCheck, settings

# How long an example takes says how busy the machine is, and nothing of the program.
settings.register_profile("matscore", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("matscore")


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Only tests are collected: the search for doctests would load what makes models, too."""
    is_program = collection_path.suffix == ".py" and not collection_path.name.startswith("test_")
    return is_program or None
