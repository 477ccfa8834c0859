"""Our exceptions are Python's as well, and keep their fields wherever they go."""

from __future__ import annotations

import copy
import errno
import os
import pickle

import pytest

from matscore.errors import (
    ClusterError,
    FileError,
    InputError,
    MatscoreError,
    MisfitError,
    MissingExtraError,
    OutputError,
    PlanError,
    QualityError,
    UsageError,
    os_errors_about,
    say_os_error,
)
from matscore.plan import Side, make_plan

SIDE = Side("a.csv", 1, ("x",), 1, ("2",))
ERRORS = [
    UsageError("no", "yes"),
    InputError("f.csv", "is no number", "mend it", line=3, column=2, name="age"),
    PlanError(make_plan(SIDE, SIDE)),
    MisfitError("f.csv", "no column", "name one"),
    QualityError("too bad"),
    FileError("f.csv", "no such file"),
    OutputError("o.csv", "no space left", "free some"),
    ClusterError("tcp://here", "is gone"),
    MissingExtraError("parquet", "Parquet"),
]


@pytest.mark.parametrize(
    ("kind", "habit"),
    [
        (InputError, ValueError),
        (PlanError, ValueError),
        (MisfitError, ValueError),
        (FileError, OSError),
        (OutputError, OSError),
        (ClusterError, OSError),
        (MissingExtraError, ImportError),
    ],
)
def test_they_fit_the_habits_of_python(kind: type[Exception], habit: type[Exception]) -> None:
    assert issubclass(kind, habit) and issubclass(kind, MatscoreError)


def test_what_is_typed_wrong_is_not_taken_for_a_bad_value() -> None:
    """Typer makes usage errors of its own of a ValueError in a parser."""
    assert not issubclass(UsageError, (ValueError, OSError, ImportError))


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_they_travel_whole(error: MatscoreError) -> None:
    error.add_note("on the way")
    for there in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(there) is type(error)
        assert (str(there), there.args) == (str(error), error.args)
        fields = {name: value for name, value in vars(error).items() if name != "__notes__"}
        assert fields.items() <= vars(there).items()


@pytest.mark.parametrize("kind", [FileError, OutputError])
def test_a_file_error_has_what_an_os_error_has(kind: type[FileError]) -> None:
    error = kind("f.csv", "no such file", "name another")
    assert str(error) == "f.csv: no such file; name another"
    assert error.args == ("f.csv", "no such file", "name another")
    assert (error.errno, error.filename, error.strerror) == (None, "f.csv", "no such file")
    assert kind(path="f.csv", what="gone").args == ("f.csv", "gone", "")


def test_an_error_of_the_system_is_told_with_its_file() -> None:
    cause = OSError(errno.ENOSPC, "No space left on device")
    hints = {errno.ENOSPC: "free some space"}
    with (
        pytest.raises(OutputError) as caught,
        os_errors_about("o.csv", OutputError, what="cannot be kept: {}", hints=hints),
    ):
        raise cause
    error = caught.value
    assert str(error) == "o.csv: cannot be kept: no space left on device; free some space"
    assert error.errno == errno.ENOSPC and error.__cause__ is cause
    there = pickle.loads(pickle.dumps(error))
    assert (there.errno, there.filename, str(there)) == (errno.ENOSPC, "o.csv", str(error))


def test_words_are_there_without_a_number() -> None:
    assert say_os_error(OSError("Not a gzipped file")) == "not a gzipped file"
    assert (
        say_os_error(OSError(errno.EIO, os.strerror(errno.EIO))) == os.strerror(errno.EIO).lower()
    )


@pytest.mark.parametrize("error", [*ERRORS, BrokenPipeError(), KeyError("x")], ids=repr)
def test_what_is_told_already_passes(error: Exception) -> None:
    with pytest.raises(type(error)) as caught, os_errors_about("o.csv", OutputError):
        raise error
    assert caught.value is error and error.__cause__ is None
