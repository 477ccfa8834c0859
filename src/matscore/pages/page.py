"""What a page is made of, how it becomes one HTML file that fetches nothing, and ``-f html``."""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

import numpy as np

from matscore.colors import LEVELS, color_at, hex_of, ink_on, level_of, scale_values
from matscore.frame import Frame, find_absent, join_frames
from matscore.kernel import Floats
from matscore.names import show
from matscore.show.table import plural, show_number, show_percent, show_size

if TYPE_CHECKING:
    from matscore.run.run import Summary
    from matscore.write.formats import OutputSpec

LONGEST_TEXT, LONGEST_TITLE, LONGEST_LINE = 80, 1000, 500


@dataclass(frozen=True)
class Cell:
    """A cell of a table; its text is safe to show and short."""

    text: str
    title: str = ""  # the whole of a text that was cut
    value: float | None = None  # what a number is sorted by
    level: int | None = None  # its shade
    bar: float | None = None  # the length of a bar behind it, from 0 to 1
    mark: Literal["", "best", "tie"] = ""

    @classmethod
    def of_text(cls, text: object) -> Cell:
        """Return a cell of any text, made safe and cut."""
        return cls(*cut(str(text)))

    @classmethod
    def of_number(cls, value: float | None) -> Cell:
        """Return a cell of a number; there is nothing for None."""
        return cls("") if value is None else cls(show_number(value), value=value)

    @classmethod
    def of_count(cls, n: int, *, of: int | None = None) -> Cell:
        """Return a cell of a count, with a bar as long as its share of another."""
        return cls(f"{n:,}", value=float(n), bar=None if not of else n / of)

    @classmethod
    def of_share(cls, share: float, *, in_percent: bool = False) -> Cell:
        """Return a cell of a share, in four decimals or in percent; a dash for NaN."""
        if math.isnan(share):
            return cls("–")
        return cls(show_percent(share) if in_percent else f"{share:.4f}", value=share)


@dataclass(frozen=True)
class Column:
    """A column of a table; `title` is the whole of a heading that was cut."""

    heading: str
    cells: Sequence[Cell]
    is_number: bool = False
    title: str = ""
    has_bars: bool = False

    @classmethod
    def of_name(cls, name: str, cells: Sequence[Cell], *, is_number: bool = True) -> Column:
        """Return a column whose heading is any text, made safe and cut."""
        short, title = cut(name)
        return cls(short, cells, is_number, title)

    @classmethod
    def of_texts(cls, heading: str, texts: Iterable[object]) -> Column:
        """Return a column of any texts."""
        return cls(heading, list(map(Cell.of_text, texts)))

    @classmethod
    def of_numbers(cls, heading: str, values: Iterable[float | None]) -> Column:
        """Return a column of numbers, with nothing for None."""
        return cls(heading, list(map(Cell.of_number, values)), is_number=True)

    @classmethod
    def of_counts(cls, heading: str, counts: Iterable[int], *, most: int | None = None) -> Column:
        """Return a column of counts, with bars where the highest of them is given."""
        cells = [Cell.of_count(n, of=most) for n in counts]
        return cls(heading, cells, is_number=True, has_bars=most is not None)

    @classmethod
    def of_shares(
        cls, heading: str, shares: Iterable[float], *, in_percent: bool = False
    ) -> Column:
        """Return a column of shares."""
        cells = [Cell.of_share(share, in_percent=in_percent) for share in shares]
        return cls(heading, cells, is_number=True)

    @classmethod
    def of_parts(cls, heading: str, counts: Iterable[int], whole: int) -> Column:
        """Return a column of the shares that counts have of a whole, in percent."""
        return cls.of_shares(heading, (n / whole for n in counts), in_percent=True)


@dataclass(frozen=True)
class Table:
    """A table; its first column names the rows."""

    kind: ClassVar = "table"

    caption: str
    columns: Sequence[Column]
    note: str = ""
    is_heat: bool = False  # whether its numbers are shaded

    @property
    def rows(self) -> Iterator[tuple[Cell, ...]]:
        """The cells, row by row."""
        return zip(*(column.cells for column in self.columns), strict=True)

    @property
    def has_marks(self) -> bool:
        """Whether any cell stands out, so that all numbers keep room for the sign."""
        return any(cell.mark for column in self.columns for cell in column.cells)


@dataclass(frozen=True)
class Figure:
    """A picture as SVG, with what it shows in words."""

    kind: ClassVar = "figure"

    svg: str
    caption: str
    alt: str


@dataclass(frozen=True)
class Shapes:
    """Two matrices by size, and their product, to be drawn as rectangles.

    The weights stand above the scores and the features to the left of them (Falk 1951, "Ein
    übersichtliches Schema für die Matrizenmultiplikation", ZAMM 31(4-5), 152-153), so that each
    score lies in the row of its item and in the column of its category, and the two inner sides,
    which must be as long as each other, meet at a corner.
    """

    kind: ClassVar = "shapes"

    n_rows: int | None  # of the features; None where they were not counted
    n_features: int  # columns of the features
    n_weights: int  # rows of the weights
    n_categories: int  # columns of the weights
    features: str  # where they come from
    weights: str
    fits: bool  # whether there is a product
    is_recommend: bool = False  # whether these are users and items, transposed

    @property
    def names(self) -> tuple[str, str]:
        """What the two matrices are called."""
        return ("users", "items, transposed") if self.is_recommend else ("features", "weights")

    @property
    def sides(self) -> tuple[float, float, float, float]:
        """Lengths of the rows, of the features across and down, and of the categories."""
        # What stands in a box is never wider than it.
        longest = show_size(self.n_rows, max(self.n_features, self.n_categories))
        sides = _length(self.n_features), _length(self.n_categories)
        across, wide = (max(side, 9.5 * len(longest) + 14) for side in sides)
        # Where they fit, the two inner sides are seen to be as long as each other.
        down = across if self.fits else _length(self.n_weights)
        return _length(self.n_rows or 0), across, down, wide

    @property
    def alt(self) -> str:
        """What the picture shows, in words."""
        rows = "unknown" if self.n_rows is None else f"{self.n_rows:,}"
        left, top = self.names
        features = f"{left} of {rows} by {self.n_features:,}"
        weights = f"{top} of {self.n_weights:,} by {self.n_categories:,}"
        if self.fits:
            return f"{features} times {weights} give scores of {rows} by {self.n_categories:,}"
        return f"{features} and {weights} do not line up"


def _length(n: int) -> float:
    """Return the length of a side: it grows with the number, slowly."""
    # A picture to scale would show one row beside a million as nothing.
    return round(min(64 + 26 * math.log10(max(n, 1)), 190), 1)


@dataclass(frozen=True)
class Notes:
    """Sentences, and a command with what is said before it."""

    kind: ClassVar = "notes"

    sentences: Sequence[str]
    command: str = ""
    before: str = ""


@dataclass(frozen=True)
class Pair:
    """Parts that stand beside each other where there is room."""

    kind: ClassVar = "pair"

    parts: Sequence[Figure | Table | Notes | Shapes]


@dataclass(frozen=True)
class Section:
    """A part of a page with a heading; `anchor` is where links lead."""

    anchor: str
    title: str
    parts: Sequence[Table | Figure | Notes | Pair]
    lead: str = ""


Sections: TypeAlias = tuple[list[Section], list[Section]]
"""What a command has on the page of its run: its results, and what they were made from."""


@dataclass(frozen=True)
class Tile:
    """A number that is seen first."""

    number: str
    words: str
    tone: Literal["", "good", "warn", "bad"] = ""


@dataclass(frozen=True)
class Page:
    """A whole page."""

    title: str
    subtitle: str
    sections: Sequence[Section]
    foot: str  # what made the page
    status: str = ""  # how the run ended
    alert: str = ""  # what went wrong, if anything did
    tiles: Sequence[Tile] = ()


def heat_cells(values: Floats, decimals: int | None = None) -> list[list[Cell]]:
    """Return columns of cells of numbers, (n_rows, n_columns), shaded by one measure but for NaN.

    Without `decimals` a column has those that its largest number needs for four digits.
    """
    return [
        [
            Cell(text, value=value, level=None if math.isnan(place) else level_of(place))
            for text, value, place in zip(
                line_up_numbers(column, decimals), column, places, strict=True
            )
        ]
        for column, places in zip(values.T.tolist(), scale_values(values).T.tolist(), strict=True)
    ]


def line_up_numbers(values: Sequence[float], decimals: int | None = None) -> list[str]:
    """Write the numbers of a column with as many decimals each, so that their points line up."""
    # From 1e15 on a float64 has no digits after the point to speak of.
    if decimals is None:
        decimals = _count_decimals(values)
    texts: list[str] = []
    for value in values:
        # What would be rounded to nothing keeps its own exponent.
        if 0 < abs(value) < 0.5 * 10**-decimals:
            texts.append(f"{value:.2e}")
        else:
            plain = abs(value) < 1e15
            texts.append(f"{value + 0.0:,.{decimals}f}" if plain else show_number(value, 3))
    return texts


def _count_decimals(values: Sequence[float]) -> int:
    """Count the decimals that four significant digits of the largest number need, if any does."""
    finite = [value for value in values if math.isfinite(value)]
    largest = max(map(abs, finite), default=0.0)
    most = 0 if largest == 0 else min(max(3 - math.floor(math.log10(largest)), 0), 8)
    texts = (f"{value:.{most}f}".rstrip("0") for value in finite)
    return max((len(text.partition(".")[2]) for text in texts), default=0) if most else 0


def cut(text: str, longest: int = LONGEST_TEXT) -> tuple[str, str]:
    """Return text that is safe and short, and the whole of it where that is longer."""
    shown = show(text[: LONGEST_TITLE + 1])  # a label may be a megabyte
    if len(shown) <= longest:
        return shown, ""
    rest = "…" if len(text) > LONGEST_TITLE else ""
    return f"{shown[:longest]}…", f"{shown[:LONGEST_TITLE]}{rest}"


def show_line(text: str) -> str:
    """Return a line of text that is safe and not endless."""
    return show(text[:LONGEST_LINE])


def say_hidden(n: int, what: str) -> str:
    """Say that there are more than are shown, if there are."""
    return f"{n:,} more {what} are not shown." if n > 0 else ""


def render_page(page: Page) -> str:
    """Return a page as HTML; the same page is the same text.

    All text is escaped, and the page's policy lets no script run but its own and nothing be
    fetched.
    """
    import jinja2
    from markupsafe import Markup

    # A name that a template lacks is an error, not an empty place.
    environment = jinja2.Environment(
        loader=(loader := jinja2.PackageLoader("matscore.pages")),
        # Of our own script and style nothing may be escaped, of all else everything.
        autoescape=lambda name: name is None or name.endswith(".html.j2"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    script, levels = loader.get_source(environment, "script.js")[0], range(-LEVELS, LEVELS + 1)
    style = environment.get_template("style.css").render(
        light=_write_shades(dark=False),
        dark_shades=_write_shades(dark=True),
        levels=map(level_name, levels),
    )
    return environment.get_template("page.html.j2").render(
        page=page,
        policy=_write_policy(script),
        style=Markup(style),
        script=Markup(script),
        level_name=level_name,
        show_size=show_size,
        scale=[level_name(level) for level in levels[::2]],
    )


def level_name(level: int) -> str:
    """Return the class of a shade: ``l10`` to ``l1``, ``m0``, ``h1`` to ``h10``."""
    return f"m{level}" if level == 0 else f"{'l' if level < 0 else 'h'}{abs(level)}"


def _write_policy(script: str) -> str:
    """Return a policy under which only our own script runs, and nothing is fetched."""
    # The digest, and no nonce: the same page is the same text, and needs no server.
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _write_shades(*, dark: bool) -> str:
    """Return the grounds of all shades, and the ink that is read best on each."""
    shades = []
    for level in range(-LEVELS, LEVELS + 1):
        ground, name = color_at(level / LEVELS, dark=dark), level_name(level)
        shades.append(f"--g{name}:{hex_of(ground)};--i{name}:{hex_of(ink_on(ground))};")
    return "".join(shades)


def render_table(summary: Summary[Any], version: str) -> str:
    """Return the first rows of an output as a page with a single table."""
    spec = summary.output
    if spec is None:
        raise ValueError("the run has no output")
    # A row may have several lines, as with --top-k; it is shown with all of them.
    frames, left = [], spec.max_rows
    for preview in summary.previews:
        frame, n_taken = preview.take_rows(left)
        frames.append(frame)
        left -= n_taken
    frame = join_frames(frames, spec.kinds)
    marks = [preview.marks for preview in summary.previews if preview.marks is not None]
    shown = np.hstack(marks)[:, : frame.height] if marks else None
    more = summary.n_rows - (spec.max_rows - left)
    note = f"and {plural(more, 'more row')}" if more > 0 else ""
    is_heat = bool(_list_shaded(spec)) and frame.height > 0
    table = Table("Scores", _list_columns(spec, frame, shown), note, is_heat=is_heat)
    plan = summary.plans[0]
    page = Page(
        title=show(f"{plan.features.path[:200]} by {plan.weights.path[:200]}"),
        subtitle=plural(summary.n_rows, "row"),
        sections=[Section("table", "", [table])],
        foot=f"matscore {version}",
    )
    return render_page(page)


def _list_shaded(spec: OutputSpec) -> list[Sequence[str]]:
    return [*filter(None, getattr(spec.columns, "shaded", ()))]


def _list_columns(spec: OutputSpec, frame: Frame, marks: np.ndarray | None) -> list[Column]:
    shaded = _list_shaded(spec)
    cells: dict[str, list[Cell]] = {}
    for names in shaded:
        columns = heat_cells(frame.numbers(names), spec.precision)
        for name, column in zip(names, columns, strict=True):
            absent = find_absent(frame[name]).tolist()
            cells[name] = [
                Cell("") if nothing else cell for cell, nothing in zip(column, absent, strict=True)
            ]
    # Marks are of the scores, or of the probabilities where there are no scores.
    if marks is not None and shaded and len(shaded[0]) == len(marks):
        kinds = np.where(marks, np.where(marks.sum(axis=0) > 1, "tie", "best"), "").tolist()
        for name, column in zip(shaded[0], kinds, strict=True):
            pairs = zip(cells[name], column, strict=True)
            cells[name] = [replace(cell, mark=kind) for cell, kind in pairs]
    for i, (name, kind) in enumerate(spec.kinds.items()):
        if name not in cells:
            make = Cell.of_number if kind != "text" and i > 0 else Cell.of_text
            cells[name] = [Cell("") if v is None else make(v) for v in frame.values(name)]
    return [
        Column.of_name(name, cells[name], is_number=kind != "text" and i > 0)
        for i, (name, kind) in enumerate(spec.kinds.items())
    ]
