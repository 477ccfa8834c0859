"""Object stores on loopback: moto's S3 server, which also speaks what Google's store shares with
it, and Azurite, where it is installed (`npm install azurite`)."""

from __future__ import annotations

import base64
import contextlib
import email.utils
import hashlib
import hmac
import json
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.helpers import ENVIRONMENT

_PATIENCE = 60  # seconds
# Not imported to see it, which takes as long as a small server takes to start.
needs_moto = pytest.mark.skipif(find_spec("moto") is None, reason="moto is not installed")
# Azurite's own, which it documents.
_ACCOUNT = "devstoreaccount1"
_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


@dataclass(frozen=True)
class Store:
    """A bucket: its address, and the variables that a program needs to find it."""

    url: str  # without a slash at its end
    env: dict[str, str]
    address: str  # of the server
    process: subprocess.Popen[bytes]

    def _open(self) -> Any:
        import obstore.store

        return obstore.store.from_url(self.url, client_options={"allow_http": True})

    def put(self, name: str, data: bytes) -> str:
        """Put an object; return its address."""
        import obstore

        obstore.put(self._open(), name, data, use_multipart=False)
        return f"{self.url}/{name}"

    def get(self, name: str) -> bytes:
        """Return what an object holds."""
        import obstore

        return bytes(obstore.get(self._open(), name).bytes())

    def delete(self, name: str) -> None:
        """Delete an object."""
        import obstore

        obstore.delete(self._open(), name)

    def names(self, prefix: str) -> list[str]:
        """List the objects whose names begin so, which to a store is more than a folder."""
        import obstore

        names = (one["path"] for batch in obstore.list(self._open()) for one in batch)
        return sorted(name for name in names if name.startswith(prefix))

    def snapshot(self, folder: str) -> dict[str, bytes]:
        """Return what all objects under a folder hold, by their names there."""
        names = self.names(f"{folder}/")
        return {name.removeprefix(f"{folder}/"): self.get(name) for name in names}

    def uploads_under_way(self) -> int:
        """Count what was begun and neither completed nor aborted; on moto's server alone."""
        with urllib.request.urlopen(f"{self.address}/bucket?uploads") as answer:
            return int(answer.read().count(b"<UploadId>"))


@contextlib.contextmanager
def _serve(*argv: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Start a server on the port that stands for PORT, and end it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    process = subprocess.Popen(
        [port if word == "PORT" else word for word in argv],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=ENVIRONMENT,
    )
    try:
        deadline = time.monotonic() + _PATIENCE
        while True:
            assert process.poll() is None and time.monotonic() < deadline
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", int(port))):
                break
            time.sleep(0.05)
        yield process, f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait(_PATIENCE)


@contextlib.contextmanager
def open_s3() -> Iterator[Store]:
    """Start an S3 server of its own, with a bucket."""
    with _serve(sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "PORT") as server:
        process, address = server
        urllib.request.urlopen(urllib.request.Request(f"{address}/bucket", method="PUT")).close()
        env = {
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": address,
        }
        yield Store("s3://bucket", env, address, process)


def as_gs(s3: Store, folder: Path) -> Store:
    """Return the same bucket for Google's client, which talks to its store in S3's words.

    The emulators of Google's store that can be had (fake-gcs-server, gcp-storage-emulator) know its
    JSON interface, and obstore writes by the XML one.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    # A service account signs its own tokens, with this key; nobody is asked for one.
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    account = {
        "gcs_base_url": s3.address,
        "client_email": "a@example.org",
        "private_key": key.private_bytes(*form, serialization.NoEncryption()).decode(),
        "private_key_id": "k",
    }
    (folder / "account.json").write_text(json.dumps(account))
    env = {"GOOGLE_SERVICE_ACCOUNT": str(folder / "account.json")}
    return Store("gs://bucket", env, s3.address, s3.process)


def find_azurite() -> str | None:
    """Return the path of Azurite's server of blobs."""
    return shutil.which("azurite-blob")


@contextlib.contextmanager
def open_az() -> Iterator[Store]:
    """Start Azurite, with a container."""
    options = ("--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry")
    argv = (str(find_azurite()), *options, "--blobHost", "127.0.0.1", "--blobPort", "PORT")
    with _serve(*argv) as (process, address):
        version, date = "2023-11-03", email.utils.formatdate(usegmt=True)
        # The string to sign of a PUT without a body: Authorize with Shared Key, Microsoft Learn.
        heads = f"x-ms-date:{date}\nx-ms-version:{version}\n"
        text = "PUT" + "\n" * 12 + f"{heads}/{_ACCOUNT}/{_ACCOUNT}/bucket\nrestype:container"
        digest = hmac.new(base64.b64decode(_KEY), text.encode(), hashlib.sha256).digest()
        headers = {
            "x-ms-date": date,
            "x-ms-version": version,
            "Authorization": f"SharedKey {_ACCOUNT}:{base64.b64encode(digest).decode()}",
        }
        url = f"{address}/{_ACCOUNT}/bucket?restype=container"
        urllib.request.urlopen(urllib.request.Request(url, method="PUT", headers=headers)).close()
        env = {
            "AZURE_STORAGE_ACCOUNT_NAME": _ACCOUNT,
            "AZURE_STORAGE_ACCOUNT_KEY": _KEY,
            "AZURE_STORAGE_ENDPOINT": f"{address}/{_ACCOUNT}",
        }
        yield Store("az://bucket", env, address, process)
