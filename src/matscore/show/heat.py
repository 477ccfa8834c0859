"""Numbers of a terminal table shaded by value: in colour, or by signs of growing density."""

from __future__ import annotations

import math
from dataclasses import dataclass

from rich.console import Console

from matscore.colors import color_at, hex_of, ink_on, scale_values
from matscore.kernel import Floats
from matscore.show.text import Signs

_MANY = ("256", "truecolor", "windows")


@dataclass(frozen=True)
class Heat:
    """How cells are shaded.

    Attributes
    ----------
    signs : Signs
        With the signs of growing density.
    in_color : bool
        Whether the terminal has colours enough.
    """

    signs: Signs
    in_color: bool

    def place(self, values: Floats) -> Floats:
        """Place values on the scale, from -1 to 1, for signs from 0 to 1; NaN stays NaN."""
        places = scale_values(values)
        has_middle = bool((places < 0).any())
        return (places + 1) / 2 if has_middle and not self.in_color else places

    def shade(self, place: float, text: str, style: str, bold: bool) -> tuple[str, str]:
        """Shade one cell.

        Parameters
        ----------
        place : float
            From `place`; NaN is left as it is.
        text, style : str
            The cell as it would be.
        bold : bool
            Whether it stands out from the others in colour too.

        Returns
        -------
        tuple of str
            Its text and style.

        Examples
        --------
        >>> Heat(Signs(), in_color=False).shade(1.0, "5.9", "", False)
        ('█ 5.9', '')
        >>> Heat(Signs(), in_color=True).shade(1.0, "5.9", "", True)
        ('5.9', 'bold #ffffff on #b35806')
        """
        if not self.in_color:
            return f"{self._density(place)} {text}", style
        if math.isnan(place):
            return text, style
        ground = color_at(place)
        return text, f"{'bold ' * bold}{hex_of(ink_on(ground))} on {hex_of(ground)}"

    def legend(self) -> str:
        """Say what the shades mean."""
        if self.in_color:
            return "shaded from blue, low, to orange, high"
        steps = " ".join(self.signs.density.strip())
        return f"shaded from blank, low, by {steps} to high"

    def _density(self, place: float) -> str:
        if math.isnan(place):
            return " "
        return self.signs.density[min(int(place * len(self.signs.density)), 4)]


def has_many_colors(console: Console) -> bool:
    """Say whether shades of a colour can be told apart on a console."""
    return not console.no_color and console.color_system in _MANY
