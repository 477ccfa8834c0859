"""faiss, its exact index: float32."""

import faiss
from common import Matrix, main


def search(users: Matrix, items: Matrix, k: int) -> tuple[Matrix, Matrix]:
    """Return the best items and their scores."""
    index = faiss.IndexFlatIP(items.shape[1])
    index.add(items)
    scores, best = index.search(users, k)
    return best, scores


main(search)
