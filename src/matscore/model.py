"""A linear model, ready to multiply."""

from __future__ import annotations

from dataclasses import dataclass

from matscore.kernel import Floats


@dataclass(frozen=True)
class Model:
    """A linear model, ready to multiply.

    Attributes
    ----------
    weights : ndarray of shape (n_features, n_categories), float64
        Features in canonical order.
    intercept : ndarray of shape (n_categories,), float64, or None
        Added to the product.
    categories : tuple of str
        In the weights' order.
    """

    weights: Floats
    intercept: Floats | None
    categories: tuple[str, ...]
