"""NumPy, some users at a time: float32."""

import numpy as np
from common import Matrix, main


def search(users: Matrix, items: Matrix, k: int) -> tuple[Matrix, Matrix]:
    """Return the best items and their scores."""
    found = [pick(users[start : start + 256] @ items.T, k) for start in range(0, len(users), 256)]
    best, scores = (np.concatenate(part) for part in zip(*found, strict=True))
    return best, scores


def pick(scores: Matrix, k: int) -> tuple[Matrix, Matrix]:
    """Return the k highest of each row."""
    best = np.argpartition(scores, -k, axis=1)[:, -k:]
    order = np.argsort(-np.take_along_axis(scores, best, axis=1), axis=1)
    best = np.take_along_axis(best, order, axis=1)
    return best, np.take_along_axis(scores, best, axis=1)


main(search)
