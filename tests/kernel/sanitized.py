"""A pytest plugin: test the kernel that tests/kernel/sanitize.sh has built."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

from hypothesis import settings

(_path,) = Path(os.environ["MATSCORE_SANITIZED"]).glob("_kernel*.so")
_spec = importlib.util.spec_from_file_location("matscore._kernel", _path)
assert _spec is not None and _spec.loader is not None
_kernel = importlib.util.module_from_spec(_spec)
sys.modules["matscore._kernel"] = _kernel
_spec.loader.exec_module(_kernel)

import matscore  # noqa: E402

matscore._kernel = _kernel
settings.register_profile("short", max_examples=50, deadline=None)
settings.load_profile("short")
