"""The long comparison of numbers, both ways: minutes, not a part of the suite.

    python tests/kernel/long_numbers.py read 10_000_000 [PROCESSES [SEED]]
    python tests/kernel/long_numbers.py write 100_000_000 [PROCESSES [SEED]]

`read` draws texts of 1 to 1,100 digits (halfway cases, subnormal ones, near overflow) and compares
with Python's float(). `write` draws bits and has tests/kernel/compare_numbers.cpp compare what is
written with std::to_chars digit by digit, and read it back; every 1,000th is compared with repr.
"""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1]))

from tests.kernel.draw_numbers import draw_texts  # noqa: E402
from tests.kernel.test_numbers import check_written, read_all  # noqa: E402

_ROUNDS = 2_000


def compare_reading(seed: int) -> int:
    """Compare one lot of texts; return how many."""
    texts = list(draw_texts(random.Random(seed), _ROUNDS))
    expected = np.array([float(text) for text in texts])
    expected[np.isinf(expected)] = np.inf
    wrong = np.flatnonzero(read_all(texts).view(np.uint64) != expected.view(np.uint64))
    if len(wrong):
        raise SystemExit(f"seed {seed}: {texts[int(wrong[0])]} is read wrong")
    return len(texts)


def compare_with_repr(seed: int) -> int:
    """Compare what is written with repr for one lot of bits; return how many."""
    values = np.frombuffer(random.Random(seed).randbytes(8 * 10_000), np.float64)
    check_written(values[np.isfinite(values)])
    return len(values)


def main(what: str, wanted: str, processes: str = "2", seed: str = "0") -> None:
    """Run the comparison over so many numbers and say the figures."""
    started = time.monotonic()
    n_wanted, first = int(wanted), int(seed) * 1_000_000
    with ProcessPoolExecutor(int(processes)) as pool:
        if what == "read":
            n_lots = -(-n_wanted // (12 * _ROUNDS))
            n_done = sum(pool.map(compare_reading, range(first, first + n_lots)))
        else:
            with tempfile.TemporaryDirectory() as folder:
                program = str(Path(folder, "compare"))
                flags = ["-std=c++20", "-O2", "-ffp-contract=off", "-o", program]
                subprocess.run(["c++", *flags, str(HERE / "compare_numbers.cpp")], check=True)
                share = str(-(-n_wanted // int(processes)))
                runs = [
                    subprocess.Popen([program, share, str(first + i)])
                    for i in range(int(processes))
                ]
                codes = [run.wait() for run in runs]
                if any(codes):
                    raise SystemExit(1)
            n_lots = -(-n_wanted // 10_000_000)
            n_done = n_wanted + sum(pool.map(compare_with_repr, range(first, first + n_lots)))
    print(f"{what}: {n_done:,} numbers agree, {time.monotonic() - started:.0f} s, seed {seed}")


if __name__ == "__main__":
    main(*sys.argv[1:])
