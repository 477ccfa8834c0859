"""A plan for people, for programs, and as the command that works."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.text import Text

from matscore.names import MAX_SHOWN, quote_name, quote_names
from matscore.show.table import BAD, GOOD, HEAD, Signs, plural, show_product, show_shape

if TYPE_CHECKING:
    from rich.console import Console

    from matscore.plan import Plan, Side

SCHEMA_VERSION = 1
_FITS, _DOES_NOT_FIT = "fits", "does not fit"
_KEY_STYLE, _KEY_WIDTH = "cyan", 12
_WEIGHED, _REFUSED, _IGNORED = "has a weight", "refused", "ignored"
_FORMAT = ("-f", "--format")
_CHECK_ONLY = (*_FORMAT, "--picture")


@dataclass(frozen=True)
class NamedMatrix:
    """A matrix as it is shown: its numbers' shape, and the names on its axes where it has them."""

    title: str  # of a file its path
    shape: tuple[int | None, int]
    rows: Sequence[str] | None
    columns: Sequence[str] | None


def plan_facts(plan: Plan, argv: Sequence[str] | None = None) -> dict[str, object]:
    """Return a plan as plain values that JSON can hold; `argv` is as in `working_command`.

    Shapes are ``[rows, columns]`` without label columns; rows are None while unknown. Text that
    UTF-8 cannot hold, as in the name of a file, is escaped.
    """
    matched, extra = _match(plan)
    label = None
    if plan.label_column is not None:
        label = {"column": plan.label_column + 1, "name": plan.label_name}
    facts = {
        "schema_version": SCHEMA_VERSION,
        "verdict": _FITS if plan.ok else _DOES_NOT_FIT,
        "problem": plan.problem,
        "hint": plan.hint,
        "command": working_command(plan, argv),
        "features": _matrix_facts(features_of(plan)),
        "weights": _matrix_facts(weights_of(plan)),
        "matched_by": plan.matched_by,
        "matched": matched,
        "missing": [
            {"name": feature.name, "close": feature.close, "reason": feature.reason}
            for feature in plan.missing
        ],
        "absent": plan.absent,
        "renamed": plan.options.renames,
        "left_out": extra,
        "weights_left_out": plan.weights.left_out,
        "kept": plan.kept_names,
        "reordered": plan.reordered,
        "label_column": label,
        "intercept": plan.intercept_name,
        "columns": _describe_columns(plan),
        "terms": () if plan.terms is None else plan.terms.computed,
        "transpose": plan.transpose,
        "transpose_features": plan.transpose_features,
        "categories": plan.categories,
        "link": plan.link,
        "features_shape": plan.features_shape,
        "weights_shape": plan.weights_shape,
        "scores_shape": plan.scores_shape if plan.ok else None,
        "facts": (*plan.facts, *plan.said, *plan.warnings),
        "add_options": plan.add_options,
        "drop_options": plan.drop_options,
        "swap": plan.swap,
    }
    return {name: _to_json(value) for name, value in facts.items()}


def _describe_columns(plan: Plan) -> list[dict[str, Any]]:
    """Tell how each column is read that features are computed from."""
    if plan.terms is None:
        return []
    kept = {plan.terms.numbers[i] for i in plan.terms.kept}
    numbers = [
        {"name": name, "read_as": "number", "missing": _WEIGHED if name in kept else _REFUSED}
        for name in plan.terms.numbers
    ]
    texts: list[dict[str, Any]] = [
        {
            "name": column.name,
            "read_as": "text",
            "levels": column.levels,
            "compared_as": "number" if column.is_numeric else "text",
            "unknown": _WEIGHED if column.other else _REFUSED if column.levels else _IGNORED,
            "missing": _WEIGHED if column.missing else _REFUSED,
        }
        for column in plan.terms.texts
    ]
    return [*numbers, *texts]


def _matrix_facts(matrix: NamedMatrix) -> dict[str, object]:
    names = {"row_names": matrix.rows, "column_names": matrix.columns}
    return {"path": matrix.title, "shape": matrix.shape, **names}


def _to_json(value: object) -> object:
    """Make a value one that JSON can hold, lists of tuples, text that UTF-8 can hold."""
    # Python reads bytes of a path that are not UTF-8 as lone surrogates, which no reader accepts.
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {name: _to_json(one) for name, one in value.items()}
    return list(map(_to_json, value)) if isinstance(value, (list, tuple)) else value


def working_command(plan: Plan, argv: Sequence[str] | None = None) -> str:
    """Return the user's own command, changed so that it works and quoted for a shell.

    `argv` are the user's words after the program's name; without them the command is made up.
    ``check`` becomes ``classify``. Empty when nothing is known to work.
    """
    # The user's own words are kept: the command can be pasted, with all else that it said.
    words = list(argv or ["classify", plan.features.path, plan.weights.path])
    mended = _mend(words, plan)
    if not plan.ok and mended == words:
        return ""
    return " ".join(map(_quote, ["matscore", *_score_instead(mended)]))


def render_plan(plan: Plan, console: Console, argv: Sequence[str] | None = None) -> None:
    """Print how two files line up, and the command that works."""
    from rich.table import Table  # a report and JSON need the facts alone

    signs = Signs.of(console)
    render_problem(plan, console)
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style=_KEY_STYLE, no_wrap=True)
    grid.add_column(overflow="fold")
    for key, value in _iter_rows(plan, signs):
        grid.add_row(Text(key), Text(signs.show(value)))
    if plan.ok:
        sizes = *plan.features_shape, plan.scores_shape[1]
        product = show_product(*sizes, console.width - _KEY_WIDTH, signs)
        grid.add_row(Text("scores"), Text(product))
    verdict = Text(_FITS, style=GOOD) if plan.ok else Text(_DOES_NOT_FIT, style=BAD)
    grid.add_row(Text("verdict"), verdict)
    console.print(grid)
    render_command(plan, console, argv)


def render_problem(plan: Plan, console: Console) -> None:
    """Print what does not fit, if anything."""
    if plan.ok:
        return
    problem = plan.problem or _DOES_NOT_FIT
    features, weights = plan.features.path, plan.weights.path
    named = features in problem and weights in problem
    where = "" if named else f"{features} and {weights}: "
    hint = f"; {plan.hint}" if plan.hint else ""
    line = Signs.of(console).show(f"matscore: {where}{problem}{hint}")
    # One line in a log, where it is looked for; a person's terminal breaks it between words.
    console.print(Text(line, style=BAD), soft_wrap=not console.is_terminal)
    console.print()


def render_command(plan: Plan, console: Console, argv: Sequence[str] | None = None) -> None:
    """Print the command that works, where one is known."""
    if command := working_command(plan, argv):
        console.print()
        line = Text("Run: " if plan.ok else "Try: ")
        console.print(line.append(Signs.of(console).show(command), style=HEAD), soft_wrap=True)


def _iter_rows(plan: Plan, signs: Signs) -> Iterator[tuple[str, str]]:
    """Yield what is known, a heading and a text at a time."""
    features, weights = features_of(plan), weights_of(plan)
    matched, extra = _match(plan)
    yield plan.options.words.features, f"{features.title} {show_shape(*features.shape, signs)}"
    yield "  columns", _say_names(features.columns)
    if plan.transpose_features:
        yield "  rows", _say_names(features.rows)
    yield "  labels", _say_label(plan, features)
    yield plan.options.words.weights, f"{weights.title} {show_shape(*weights.shape, signs)}"
    yield "  columns", _say_names(weights.columns)
    yield "  rows", _say_names(weights.rows)
    if matched or plan.ok:
        yield "matched", f"{plural(len(matched), 'feature')} by {plan.matched_by}"
    yield from _iter_terms(plan)
    yield from _iter_missing(plan)
    if plan.absent:
        yield "absent", f"{quote_names(plan.absent)}, which count 0"
    if plan.options.renames:
        pairs = [f"{name} is {new}" for name, new in plan.options.renames]
        yield "renamed", quote_names(pairs)
    named = {"left out": extra, "  of weights": plan.weights.left_out, "kept": plan.kept_names}
    yield from ((key, quote_names(names)) for key, names in named.items() if names)
    if plan.reordered:
        yield "order", "differs between the files, which does no harm"
    if plan.intercept_name is not None:
        yield "intercept", quote_name(plan.intercept_name)
    elif plan.ok:
        yield "intercept", "none"
    if plan.link is not None:
        yield "link", plan.link
    yield from (("read" if not i else "", fact) for i, fact in enumerate(plan.said))
    yield from (("warning", line) for line in plan.warnings)
    sides = (plan.transpose_features, "features", features), (plan.transpose, "weights", weights)
    for turned, side, matrix in sides:
        if turned and plan.ok:
            n_rows, n_columns = matrix.shape
            yield "transposed", f"{side}, now {show_shape(n_columns, n_rows or 0, signs)}"


def _iter_terms(plan: Plan) -> Iterator[tuple[str, str]]:
    """Yield how columns are read and what is computed of them."""
    if plan.terms is None:
        return
    columns = _describe_columns(plan)
    numbers = [one for one in columns if one["read_as"] == "number"]
    texts = [one for one in columns if one["read_as"] == "text"]
    weighed = [one["name"] for one in numbers if one["missing"] == _WEIGHED]
    if numbers:
        shown = f"; a missing one of {quote_names(weighed)} {_WEIGHED}" if weighed else ""
        yield "numbers", quote_names([one["name"] for one in numbers]) + shown
    for place, one in enumerate(texts[:MAX_SHOWN]):
        kind = " of numbers" if one["compared_as"] == "number" else ""
        levels = f"{quote_name(one['name'])}: {plural(len(one['levels']), 'level')}{kind}"
        others = f"another one {one['unknown']}, a missing one {one['missing']}"
        yield "" if place else "texts", f"{levels}; {others}"
    if len(texts) > MAX_SHOWN:
        yield "", f"and {len(texts) - MAX_SHOWN:,} more"
    yield "computed", quote_names(plan.terms.computed)


def _iter_missing(plan: Plan) -> Iterator[tuple[str, str]]:
    for place, missing in enumerate(plan.missing[:MAX_SHOWN]):
        reason = f" ({missing.reason})" if missing.reason else ""
        close = f"; did you mean {' or '.join(map(quote_name, missing.close))}?{reason}"
        yield "" if place else "missing", quote_name(missing.name) + close * bool(missing.close)
    if len(plan.missing) > MAX_SHOWN:
        yield "", f"and {len(plan.missing) - MAX_SHOWN:,} more"


def _say_names(names: Sequence[str] | None) -> str:
    return "no names" if names is None else quote_names(names) or "none"


def _say_label(plan: Plan, features: NamedMatrix) -> str:
    if plan.label_column is None:
        return "none; rows are numbered"
    if plan.transpose_features:
        return "the header"
    names = plan.features.names
    name = names[plan.label_column] if names is not None else ""
    column = quote_name(name) if name.strip() else f"column {plan.label_column + 1}"
    return column + (f": {quote_names(features.rows)}" if features.rows else "")


def features_of(plan: Plan) -> NamedMatrix:
    """Return the features as they stand in their file."""
    side, label = plan.features, plan.label_column
    names = side.names
    if plan.transpose_features:
        named = plan.features_name_column
        shape = (_count_rows(side), side.width - named)
        columns = None if names is None else names[len(names) - shape[1] :]
        return NamedMatrix(side.path, shape, side.first if named else None, columns)
    columns = names if names is None or label is None else names[:label] + names[label + 1 :]
    shape = (side.n_rows, side.width - (label is not None))
    return NamedMatrix(side.path, shape, side.first if label == 0 else None, columns)


def weights_of(plan: Plan) -> NamedMatrix:
    """Return the weights as they stand in their file."""
    side, labelled = plan.weights, plan.weights_label_column
    columns = None if side.names is None else side.names[labelled:]
    shape = (_count_rows(side), side.width - labelled)
    return NamedMatrix(side.path, shape, side.first if labelled else None, columns)


def _count_rows(side: Side) -> int | None:
    return side.n_rows if side.first is None else len(side.first)


def _match(plan: Plan) -> tuple[Sequence[str], Sequence[str]]:
    """Return the features that both files have, and the columns that only the features have."""
    # A plan that fits knows them; one that does not was given up at the first name that is missing.
    if plan.ok or not plan.missing:
        return plan.feature_names, plan.left_out
    features, weights = features_of(plan), weights_of(plan)
    wanted = (weights.columns if plan.transpose else weights.rows) or ()
    columns = (features.rows if plan.transpose_features else features.columns) or ()
    there, asked = set(columns), set(wanted)
    extra = [name for name in columns if name not in asked]
    return [name for name in wanted if name in there], extra


def _mend(words: Sequence[str], plan: Plan) -> list[str]:
    mended = [word for word in words if word not in plan.drop_options]
    if plan.swap and _is_single_pair(words, plan):
        other = {plan.features.path: plan.weights.path, plan.weights.path: plan.features.path}
        mended = [other.get(word, word) for word in mended]
    options = [option for option in plan.add_options if option not in mended]
    # After "--" every word is a file.
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
    # All other options of `check` are options of `classify` too.
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
