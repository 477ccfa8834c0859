"""A pytest plugin: test the kernel that tests/kernel/sanitize.sh has built."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

from hypothesis import settings


def pytest_configure() -> None:
    """Load that kernel before anything imports the installed one."""
    (path,) = Path(os.environ["MATSCORE_SANITIZED"]).glob("_kernel*.so")
    spec = importlib.util.spec_from_file_location("matscore._kernel", path)
    assert spec is not None and spec.loader is not None
    kernel = importlib.util.module_from_spec(spec)
    sys.modules["matscore._kernel"] = kernel
    spec.loader.exec_module(kernel)

    import matscore

    matscore._kernel = kernel
    settings.register_profile("short", max_examples=50, deadline=None)
    settings.load_profile("short")
