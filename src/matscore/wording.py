"""What the two sides are called in sentences, and how the options that turn them are said."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Words:
    """The words of a command.

    Attributes
    ----------
    features, weights : str
        What the first and the second file hold.
    category : str
        What a score is for.
    turn_features, turn_weights : str
        The options that transpose the two.
    a_row, a_column : str
        What a row and a column of the second file are, with their article.
    contents : str
        What its numbers are.
    in_rows : bool
        Whether categories are rows of the second file by nature, so that weights which are not
        transposed are what has to be asked for.
    """

    features: str = "features"
    weights: str = "weights"
    category: str = "category"
    turn_features: str = "--transpose-features"
    turn_weights: str = "--transpose"
    a_row: str = "a feature"
    a_column: str = "a category"
    contents: str = "weights"
    in_rows: bool = False

    def is_asked(self, turned: bool) -> bool:
        """Say whether weights are transposed, or not, only when an option asks for it."""
        return turned != self.in_rows

    def advise(self, turned: bool) -> str:
        """Say what to do so that the weights are transposed, or are not.

        Examples
        --------
        >>> SCORING.advise(True), ITEMS.advise(True)
        ('add --transpose', 'leave --transpose-items out')
        """
        if self.is_asked(turned):
            return f"add {self.turn_weights}"
        return f"leave {self.turn_weights} out"


SCORING = Words()
"""Of ``classify`` and the commands like it."""
ITEMS = Words(
    features="users",
    weights="items",
    category="item",
    turn_features="--transpose-users",
    turn_weights="--transpose-items",
    a_row="an item",
    a_column="a feature",
    contents="features",
    in_rows=True,
)
"""Of ``recommend``, whose second file has one row an item."""
