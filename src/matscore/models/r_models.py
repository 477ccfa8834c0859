"""Linear models of R: which object of a file is the model, and who reads it."""

from __future__ import annotations

from collections.abc import Mapping

from matscore.models import r_categories, r_linear, r_penalised
from matscore.models.bounds import ModelFile
from matscore.models.options import ImportOptions
from matscore.models.r_values import classes, entries
from matscore.models.rds import Call, RValue, read_r
from matscore.models.rds_bytes import looks_like_r
from matscore.models.refusal import Refusal
from matscore.models.types import ImportedModel, Source

# By all classes of an object: what comes before "lm" may predict in its own way, as gam does.
_READERS = {**r_linear.READERS, **r_penalised.READERS, **r_categories.READERS}
_HINTS: Mapping[str, str] = {
    "train": "save the model inside: saveRDS(model$finalModel, …), where nothing preprocesses",
    "workflow": "save the model inside: saveRDS(workflows::extract_fit_engine(model), …)",
    "model_fit": "save the model inside: saveRDS(model$fit, …)",
    "WrappedModel": "save the model inside: saveRDS(model$learner.model, …)",
    "gam": "smooth terms are no terms of a weights file",
    "qda": "its scores are quadratic, with numbers that cancel",
    "relaxed": "fit it without relax = TRUE",
    "cv.relaxed": "fit it without relax = TRUE",
    "data.frame": "that is data; save the fitted model",
}


def recognise(file: ModelFile) -> bool:
    """Say whether a file starts as R's do."""
    return file.folder is None and looks_like_r(file.data)


def read(file: ModelFile, options: ImportOptions) -> ImportedModel:
    """Read a linear model that R saved."""
    found = read_r(file.data)
    model = _choose(found.value)
    names = tuple(classes(model))
    if names not in _READERS:
        raise _refuse(model, names)
    if "preProcess" in entries(model):  # caret's, put there by people
        raise Refusal("it holds a preProcess, which changes the columns before the model")
    return _READERS[names](model, f"R {found.version}", options)


SOURCE = Source("R (.rds, .RData)", recognise, read)


def _choose(value: RValue) -> RValue:
    """Return the one variable of a workspace, or the value of an `.rds` file."""
    if not isinstance(value, Call) or value.function is not None:
        return value
    if len(value.arguments) != 1:
        names = ", ".join(name for name, _ in value.arguments[:5])
        what = f"a workspace of {len(value.arguments):,} variables ({names})"
        raise Refusal(what, f'save the model alone: saveRDS({names.split(",")[0]}, "model.rds")')
    return value.arguments[0][1]


def _refuse(model: RValue, names: tuple[str, ...]) -> Refusal:
    if names:
        hints = [_HINTS[name] for name in names if name in _HINTS]
        known = "lm, aov, rlm, glm, glm.nb, glmnet, cv.glmnet, multinom, lda and polr are known"
        return Refusal(f'an R object of class "{" ".join(names)}"', hints[0] if hints else known)
    inside = [name for name, value in entries(model).items() if classes(value)]
    if inside:
        what = f"an R list that holds {', '.join(inside[:5])}"
        return Refusal(what, f'save one of them: saveRDS(x${inside[0]}, "model.rds")')
    return Refusal("an R value that is no model", "save the fitted model with saveRDS()")
