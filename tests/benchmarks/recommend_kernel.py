"""The best k of many items, in memory: matscore's kernel beside the product alone and faiss.

    pip install . faiss-cpu
    python tests/benchmarks/recommend_kernel.py                    # 4,000 × 200,000 × 64, k = 10
    python tests/benchmarks/recommend_kernel.py --users 256 --items 20000 --rounds 1

Every way runs once a round, in turn, on two threads: NumPy's float32 product in blocks with nothing
done about it (a floor for all of them), the same with `argpartition`, matscore, and faiss
`IndexFlatIP` in a process of its own, whose BLAS has threads of its own. The table gives medians of
the seconds and of the CPU time, and medians over the rounds of matscore's divided by the other's.
Other work on the machine disturbs CPU time less, but threads that wait by spinning are in it. Then
the results are compared with those of all scores in float64, computed as `matscore classify` does.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from matscore.items import Items, Recommended
from matscore.kernel import Floats, PackedWeights
from matscore.run.parts import map_ordered


class Taken(NamedTuple):
    """Seconds that something took."""

    wall: float
    cpu: float


N_THREADS = 2
BLOCK, TILE = 512, 1024


def make_data(args: argparse.Namespace) -> tuple[Floats, Floats]:
    """Return users and items, whose sizes differ as popularity does."""
    rng = np.random.default_rng(5)
    users = rng.normal(size=(args.users, args.features))
    items = rng.normal(size=(args.items, args.features))
    return users, items * rng.lognormal(sigma=args.spread, size=(args.items, 1))


def iter_blocks(n: int, size: int) -> Iterator[slice]:
    """Cut a range into slices."""
    return (slice(start, min(start + size, n)) for start in range(0, n, size))


def multiply_only(users: Floats, items: Floats) -> Callable[[], object]:
    """Return what multiplies in float32 and does nothing else."""
    small_users, small_items = users.astype(np.float32), items.astype(np.float32)

    def work(block: slice) -> None:
        few = small_users[block]
        buffer = np.empty((TILE, len(few)), dtype=np.float32)
        for tile in iter_blocks(len(items), TILE):
            some = small_items[tile]
            np.matmul(some, few.T, out=buffer[: len(some)])

    return lambda: list(map_ordered(work, iter_blocks(len(users), BLOCK), N_THREADS))


def partition(users: Floats, items: Floats, k: int) -> Callable[[], object]:
    """Return what multiplies in float32 and picks the best by `argpartition`."""
    small_users, small_items = users.astype(np.float32), items.astype(np.float32)

    def work(block: slice) -> NDArray[np.intp]:
        scores = small_users[block] @ small_items.T
        best = np.argpartition(scores, -k, axis=1)[:, -k:]
        order = np.argsort(-np.take_along_axis(scores, best, axis=1), axis=1)
        return np.take_along_axis(best, order, axis=1)

    return lambda: list(map_ordered(work, iter_blocks(len(users), 128), N_THREADS))


def recommend(users: Floats, items: Floats, k: int) -> Callable[[], list[Recommended]]:
    """Return what matscore does, once the items are held."""
    held = Items(items.shape[1])
    held.add(items)
    columns = np.ascontiguousarray(users.T)

    def work(block: slice) -> Recommended:
        return held.recommend(columns[:, block], k)

    return lambda: list(map_ordered(work, iter_blocks(len(users), BLOCK), N_THREADS))


class Faiss:
    """A process that searches with faiss whenever it is asked to."""

    def __init__(self) -> None:
        command = [sys.executable, str(Path(__file__)), "--faiss", *sys.argv[1:]]
        environment = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")}
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        self.version = self._read()

    def __call__(self) -> Taken:
        """Search; return the time it took."""
        assert self._process.stdin is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()
        wall, cpu = map(float, self._read().split())
        return Taken(wall, cpu)

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def _read(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


def serve_faiss(args: argparse.Namespace) -> None:
    """Be that process."""
    import faiss

    faiss.omp_set_num_threads(N_THREADS)
    users, items = make_data(args)
    index = faiss.IndexFlatIP(args.features)
    index.add(items.astype(np.float32))
    queries = users.astype(np.float32)
    print(faiss.__version__, flush=True)
    for _ in sys.stdin:
        taken = clock(partial(index.search, queries, args.k))
        print(taken.wall, taken.cpu, flush=True)


def clock(way: Callable[[], object]) -> Taken:
    """Run one way; return the time it took, or says that it took."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = way()
    if isinstance(result, Taken):
        return result
    return Taken(time.perf_counter() - wall, time.process_time() - cpu)


def measure(ways: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[Taken]]:
    """Run every way in turn."""
    taken: dict[str, list[Taken]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            taken[name].append(clock(way))
    return taken


def agree(users: Floats, items: Floats, k: int, found: list[Recommended]) -> str:
    """Compare with the ranking of all scores in float64."""
    same_items = same_scores = total = 0
    packed = PackedWeights(np.ascontiguousarray(items.T))
    blocks = zip(iter_blocks(len(users), BLOCK), found, strict=True)
    for block, part in blocks:
        for some in iter_blocks(len(part.counts), 128):
            few = np.ascontiguousarray(users[block][some].T)
            scores = packed.multiply(few)
            places = packed.rank(few, scores, k).places
            ours = slice(some.start * k, some.stop * k)
            same_items += int((part.items[ours].reshape(-1, k) == places).sum())
            best = np.take_along_axis(scores.T, places, axis=1)
            same_scores += int((part.scores[ours].reshape(-1, k) == best).sum())
            total += places.size
    return f"items equal: {same_items:,} of {total:,}; float64 scores equal: {same_scores:,}"


def main() -> None:
    """Measure, print a table, and what agrees."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    for name, default in (("users", 4000), ("items", 200_000), ("features", 64), ("k", 10)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--spread", type=float, default=0.0, help="of the items' sizes")
    parser.add_argument("--faiss", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.faiss:
        serve_faiss(args)
        return
    if os.environ.get("OPENBLAS_NUM_THREADS") != "1":  # it is read when NumPy is loaded
        variables = dict.fromkeys(("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | variables)
    users, items = make_data(args)
    faiss = Faiss()
    ours = recommend(users, items, args.k)
    ways: dict[str, Callable[[], object]] = {
        "NumPy, product alone": multiply_only(users, items),
        "NumPy, argpartition": partition(users, items, args.k),
        f"faiss {faiss.version}, IndexFlatIP": faiss,
        "matscore": ours,
    }
    measure(ways, 1)  # everything loaded and every page touched
    everything = measure(ways, args.rounds)
    faiss.close()
    print(f"{args.users:,} users × {args.items:,} items × {args.features} features, k = {args.k},")
    print(f"{N_THREADS} threads, NumPy {np.__version__}, {args.rounds} rounds\n")
    print("| way | s | CPU s | matscore's time by it | CPU time by it |\n|---|---|---|---|---|")
    for name, taken in everything.items():
        middle = [statistics.median(part) for part in zip(*taken, strict=True)]
        pairs = list(zip(everything["matscore"], taken, strict=True))
        ratios = [statistics.median(own[i] / other[i] for own, other in pairs) for i in (0, 1)]
        print(f"| {name} | {middle[0]:.2f} | {middle[1]:.2f} | {ratios[0]:.2f} | {ratios[1]:.2f} |")
    print("\n" + agree(users, items, args.k, ours()))


if __name__ == "__main__":
    main()
