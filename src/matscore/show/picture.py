"""Two matrices as boxes: the sides that must meet, and what a transpose would change."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.text import Text

from matscore.plan import Plan, make_plan
from matscore.show.plan import (
    NamedMatrix,
    features_of,
    render_command,
    render_problem,
    weights_of,
)
from matscore.show.table import BAD, DIM, GOOD, HEAD, Signs, pad, plural, print_lines, show_size

if TYPE_CHECKING:
    from rich.console import Console

_ABOVE = 3  # lines of a box above its rows: title, names, frame
_MAX_ROWS, _MAX_NAME, _LONGEST, _MIN_TITLE, _GAP = 4, 14, 24, 18, 2
_MOST_NAMES = 20


@dataclass(frozen=True)
class _Room:
    """The cells that names may take: down the left side, and along the top of a box."""

    label: int
    top: int
    every_label: bool = True


_ROOMY, _TIGHT, _CRAMPED = _Room(14, 30), _Room(12, 22, False), _Room(9, 14, False)


@dataclass(frozen=True)
class _Pen:
    """Where and how names and sides are drawn: those that both matrices have, and those missing."""

    console: Console
    matched: Collection[str] = ()
    missing: Collection[str] = ()

    @property
    def signs(self) -> Signs:
        return Signs.of(self.console)

    def style(self, name: str) -> str:
        return GOOD if name in self.matched else BAD if name in self.missing else ""

    def name(self, name: str, width: int) -> Text:
        return Text(self.signs.shorten(self.signs.show(name), width), style=self.style(name))

    def line_up(
        self, names: Sequence[str], width: int, longest: int, *, marked: bool = False
    ) -> Text:
        """Write names beside each other, as many as find room, marked by whether they match."""
        text, signs = Text(), self.signs
        for done, name in enumerate(names):
            item = self.name(name, longest)
            if marked and self.style(name):
                item.append(f" {signs.check if name in self.matched else signs.cross}")
            rest = len(names) - done
            tail = Text(f"  and {rest:,} more", style=DIM) if marked else Text(f" {signs.ellipsis}")
            room = width - text.cell_len - (tail.cell_len if rest > 1 else 0)
            if done and 2 + item.cell_len > room:
                return text.append_text(tail)
            text.append("  " if done else "").append_text(item)
        return text


def render_picture(plan: Plan, console: Console, argv: Sequence[str] | None = None) -> None:
    """Draw two matrices, the sides that must meet, and what makes them meet.

    A plan that fits is drawn with its scores; of one that does not, the files as they stand and
    what they would be with the options that its way out adds or drops.
    """
    render_problem(plan, console)
    if plan.ok:
        _draw_fit(plan, console)
    else:
        _draw_misfit(plan, console)
    render_command(plan, console, argv)


def _draw_misfit(plan: Plan, console: Console) -> None:
    features, weights = features_of(plan), weights_of(plan)
    missing = {feature.name for feature in plan.missing}
    known = set(features.columns or ()) | set(features.rows or ())
    others = set(weights.columns or ()) | set(weights.rows or ())
    pen = _Pen(console, (known & others) - missing, missing)
    console.print(Text("as the files stand", style=DIM))
    _print_boxes([features, weights], [pen.signs.dot], pen)
    _print_sides(features, weights, pen)
    if (mended := mend_plan(plan)) is not None and mended.ok:
        console.print()
        console.print(Text(_say_change(plan), style=DIM))
        _draw_fit(mended, console)


def mend_plan(plan: Plan) -> Plan | None:
    """Return the plan of the command that works, from the same sides; None when none is known."""
    if not (plan.add_options or plan.drop_options or plan.swap):
        return None
    changes: dict[str, bool] = {}
    for options, value in ((plan.add_options, True), (plan.drop_options, False)):
        changes |= {option[2:].replace("-", "_"): value for option in options}
    sides = (plan.weights, plan.features) if plan.swap else (plan.features, plan.weights)
    return make_plan(*sides, replace(plan.options, **changes))  # type: ignore[arg-type]


def _say_change(plan: Plan) -> str:
    if plan.swap:
        return "the other way round"
    added = [f"with {option}" for option in plan.add_options]
    dropped = [f"without {option}" for option in plan.drop_options]
    return " and ".join([*added, *dropped])


def _draw_fit(plan: Plan, console: Console) -> None:
    pen = _Pen(console, frozenset(plan.feature_names))
    matrix, signs = features_of(plan), pen.signs
    labels = matrix.columns if plan.transpose_features else matrix.rows
    named = plan.matched_by == "name" or plan.features.names or plan.weights_label_column
    names = plan.feature_names if named or plan.transpose else None
    features = matrix.title + ", turned" * plan.transpose_features
    weights = plan.weights.path + ", turned" * plan.transpose
    boxes = [
        NamedMatrix(features, plan.features_shape, labels, names),
        NamedMatrix(weights, plan.weights_shape, names, plan.categories),
        NamedMatrix("scores", plan.scores_shape, labels, plan.categories),
    ]
    _print_boxes(boxes, [signs.dot, signs.arrow], pen)
    _print_sides(boxes[0], boxes[1], pen)
    if left_out := plan.left_out:
        shown = ", ".join(signs.show(name) for name in left_out[:_MOST_NAMES])
        shown = signs.shorten(shown, max(console.width - 10, 8))
        rest = f" ({plural(len(left_out), 'column')})" if len(left_out) > _MOST_NAMES else ""
        console.print(Text(f"left out: {shown}{rest}", style=DIM))
    if plan.intercept_name is not None:
        added = f"added to each row of scores: {signs.show(plan.intercept_name)}"
        console.print(Text(signs.shorten(added, console.width), style=DIM))


def _print_boxes(boxes: Sequence[NamedMatrix], operators: Sequence[str], pen: _Pen) -> None:
    """Print boxes in one line where they fit, else below each other."""
    console = pen.console
    width = console.width - sum(len(operator) + 2 * _GAP for operator in operators)
    for room in (_ROOMY, _TIGHT, _CRAMPED):
        # The scores' rows are the features' rows, and where room is short not named.
        shown = [
            replace(box, rows=None) if i > 1 and not room.every_label else box
            for i, box in enumerate(boxes)
        ]
        drawn = [_draw_box(box, pen, room) for box in shown]
        if sum(map(_width_of, drawn)) <= width:
            print_lines(console, _join(drawn, operators))
            return
    # Below each other, whatever the width: a terminal may be narrower than any box.
    label = min(_ROOMY.label, max(console.width // 4, 1))
    room = _Room(label, max(min(_ROOMY.top, console.width - label - 5), 8))
    for operator, box in zip(["", *operators], boxes, strict=True):
        if operator:
            console.print(Text(f"  {operator}", style=HEAD))
        print_lines(console, _draw_box(box, pen, room))


def _width_of(lines: Sequence[Text]) -> int:
    return max(line.cell_len for line in lines)


def _middle_of(n_lines: int) -> int:
    """Return the line of a box that its shape and the operator stand on."""
    return _ABOVE + (n_lines - _ABOVE - 2) // 2


def _join(boxes: Sequence[Sequence[Text]], operators: Sequence[str]) -> Iterable[Text]:
    height = max(map(len, boxes))
    for row in range(height):
        line = Text()
        for box, operator in zip(boxes, [*operators, ""], strict=True):
            part = box[row] if row < len(box) else Text()
            line.append_text(part).append(" " * (_width_of(box) - part.cell_len))
            if operator:
                shown = operator if row == _middle_of(height) else " " * len(operator)
                line.append(" " * _GAP).append(shown, style=HEAD).append(" " * _GAP)
        yield line


def _draw_box(box: NamedMatrix, pen: _Pen, room: _Room) -> list[Text]:
    """Draw a title, the names along the top, and a frame with the names down its left side."""
    signs = pen.signs
    rows = _pick_rows(box, signs)
    label = max((min(cell_len(signs.show(name)), room.label) for name in rows), default=0)
    side = label + bool(label)  # all lines start where the frame does
    top = pen.line_up(box.columns or (), room.top, min(_MAX_NAME, room.top))
    shape = show_size(*box.shape, signs)
    title = _fit_title(box.title, max(room.top, _MIN_TITLE), signs)
    inner = max(top.cell_len, cell_len(shape), cell_len(title) - 4) + 2
    lines = [
        Text(" " * side).append(title, style=HEAD),
        Text(" " * (side + 2)).append_text(top),
        Text(" " * side).append(signs.corners[0] + signs.rule * inner + signs.corners[1]),
    ]
    middle = _middle_of(_ABOVE + len(rows) + 1)
    for name in rows:
        is_middle = len(lines) == middle
        text = pen.name(name, label)
        line = Text(" " * (label - text.cell_len)).append_text(text).append(" " * bool(label))
        line.append(signs.side)
        line.append((shape if is_middle else "").center(inner), style=HEAD).append(signs.side)
        lines.append(line)
    lines.append(Text(" " * side).append(signs.corners[2] + signs.rule * inner + signs.corners[3]))
    return lines


def _fit_title(title: str, width: int, signs: Signs) -> str:
    """Cut a path from its start: what tells files apart is the end."""
    shown = signs.show(title)
    if cell_len(shown) > width:
        shown = signs.show(title.rpartition("/")[2])
    return signs.shorten(shown, width)


def _pick_rows(box: NamedMatrix, signs: Signs) -> list[str]:
    """Return the names of the rows that are drawn; empty ones where rows have no names."""
    # Rows that were not counted are drawn as some, so that the box does not look empty.
    n_rows = _MAX_ROWS - 1 if box.shape[0] is None else box.shape[0]
    n_drawn = max(min(n_rows, _MAX_ROWS), 1)
    if box.rows is None:
        return [""] * n_drawn
    if len(box.rows) > _MAX_ROWS:
        return [*box.rows[: _MAX_ROWS - 1], signs.ellipsis]
    return list(box.rows) or [""]


def _print_sides(features: NamedMatrix, weights: NamedMatrix, pen: _Pen) -> None:
    """Compare the two sides that must be the same: the lesson in two lines."""
    console, signs = pen.console, pen.signs
    sides = [
        ("columns of the features", features.shape[1], features.columns),
        ("rows of the weights", weights.shape[0] or 0, weights.rows),
    ]
    counts = [f"{count:,}" for _, count, _ in sides]
    head = max(len(title) for title, _, _ in sides)
    wide = max(map(len, counts))
    console.print()
    for (title, _, names), count in zip(sides, counts, strict=True):
        line = Text(pad(title, head)).append(f"  {count.rjust(wide)}  ", style=HEAD)
        room = console.width - head - wide - 4
        if names is None:
            line.append("no names", style=DIM)
        else:
            line.append_text(pen.line_up(names, room, _LONGEST, marked=True))
        print_lines(console, [line])
    if _is_same_side(features, weights, pen):
        console.print(Text(f"{signs.check} the same: they can be multiplied", style=GOOD))
    else:
        console.print(Text(f"{signs.cross} not the same: they cannot be multiplied", style=BAD))


def _is_same_side(features: NamedMatrix, weights: NamedMatrix, pen: _Pen) -> bool:
    if pen.missing or features.shape[1] < (weights.shape[0] or 0):
        return False
    if features.columns is None or weights.rows is None:
        return features.shape[1] == weights.shape[0]
    return set(weights.rows) <= set(pen.matched) & set(features.columns)
