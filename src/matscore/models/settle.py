"""What is said on the command line, and what a sample tells, brought into a model that was read."""

from __future__ import annotations

from dataclasses import replace

from matscore.models.options import ImportOptions
from matscore.models.refusal import Refusal
from matscore.models.sample import Sample, name_columns, spell_booleans
from matscore.models.types import ImportedModel
from matscore.names import quote_name, quote_names


def settle_model(
    model: ImportedModel, options: ImportOptions, sample: Sample | None = None
) -> ImportedModel:
    """Return the model as it is written: named, resolved, linked and shifted as was asked for."""
    if options.categories:
        model = _name_categories(model, options.categories)
    if options.link is not None:
        model = _link(model, options)
    if sample is not None:
        model = name_columns(model, sample)
        if model.joined:
            from matscore.models.joined import resolve_names

            model = resolve_names(model, sample)
        model = spell_booleans(model, sample)
    if options.at_threshold:
        model = model.at_threshold()
    return model


def _name_categories(model: ImportedModel, names: tuple[str, ...]) -> ImportedModel:
    known = model.categories
    # One vector makes two categories: the first of them is 0 everywhere.
    if len(names) != len(known) and (len(names), len(model.coefficients)) != (2, 1):
        what = f"--categories has {len(names)} names, and the model the categories"
        raise Refusal(f"{what} {quote_names(known)}", "name each, in that order")
    if names == known:
        return model
    fact = f"the categories {quote_names(known)} are named {quote_names(names)}"
    if len(known) == 1:
        fact = f"{quote_name(known[0])} is the score of {quote_name(names[-1])}"
        fact += f"; that of {quote_name(names[0])} is 0" if len(names) == 2 else ""
    return replace(model, categories=names, facts=(*model.facts, fact))


def _link(model: ImportedModel, options: ImportOptions) -> ImportedModel:
    link = None if options.link == "none" else options.link
    if link == "logistic" and model.is_binary_vector:
        link = None  # the softmax of 0 and a score is its logistic function
    if model.knows_link and link != model.link:
        known = model.link or "none"
        raise Refusal(f"its link is {known}, and --link says {options.link}", "leave --link out")
    return replace(model, link=link)
