"""Object storage: a real S3 server on loopback, and connections that break in the middle."""

from __future__ import annotations

import contextlib
import functools
import gzip
import http.server
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from matscore.errors import FileError, OutputError
from matscore.read.cloud import CloudFile, open_upload
from matscore.read.inputs import is_address, list_inputs
from tests.helpers import ENVIRONMENT, finish, list_names, run, start, write_csv
from tests.stores import Store, needs_moto, open_s3

pytest.importorskip("obstore")
pytestmark = needs_moto

WEIGHTS: list[list[Any]] = [["feature", "p", "q"], ["x", 1, 0.5], ["y", -1, 2]]
TEXT = "id,x,y\n" + "".join(f'"r\n{i}",{i % 97},{i % 89}\n' for i in range(30_000))


@pytest.fixture(scope="module")
def server() -> Iterator[Store]:
    with open_s3() as store:
        yield store


@pytest.fixture
def env(server: Store, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    for name, value in server.env.items():
        monkeypatch.setenv(name, value)
    return server.env


@pytest.fixture
def folder(tmp_path: Path, env: dict[str, str]) -> Path:
    write_csv(tmp_path / "w.csv", WEIGHTS)
    (tmp_path / "f.csv").write_text(TEXT)
    return tmp_path


def test_is_address() -> None:
    paths = ["s3://b/k", "gs://b/k", "az://c/k", "https://h/k", "S3://b/k", "s3:/b/k", "s3://", "-"]
    assert [is_address(path) for path in paths] == [True] * 5 + [False] * 3


@pytest.mark.parametrize("kind", ["csv", "gz", "parquet", "arrow"])
def test_input_and_output(server: Store, folder: Path, env: dict[str, str], kind: str) -> None:
    data = TEXT.encode()
    if kind == "gz":
        data = gzip.compress(data)
    elif kind != "csv":
        frame, path = pl.read_csv(folder / "f.csv"), folder / f"f.{kind}"
        frame.write_parquet(path) if kind == "parquet" else frame.write_ipc(path)
        data = path.read_bytes()
    (folder / f"local.{kind}").write_bytes(data)
    address = server.put(f"in/f.{kind}", data)
    argv = ("--report", "r.json")
    local = run("classify", f"local.{kind}", "w.csv", cwd=folder).check(quiet=True).out
    weights = server.put("in/w.csv", (folder / "w.csv").read_bytes())
    output = f"s3://bucket/out/{kind}.csv"
    run("classify", address, weights, "-o", output, *argv, cwd=folder, env=env).check(quiet=True)
    assert server.get(f"out/{kind}.csv") == local
    run("classify", address, "w.csv", "-o", f"{output}.gz", cwd=folder, env=env).check(quiet=True)
    assert gzip.decompress(server.get(f"out/{kind}.csv.gz")) == local


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves a folder."""

    def log_message(self, *_: object) -> None:
        pass


def test_over_http(server: Store, folder: Path) -> None:
    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as web:
        thread = threading.Thread(target=web.serve_forever)
        thread.start()
        address = f"http://127.0.0.1:{web.server_address[1]}/f.csv"
        done = run("classify", address, "w.csv", cwd=folder)
        refused = run("classify", address, "w.csv", "-o", f"{address}.out", cwd=folder)
        web.shutdown()
        thread.join()
    assert done.check(quiet=True).out == run("classify", "f.csv", "w.csv", cwd=folder).out
    assert "only s3://, gs:// and az:// can be written" in refused.check(5).err


def test_workers_read_ranges_of_an_object(server: Store, folder: Path, env: dict[str, str]) -> None:
    address = server.put("in/ranges.csv", TEXT.encode())
    argv = ("classify", address, "w.csv", "--engine", "dask", "-j", "1", "--chunk-size", "16k")
    process = start(*argv, "-o", "s3://bucket/out/ranges.csv", cwd=folder, env=env)
    finish(process).check(quiet=True)
    assert server.get("out/ranges.csv") == run("classify", "f.csv", "w.csv", cwd=folder).out


def test_folders_and_patterns(server: Store, env: dict[str, str]) -> None:
    for name in ("d/b.csv", "d/a/k=1/z.csv", "d/a.csv", "d/.x/y.csv", "d/_SUCCESS", "e/a.csv"):
        server.put(name, b"")

    def places_of(argument: str) -> list[str]:
        return [one.path.removeprefix("s3://bucket/") for one in list_inputs([argument])]

    assert places_of("s3://bucket/d/") == ["d/a/k=1/z.csv", "d/a.csv", "d/b.csv"]
    assert places_of("s3://bucket/d/*.csv") == ["d/a.csv", "d/b.csv"]
    assert places_of("s3://bucket/d/**/z.csv") == ["d/a/k=1/z.csv"]
    assert places_of("s3://bucket/[!d]/?.csv") == ["e/a.csv"]
    assert list_inputs(["s3://bucket/d/a/"])[0].keys == (("k", "1"),)
    with pytest.raises(FileError, match="no object is found there"):
        list_inputs(["s3://bucket/none/"])


@pytest.mark.parametrize("name", ["in/none.csv", "in/"])
def test_what_is_not_there(server: Store, folder: Path, env: dict[str, str], name: str) -> None:
    argv = ("classify", f"s3://bucket/{name}none", "w.csv", "-o", "s3://bucket/out/none.csv")
    done = run(*argv, cwd=folder, env=env).check(5)
    assert done.err == f"matscore: s3://bucket/{name}none: no such object\n"
    assert server.names("out/none") == []


def test_nobody_answers(folder: Path, env: dict[str, str]) -> None:
    wrong = env | {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    done = run("classify", "s3://bucket/in/f.csv", "w.csv", cwd=folder, env=wrong).check(5)
    assert done.err.startswith("matscore: s3://bucket/in/f.csv: cannot be reached: ")
    assert done.err.count("\n") == 1


def test_without_obstore(folder: Path) -> None:
    (folder / "obstore.py").write_text("raise ImportError\n")
    source = ENVIRONMENT["PYTHONPATH"]
    process = start("classify", "s3://b/k", "w.csv", cwd=folder,
                    env={"PYTHONPATH": f"{folder}:{source}"})  # fmt: skip
    err = "object storage needs an optional package; pip install 'matscore[cloud]'"
    assert finish(process).check(2).err == f"matscore: {err}\n"


def test_a_failure_aborts_the_upload(server: Store, env: dict[str, str]) -> None:
    """Also after parts of it were sent: nothing is there, and no upload is left under way."""
    server.put("out/old.csv", b"old")
    with pytest.raises(RuntimeError), open_upload("s3://bucket/out/old.csv") as out:
        for _ in range(40):
            out.write(bytes(2**20))
        raise RuntimeError
    assert server.get("out/old.csv") == b"old"
    assert server.uploads_under_way() == 0


def test_an_upload_is_whole(server: Store, env: dict[str, str]) -> None:
    data = os.urandom(35 * 2**20)
    with open_upload("s3://bucket/out/big") as out:
        for start_ in range(0, len(data), 1_000_001):
            out.write(data[start_ : start_ + 1_000_001])
        assert server.names("out/big") == []
    assert server.get("out/big") == data
    with open_upload("s3://bucket/out/empty"):
        pass
    assert server.get("out/empty") == b""


def test_a_bad_row_writes_nothing(server: Store, folder: Path, env: dict[str, str]) -> None:
    (folder / "f.csv").write_text(TEXT + "bad,1,z\n")
    argv = ("classify", "f.csv", "w.csv", "-o", "s3://bucket/out/bad.csv")
    run(*argv, cwd=folder, env=env).check(4)
    assert server.names("out/bad") == [] and server.uploads_under_way() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_aborts_the_upload(
    server: Store, folder: Path, env: dict[str, str], number: signal.Signals
) -> None:
    fifo = folder / "fifo"
    os.mkfifo(fifo)
    argv = ("classify", "fifo", "w.csv", "-o", "s3://bucket/out/cut.csv")
    process = start(*argv, cwd=folder, env=env)
    with fifo.open("w") as pipe:
        pipe.write("id,x,y\n")
        for i in range(1_500_000):
            pipe.write(f"row-{i:09},{i % 97},{i % 89}\n")
        pipe.flush()
        time.sleep(1)
        process.send_signal(number)
        done = finish(process)
    assert done.check(128 + number).err == f"matscore: stopped by {number.name}\n"
    assert server.names("out/cut") == [] and server.uploads_under_way() == 0


class Cutting(http.server.BaseHTTPRequestHandler):
    """Answers with the start of a file, and cuts the connection."""

    data = b"id,x,y\n" + b"r,1,2\n" * 2_000_000
    n_requests = 0

    def do_GET(self) -> None:
        type(self).n_requests += 1
        first = 0
        if (asked := self.headers.get("Range")) is not None:
            first = int(asked.removeprefix("bytes=").partition("-")[0])
        self.send_response(206 if first else 200)
        if first:
            self.send_header(
                "Content-Range", f"bytes {first}-{len(self.data) - 1}/{len(self.data)}"
            )
        self.send_header("Content-Length", str(len(self.data) - first))
        self.send_header("Last-Modified", "Tue, 24 Nov 2026 12:00:00 GMT")
        self.send_header("ETag", '"1"')
        self.end_headers()
        if self.n_requests > 1:
            self.close_connection = True
            return
        self.wfile.write(self.data[first : first + 3 * 2**20])
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True

    do_HEAD = do_GET

    def log_message(self, *_: object) -> None:
        pass


def test_a_connection_that_is_cut(server: Store, folder: Path) -> None:
    """In the middle of the input: exit 5, and nothing is written."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Cutting) as cutting:
        thread = threading.Thread(target=cutting.serve_forever)
        thread.start()
        address = f"http://127.0.0.1:{cutting.server_address[1]}/f.csv"
        done = run("classify", address, "w.csv", "-o", "out.csv", cwd=folder)
        cutting.shutdown()
        thread.join()
    assert done.check(5).err.startswith(f"matscore: {address}: cannot be reached: ")
    assert list_names(folder) == ["f.csv", "w.csv"]


def test_a_server_that_dies(folder: Path) -> None:
    """While an output is sent there: exit 5."""
    with open_s3() as store:
        os.mkfifo(folder / "fifo")
        argv = ("classify", "fifo", "w.csv", "-o", "s3://bucket/out.csv")
        running = start(*argv, cwd=folder, env=store.env)
        with contextlib.suppress(BrokenPipeError), (folder / "fifo").open("w") as pipe:
            pipe.write("id,x,y\n")
            for i in range(1_500_000):
                pipe.write(f"row-{i:09},{i % 97},{i % 89}\n")
            pipe.flush()
            store.process.kill()
            for i in range(1_500_000):
                pipe.write(f"row-{i:09},{i % 97},{i % 89}\n")
        done = finish(running).check(5)
    assert done.err.startswith("matscore: s3://bucket/out.csv: cannot be reached: ")


def test_a_part_of_an_object(server: Store, env: dict[str, str]) -> None:
    address = server.put("in/part", bytes(range(200)))
    file = CloudFile(address, 10, 20)
    assert file.size == 200 and file.read() == bytes(range(10, 20)) and file.read() == b""


def test_no_bucket(env: dict[str, str]) -> None:
    with (
        pytest.raises(OutputError, match=r"s3://none/out\.csv: no such bucket"),
        open_upload("s3://none/out.csv"),
    ):
        pass
