"""The program against the reference of its contract, on seeded small cases."""

from __future__ import annotations

import os

import pytest

from tests.oracle.campaign import run_block, run_many
from tests.oracle.cases import COMMANDS

_SHORT = 100  # cases a command


@pytest.mark.parametrize("command", COMMANDS)
def test_runs_end_as_the_contract_says(command: str) -> None:
    tally = run_block(command, range(_SHORT))
    assert not tally.failures, "\n".join(["", *tally.failures, tally.write_table()])


@pytest.mark.slow
def test_many_runs_end_as_the_contract_says() -> None:
    cases = int(os.environ.get("ORACLE_CASES", "200000"))
    workers = int(os.environ.get("ORACLE_WORKERS", "1"))
    tally = run_many(cases, workers, int(os.environ.get("ORACLE_SEED", "0")), COMMANDS)
    print(tally.write_table())
    assert not tally.failures, "\n".join(["", *tally.failures, tally.write_table()])
