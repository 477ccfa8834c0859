"""Weights from examples: least squares and ridge in one pass over the rows, by QR.

`reduce` makes a small triangle of any number of rows, `stream` cuts the rows so that the triangle
has the same bits however they come, and `solve` makes weights of it.
"""

from matscore.numerics.least_squares.reduce import Triangle, merge, reduce_rows, sort_names
from matscore.numerics.least_squares.solve import Fit, solve
from matscore.numerics.least_squares.stream import Segment, block_rows, cut_rows, finish, no_rows

__all__ = [
    "Fit",
    "Segment",
    "Triangle",
    "block_rows",
    "cut_rows",
    "finish",
    "merge",
    "no_rows",
    "reduce_rows",
    "solve",
    "sort_names",
]
