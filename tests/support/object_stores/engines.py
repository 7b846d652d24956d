"""Object stores that run as local programs during the tests."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Iterator
from datetime import timedelta
from email.utils import formatdate
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import obstore
import pytest
from obstore.store import AzureStore, S3Store

from cloudrepo_server.storage.format import FORMAT_KEY
from tests.support.ports import free_port
from tests.support.wait import wait_until

ADMIN = {
    "CLOUDREPO_ADMIN_USERNAME": "admin@example.com",
    "CLOUDREPO_ADMIN_PASSWORD": "an-admin-password",
}
_BUCKET = "bucket"
_START_SECONDS = 60.0
_HERE = Path(__file__).parent


class Engine(ABC):
    """A running object store."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint

    @property
    @abstractmethod
    def variables(self) -> dict[str, str]:
        """The environment variables that configure obstore for this store."""

    @abstractmethod
    def store(self) -> S3Store | AzureStore:
        """Return the whole bucket."""

    @property
    @abstractmethod
    def scheme(self) -> str:
        """The scheme of its URLs."""

    @abstractmethod
    def variables_through(self, port: int) -> dict[str, str]:
        """Return the variables with the endpoint replaced by a proxy on a local port."""

    def environ(self, **variables: str) -> dict[str, str]:
        """Return the environment of a server that uses this store, with additional variables."""
        cleared = {
            name: ""
            for name in os.environ
            if name.startswith(("AWS_", "AZURE_", "AZURITE_", "GOOGLE_"))
        }
        return {**cleared, **ADMIN, **self.variables, **variables}

    def new_url(self) -> str:
        """Return the URL of a new prefix in the store."""
        return f"{self.scheme}://{_BUCKET}/some/{secrets.token_hex(6)}"

    def keys(self, url: str) -> set[str]:
        """Return the keys of all documents and blobs below a URL; the format is neither."""
        prefix = urlsplit(url).path.strip("/")
        listed = obstore.list(self.store(), prefix + "/")
        keys = {meta["path"].removeprefix(prefix + "/") for batch in listed for meta in batch}
        return keys - {FORMAT_KEY}

    def ages(self, url: str) -> list[float]:
        """Return the age in seconds of each object below a URL."""
        listed = obstore.list(self.store(), urlsplit(url).path.strip("/") + "/")
        now = time.time()
        return [now - meta["last_modified"].timestamp() for batch in listed for meta in batch]

    def document(self, url: str, key: str) -> dict[str, Any]:
        """Return the JSON document under a key below a URL."""
        prefix = urlsplit(url).path.strip("/")
        stored = obstore.get(self.store(), f"{prefix}/{key}").bytes()
        document: dict[str, Any] = json.loads(bytes(stored))
        return document

    def incomplete_uploads(self) -> int:
        """Return the number of incomplete multipart uploads, or 0 if the store cannot list them."""
        return 0


class _S3(Engine):
    scheme = "s3"

    def __init__(self, endpoint: str, secret: str) -> None:
        super().__init__(endpoint)
        self._secret = secret
        self._create_bucket()

    @property
    def variables(self) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ALLOW_HTTP": "true",
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": self._secret,
            "AWS_VIRTUAL_HOSTED_STYLE_REQUEST": "false",
        }

    def variables_through(self, port: int) -> dict[str, str]:
        return {**self.variables, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}

    def store(self) -> S3Store:
        return S3Store(
            _BUCKET,
            endpoint=self.endpoint,
            region="us-east-1",
            access_key_id="test",
            secret_access_key=self._secret,
            virtual_hosted_style_request=False,
            client_options={"allow_http": True},
        )

    def _create_bucket(self) -> None:
        # A signed PUT of the empty path creates the bucket itself.
        url = obstore.sign(self.store(), "PUT", "", timedelta(minutes=1))
        urllib.request.urlopen(urllib.request.Request(url, method="PUT"), timeout=10)  # noqa: S310 (loopback)


class MiniStack(_S3):
    """MiniStack, a small S3 emulator from PyPI."""

    def incomplete_uploads(self) -> int:
        # MiniStack does not require a signature.
        with urllib.request.urlopen(f"{self.endpoint}/{_BUCKET}?uploads", timeout=10) as response:  # noqa: S310 (loopback)
            return int(response.read().count(b"<Upload>"))


class Ceph(_S3):
    """Ceph's object gateway, a production system and no emulator."""


class Azurite(Engine):
    """Azurite, Microsoft's emulator of Azure Blob Storage, with its well-known account and key."""

    scheme = "az"
    _account = "devstoreaccount1"
    _key = (
        "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
    )

    def __init__(self, endpoint: str) -> None:
        super().__init__(endpoint)
        self._create_container()

    @property
    def variables(self) -> dict[str, str]:
        return {
            "AZURE_STORAGE_USE_EMULATOR": "true",
            "AZURE_ALLOW_HTTP": "true",
            "AZURITE_BLOB_STORAGE_URL": self.endpoint,
        }

    def variables_through(self, port: int) -> dict[str, str]:
        return {**self.variables, "AZURITE_BLOB_STORAGE_URL": f"http://127.0.0.1:{port}"}

    def store(self) -> AzureStore:
        return AzureStore(
            container_name=_BUCKET,
            account_name=self._account,
            account_key=self._key,
            endpoint=f"{self.endpoint}/{self._account}",
            client_options={"allow_http": True},
        )

    def _create_container(self) -> None:
        date, version = formatdate(usegmt=True), "2021-08-06"
        signed = (
            "PUT" + "\n" * 12 + f"x-ms-date:{date}\nx-ms-version:{version}\n"
            f"/{self._account}/{self._account}/{_BUCKET}\nrestype:container"
        )
        digest = hmac.new(base64.b64decode(self._key), signed.encode(), hashlib.sha256).digest()
        request = urllib.request.Request(  # noqa: S310 (loopback)
            f"{self.endpoint}/{self._account}/{_BUCKET}?restype=container",
            method="PUT",
            headers={
                "x-ms-date": date,
                "x-ms-version": version,
                "Authorization": (f"SharedKey {self._account}:{base64.b64encode(digest).decode()}"),
            },
        )
        urllib.request.urlopen(request, timeout=10)  # noqa: S310 (loopback)


@contextlib.contextmanager
def _ministack(folder: Path) -> Iterator[Engine]:
    program = shutil.which("ministack", path=Path(sys.executable).parent)
    if program is None:
        pytest.fail("MiniStack is not installed: python -m pip install --group engines")
    port = free_port()
    # Without BIND_HOST it listens on all interfaces.
    environ = {"GATEWAY_PORT": str(port), "BIND_HOST": "127.0.0.1"}
    with _running([program], folder, environ, port):
        yield MiniStack(f"http://127.0.0.1:{port}", "test")


@contextlib.contextmanager
def _azurite(folder: Path) -> Iterator[Engine]:
    program = shutil.which("azurite-blob", path=os.environ.get("CLOUDREPO_AZURITE"))
    if program is None:
        pytest.fail("azurite-blob not found: set CLOUDREPO_AZURITE to its folder")
    port = free_port()
    arguments = [
        *(program, "--silent", "--inMemoryPersistence", "--disableTelemetry"),
        *("--skipApiVersionCheck", "--blobHost", "127.0.0.1", "--blobPort", str(port)),
    ]
    with _running(arguments, folder, {}, port):
        yield Azurite(f"http://127.0.0.1:{port}")


@contextlib.contextmanager
def _ceph(folder: Path) -> Iterator[Engine]:
    if shutil.which("radosgw") is None:
        pytest.fail("Ceph is not installed: run .ci/engines, or see CONTRIBUTING.md")
    port = free_port()
    script = ["sh", str(_HERE / "ceph.sh"), str(folder), str(port), str(free_port())]
    with (folder / "log").open("wb") as log:
        subprocess.run(script, stdout=log, stderr=log, check=True, timeout=2 * _START_SECONDS)
    try:
        yield Ceph(f"http://127.0.0.1:{port}", "testtest")
    finally:
        # Nothing needs saving, and a graceful shutdown is slow: the daemons wait for each other.
        for each in folder.glob("*.pid"):
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(each.read_text()), signal.SIGKILL)


@contextlib.contextmanager
def _running(
    arguments: list[str], folder: Path, environ: dict[str, str], port: int
) -> Iterator[None]:
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            arguments,
            cwd=folder,
            env={**os.environ, **environ},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )

    def is_ready() -> bool:
        if process.poll() is not None:
            raise RuntimeError((folder / "log").read_text(errors="replace"))
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5)
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False
        return True

    try:
        wait_until(is_ready, f"{Path(arguments[0]).name} to respond", seconds=_START_SECONDS)
        yield
    finally:
        process.terminate()
        try:
            process.wait(_START_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


_RUNNERS = {"ministack": _ministack, "azurite": _azurite, "ceph": _ceph}
ENGINES = tuple(_RUNNERS)
"""The names that `run_engine` accepts."""


def run_engine(name: str, folder: Path) -> contextlib.AbstractContextManager[Engine]:
    """Run an object store while the context is open."""
    return _RUNNERS[name](folder)
