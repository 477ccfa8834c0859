"""The libraries that pages and plots need."""

from __future__ import annotations

import importlib.util

from matscore.errors import MissingExtraError

EXTRA = "report"


def require_extra(what: str, *libraries: str) -> None:
    """See to it, before any work, that libraries are installed.

    Parameters
    ----------
    what : str
        What needs them, for the message.
    *libraries : str
        Names that can be imported.

    Raises
    ------
    MissingExtraError
        One of them is not there.

    Examples
    --------
    >>> try:
    ...     require_extra("a page", "no_such_library")
    ... except MissingExtraError as error:
    ...     print(error)
    a page needs an optional package; pip install 'matscore[report]'
    """
    if any(importlib.util.find_spec(library) is None for library in libraries):
        raise MissingExtraError(EXTRA, what)
