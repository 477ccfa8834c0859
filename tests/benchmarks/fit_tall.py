"""Least squares on TALL, 3 million × 8 with 3 targets: matscore fit beside pandas + scikit-learn.

    python tests/benchmarks/fit_tall.py                 # five rounds
    python tests/benchmarks/fit_tall.py --small --runs 1

The targets are the scores of TALL's weights with noise, in columns of the features file or in a
file of their own with the same labels. Both run in turn, round after round, as processes of their
own, CSV to CSV. The table gives medians of wall time, CPU time and peak memory, and the median over
the rounds of matscore's wall time divided by the other's. The weights must agree within 1e-9.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

import numpy as np
import polars as pl

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.benchmarks.cases import CASES
from tests.benchmarks.data import Shape, iter_features, make_weights
from tests.benchmarks.measure import Usage, measure, middle
from tests.benchmarks.tools import child_environment

_PEER = Path(__file__).parent / "peers" / "sklearn_fit.py"
_NOISE = 0.1
_CLOSE = 1e-9
WAYS = ("matscore", "pandas + scikit-learn")


class DisagreementError(Exception):
    """The weights differ."""


def main(argv: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--small", action="store_true", help="few rows, to see whether it runs")
    parser.add_argument("--runs", type=int, default=5, help="rounds (%(default)s)")
    folder = Path(tempfile.gettempdir()) / "matscore-benchmarks"
    parser.add_argument("--out", type=Path, default=folder, help="where data goes (%(default)s)")
    given = parser.parse_args(argv)
    case = CASES["TALL"].small() if given.small else CASES["TALL"]
    if case.shape is None:
        raise ValueError("TALL has no shape")
    given.out.mkdir(parents=True, exist_ok=True)
    files = make_targets(case.shape, given.out)
    print("| targets | way | wall | CPU | peak memory | matscore / it |")
    print("|---|---|---:|---:|---:|---:|")
    for targets in ("in columns", "in a file"):
        runs = run_rounds(targets, case.shape, files, given.runs)
        for way in WAYS:
            ratio = median(o.wall / t.wall for o, t in zip(runs[WAYS[0]], runs[way], strict=True))
            used = middle(runs[way])
            figures = f"{used.wall:.2f} s | {used.cpu:.2f} s | {used.peak / 1e6:.0f} MB"
            print(f"| {targets} | {way} | {figures} | {ratio:.2f} |", flush=True)


def make_targets(shape: Shape, folder: Path) -> tuple[Path, Path, Path]:
    """Write features with targets, features alone and targets alone, unless they are there.

    Parameters
    ----------
    shape : Shape
        Size.
    folder : Path
        Where.

    Returns
    -------
    tuple of Path
        The three files, with labels in a column ``id``.
    """
    kinds = ("joined", "inputs", "targets")
    joined, inputs, targets = (folder / f"fit-{shape.name}-{kind}.csv" for kind in kinds)
    if not targets.exists():
        with joined.open("wb") as one, inputs.open("wb") as two, targets.open("wb") as three:
            for i, (features, scores) in enumerate(iter_examples(shape)):
                pairs = (
                    (features.hstack(scores), one),
                    (features, two),
                    (pl.DataFrame([features["id"], *scores]), three),
                )
                for frame, out in pairs:
                    frame.write_csv(out, include_header=i == 0, float_precision=6)
    return joined, inputs, targets


def iter_examples(shape: Shape) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
    """Yield features, and their scores with noise, in chunks."""
    rng = np.random.default_rng(7)
    weights = make_weights(shape).drop("feature").to_numpy()
    for features in iter_features(shape):
        scores = features.drop("id").to_numpy() @ weights + 1.5
        scores += rng.normal(scale=_NOISE, size=scores.shape)
        yield features, pl.DataFrame(scores, schema=shape.category_names)


def run_rounds(
    targets: str, shape: Shape, files: tuple[Path, Path, Path], n_runs: int
) -> dict[str, list[Usage]]:
    """Run both ways in turn, and compare their weights.

    Parameters
    ----------
    targets : str
        Where the targets are.
    shape : Shape
        Size.
    files : tuple of Path
        From `make_targets`.
    n_runs : int
        Rounds.

    Returns
    -------
    dict of str to list of Usage
        A run a round, by way.

    Raises
    ------
    DisagreementError
        The weights differ by more than 1e-9.
    """
    joined, inputs, apart = files
    names = ",".join(shape.category_names)
    outputs = [joined.with_name(f"fit-weights-{i}.csv") for i in range(2)]
    ours: tuple[str, ...] = (str(inputs), str(apart))
    theirs = (str(inputs), str(apart))
    if targets == "in columns":
        ours, theirs = (str(joined), "--target", names), (str(joined), names)
    fit = (sys.executable, "-m", "matscore", "fit", "-q", *ours, "-o", str(outputs[0]))
    peer = (sys.executable, str(_PEER), *theirs, str(outputs[1]))
    runs: dict[str, list[Usage]] = {way: [] for way in WAYS}
    for _ in range(n_runs):
        for way, command in zip(WAYS, (fit, peer), strict=True):
            runs[way].append(measure(command, env=child_environment())[0])
    one, other = (pl.read_csv(output) for output in outputs)
    # The first column has the names; what heads it tells the link, which the peer does not write.
    difference = (one[:, 1:].to_numpy() - other[:, 1:].to_numpy()).ravel()
    if one[:, 0].to_list() != other[:, 0].to_list() or np.abs(difference).max() > _CLOSE:
        raise DisagreementError(f"the weights differ by {np.abs(difference).max()}")
    for output in outputs:
        output.unlink()
    return runs


if __name__ == "__main__":
    main()
