"""A directory of outputs in object storage: what a disk would hold, whole and resumed."""

from __future__ import annotations

import contextlib
import random
import signal
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from matscore.errors import OutputError
from matscore.write.folder import Folder, open_place
from tests.helpers import finish, run, start, write_csv
from tests.stores import Store, as_gs, find_azurite, needs_moto, open_az, open_s3

pytest.importorskip("obstore")
pytestmark = needs_moto

WEIGHTS: list[list[Any]] = [["feature", "p", "q"], ["x", 1, 0.5], ["y", -1, 2]]
needs_azurite = pytest.mark.skipif(find_azurite() is None, reason="Azurite is not installed")


@pytest.fixture(scope="module")
def s3() -> Iterator[Store]:
    with open_s3() as store:
        yield store


@pytest.fixture
def store(s3: Store, monkeypatch: pytest.MonkeyPatch) -> Store:
    return use(s3, monkeypatch)


def use(store: Store, monkeypatch: pytest.MonkeyPatch) -> Store:
    for name, value in store.env.items():
        monkeypatch.setenv(name, value)
    return store


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_csv(tmp_path / "w.csv", WEIGHTS)
    make_inputs(tmp_path, n_files=5, n_rows=20)
    return tmp_path


def make_inputs(folder: Path, n_files: int, n_rows: int) -> None:
    rng = random.Random(n_files)
    for i in range(n_files):
        place = folder / f"data/k={i % 2}"
        place.mkdir(parents=True, exist_ok=True)
        rows = [[f"r{j}", rng.random(), rng.randint(0, 9)] for j in range(n_rows)]
        write_csv(place / f"ü {i}.csv", [["id", "x", "y"], *rows])


def snapshot(path: Path) -> dict[str, bytes]:
    files = (file for file in sorted(path.rglob("*")) if file.is_file())
    return {str(file.relative_to(path)): file.read_bytes() for file in files}


@pytest.mark.parametrize("kind", ["s3", "gs", pytest.param("az", marks=needs_azurite)])
def test_as_on_a_disk(s3: Store, folder: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same objects, manifest and messages; what is resumed is put again only where it must."""
    with contextlib.ExitStack() as stack:
        if kind == "az":
            store = stack.enter_context(open_az())
        else:
            store = s3 if kind == "s3" else as_gs(s3, folder)
        check_as_on_a_disk(use(store, monkeypatch), folder, f"{kind} out")


def check_as_on_a_disk(store: Store, folder: Path, out: str) -> None:
    argv = ("classify", "data", "w.csv", "--keep-cols", "k")

    def write_both(*options: str, code: int = 0) -> None:
        places = ("local/", f"{store.url}/{out}/")
        done = [run(*argv, *options, "-o", o, cwd=folder, env=store.env) for o in places]
        assert done[0].check(code) == done[1]
        assert store.snapshot(out) == snapshot(folder / "local")

    write_both()
    assert len(store.names(f"{out}/")) == 6
    bad = folder / "data/k=1/ü 3.csv"
    text = bad.read_text()
    bad.write_text(f"{text}b,1,?\n")
    broken = [run(*argv, "-o", o, cwd=folder, env=store.env).check(4) for o in
              ("local/", f"{store.url}/{out}/")]  # fmt: skip
    assert broken[0] == broken[1]
    found, expected = store.snapshot(out), snapshot(folder / "local")
    assert "_manifest.json" not in found
    assert {name for name in found if name[0] == "_"} >= {"_journal.jsonl/000000"}
    # The parts after the bad one are those of the run before.
    assert {n: d for n, d in found.items() if n[0] != "_"} == {
        n: d for n, d in expected.items() if n[0] != "_"
    }
    bad.write_text(text)
    (folder / "data/k=0/ü 4.csv").unlink()
    write_both("--resume")
    store.delete(f"{out}/k=0/part-of-ü 2.csv")
    store.put(f"{out}/k=1/part-of-ü 1.csv", b"mended by hand\n")
    write_both("--resume")


def uploads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the list of objects that are put from now on, in this process."""
    from matscore.read.cloud import _Upload

    put: list[str] = []
    finish_it = _Upload.finish

    def spy(self: _Upload) -> None:
        put.append(self._path.rpartition("/")[2])
        finish_it(self)

    monkeypatch.setattr(_Upload, "finish", spy)
    return put


def test_what_is_current_is_kept(
    store: Store, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where inputs are objects, and after their times have changed."""
    from matscore import RunOptions, classify_file

    for path in sorted((folder / "data").rglob("*.csv")):
        store.put(f"kept/in/{path.relative_to(folder / 'data')}", path.read_bytes())
    places = f"{store.url}/kept/in/", folder / "w.csv", f"{store.url}/kept/out/"
    put = uploads(monkeypatch)
    classify_file(*places)
    names = [f"part-of-ü {i}.csv" for i in (0, 2, 4, 1, 3)]
    assert [name for name in put if name in names] == names
    assert put[-1] == "_manifest.json" and put[0] == "000000"
    before = store.snapshot("kept/out")
    put.clear()
    time.sleep(1.1)  # the server tells whole seconds
    store.put("kept/in/k=0/ü 0.csv", (folder / "data/k=0/ü 0.csv").read_bytes())
    store.put("kept/in/k=0/ü 2.csv", (folder / "data/k=0/ü 2.csv").read_bytes()[:-1])
    store.delete("kept/out/k=1/part-of-ü 3.csv")
    store.put("kept/out/k=1/part-of-ü 1.csv", before["k=1/part-of-ü 1.csv"][::-1])
    classify_file(*places, run=RunOptions(resume=True))
    assert [name for name in put if name in names] == [names[1], names[3], names[4]]
    after = store.snapshot("kept/out")
    assert {n: d for n, d in after.items() if n != "_manifest.json"} == {
        n: d for n, d in before.items() if n != "_manifest.json"
    }


def test_what_is_refused(store: Store, folder: Path) -> None:
    store.put("mine/file.txt", b"mine")
    argv = ("classify", "data", "w.csv", "-o")
    cases = [
        (2, "s3://bucket/mine/", "holds files that are not of an earlier run"),
        (5, "https://127.0.0.1:9/out/", "only s3://, gs:// and az:// can be written"),
        (5, "s3://none/out/", "matscore: s3://none/out/: no such bucket\n"),
        (2, "s3://bucket/out/ -f table", "a directory holds no tables"),
    ]
    for code, output, words in cases:
        done = run(*argv, *output.split(), cwd=folder, env=store.env).check(code)
        assert words in done.err and done.err.count("\n") == 1
    inside = ("classify", "s3://bucket/mine/file.txt", "w.csv", "-o", "s3://bucket/mine/")
    done = run(*inside, cwd=folder, env=store.env).check(2)
    assert "the output directory holds an input" in done.err
    assert store.snapshot("mine") == {"file.txt": b"mine"}
    nobody = store.env | {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    done = run(*argv, "s3://bucket/out/", cwd=folder, env=nobody).check(5)
    assert done.err.startswith("matscore: s3://bucket/out/: cannot be reached: ")


def test_a_folder_that_a_console_has_made(store: Store, folder: Path) -> None:
    """It is an object of its name, which holds nothing; also in the middle of inputs."""
    for name in ("made/", "from/", "from/k=0/"):
        address = f"{store.address}/bucket/{name}"
        urllib.request.urlopen(urllib.request.Request(address, b"", method="PUT")).close()
    store.put("from/k=0/a.csv", b"id,x,y\na,1,2\n")
    argv = ("classify", "s3://bucket/from/", "w.csv", "-o", "s3://bucket/made/")
    run(*argv, cwd=folder, env=store.env).check(quiet=True)
    assert store.get("made/k=0/part-of-a.csv") == b"id,p,q,prediction\na,-1.0,4.5,q\n"


@pytest.mark.parametrize("kind", ["disk", "s3"])
def test_a_later_run_ends_an_earlier_one(store: Store, tmp_path: Path, kind: str) -> None:
    """Nothing of the earlier one appears any more, wherever its parts are made."""
    path = f"{tmp_path}/out/" if kind == "disk" else f"{store.url}/twice/"
    first = Folder(path, resume=False)
    first.begin(["part-of-a.csv"])
    claim = first.place.claim
    claim.check()
    first.close()  # its lock goes where it is killed
    second = Folder(path, resume=True)
    second.begin(["part-of-a.csv"])
    with pytest.raises(OutputError, match="another run has begun to write there"):
        claim.check()
    with pytest.raises(OutputError, match="another run has begun to write there"):
        first.finish([], {})
    second.place.claim.check()
    second.finish([], {})
    second.close()
    with pytest.raises(OutputError, match="another run has begun to write there"):
        claim.check()


def test_a_part_that_somebody_changes(store: Store, folder: Path) -> None:
    """While the others are made: there is no manifest of what is not so."""
    from matscore import RejectOptions, classify_file

    def change(*_: object) -> None:
        store.put("changed/k=0/part-of-ü 0.csv", b"short")

    last = folder / "data/k=1/ü 3.csv"
    last.write_text(f"{last.read_text()}b,1,?\n")
    aside = RejectOptions("reject", folder / "r.csv", on_rejects=change)
    with pytest.raises(OutputError, match="somebody has changed it since it was written"):
        classify_file(folder / "data", folder / "w.csv", f"{store.url}/changed/", rejects=aside)
    assert "changed/_manifest.json" not in store.names("changed/")


def test_a_long_journal(store: Store) -> None:
    """It is read back whole, in order, and nothing of it is left."""
    path = f"{store.url}/journal/"
    place = open_place(path)
    lines = [f"{i}\n".encode() for i in range(205)]
    place.begin_journal(b"first\n")
    for line in lines:
        place.add_to_journal(line)
    names = store.names("journal/")
    assert [name.rpartition("/")[2] for name in names] == ["000000", "000001", "000002", "000003"]
    again = open_place(path)
    assert again.read_journal() == place.claim.number + b"first\n" + b"".join(lines)
    again.begin_journal(b"second\n")
    assert store.names("journal/") == names[:1]
    again.drop_journal()
    assert store.names("journal/") == []


def kill_midway(store: Store, folder: Path, *options: str) -> dict[str, bytes]:
    """Start a run into a bucket, kill it after some of its parts, and return what is there."""
    argv = ("classify", "data", "w.csv", "-o", f"{store.url}/killed/", "--keep-cols", "k")
    for _ in range(5):  # a machine that is busy elsewhere may let a run come to its end
        process, deadline = start(*argv, *options, cwd=folder, env=store.env), time.monotonic() + 60
        while "killed/_journal.jsonl/000001" not in store.names("killed/"):
            assert time.monotonic() < deadline
            if process.poll() is not None:
                break
        process.send_signal(signal.SIGKILL)
        code, left = finish(process).code, store.snapshot("killed")
        if code == -signal.SIGKILL and "_manifest.json" not in left:
            return left
        clear(store, "killed/")
    raise AssertionError("no run could be killed in time")


def clear(store: Store, folder: str) -> None:
    for name in store.names(folder):
        store.delete(name)


@pytest.mark.parametrize("engine", ["", pytest.param("--engine dask -j 1", marks=pytest.mark.slow)])
def test_killed_and_resumed(store: Store, folder: Path, engine: str) -> None:
    """By threads here, or by workers that send the parts themselves."""
    make_inputs(folder, 14, 2_000)
    argv = ("classify", "data", "w.csv", "--keep-cols", "k")
    run(*argv, "-o", "local/", cwd=folder).check(quiet=True)
    expected = snapshot(folder / "local")
    left = kill_midway(store, folder, *engine.split())
    parts = {name: data for name, data in left.items() if not name.startswith("_")}
    assert parts and parts.items() < expected.items()
    again = ("-o", f"{store.url}/killed/", "--resume", *engine.split())
    finish(start(*argv, *again, cwd=folder, env=store.env)).check(quiet=True)
    assert store.snapshot("killed") == expected
    clear(store, "killed/")
