"""Logistic regression on digits × 100, 180,000 × 64 → 10: matscore fit beside L-BFGS.

    python tests/benchmarks/fit_digits.py               # five rounds
    python tests/benchmarks/fit_digits.py --times 1 --runs 1

Both run in turn, round after round, as processes of their own, from CSV to CSV, with one thread
each: threads of a BLAS wait at the cost of a processor. scikit-learn ends at its usual tolerance.
The table gives medians, and of the weights of each how far the penalised loss is above the least.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import numpy as np
import polars as pl
from sklearn.datasets import load_digits

sys.path.insert(0, str(Path(__file__).parents[2]))

from matscore.kernel import Floats
from tests.benchmarks.measure import Usage, measure, middle
from tests.benchmarks.tools import child_environment

_PEER = Path(__file__).parent / "peers" / "sklearn_logistic.py"
WAYS = ("matscore", "pandas + scikit-learn")


def main(argv: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--times", type=int, default=100, help="copies (%(default)s)")
    parser.add_argument("--runs", type=int, default=5, help="rounds (%(default)s)")
    given = parser.parse_args(argv)
    X, y = load_digits(return_X_y=True)
    env = {**child_environment(), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    with tempfile.TemporaryDirectory() as folder:
        path, *outputs = (Path(folder) / name for name in ("f.csv", "ours.csv", "theirs.csv"))
        columns = {f"p{i:02}": X[:, i].astype(int) for i in range(64)} | {"digit": y}
        rows = pl.concat([pl.DataFrame(columns)] * given.times).with_row_index("id")
        rows.write_csv(path)
        options = ("--target", "digit", "--method", "logistic", "-j", "1", "-q")
        commands = (
            (sys.executable, "-m", "matscore", "fit", str(path), *options, "-o", str(outputs[0])),
            (sys.executable, str(_PEER), str(path), "digit", str(outputs[1])),
        )
        runs: dict[str, list[Usage]] = {way: [] for way in WAYS}
        for _ in range(given.runs):
            for way, command in zip(WAYS, commands, strict=True):
                runs[way].append(measure(command, env=env)[0])
        losses = [find_loss(output, X, y, given.times) for output in outputs]
    print("| way | wall | CPU | peak memory | matscore's CPU / its | loss above the least |")
    print("|---|---:|---:|---:|---:|---:|")
    for way, loss in zip(WAYS, losses, strict=True):
        ratio = median(o.cpu / t.cpu for o, t in zip(runs[WAYS[0]], runs[way], strict=True))
        used = middle(runs[way])
        figures = f"{used.wall:.2f} s | {used.cpu:.2f} s | {used.peak / 1e6:.0f} MB"
        print(f"| {way} | {figures} | {ratio:.2f} | {loss / min(losses) - 1:.1%} |")


def find_loss(path: Path, X: Floats, y: Floats, times: int) -> float:
    """Return the penalised loss of the weights in a file."""
    weights = pl.read_csv(path)[:, 1:].to_numpy()
    scores = X @ weights[:-1] + weights[-1]
    scores -= scores.max(axis=1, keepdims=True)
    own = scores[np.arange(len(y)), y]
    losses = np.log(np.exp(scores).sum(axis=1)) - own
    return float(times * losses.sum() + 0.5 * (weights[:-1] ** 2).sum())


if __name__ == "__main__":
    main()
