"""A plan of users and items: what planning says of features and weights, in their words.

Items in rows are weights that are transposed. What people are told is turned round with it: where
weights would have to be transposed or not, items would not or would.
"""

from __future__ import annotations

import re
from dataclasses import replace

from matscore.plan.types import Plan, PlanOptions

_WORDS = (
    (r"leave --transpose out", "add --transpose-items"),
    (r"add --transpose(?!-)", "leave --transpose-items out"),
    (r"--transpose-features", "--transpose-users"),
    (r"\bfeatures \((?=[\d?])", "users ("),
    (r"\bweights \((\d+) × (\d+)\)", r"items (\2 × \1)"),
    (r"given as features and weights", "given as users and items"),
    (r"what the weights need", "what the items need"),
    (r"name the weights file, or add \S+ to compare its rows", "name the items file"),
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


def speak_of_items(plan: Plan) -> Plan:
    """Return a plan whose sentences and options are those of ``recommend``.

    Parameters
    ----------
    plan : Plan
        Made with options from `align_items`.

    Returns
    -------
    Plan
        With the roles of users and items.
    """
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
