"""What the package offers, what it costs to import, and that its layers only look down."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import pytest

import matscore
from tests.helpers import SAMPLES

SOURCE = Path(matscore.__file__).parent

PUBLIC = [
    "ColumnOptions",
    "EvaluateTally",
    "Evaluation",
    "ExplainOptions",
    "ExplainTally",
    "FileError",
    "FitOptions",
    "FitResult",
    "FitSummary",
    "ImportOptions",
    "Imported",
    "InputError",
    "Learned",
    "MatscoreError",
    "Metrics",
    "MisfitError",
    "MissingExtraError",
    "OutputError",
    "OutputOptions",
    "Plan",
    "PlanError",
    "PlanOptions",
    "Progress",
    "Proof",
    "QualityError",
    "ReadOptions",
    "RecommendOptions",
    "RecommendTally",
    "RejectOptions",
    "RunOptions",
    "ScoreOptions",
    "ScoreTally",
    "Summary",
    "UsageError",
    "check",
    "check_files",
    "classify",
    "classify_file",
    "evaluate",
    "evaluate_file",
    "explain",
    "explain_file",
    "fit",
    "fit_file",
    "import_file",
    "import_model",
    "recommend",
    "recommend_file",
]

# From the ground up: a module (or package) imports only what stands before it. The root package
# stands on the ground, as it loads the rest only when a name is used. The pages stand before the
# commands, which hand what makes a page of a table to the output that it is written to.
LAYERS: tuple[tuple[str, ...], ...] = (
    ("",),
    ("errors", "_kernel"),
    ("names", "fields"),
    ("spelling",),
    ("kernel",),
    ("frame", "colors", "options", "terms", "items", "prorate"),
    ("command_options",),
    ("functions",),
    ("links",),
    ("plan",),
    ("read",),
    ("write",),
    ("model",),
    ("models",),
    ("run",),
    ("numerics",),
    ("show",),
    ("pages",),
    ("commands",),
    ("dask",),
    ("cli",),
    ("__main__",),
)
LEVELS = {name: level for level, names in enumerate(LAYERS) for name in names}
ROOMS = {name.split(".")[0] for name in LEVELS}
# Modules on the main way, `matscore classify FEATURES WEIGHTS -o OUT`, packages not counted.
MAIN_WAY = 30
# Where each library may be imported; any other library is a new dependency.
LIBRARIES = {
    "numpy": ROOMS - {"", "errors", "fields", "names", "options", "command_options", "__main__"},
    "pyarrow": {"read", "write"},
    "pandas": {"commands"},
    "sklearn": set(),
    "backports": {"read", "write", "models"},
    "compression": {"read", "write", "models"},  # the standard library's from Python 3.14 on
    "typer": {"cli"},
    "rich": {"cli", "show"},
    "jinja2": {"pages"},
    "markupsafe": {"pages"},  # Jinja's own
    "matplotlib": {"pages"},
    "obstore": {"read"},
    "dask": {"dask", "run"},
    "distributed": {"run"},
}


def iter_imports(node: ast.AST) -> Iterator[str]:
    """Yield what is imported when the code runs, functions included."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from (alias.name for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, "imports are absolute"
            module = child.module or ""
            inner = [f"matscore.{a.name}" for a in child.names if module == "matscore"]
            yield from inner or [module]
        elif isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            yield from iter_imports(ast.Module(child.orelse, []))
        else:
            yield from iter_imports(child)


def layer_of(module: str) -> str:
    """Return the layer of a module: the longest name in the list that it begins with."""
    parts = module.split(".")[1:]
    names = [".".join(parts[:n]) for n in range(len(parts), -1, -1)]
    return next((name for name in names if name and name in LEVELS), "")


def module_of(path: Path) -> str:
    """Return a file's module."""
    parts = path.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def import_edges() -> list[tuple[Path, str, str]]:
    """Return (file, its layer, what it imports)."""
    return [
        (path, layer_of(module_of(path)), name)
        for path in sorted(SOURCE.rglob("*.py"))
        for name in iter_imports(ast.parse(path.read_bytes()))
    ]


def run_python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(SOURCE.parent)},
    )
    return done.stdout


def test_all_is_this_list() -> None:
    assert matscore.__all__ == PUBLIC
    assert set(PUBLIC) < set(dir(matscore))


@pytest.mark.parametrize("name", PUBLIC)
def test_each_name_is_there_and_documented(name: str) -> None:
    found = getattr(matscore, name)
    assert found.__name__ == name
    assert found.__doc__
    assert getattr(importlib.import_module(found.__module__), name) is found


def test_a_name_that_is_not_there() -> None:
    with pytest.raises(AttributeError, match="no attribute 'clasify'"):
        matscore.clasify  # noqa: B018


def test_import_loads_no_library() -> None:
    libraries = sorted(LIBRARIES)
    code = f"import matscore, sys; print([name for name in {libraries} if name in sys.modules])"
    assert run_python(code) == "[]\n"


def list_loaded(*argv: str) -> set[str]:
    """Return the modules that a run has loaded, but for packages."""
    code = f"""
import os, sys
def tell(code):
    print(*(n for n, m in sys.modules.items() if not hasattr(m, "__path__") or "." not in n))
    sys.stdout.flush()
    leave(code)
leave, os._exit = os._exit, tell
sys.argv = ["matscore", *{argv!r}]
from matscore.__main__ import main
try:
    main()
except SystemExit as end:
    tell(end.code)
"""
    return set(run_python(code).split())


IRIS = [str(SAMPLES / name) for name in ("iris.csv", "iris_weights.csv")]
MOVIES = [str(SAMPLES / name) for name in ("movies.csv", "genres.csv")]


@pytest.mark.parametrize(
    "argv",
    [
        ["classify", *MOVIES],
        ["classify", *[str(SAMPLES / name) for name in ("credit.csv", "credit_weights.csv")]],
        ["explain", *MOVIES],
        ["recommend", *[str(SAMPLES / name) for name in ("users.csv", "films.csv")]],
        ["fit", IRIS[0], "--target", "species"],
        ["fit", IRIS[0], "--target", "petal_width", "--drop-cols", "species"],
        ["evaluate", *IRIS, "--truth", "species", "-f", "json"],
    ],
)
def test_small_jobs_load_no_slow_library(argv: list[str], tmp_path: Path) -> None:
    """It costs more time than the job; NumPy's `unique` and `setdiff1d` load its masked arrays."""
    loaded = list_loaded(*argv, "-o", str(tmp_path / "o"))
    assert "numpy" in loaded
    assert not {"pandas", "numpy.ma.core", "pyarrow", "rich.console"} & loaded
    assert (tmp_path / "o").stat().st_size


def test_the_main_way_is_short(tmp_path: Path) -> None:
    """Whoever follows it reads these modules."""
    for name, text in (("f.csv", "id,x\na,1\n"), ("w.csv", "feature,up,down\nx,1,-1\n")):
        (tmp_path / name).write_text(text)
    paths = [str(tmp_path / name) for name in ("f.csv", "w.csv", "o.csv")]
    loaded = list_loaded("classify", *paths[:2], "-o", paths[2])
    n_modules = sum(name.startswith("matscore.") for name in loaded)
    assert 15 < n_modules <= MAIN_WAY, f"{n_modules} modules"
    assert (tmp_path / "o.csv").read_text().startswith("id,up,down,prediction")


def test_errors_need_no_library() -> None:
    code = "import matscore, sys; matscore.PlanError; print('numpy' in sys.modules)"
    assert run_python(code) == "False\n"


def test_types_are_offered() -> None:
    assert resources.files("matscore").joinpath("py.typed").is_file()


def test_every_module_has_a_layer() -> None:
    rooms = {module_of(path).partition(".")[2].split(".")[0] for path in SOURCE.rglob("*.py")}
    assert rooms <= ROOMS


def test_imports_point_down() -> None:
    upward = [
        f"{path.relative_to(SOURCE)} imports {name}"
        for path, layer, name in import_edges()
        if name.split(".")[0] == "matscore"
        and (target := layer_of(name)) != layer
        and LEVELS[target] > LEVELS[layer]
    ]
    assert upward == []


def test_libraries_stay_where_they_belong() -> None:
    known = sys.stdlib_module_names - {"compression"} | {"matscore"}
    astray = [
        f"{path.relative_to(SOURCE)} imports {library}"
        for path, layer, name in import_edges()
        if (library := name.split(".")[0]) not in known
        and layer.split(".")[0] not in LIBRARIES.get(library, set())
    ]
    assert astray == []


def find_lenient(tree: ast.AST) -> list[int]:
    """Find the lines that go through sequences in step and stop at the shortest in silence."""
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
    return sorted(
        call.lineno
        for call in calls
        if (ast.unparse(call.func) == "map" and len(call.args) > 2)
        or (
            ast.unparse(call.func) == "zip"
            and not any(k.arg == "strict" and ast.unparse(k.value) == "True" for k in call.keywords)
        )
    )


def test_sequences_in_step_are_of_one_length() -> None:
    found = {
        str(path.relative_to(SOURCE)): lines
        for path in sorted(SOURCE.rglob("*.py"))
        if (lines := find_lenient(ast.parse(path.read_bytes())))
    }
    assert found == {}
    lenient = "zip(a, b)\nzip(a, b, strict=False)\nzip(a, strict=True)\nmap(f, a, b)\nmap(f, a)"
    assert find_lenient(ast.parse(lenient)) == [1, 2, 4]


def test_the_reader_of_imports() -> None:
    """The tests of imports would pass on nothing."""
    code = """
import numpy as np
if TYPE_CHECKING:
    import pandas
else:
    import rich.text
def late():
    from pyarrow import table
    from matscore import errors
"""
    assert list(iter_imports(ast.parse(code))) == [
        "numpy",
        "rich.text",
        "pyarrow",
        "matscore.errors",
    ]
    edges = {(layer, name) for _, layer, name in import_edges()}
    assert ("numerics", "matscore.kernel") in edges
    assert ("cli", "typer") in edges
    assert ("errors", "matscore.plan") not in edges


# What libraries and processors round in ways of their own, and where that reaches no figure.
INEXACT = re.compile(
    r"\b(?:np|math)\.(?:exp|log|pow|power|sin|cos|tan|arctan|erf|gamma)[a-z0-9]*\("
)
MAY_ROUND = {
    "functions": "a table's step, which only says what is near",
    "pages": "pixels",
    "prove": "a bound on an error",
    "models": "weights of other tools, which are told to 12 digits",
    "logistic": "the way to weights, to 10 digits of which the way is nothing",
}


def test_figures_are_the_same_on_every_machine() -> None:
    """The functions of `matscore.functions` and the kernel's `exp` are rounded alike everywhere."""
    found = [
        f"{path.name}: {line.strip()}"
        for path in sorted(SOURCE.rglob("*.py"))
        if not {path.stem, path.parent.name} & MAY_ROUND.keys()
        for line in path.read_text().splitlines()
        if INEXACT.search(line)
    ]
    assert not found
