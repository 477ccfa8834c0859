"""implicit's topk: float32, on all processors."""

from common import Matrix, main
from implicit.cpu.topk import topk


def search(users: Matrix, items: Matrix, k: int) -> tuple[Matrix, Matrix]:
    """Return the best items and their scores."""
    best, scores = topk(items, users, k)
    return best, scores


main(search)
