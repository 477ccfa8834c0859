"""The exceptions of matscore. They carry fields; the command line writes the sentences.

They are Python's own as well, `ValueError`, `OSError` or `ImportError`: what catches one of those
around code of ours lets `MatscoreError` pass first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matscore.plan import Plan


class MatscoreError(Exception):
    """Base of every error that matscore raises on purpose."""


class _ToldError(MatscoreError):
    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what, hint)
        self.what, self.hint = what, hint

    def __str__(self) -> str:
        return join_sentence(self.what, self.hint)


class UsageError(_ToldError):
    """Options or arguments that contradict each other.

    Parameters
    ----------
    what : str
        What is wrong.
    hint : str
        What to do about it; may be empty.
    """


class _AboutFileError(MatscoreError):
    """What is wrong with a file as a whole."""

    def __init__(self, path: str, what: str, hint: str = "") -> None:
        super().__init__()  # OSError would take the path for its number
        self.args = (path, what, hint)
        self.path, self.what, self.hint = path, what, hint

    def __str__(self) -> str:
        return f"{self.path}: {join_sentence(self.what, self.hint)}"


class InputError(_AboutFileError, ValueError):
    """Data that cannot be read with certainty.

    Parameters
    ----------
    path : str
        The input's name as it was given.
    what : str
        What is wrong.
    hint : str
        What to do about it; may be empty.
    line : int or None
        Physical line (from 1) where the record starts; the row for Parquet and Arrow.
    column : int or None
        Column of the cell, counted from 1.
    name : str or None
        Name of that column.
    """

    def __init__(
        self,
        path: str,
        what: str,
        hint: str = "",
        *,
        line: int | None = None,
        column: int | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(path, what, hint)
        self.args = (*self.args, line, column, name)
        self.line, self.column, self.name = line, column, name

    # Workers send their errors to us: pickling as it comes would forget the keywords.
    def __reduce__(self) -> tuple[object, ...]:
        make = partial(type(self), line=self.line, column=self.column, name=self.name)
        return make, self.args[:3], self.__dict__

    def __str__(self) -> str:
        place = ":".join(str(p) for p in (self.path, self.line, self.column) if p is not None)
        name = "" if self.name is None else f'"{self.name}": '
        return f"{place}: {name}{join_sentence(self.what, self.hint)}"


class PlanError(MatscoreError, ValueError):
    """Shapes or names that do not line up; ``plan`` has the facts, the problem and the way out."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self.plan = plan

    def __str__(self) -> str:
        return join_sentence(self.plan.problem or "the matrices do not line up", self.plan.hint)


class MisfitError(_AboutFileError, ValueError):
    """Names or shapes of a file that do not serve what it is given for.

    Parameters
    ----------
    path : str
        The file's name as it was given.
    what : str
        What is wrong.
    hint : str
        What to do about it; may be empty.
    """


class QualityError(_ToldError):
    """A model that is not as good as it was asked to be.

    Parameters
    ----------
    what : str
        What is measured and what was asked for.
    """


class FileError(_AboutFileError, OSError):
    """A file that cannot be read.

    Parameters
    ----------
    path : str
        The file's name as it was given; ``filename`` too.
    what : str
        What went wrong, usually the operating system's words; ``strerror`` too.
    hint : str
        What to do about it; may be empty.

    Attributes
    ----------
    errno : int or None
        The operating system's number; None where it is not to blame.
    """

    @property
    def filename(self) -> str:
        """The file's name as it was given."""
        return self.path

    @property
    def strerror(self) -> str:  # type: ignore[override]
        """What went wrong."""
        return self.what

    # OSError holds its number apart from its other fields.
    def __reduce__(self) -> tuple[object, ...]:
        return type(self), self.args, {**self.__dict__, "errno": self.errno}


class OutputError(FileError):
    """A file that cannot be written."""


class ClusterError(FileError):
    """A cluster that cannot do the work; its path is the address of the one at fault."""


class ClusterWarning(UserWarning):
    """Something about a cluster that may change the last digits of its results."""


class MissingExtraError(MatscoreError, ImportError):
    """An optional package that is not installed.

    Parameters
    ----------
    extra : str
        Name of the extra, as in ``pip install 'matscore[extra]'``.
    what : str
        What needs it.
    """

    def __init__(self, extra: str, what: str) -> None:
        super().__init__(extra, what)
        self.extra, self.what = extra, what

    def __str__(self) -> str:
        return f"{self.what} needs an optional package; pip install 'matscore[{self.extra}]'"


def say_os_error(error: OSError) -> str:
    """Return what the operating system says, as a part of a sentence."""
    return (error.strerror or str(error)).lower()


@contextmanager
def os_errors_about(
    path: str,
    kind: type[FileError] = FileError,
    *,
    what: str = "{}",
    hints: Mapping[int, str] = MappingProxyType({}),
    hint: str = "",
) -> Iterator[None]:
    """Turn errors of the operating system into ours about a file; ours and broken pipes pass.

    Its words go into `what`; `hints` are by its number.
    """
    try:
        yield
    # A reader that has gone is no fault of a file: it ends the program in silence.
    except (MatscoreError, BrokenPipeError):
        raise
    except OSError as error:
        words = what.format(say_os_error(error))
        failure = kind(path, words, hints.get(error.errno or 0, hint))
        failure.errno = error.errno
        raise failure from error


def join_sentence(what: str, hint: str) -> str:
    """Join what is wrong and what to do, as every message does."""
    return f"{what}; {hint}" if hint else what


def require_extra(what: str, *libraries: str, extra: str = "report") -> None:
    """Raise `MissingExtraError`, before any work, where libraries that `what` needs are missing."""
    from importlib.util import find_spec

    if any(find_spec(library) is None for library in libraries):
        raise MissingExtraError(extra, what)
