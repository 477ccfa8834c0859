"""Object storage and web servers: inputs as streams, outputs as uploads, through obstore.

Whatever goes wrong is a `FileError` or `OutputError` that names the address. Credentials are
found where each cloud's own tools look for them in the environment.
"""

from __future__ import annotations

import io
import os
import queue
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from matscore.errors import FileError, MatscoreError, MissingExtraError, OutputError
from matscore.read.source import READ_BYTES

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

# An upload has 10,000 parts at most: 160 GB.
_PART_BYTES = 16 * 2**20
_PARTS_AT_ONCE = 2
_WRITABLE = re.compile(r"(s3|gs|az)://[^/]+/", re.IGNORECASE)
_VARIABLES = ("AWS_", "AZURE_", "GOOGLE_")
_RETRIES, _RETRY_SECONDS = 3, 30
_AGAIN = "run again; see whether the address and the credentials are right"


class CloudFile(io.RawIOBase):
    """An object as a file that is read forwards, or some bytes of it."""

    def __init__(self, path: str, start: int = 0, stop: int | None = None) -> None:
        super().__init__()
        self._path = path
        store, key = _open_store(path)
        options = {} if stop is None else {"range": (start, stop)}
        with _named_errors(path, FileError):
            answer = _obstore().get(store, key, options=options)
            self.size = int(answer.meta["size"])
            self.mtime_ns = int(answer.meta["last_modified"].timestamp() * 10**9)
            self._stream = iter(answer.stream(min_chunk_size=READ_BYTES))
        self._n_left = (self.size if stop is None else stop) - start
        self._held = memoryview(b"")

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def read(self, size: int = -1, /) -> bytes:
        """Return some bytes, none at the end."""
        if not self._held:
            with _named_errors(self._path, FileError):
                self._held = memoryview(bytes(next(self._stream, b"")))
            self._n_left -= len(self._held)
            if not self._held and self._n_left:
                raise FileError(self._path, "the connection ended too early", _AGAIN)
        n = len(self._held) if size < 0 else min(size, len(self._held))
        block, self._held = bytes(self._held[:n]), self._held[n:]
        return block


@contextmanager
def open_upload(path: str) -> Iterator[io.BufferedIOBase]:
    """Open an object to be written, which is there whole when the block ends, or not at all."""
    check_writable(path)
    upload = _Upload(path)
    try:
        yield upload
        upload.finish()
    except BaseException:
        upload.abort()
        raise


def check_writable(path: str) -> None:
    """Refuse an address where nothing can be written."""
    if not _WRITABLE.match(path):
        what, hint = "only s3://, gs:// and az:// can be written", "name a place in one of them"
        raise OutputError(path, what, hint)


def list_objects(folder: str, kind: type[FileError] = FileError) -> dict[str, int]:
    """Return the names of all objects under a folder, which ends with a slash, and their sizes."""
    store, key = _open_store(folder)
    with _named_errors(folder, kind, "bucket"):
        entries = [entry for batch in _obstore().list(store, key or None) for entry in batch]
        sizes = {entry["path"]: int(entry["size"]) for entry in entries}
    # A console makes an empty object of a folder's own name.
    folders = {key[:-1], *(name[:i] for name in sizes for i, c in enumerate(name) if c == "/")}
    return {
        name.removeprefix(key): size for name, size in sizes.items() if size or name not in folders
    }


def read_object(path: str, stop: int | None = None) -> bytes:
    """Return the bytes of an object, or its first ones."""
    with CloudFile(path, 0, stop) as file:
        return b"".join(iter(file.read, b""))


def delete_objects(folder: str, names: Sequence[str]) -> None:
    """Delete objects that are there, under a folder that ends with a slash."""
    store, key = _open_store(folder)
    with _named_errors(folder, OutputError):
        # With nothing to delete a store would be asked for nothing, which some refuse.
        if names:
            _obstore().delete(store, [f"{key}{name}" for name in names])


class _Upload(io.BufferedIOBase):
    """A small object in one request; of a larger one blocks into a thread that sends them.

    It fails where the next block is written.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._store, self._key = _open_store(path)
        self._blocks: queue.Queue[bytes | None] = queue.Queue(_PARTS_AT_ONCE)
        self._held = bytearray()
        self._error: BaseException | None = None
        self._is_aborted = False
        self._thread: threading.Thread | None = None

    def writable(self) -> bool:
        return True

    def write(self, data: ReadableBuffer, /) -> int:
        self._held += data
        if len(self._held) >= _PART_BYTES:
            self._put(bytes(self._held))
            self._held.clear()
        return memoryview(data).nbytes

    def finish(self) -> None:
        if self._thread is None:
            with _named_errors(self._path, OutputError, "bucket"):
                _obstore().put(self._store, self._key, bytes(self._held), use_multipart=False)
            return
        if self._held:
            self._put(bytes(self._held))
        self._put(None)
        self._thread.join()
        self._tell()

    def abort(self) -> None:
        self._is_aborted = True
        if self._thread is None:
            return
        # A thread that waits for a block, or for room, has to see that all is over.
        with suppress(queue.Empty):
            while True:
                self._blocks.get_nowait()
        with suppress(queue.Full):
            self._blocks.put_nowait(None)
        self._thread.join(_RETRY_SECONDS)

    def _put(self, block: bytes | None) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._send, name="upload", daemon=True)
            self._thread.start()
        while self._thread.is_alive():
            with suppress(queue.Full):
                # The thread may die while the queue is full: whether it lives is asked again.
                self._blocks.put(block, timeout=0.1)
                return
        self._tell()

    def _tell(self) -> None:
        if self._error is not None:
            with _named_errors(self._path, OutputError, "bucket"):
                raise self._error

    def _iter_blocks(self) -> Iterator[bytes]:
        while (block := self._blocks.get()) is not None:
            yield block
        # Only an error makes obstore give up the parts that it has sent.
        if self._is_aborted:
            raise _AbortedError

    def _send(self) -> None:
        try:
            _obstore().put(
                self._store,
                self._key,
                self._iter_blocks(),
                use_multipart=True,
                chunk_size=_PART_BYTES,
                max_concurrency=_PARTS_AT_ONCE,
            )
        except BaseException as error:
            self._error = error


class _AbortedError(Exception):
    """Ends an upload that is not wanted any more."""


def _open_store(path: str) -> tuple[Any, str]:
    """Return the bucket that an object is in, or the folder on a web server, and its name there."""
    scheme, _, rest = path.partition("://")
    bucket, _, key = rest.partition("/")
    if scheme.lower() in ("http", "https"):
        bucket, _, key = rest.rpartition("/")
    with _named_errors(path, FileError):
        return _make_store(f"{scheme}://{bucket}", _list_variables()), key


@lru_cache
def _make_store(address: str, variables: tuple[tuple[str, str], ...]) -> Any:
    """Return what has the connections to a bucket, which all of its objects share."""
    del variables  # which obstore reads by itself: others need another store
    retry = {"max_retries": _RETRIES, "retry_timeout": timedelta(seconds=_RETRY_SECONDS)}
    options = {"allow_http": True}
    return _obstore().store.from_url(address, client_options=options, retry_config=retry)


def _list_variables() -> tuple[tuple[str, str], ...]:
    return tuple(sorted(item for item in os.environ.items() if item[0].startswith(_VARIABLES)))


def _obstore() -> Any:
    try:
        import obstore
        import obstore.store
    except ImportError as error:
        raise MissingExtraError("cloud", "object storage") from error
    return obstore


@contextmanager
def _named_errors(path: str, kind: type[FileError], missing: str = "object") -> Iterator[None]:
    """Turn what obstore says into an error of ours, in a line."""
    try:
        yield
    except MatscoreError:
        raise
    except Exception as error:
        from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError

        if not isinstance(error, (BaseError, OSError, ValueError)):
            raise
        text = " ".join(str(error).partition("\n")[0].split())
        # Where it lists a bucket, obstore says so in words only.
        if isinstance(error, FileNotFoundError) or "404 Not Found" in text:
            raise kind(path, f"no such {missing}") from error
        denied = isinstance(error, (PermissionDeniedError, UnauthenticatedError))
        what = "permission denied" if denied else f"cannot be reached: {text[:200]}"
        raise kind(path, what, _AGAIN) from error
