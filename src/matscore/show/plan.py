"""A plan for people, for programs, and as the command that works."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from matscore.names import MAX_SHOWN, quote_name, quote_names
from matscore.show.text import Signs, plural, show_product, show_shape, signs_for

if TYPE_CHECKING:
    from matscore.names import MissingName
    from matscore.plan import Plan

SCHEMA_VERSION = 1
_FITS, _DOES_NOT_FIT = "fits", "does not fit"
_KEY, _GOOD, _BAD, _COMMAND = "cyan", "bold green", "bold red", "bold"
_KEY_WIDTH = 12
_FORMAT = ("-f", "--format")
_CHECK_ONLY = (*_FORMAT, "--picture")


@dataclass(frozen=True)
class FileMatrix:
    """One file as it is on disk: its numbers' shape, and the names on its axes."""

    path: str
    shape: tuple[int | None, int]
    rows: Sequence[str] | None
    columns: Sequence[str] | None


def plan_facts(plan: Plan, argv: Sequence[str] | None = None) -> dict[str, object]:
    """Return a plan as plain values that JSON can hold.

    Parameters
    ----------
    plan : Plan
        The plan.
    argv : sequence of str, optional
        The user's own words after the program's name.

    Returns
    -------
    dict
        Shapes are ``[rows, columns]`` without label columns; rows are None while unknown. Text
        that UTF-8 cannot hold, as in the name of a file, is escaped.
    """
    features, weights = features_of(plan), weights_of(plan)
    matched, extra = _match(plan)
    return {
        "schema_version": SCHEMA_VERSION,
        "verdict": _FITS if plan.ok else _DOES_NOT_FIT,
        "problem": None if plan.problem is None else _clean(plan.problem),
        "hint": _clean(plan.hint),
        "command": working_command(plan, argv),
        "features": _matrix_facts(features),
        "weights": _matrix_facts(weights),
        "matched_by": plan.matched_by,
        "matched": _clean_all(matched),
        "missing": [_missing_facts(feature) for feature in plan.missing],
        "left_out": _clean_all(extra),
        "kept": _clean_all(plan.kept_names),
        "reordered": plan.reordered,
        "label_column": _label_facts(plan),
        "intercept": None if plan.intercept_name is None else _clean(plan.intercept_name),
        "transpose": plan.transpose,
        "transpose_features": plan.transpose_features,
        "categories": _clean_all(plan.categories),
        "features_shape": list(plan.features_shape),
        "weights_shape": list(plan.weights_shape),
        "scores_shape": list(plan.scores_shape) if plan.ok else None,
        "facts": _clean_all(plan.facts),
        "add_options": list(plan.add_options),
        "drop_options": list(plan.drop_options),
        "swap": plan.swap,
    }


def working_command(plan: Plan, argv: Sequence[str] | None = None) -> str:
    """Return the user's own command, changed so that it works.

    Parameters
    ----------
    plan : Plan
        The plan.
    argv : sequence of str, optional
        The user's own words after the program's name; without them the command is made up.

    Returns
    -------
    str
        Quoted for a shell; ``check`` becomes ``classify``. Empty when nothing is known to work.
    """
    words = list(argv or ["classify", plan.features.path, plan.weights.path])
    mended = _mend(words, plan)
    if not plan.ok and mended == words:
        return ""
    return " ".join(map(_quote, ["matscore", *_score_instead(mended)]))


def render_plan(plan: Plan, console: Console, argv: Sequence[str] | None = None) -> None:
    """Print how two files line up, and the command that works.

    Parameters
    ----------
    plan : Plan
        The plan.
    console : Console
        Where to print.
    argv : sequence of str, optional
        The user's own words after the program's name.
    """
    signs = signs_for(console)
    render_problem(plan, console)
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style=_KEY, no_wrap=True)
    grid.add_column(overflow="fold")
    for key, value in _iter_rows(plan, signs):
        grid.add_row(Text(key), Text(signs.show(value)))
    if plan.ok:
        grid.add_row(Text("scores"), Text(_say_product(plan, console.width - _KEY_WIDTH, signs)))
    style = _GOOD if plan.ok else _BAD
    grid.add_row(Text("verdict"), Text(_FITS if plan.ok else _DOES_NOT_FIT, style=style))
    console.print(grid)
    render_command(plan, console, argv)


def render_problem(plan: Plan, console: Console) -> None:
    """Print what does not fit, if anything."""
    if not plan.ok:
        # One line in a log, where it is looked for; a person's terminal breaks it between words.
        line = Text(_say_problem(plan, signs_for(console)), style=_BAD)
        console.print(line, soft_wrap=not console.is_terminal)
        console.print()


def render_command(plan: Plan, console: Console, argv: Sequence[str] | None = None) -> None:
    """Print the command that works, where one is known."""
    if command := working_command(plan, argv):
        console.print()
        line = Text("Run: " if plan.ok else "Try: ")
        console.print(line.append(signs_for(console).show(command), style=_COMMAND), soft_wrap=True)


def _say_problem(plan: Plan, signs: Signs) -> str:
    problem = plan.problem or _DOES_NOT_FIT
    features, weights = plan.features.path, plan.weights.path
    named = features in problem and weights in problem
    where = "" if named else f"{features} and {weights}: "
    hint = f"; {plan.hint}" if plan.hint else ""
    return signs.show(f"matscore: {where}{problem}{hint}")


def _iter_rows(plan: Plan, signs: Signs) -> Iterator[tuple[str, str]]:
    """Yield what is known, a heading and a text at a time."""
    features, weights = features_of(plan), weights_of(plan)
    matched, extra = _match(plan)
    yield plan.options.words.features, f"{features.path} {show_shape(*features.shape, signs)}"
    yield "  columns", _say_names(features.columns)
    if plan.transpose_features:
        yield "  rows", _say_names(features.rows)
    yield "  labels", _say_label(plan, features)
    yield plan.options.words.weights, f"{weights.path} {show_shape(*weights.shape, signs)}"
    yield "  columns", _say_names(weights.columns)
    yield "  rows", _say_names(weights.rows)
    if matched or plan.ok:
        yield "matched", f"{plural(len(matched), 'feature')} by {plan.matched_by}"
    yield from _iter_missing(plan)
    if extra:
        yield "left out", quote_names(extra)
    if plan.kept_names:
        yield "kept", quote_names(plan.kept_names)
    if plan.reordered:
        yield "order", "differs between the files, which does no harm"
    if plan.intercept_name is not None:
        yield "intercept", quote_name(plan.intercept_name)
    elif plan.ok:
        yield "intercept", "none"
    if plan.ok:
        yield from _iter_turns(plan, features, weights, signs)


def _iter_missing(plan: Plan) -> Iterator[tuple[str, str]]:
    for place, missing in enumerate(plan.missing[:MAX_SHOWN]):
        reason = f" ({missing.reason})" if missing.reason else ""
        close = f"; did you mean {' or '.join(map(quote_name, missing.close))}?{reason}"
        key = "" if place else "missing"
        yield key, quote_name(missing.name) + (close if missing.close else "")
    if len(plan.missing) > MAX_SHOWN:
        yield "", f"and {len(plan.missing) - MAX_SHOWN:,} more"


def _iter_turns(
    plan: Plan, features: FileMatrix, weights: FileMatrix, signs: Signs
) -> Iterator[tuple[str, str]]:
    for turned, what, matrix in (
        (plan.transpose_features, "features", features),
        (plan.transpose, "weights", weights),
    ):
        if turned:
            n_rows, n_columns = matrix.shape
            turned_shape = show_shape(n_columns, n_rows or 0, signs)
            yield "transposed", f"{what}, now {turned_shape}"


def _say_product(plan: Plan, width: int, signs: Signs) -> str:
    n_rows, n_features = plan.features_shape
    return show_product(n_rows, n_features, plan.scores_shape[1], width, signs)


def _say_names(names: Sequence[str] | None) -> str:
    return "no names" if names is None else quote_names(names) or "none"


def _say_label(plan: Plan, features: FileMatrix) -> str:
    if plan.transpose_features:
        return "the header" if plan.label_column is not None else "none; rows are numbered"
    if plan.label_column is None:
        return "none; rows are numbered"
    names = plan.features.names
    name = names[plan.label_column] if names is not None else ""
    column = quote_name(name) if name.strip() else f"column {plan.label_column + 1}"
    return column + (f": {quote_names(features.rows)}" if features.rows else "")


def features_of(plan: Plan) -> FileMatrix:
    """Return the features as they stand in their file."""
    side, label = plan.features, plan.label_column
    names = side.names
    if plan.transpose_features:
        named = plan.features_name_column
        shape = (_count_rows(plan, features=True), side.width - named)
        columns = None if names is None else names[len(names) - shape[1] :]
        return FileMatrix(side.path, shape, side.first if named else None, columns)
    columns = names if names is None or label is None else names[:label] + names[label + 1 :]
    shape = (side.n_rows, side.width - (label is not None))
    return FileMatrix(side.path, shape, side.first if label == 0 else None, columns)


def weights_of(plan: Plan) -> FileMatrix:
    """Return the weights as they stand in their file."""
    side, labelled = plan.weights, plan.weights_label_column
    columns = None if side.names is None else side.names[labelled:]
    shape = (_count_rows(plan, features=False), side.width - labelled)
    return FileMatrix(side.path, shape, side.first if labelled else None, columns)


def _count_rows(plan: Plan, *, features: bool) -> int | None:
    side = plan.features if features else plan.weights
    return side.n_rows if side.first is None else len(side.first)


def _match(plan: Plan) -> tuple[Sequence[str], Sequence[str]]:
    """Return the features that both files have, and the columns that only the features have."""
    if plan.ok or not plan.missing:
        return plan.feature_names, plan.left_out
    features, weights = features_of(plan), weights_of(plan)
    wanted = (weights.columns if plan.transpose else weights.rows) or ()
    columns = (features.rows if plan.transpose_features else features.columns) or ()
    found, asked = set(columns), set(wanted)
    extra = [name for name in columns if name not in asked]
    return [name for name in wanted if name in found], extra


def _matrix_facts(matrix: FileMatrix) -> dict[str, object]:
    return {
        "path": _clean(matrix.path),
        "shape": list(matrix.shape),
        "row_names": None if matrix.rows is None else _clean_all(matrix.rows),
        "column_names": None if matrix.columns is None else _clean_all(matrix.columns),
    }


def _missing_facts(feature: MissingName) -> dict[str, object]:
    close = _clean_all(feature.close)
    return {"name": _clean(feature.name), "close": close, "reason": feature.reason}


def _label_facts(plan: Plan) -> dict[str, object] | None:
    if plan.label_column is None:
        return None
    return {"column": plan.label_column + 1, "name": _clean(plan.label_name)}


def _clean(text: str) -> str:
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def _clean_all(texts: Sequence[str]) -> list[str]:
    return list(map(_clean, texts))


def _mend(words: Sequence[str], plan: Plan) -> list[str]:
    mended = [word for word in words if word not in plan.drop_options]
    if plan.swap and _is_single_pair(words, plan):
        other = {plan.features.path: plan.weights.path, plan.weights.path: plan.features.path}
        mended = [other.get(word, word) for word in mended]
    options = [option for option in plan.add_options if option not in mended]
    end = mended.index("--") if "--" in mended else len(mended)
    return mended[:end] + options + mended[end:]


def _is_single_pair(words: Sequence[str], plan: Plan) -> bool:
    """Say whether no second features file stands between the two that are to be swapped."""
    paths = (plan.features.path, plan.weights.path)
    places = [i for i, word in enumerate(words) if word in paths]
    between = range(places[0] + 1, places[-1]) if places else range(0)
    return all(words[i][:1] == "-" or words[i - 1][:1] == "-" for i in between)


def _score_instead(words: Sequence[str]) -> list[str]:
    """Turn ``check`` into ``classify``, which has other formats."""
    if words[0] != "check":
        return list(words)
    kept, skip = ["classify"], False
    for word in words[1:]:
        if not (skip or word in _CHECK_ONLY or word.startswith(("-f", "--format="))):
            kept.append(word)
        skip = word in _FORMAT
    return kept


def _quote(word: str) -> str:
    """Quote a word for a shell; one that is not printable as ``$'…'``, which bash and zsh read."""
    if word.isprintable():
        return shlex.quote(word)
    escaped = (c if c.isprintable() and c not in "\\'" else _escape(c) for c in word)
    return f"$'{''.join(escaped)}'"


def _escape(character: str) -> str:
    if character in "\\'":
        return f"\\{character}"
    data = character.encode("utf-8", "surrogateescape")
    return "".join(f"\\x{byte:02x}" for byte in data)
