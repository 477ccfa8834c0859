"""Which name was meant by one that is not there, and in what the two differ.

Needed where something is refused, so that it loads there alone.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import combinations, islice

from matscore.names import DIFFERENCES, MAX_SHOWN, POINT, fold_name, quote_name, quote_names

_MAX_CANDIDATES = 1000
_MAX_COMPARED = 100
_SHORT = 6
_MAX_RECOGNISED = 20_000
_MOST_DIGITS = 15  # of more two texts may be one float64


@lru_cache(maxsize=2**17)  # a refusal asks for each name several times
def reduce_name(name: str) -> str:
    """Reduce a name to what is left, folded, without what tools make of names."""
    name = name.strip()
    for _, reduce in _SPELLINGS:
        name = reduce(name)
    return fold_name(name)


def make_r_name(name: str) -> str:
    """Return what R's ``make.names`` makes of a name: of "sepal width (cm)" sepal.width..cm."""
    name = re.sub(r"[^\w.]", ".", name)
    return name if re.match(r"[^\W\d_]|\.(?!\d)", name) else f"X{name}"


def write_numbers(name: str) -> str:
    """Write a name that is a number, or has whole ones with a point in it, in one way."""
    if len(name) <= _MOST_DIGITS and POINT.is_number(name):
        return repr(POINT.read(name)).removesuffix(".0")
    return re.sub(r"(?<![\d.])(\d+)\.0+(?![\d.\w])", r"\1", name)


def explain_difference(name: str, other: str) -> str:
    """Say in what two names differ, where it is hard to see or a tool's; else nothing."""
    hidden = fold_name(name) == fold_name(other)
    if name == other or not (hidden or reduce_name(name) == reduce_name(other)):
        return ""
    kinds = DIFFERENCES if hidden else (*_SPELLINGS, *DIFFERENCES)
    for count in range(1, len(DIFFERENCES) + 1):
        for chosen in combinations(kinds, count):
            one, two = name, other
            for kind, reduce in chosen:
                both = one, two
                one, two = reduce(one), reduce(two)
                # What no tool has made is not explained by what R would make of both.
                if kind == _BY_R and one != both[0] and two != both[1]:
                    break
            else:
                if one == two:
                    return "differs only by " + " and ".join(kind for kind, _ in chosen)
    return "differs only by case and Unicode form" if hidden else ""


@dataclass(frozen=True)
class MissingName:
    """A name that is not there, and what may have been meant by it."""

    name: str
    close: tuple[str, ...] = ()  # close matches among the names that are there, best first
    reason: str = ""  # in what the best one differs, where that is hard to see


def find_close(wanted: Sequence[str], candidates: Collection[str]) -> tuple[MissingName, ...]:
    """Find at most three close matches of each name that is not there."""
    # Comparing is slow, and no sentence shows more of them.
    looked_for = wanted[:MAX_SHOWN]
    folded = {fold_name(name) for name in looked_for}
    twins: dict[str, list[str]] = {}
    for candidate in candidates:
        if (key := fold_name(candidate)) in folded:
            twins.setdefault(key, []).append(candidate)
    # What differs invisibly is meant, and nothing else; then what a tool makes of names.
    unseen = [name for name in looked_for if fold_name(name) not in twins]
    spelt = _recognise(unseen, candidates) if unseen else {}
    matches = []
    for name in looked_for:
        known = twins.get(fold_name(name)) or spelt.get(name) or _compare(name, candidates)
        close = tuple(known)[:3]
        reason = explain_difference(name, close[0]) if close else ""
        matches.append(MissingName(name, close, reason))
    return (*matches, *map(MissingName, wanted[MAX_SHOWN:]))


def suggest(missing: Sequence[MissingName]) -> str:
    """Ask whether close matches were meant; empty when there are none."""
    known = [one for one in missing if one.close]
    if len(missing) == 1:
        meant = [" or ".join(map(quote_name, one.close)) for one in known]
    else:
        meant = [f"{quote_name(one.close[0])} for {quote_name(one.name)}" for one in known]
    reasons = [f" ({one.reason})" if one.reason else "" for one in known]
    if len(set(reasons)) == 1:  # said once, at the end
        reasons[:-1] = [""] * (len(reasons) - 1)
    shown = [name + reason for name, reason in zip(meant, reasons, strict=True)]
    return f"did you mean {', '.join(shown)}" if shown else ""


def suggest_name(name: str, names: Collection[str], option: str = "") -> str:
    """Ask which name was meant; where none is close, say which ones the option may have."""
    one_of = f"{option} has the name of one of: {quote_names(names)}" if option else ""
    return suggest(find_close([name], names)) or one_of


def _recognise(names: Sequence[str], candidates: Collection[str]) -> dict[str, list[str]]:
    """Return for each name the candidates that differ from it by what a tool makes of names."""
    reduced: dict[str, list[str]] = {}
    for candidate in islice(candidates, _MAX_RECOGNISED):
        reduced.setdefault(reduce_name(candidate), []).append(candidate)
    return {
        name: [c for c in reduced.get(reduce_name(name), ())[:3] if explain_difference(name, c)]
        for name in names
    }


def _compare(name: str, candidates: Collection[str]) -> list[str]:
    if len(name) > _MAX_COMPARED:
        return []
    # difflib compares each pair in time that grows with both lengths: only near ones are looked at.
    slack = max(2, len(name) // 3)
    near = (c for c in candidates if abs(len(c) - len(name)) <= slack)
    close = difflib.get_close_matches(name, list(islice(near, _MAX_CANDIDATES)))
    if len(name) > _SHORT:
        return close
    # Half the letters in common are a chance: one of three may differ, or one in all.
    return [c for c in close if _count_slips(name, c) <= max(1, len(name) // 3, len(c) // 3)]


def _drop_backticks(name: str) -> str:
    inner = name[1:-1]
    return inner.replace("``", "`") if name == f"`{inner}`" else name


def drop_step(name: str) -> str:
    """Return a name without the steps of scikit-learn's ColumnTransformer before it."""
    # No step has two underscores in its name; one step may be inside another.
    return re.sub(r"^(?:[A-Za-z][A-Za-z0-9-]*(?:_[A-Za-z0-9-]+)*__)+(?=.)", "", name)


def _count_slips(name: str, other: str) -> int:
    """Count letters that were changed, put in, left out or exchanged with the next one."""
    # The optimal string alignment distance, row by row.
    before, last = list[int](), list(range(len(other) + 1))
    for i, a in enumerate(name):
        row = [i + 1]
        for j, b in enumerate(other):
            slips = min(last[j] + (a != b), last[j + 1] + 1, row[j] + 1)
            if i and j and (a, name[i - 1]) == (other[j - 1], b):
                slips = min(slips, before[j - 1] + 1)
            row.append(slips)
        before, last = last, row
    return last[-1]


_BY_R = "what R's make.names changes"
# Alleles are PLINK's: rs123_A, rs123_A(/G) and, through R, rs123_A..G.; and rs123_HET.
_ALLELE = r"(?<=\d)_(?:HET|[ACGTDI]+(?:\(/[ACGTDI]+\)|\.\.[ACGTDI]+\.)?)$"
# What tools make of names. Of a folded one some would not know it, so they come first.
_SPELLINGS: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("backticks", _drop_backticks),
    ("the prefix of a step", drop_step),
    ("the allele that is counted", partial(re.sub, _ALLELE, "")),
    ("the version", partial(re.sub, r"^([A-Z]{2,8}_?\d{5,})\.\d{1,3}$", r"\1")),
    ("leading zeros", partial(re.sub, r"(?<![\d.,])0+(?=\d)", "")),
    ("how a number is written", write_numbers),
    (_BY_R, make_r_name),
)
