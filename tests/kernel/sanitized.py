"""A pytest plugin: test the kernel that tests/kernel/sanitize.sh has built."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

from hypothesis import settings

if folder := os.environ.get("MATSCORE_SANITIZED"):
    (path,) = Path(folder).glob("_kernel*.so")
    spec = importlib.util.spec_from_file_location("matscore._kernel", path)
    assert spec is not None and spec.loader is not None
    sanitized = importlib.util.module_from_spec(spec)
    sys.modules["matscore._kernel"] = sanitized
    spec.loader.exec_module(sanitized)

    import matscore

    matscore._kernel = sanitized
    settings.register_profile("short", max_examples=50, deadline=None)
    settings.load_profile("short")
