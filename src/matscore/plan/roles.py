"""A plan of users and items: what planning says of features and weights, in their words.

Items in rows are weights that are transposed. What people are told is turned round with it: where
weights would have to be transposed or not, items would not or would.
"""

from __future__ import annotations

import re
from dataclasses import replace

from matscore.names import quote_name
from matscore.plan.evidence import counts_up, is_label_header, numbers_things
from matscore.plan.types import Plan, PlanOptions, Side

_WORDS = (
    (r"leave --transpose out", "add --transpose-items"),
    (r"add --transpose(?!-)", "leave --transpose-items out"),
    (r"--transpose-features", "--transpose-users"),
    (r"\bfeatures \((?=[\d?])", "users ("),
    (r"\bweights \((\d+) × (\d+)\)", r"items (\2 × \1)"),
    (r"given as features and weights", "given as users and items"),
    (r"what the weights need", "what the items need"),
    (r"name the weights file, or add \S+ to compare its rows", "name the items file"),
    (r"\ba category\b", "an item"),
    (r"\bcategory\b", "item"),
    (r"no weights\b", "no features"),
    (r"one column of weights for each category", "one row an item"),
)
_TURNED = re.compile(r"the (weights|features) are transposed: ")


def align_items(options: PlanOptions) -> PlanOptions:
    """Return how users and items are lined up: items are rows, and none of them is an intercept.

    Parameters
    ----------
    options : PlanOptions
        With ``transpose`` for items that are columns.

    Returns
    -------
    PlanOptions
        What the same means for features and weights.
    """
    return replace(
        options, transpose=not options.transpose, auto_transpose=False, no_intercept=True
    )


def tell_labels(users: Side, items: Side, options: PlanOptions) -> Side:
    """Return the items with the name of their first column blank, where it is sure to hold labels.

    Users and items are tables of one kind: the first column of both may have one name, ``id`` say,
    and would be taken for a feature. It holds labels in both where it is called as labels usually
    are, where `options` say so, where it is text, and where it counts up.

    Parameters
    ----------
    users, items : Side
        What is known of the two files.
    options : PlanOptions
        What was asked for.

    Returns
    -------
    Side
        The items, as they are to be planned with.
    """
    name = _shared_first_name(users, items)
    if name is None or items.names is None:
        return items
    sure = options.id_col == name or is_label_header(name)
    if sure or not items.first_numeric or counts_up(items.first or ()):
        return replace(items, names=("", *items.names[1:]))
    return items


def speak_of_items(plan: Plan, items: Side) -> Plan:
    """Return a plan whose sentences and options are those of ``recommend``.

    Parameters
    ----------
    plan : Plan
        Made with options from `align_items`, and perhaps items from `tell_labels`.
    items : Side
        The items as they are.

    Returns
    -------
    Plan
        With the roles of users and items, and a problem where a first column that both have may
        hold labels or a feature.
    """
    name = _shared_first_name(plan.features, items)
    plan = replace(plan, weights=items)
    if plan.ok and name in plan.feature_names and numbers_things(items.first or ()):
        both = f"{plan.features.path} and {items.path}"
        plan = replace(
            plan,
            problem=f"cannot tell whether the first column of {both} holds labels or a feature:"
            f" {quote_name(str(name))}",
            hint=f"say --id-col {name} if these are labels; if not, move the column from its place",
        )
    added = [*(_user_option(name) for name in plan.add_options if name != "--transpose")]
    dropped = [*(_user_option(name) for name in plan.drop_options if name != "--transpose")]
    if "--transpose" in plan.drop_options:
        added.append("--transpose-items")
    if "--transpose" in plan.add_options:
        dropped.append("--transpose-items")
    return replace(
        plan,
        roles=("users", "items"),
        facts=_turn_facts(plan),
        problem=None if plan.problem is None else _reword(plan.problem),
        hint=_reword(plan.hint),
        add_options=tuple(added),
        drop_options=tuple(dropped),
    )


def _shared_first_name(users: Side, items: Side) -> str | None:
    """Return the name of the first column of both; None where they differ."""
    if not users.names or not items.names or users.labelled or items.labelled:
        return None
    return users.names[0] if users.names[0] == items.names[0] else None


def _user_option(name: str) -> str:
    return "--transpose-users" if name == "--transpose-features" else name


def _turn_facts(plan: Plan) -> tuple[str, ...]:
    facts = [fact for fact in plan.facts if not _TURNED.match(fact)]
    if not plan.transpose:
        facts.append(f"the items are transposed: the rows of {plan.weights.path} are the features")
    if plan.transpose_features:
        facts.append(f"the users are transposed: the rows of {plan.features.path} are the features")
    return tuple(facts)


def _reword(text: str) -> str:
    for pattern, words in _WORDS:
        text, n = re.subn(pattern, words, text)
        if n and "transpose-items" in words:
            break  # or it would be turned back
    return text
