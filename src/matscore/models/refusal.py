"""How a reader of models says no: what is wrong and what to do, without knowing the file's name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from matscore.errors import MatscoreError, join_sentence


class Refusal(MatscoreError):
    """A model that cannot be taken over as it is; `import_model` adds the file's name.

    Parameters
    ----------
    what : str
        What is wrong, as a part of a sentence.
    hint : str
        What to do about it; may be empty.
    """

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what, hint)
        self.what = what
        self.hint = hint

    def __str__(self) -> str:
        return join_sentence(self.what, self.hint)


@contextmanager
def in_step(name: str, kind: str = "") -> Iterator[None]:
    """Begin a refusal with the step that it is about, as in ``step "scale" (Normalizer): …``.

    Of steps within steps the innermost is named last: ``step "prep", step "scale" (Normalizer)``.
    """
    try:
        yield
    except Refusal as error:
        place = f'step "{name}"' + (f" ({kind})" if kind else "")
        joint = ", " if error.what.startswith('step "') else ": "
        raise Refusal(f"{place}{joint}{error.what}", error.hint) from error
