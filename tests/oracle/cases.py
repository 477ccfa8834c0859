"""A seeded generator of small cases, leaning to what decides what a record and a column are."""

from __future__ import annotations

import random
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from tests.oracle.reading import Case, Options

COMMANDS = ("classify", "recommend", "check", "explain", "evaluate", "fit")
_WORDS = ("a", "b", "c", "d", "action", "x1", "p q", "a=b")
_CATEGORIES = ("x", "y", "z", "drama", "a", "b")
_ODD = ("NA", "inf", "1e400", "5%", "1_000", "0x1A", "", "1.5", "nan", "null", "TRUE", "1,5", "$4")
_HEADINGS = ("id", "film", "", "Unnamed: 0", "label", "feature", "name", "index", "row", "user")
_INTERCEPTS = ("(Intercept)", "intercept", "bias", "const", "Constant")
_TOKENS = ("a", "b", "c", "x", "y", "id", "", "0", "1", "2", "3", "5", "1.5", "-2", "NA", "bias")
_SWITCHES = {
    "no_id_col": "--no-id-col",
    "no_intercept": "--no-intercept",
    "auto_transpose": "--auto-transpose",
}
_VALUES = {
    "delimiter": "-d",
    "id_col": "--id-col",
    "intercept": "--intercept",
    "top_k": "-k",
    "exclude": "--exclude",
    "truth": "--truth",
    "truth_file": "--truth-file",
    "target": "--target",
}


@dataclass
class Draft:
    """A table on its way to bytes."""

    header: list[str] | None
    rows: list[list[str]]
    delimiter: str = ","

    def flip(self) -> None:
        """Turn the table: its header becomes the first column."""
        if self.header is not None:
            self.rows.insert(0, self.header)
        turned = [list(line) for line in zip(*self.rows, strict=True)]
        named = self.header is not None and self.rows[0][0] == self.header[0]
        self.header = turned.pop(0) if named and len(turned) > 1 else None
        self.rows = turned

    def as_bytes(self, rng: random.Random) -> bytes:
        lines = ([self.header] if self.header is not None else []) + self.rows
        end = "\r\n" if rng.random() < 0.04 else "\n"
        text = end.join(
            self.delimiter.join(_quote(cell, self.delimiter, len(line), rng) for cell in line)
            for line in lines
        )
        start = "\ufeff" if rng.random() < 0.02 else ""
        return (start + text + (end if rng.random() < 0.95 else "")).encode()


def _quote(cell: str, delimiter: str, width: int, rng: random.Random) -> str:
    needed = any(c in cell for c in (delimiter, '"', "\n", "\r")) or (width == 1 and not cell)
    others = any(c in cell for c in ",;|\t")
    if needed or others or rng.random() < 0.01:
        return '"' + cell.replace('"', '""') + '"'
    return cell


def make_case(command: str, seed: int) -> Case:
    """Make the case of that command and seed."""
    return _Maker(command, random.Random(f"{command} {seed}")).make()


class _Maker:
    """Draws one case."""

    def __init__(self, command: str, rng: random.Random) -> None:
        self.command, self.rng = command, rng
        self.decimal = "," if rng.random() < 0.15 else "."
        self.delimiter = self._pick((",", ";", "\t", "|"), (14, 3, 1, 1))
        if self.decimal == "," and rng.random() < 0.8:
            self.delimiter = ";"
        self.style = self._pick(("plain", "onehot", "small", "whole", "decimals"), (6, 2, 2, 1, 3))

    def _chance(self, share: float) -> bool:
        return self.rng.random() < share

    def _pick(self, pool: Sequence[str], weights: Sequence[int] | None = None) -> str:
        return self.rng.choices(pool, weights)[0]

    def _number(self) -> str:
        rng = self.rng
        text = {
            "plain": lambda: rng.choice(["1", "2", "3", "4", "0", "-1", "0.5", "1.25", "2.5"]),
            "onehot": lambda: rng.choice("01"),
            "small": lambda: rng.choice("0123"),
            "whole": lambda: str(rng.randint(0, 999)),
            "decimals": lambda: f"{rng.uniform(-9, 9):.2f}",
        }[self.style]()
        if rng.random() < 0.01:
            text = rng.choice(["+1", ".5", "5.", "1E2", "-0", "00012", " 7 ", "1e308", "1e-300"])
        return text.replace(".", ",") if self.decimal == "," else text

    def _odd(self) -> str:
        return self._pick(_ODD)

    def _names(self, count: int) -> list[str]:
        """Draw names of features."""
        kind = self._pick(("words", "count", "numbers", "odd"), (12, 2, 1, 1))
        if kind == "words":
            names = self.rng.sample(_WORDS, count)
        elif kind == "count":
            first = self.rng.randint(0, 1)
            names = [str(first + n) for n in range(count)]
        elif kind == "numbers":
            names = self.rng.sample(["0", "1", "2", "3", "5", "10", "1.5"], count)
        else:
            names = self.rng.sample([*_WORDS[:3], *_ODD[:6]], count)
        return names

    def _labels(self, count: int) -> list[str]:
        """Draw labels of rows."""
        rng = self.rng
        kind = self._pick(("words", "ids", "up", "whole", "odd", "mixed"), (12, 3, 3, 1, 1, 1))
        if kind == "words":
            return rng.sample(["r", "s", "t", "u v", "w", "x", "y", "00x"], count)
        if kind == "ids":
            return rng.sample(["101", "7", "9", "5", "8", "3", "00012"], count)
        if kind == "up":
            first = rng.choice([0, 1, 1, 5])
            return [str(first + n) for n in range(count)]
        if kind == "whole":
            return [str(rng.randint(0, 3)) for _ in range(count)]
        if kind == "odd":
            return rng.sample(_ODD, count)
        return [rng.choice([*"rst", *_ODD[:5], "1", "2"]) for _ in range(count)]

    def _heading(self, taken: Sequence[str] = ()) -> str:
        pool = [*_HEADINGS] * 3 + [*_INTERCEPTS[:2], "7", "NA", "1.5", *taken[:1]]
        return self._pick(pool)

    def _matrix(self, rows: int, columns: int) -> list[list[str]]:
        cells = [[self._number() for _ in range(columns)] for _ in range(rows)]
        if self._chance(0.12) and rows:
            cells[self.rng.randrange(rows)][self.rng.randrange(columns)] = self._odd()
        if self._chance(0.08):
            column = self.rng.randrange(columns)
            for n, row in enumerate(cells):
                row[column] = str(n + 1) if self._chance(0.5) else cells[0][column]
        return cells

    def _table(
        self, names: Sequence[str], rows: int, labelled: bool, heading: str, headed: bool
    ) -> Draft:
        cells = self._matrix(rows, len(names))
        header = list(names)
        if labelled:
            header.insert(0, heading)
            cells = [[label, *row] for label, row in zip(self._labels(rows), cells, strict=True)]
        return Draft(header if headed else None, cells, self.delimiter)

    def _weights(self, names: Sequence[str], categories: Sequence[str], heading: str) -> Draft:
        """Draw weights with one row a feature, named or not."""
        labelled, headed = self._chance(0.75), self._chance(0.85)
        names = list(names)
        if self._chance(0.2) and labelled:
            names.insert(self.rng.randint(0, len(names)), self._pick(_INTERCEPTS))
        cells = self._matrix(len(names), len(categories))
        header = list(categories)
        if labelled:
            header.insert(0, heading)
            cells = [[name, *row] for name, row in zip(names, cells, strict=True)]
        return Draft(header if headed else None, cells, self.delimiter)

    def make(self) -> Case:
        """Make the case."""
        if self._chance(0.1):
            return self._make_raw()
        names = self._names(self.rng.randint(1, 4))
        return self._make_fit(names) if self.command == "fit" else self._make_pair(names)

    def _make_pair(self, names: Sequence[str]) -> Case:
        """Draw features and weights, or users and items."""
        rng, values = self.rng, dict[str, object]()
        categories = self._categories()
        heading = self._heading(names)
        features = self._features(names, heading)
        turned = self._chance(0.9 if self.command == "recommend" else 0.25)
        shuffled = rng.sample(names, len(names)) if self._chance(0.5) else names
        other = heading if self._chance(0.25) else self._heading()
        if turned:
            weights = self._table(
                shuffled, len(categories), self._chance(0.85), other, self._chance(0.85)
            )
        else:
            weights = self._weights(shuffled, categories, other)
        files, inputs = {"f.csv": features, "w.csv": weights}, ["f.csv", "w.csv"]
        if self.command == "recommend":
            self._add_pairs(files, values, turned=turned)
        else:
            self._add_model(values, shuffled, turned=turned)
        if self.command == "classify" and self._chance(0.12):
            files["g.csv"] = self._more_features(names, features, heading)
            inputs = ["f.csv", "g.csv", "w.csv"]
        if self.command == "evaluate":
            self._add_truth(files, categories, values)
        if self.command in {"classify", "check", "recommend"} and self._chance(0.06):
            features.flip()
            values["transpose_features"] = True
        self._add_options(values, features)
        return self._finish(files, inputs, values)

    def _categories(self) -> list[str]:
        count = self.rng.choice([1, 2, 2, 3, 3, 4])
        kind = self._pick(("words", "count", "odd"), (8, 2, 1))
        categories = self.rng.sample(_CATEGORIES, count)
        if kind == "count":
            categories = [str(k) for k in range(count)]
        elif kind == "odd":
            categories[0] = self._odd()
        return categories

    def _add_pairs(
        self, files: dict[str, Draft], values: dict[str, object], *, turned: bool
    ) -> None:
        values["transpose"] = not turned
        values["top_k"] = self.rng.choice([None, None, 1, 2])
        if self._chance(0.25):
            values["exclude"] = "e.csv"
            files["e.csv"] = self._pairs(files["f.csv"], files["w.csv"])

    def _add_model(self, values: dict[str, object], names: Sequence[str], *, turned: bool) -> None:
        values["transpose"] = self._chance(0.85 if turned else 0.04)
        values["auto_transpose"] = self._chance(0.1)
        values["no_intercept"] = self._chance(0.04)
        if self._chance(0.05) and not values["no_intercept"]:
            values["intercept"] = self._pick([*_INTERCEPTS[:3], names[0]])

    def _features(self, names: Sequence[str], heading: str) -> Draft:
        """Draw a features file, perhaps with a column that the weights do not know."""
        rows = self.rng.choice([1, 2, 3, 3, 4, 5])
        extra = self._chance(0.12)
        draft = self._table(names, rows, self._chance(0.55), heading, self._chance(0.8))
        if extra:
            for n, row in enumerate(draft.rows):
                row.append(self._pick(["q", "w"]) if n else "q")
            if draft.header is not None:
                draft.header.append("kept")
        return draft

    def _more_features(self, names: Sequence[str], first: Draft, heading: str) -> Draft:
        kind = self._pick(("same", "bare", "other", "new"), (4, 2, 1, 2))
        labelled = len(first.rows[0]) > len(names)
        other = "shop" if kind == "other" else heading
        if kind == "new":
            return self._features(names, self._heading())
        headed = kind != "bare" and first.header is not None
        shuffled = self.rng.sample(names, len(names))
        return self._table(shuffled, self.rng.randint(1, 3), labelled, other, headed)

    def _pairs(self, users: Draft, items: Draft) -> Draft:
        left = [row[0] for row in users.rows] + ["zz"]
        right = [row[0] for row in items.rows] + ["qq"]
        rows = [[self.rng.choice(left), self.rng.choice(right)] for _ in range(2)]
        header = self._pick(("none", "named"), (1, 1)) == "named"
        return Draft(["user", "item"] if header else None, rows, self.delimiter)

    def _add_truth(
        self, files: dict[str, Draft], categories: Sequence[str], values: dict[str, object]
    ) -> None:
        features = files["f.csv"]
        others = ["no", "0"] if len(categories) == 1 else []  # what is not positive
        truths = [self.rng.choice([*categories, *others]) for _ in features.rows]
        if self._chance(0.1):
            truths[0] = self._odd()
        if self._chance(0.6) and features.header is not None:
            features.header.append("truth")
            for row, truth in zip(features.rows, truths, strict=True):
                row.append(truth)
            values["truth"] = "truth"
            return
        labelled = self._chance(0.3)
        rows = [
            [row[0], truth] if labelled else [truth]
            for row, truth in zip(features.rows, truths, strict=True)
        ]
        header = ["id", "truth"] if labelled else ["truth"]
        files["t.csv"] = Draft(header if self._chance(0.75) else None, rows, self.delimiter)
        values["truth_file"] = "t.csv"
        values["truth"] = "truth" if self._chance(0.3) else None

    def _make_fit(self, names: Sequence[str]) -> Case:
        rng, values = self.rng, dict[str, object]()
        rows = rng.choice([2, 3, 4, 5, 6])
        heading = self._heading(names)
        features = self._table(names, rows, self._chance(0.5), heading, self._chance(0.7))
        files, inputs = {"f.csv": features}, ["f.csv", "t.csv"]
        count = rng.choice([1, 1, 2])
        targets = self._matrix(rows, count)
        if self._chance(0.2):
            targets = [[rng.choice("xy")] for _ in range(rows)]
        if self._chance(0.3) and features.header is not None:
            features.header.append("goal")
            for row, target in zip(features.rows, targets, strict=True):
                row.append(target[0])
            values["target"], inputs = "goal", ["f.csv"]
        else:
            header = ["t1", "t2"][: len(targets[0])]
            if self._chance(0.35):
                targets = [
                    [row[0], *line] for row, line in zip(features.rows, targets, strict=True)
                ]
                header.insert(0, heading if self._chance(0.5) else self._heading())
            files["t.csv"] = Draft(header if self._chance(0.7) else None, targets, self.delimiter)
        values["fit_intercept"] = rng.choice([None, None, True, False])
        self._add_options(values, features)
        return self._finish(files, inputs, values)

    def _make_raw(self) -> Case:
        """Draw tables of tokens without any sense."""
        rng = self.rng

        def table(rows: int, columns: int) -> Draft:
            lines = [[rng.choice(_TOKENS) for _ in range(columns)] for _ in range(rows)]
            if self._chance(0.6):
                for line in lines[1:]:
                    line[1:] = [self._number() for _ in line[1:]]
            return Draft(None, lines, self.delimiter)

        n = rng.randint(1, 3)
        files = {
            "f.csv": table(rng.randint(1, 4), n + rng.randint(0, 1)),
            "w.csv": table(n + rng.randint(0, 1), rng.randint(1, 3)),
        }
        values: dict[str, object] = {}
        if self.command == "recommend":
            files["w.csv"] = table(rng.randint(1, 4), n + rng.randint(0, 1))
        if self.command == "evaluate":
            files["t.csv"] = table(len(files["f.csv"].rows), rng.randint(1, 2))
            values["truth_file"] = "t.csv"
        self._add_options(values, files["f.csv"])
        return self._finish(files, ["f.csv", "w.csv"], values)

    def _add_options(self, values: dict[str, object], features: Draft) -> None:
        rng = self.rng
        headers = self._pick(("none", "yes", "no"), (15, 2, 2))
        if headers != "none":
            has = features.header is not None
            values["headers"] = has if self._chance(0.7) else headers == "yes"
        header = features.header or ["1"]
        if self._chance(0.08):
            values["id_col"] = header[0] if self._chance(0.85) else rng.choice([*header, "zz"])
        elif self._chance(0.05) and (self.command == "fit" or NEW_OPTIONS):
            values["no_id_col"] = True
        if self.command == "classify" and self._chance(0.08):
            # Columns without names are numbered from 1.
            width = len(features.rows[0]) if features.rows else 1
            names = features.header or [str(n + 1) for n in range(width)]
            values["keep_cols"] = (names[-1] if self._chance(0.7) else rng.choice(names),)
        if self.command == "classify" and self._chance(0.06):
            values["top_k"] = rng.choice([1, 2])
        if self.command != "check":
            values["missing"] = self._pick(("error", "zero", "keep", "skip"), (12, 2, 1, 1))
            if self.command == "fit" and values["missing"] == "keep":
                values["missing"] = "zero"
            values["reject"] = self._chance(0.12) or values["missing"] == "skip"
            if self._chance(0.04):
                values["missing_values"] = (self._pick(("?", "NA", "a", "-")),)
        if self._chance(0.15):
            values["delimiter"] = "tab" if self.delimiter == "\t" else self.delimiter

    def _finish(
        self, files: dict[str, Draft], inputs: Sequence[str], values: dict[str, object]
    ) -> Case:
        for draft in files.values():
            if self._chance(0.02) and draft.rows:
                line = self.rng.choice(draft.rows)
                if len(line) > 1 and self._chance(0.5):
                    line.pop()
                else:
                    line.append("1")
        data = {name: draft.as_bytes(self.rng) for name, draft in files.items()}
        options = Options(decimal=self.decimal, **values)  # type: ignore[arg-type]
        return Case(self.command, data, tuple(inputs), options)


NEW_OPTIONS = True  # whether every command has --no-id-col


def list_arguments(case: Case) -> list[str]:
    """Write the case as arguments of the program."""
    options, command = case.options, case.command
    arguments = [command, *case.inputs]
    for name, flag in _SWITCHES.items():
        if getattr(options, name):
            arguments.append(flag)
    for name, flag in _VALUES.items():
        if getattr(options, name) is not None:
            arguments += [flag, str(getattr(options, name))]
    if options.decimal != ".":
        arguments += ["--decimal", options.decimal]
    if options.headers is not None:
        arguments.append("--headers" if options.headers else "--no-headers")
    if options.missing != "error":
        arguments += ["--missing", options.missing]
    if options.missing_values is not None:
        arguments += ["--missing-values", ",".join(options.missing_values)]
    if options.fit_intercept is not None:
        arguments.append("--intercept" if options.fit_intercept else "--no-intercept")
    if options.keep_cols:
        arguments += ["--keep-cols", ",".join(options.keep_cols)]
    if options.reject:
        arguments += ["--on-error", "reject", "--rejects", "rejects.csv"]
    turn = "--transpose-items" if command == "recommend" else "--transpose"
    turn_features = "--transpose-users" if command == "recommend" else "--transpose-features"
    arguments += [turn] * options.transpose + [turn_features] * options.transpose_features
    arguments += {"check": ["-f", "json"], "fit": ["--method", "least-squares"]}.get(command, [])
    return arguments


def write_shell(case: Case) -> str:
    """Write a case as shell commands."""
    lines = []
    for name, data in case.files.items():
        text = data.decode().replace("\\", "\\\\").replace("%", "%%")
        for char, escape in (
            ("\n", "\\n"),
            ("\t", "\\t"),
            ("\r", "\\r"),
            ("\ufeff", "\\357\\273\\277"),
        ):
            text = text.replace(char, escape)
        lines.append(f"printf {shlex.quote(text)} > {name}")
    return "\n".join([*lines, f"matscore {shlex.join(list_arguments(case))}"])
