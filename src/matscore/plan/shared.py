"""Users and items are tables of one kind: a first column that both have may hold their labels."""

from __future__ import annotations

from dataclasses import replace

from matscore.names import quote_name
from matscore.plan.evidence import is_label_header, numbers_things, surely_counts_up
from matscore.plan.types import Plan, PlanOptions, Side


def blank_shared_label(users: Side, items: Side, options: PlanOptions) -> Side:
    """Return the items with the name of their first column blank, where it is sure to hold labels.

    The first column of both may have one name, ``id`` say, and would be taken for a feature. It
    holds labels in both where it is called as labels usually are, where `options` say so, where it
    is text, and where it counts up.

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
    if sure or not items.first_numeric or surely_counts_up(items.first or ()):
        return replace(items, names=("", *items.names[1:]))
    return items


def refuse_doubtful_label(plan: Plan) -> Plan:
    """Return a plan with a problem where a shared first column may hold labels or a feature.

    Parameters
    ----------
    plan : Plan
        Of users and items, the items as they are in their file.

    Returns
    -------
    Plan
        The same where there is no doubt.
    """
    name, items = _shared_first_name(plan.features, plan.weights), plan.weights
    if name is None or not plan.ok or name not in plan.feature_names:
        return plan
    if not numbers_things(items.first or ()):
        return plan
    both = f"{plan.features.path} and {items.path}"
    what = f"the first column of {both} holds labels or a feature: {quote_name(name)}"
    hint = f"say --id-col {name} if these are labels; if not, move the column from its place"
    return replace(plan, problem=f"cannot tell whether {what}", hint=hint)


def _shared_first_name(users: Side, items: Side) -> str | None:
    """Return the name of the first column of both; None where they differ."""
    if not users.names or not items.names or users.labelled or items.labelled:
        return None
    return users.names[0] if users.names[0] == items.names[0] else None
