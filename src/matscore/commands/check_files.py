"""``check``: how two files line up."""

from __future__ import annotations

import contextlib

from matscore.options import PathLike, PlanOptions, ReadOptions, check_options
from matscore.plan import Plan
from matscore.read.table import open_table
from matscore.run.prepare import check_names, plan_part, read_weights
from matscore.write.whole import check_paths


def check_files(
    features: PathLike,
    weights: PathLike,
    *,
    read: ReadOptions = ReadOptions(),
    align: PlanOptions = PlanOptions(),
) -> Plan:
    """Say how two files line up; no score is computed.

    Parameters
    ----------
    features, weights : str or Path
        The files; one of them may be ``-``.
    read : ReadOptions
        How they are read.
    align : PlanOptions
        How they are lined up.

    Returns
    -------
    Plan
        Whose `problem` is None when they fit.

    Raises
    ------
    InputError, FileError, UsageError
        A file cannot be read, or not with certainty.

    Examples
    --------
    >>> check_files("sample_data/users.csv", "sample_data/films.csv").add_options
    ('--transpose',)
    """
    check_options(read, align)
    check_paths([str(features), str(weights)])
    held = read_weights(str(weights), read)
    table = open_table(str(features), read)
    with contextlib.closing(table):
        return check_names(plan_part(table, held, read, align).plan)
