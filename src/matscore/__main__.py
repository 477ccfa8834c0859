"""The program's start: ``matscore`` and ``python -m matscore``.

What stands here runs before anything else is loaded, and loads nothing itself.
"""

from __future__ import annotations

import gc
import signal
from typing import NoReturn


def main() -> NoReturn:
    """Run the program; it exits with one of the documented codes."""
    # An interrupt in the midst of loading would end in somebody's traceback; it waits until
    # `open_streams`, some tenths of a second. Loading makes no garbage either, so that the
    # collector would only look for it in vain until then.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    gc.disable()
    from matscore.cli.main import main as run

    run()


if __name__ == "__main__":
    main()
