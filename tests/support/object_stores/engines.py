"""Object stores as programs, started for a run of tests."""

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
import socket
import subprocess
import sys
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

from tests.support.wait import wait_until

ADMIN = {
    "CLOUDREPO_ADMIN_USERNAME": "admin@example.com",
    "CLOUDREPO_ADMIN_PASSWORD": "an-admin-password",
}
_BUCKET = "bucket"
_STARTING_SECONDS = 60.0
_HERE = Path(__file__).parent


class Engine(ABC):
    """A store that answers."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint

    @property
    @abstractmethod
    def variables(self) -> dict[str, str]:
        """What tells obstore of it."""

    @abstractmethod
    def store(self) -> S3Store | AzureStore:
        """All that is in it."""

    @property
    @abstractmethod
    def scheme(self) -> str:
        """What its URL begins with."""

    @abstractmethod
    def through(self, port: int) -> dict[str, str]:
        """The variables, with something on this port in the way."""

    def environ(self, **more: str) -> dict[str, str]:
        """What a server over it is started with."""
        scrubbed = {
            name: ""
            for name in os.environ
            if name.startswith(("AWS_", "AZURE_", "AZURITE_", "GOOGLE_"))
        }
        return {**scrubbed, **ADMIN, **self.variables, **more}

    def new_url(self) -> str:
        """A place in it that nobody else has."""
        return f"{self.scheme}://{_BUCKET}/some/{secrets.token_hex(6)}"

    def keys(self, url: str) -> set[str]:
        """The keys of all that is stored at a place."""
        prefix = urlsplit(url).path.strip("/")
        listed = obstore.list(self.store(), prefix + "/")
        return {meta["path"].removeprefix(prefix + "/") for batch in listed for meta in batch}

    def document(self, url: str, key: str) -> dict[str, Any]:
        """What is stored at a place under that key."""
        prefix = urlsplit(url).path.strip("/")
        stored = obstore.get(self.store(), f"{prefix}/{key}").bytes()
        document: dict[str, Any] = json.loads(bytes(stored))
        return document

    def unfinished(self) -> int:
        """How many uploads in parts are neither complete nor given up, where it tells."""
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

    def through(self, port: int) -> dict[str, str]:
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
        # A signed PUT of the empty path is that of the bucket itself.
        url = obstore.sign(self.store(), "PUT", "", timedelta(minutes=1))
        urllib.request.urlopen(urllib.request.Request(url, method="PUT"), timeout=10)  # noqa: S310 (loopback)


class MiniStack(_S3):
    """The light S3 of PyPI."""

    def unfinished(self) -> int:
        # It asks for no signature where none is in the URL.
        with urllib.request.urlopen(f"{self.endpoint}/{_BUCKET}?uploads", timeout=10) as answer:  # noqa: S310 (loopback)
            return int(answer.read().count(b"<Upload>"))


class Ceph(_S3):
    """Ceph's object gateway, which is used in earnest."""


class Azurite(Engine):
    """Microsoft's own emulator of Azure's blobs; its account and key are public knowledge."""

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

    def through(self, port: int) -> dict[str, str]:
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
def started(name: str, folder: Path) -> Iterator[Engine]:
    """The engine of that name, for a while."""
    with {"ministack": _ministack, "azurite": _azurite, "ceph": _ceph}[name](folder) as engine:
        yield engine


NAMES = ("ministack", "azurite", "ceph")


@contextlib.contextmanager
def _ministack(folder: Path) -> Iterator[Engine]:
    program = shutil.which("ministack", path=Path(sys.executable).parent)
    if program is None:
        pytest.fail("MiniStack is not installed: python -m pip install --group engines")
    port = _free_port()
    # Without BIND_HOST it listens for everybody.
    environ = {"GATEWAY_PORT": str(port), "BIND_HOST": "127.0.0.1"}
    with _running([program], folder, environ, port):
        yield MiniStack(f"http://127.0.0.1:{port}", "test")


@contextlib.contextmanager
def _azurite(folder: Path) -> Iterator[Engine]:
    program = shutil.which("azurite-blob", path=os.environ.get("CLOUDREPO_AZURITE"))
    if program is None:
        pytest.fail("azurite-blob is not found: CLOUDREPO_AZURITE names its folder")
    port = _free_port()
    arguments = [
        *(program, "--silent", "--inMemoryPersistence", "--disableTelemetry"),
        *("--skipApiVersionCheck", "--blobHost", "127.0.0.1", "--blobPort", str(port)),
    ]
    with _running(arguments, folder, {}, port):
        yield Azurite(f"http://127.0.0.1:{port}")


@contextlib.contextmanager
def _ceph(folder: Path) -> Iterator[Engine]:
    if shutil.which("radosgw") is None:
        pytest.fail("Ceph is not installed: see CONTRIBUTING")
    port = _free_port()
    script = ["sh", str(_HERE / "ceph.sh"), str(folder), str(port), str(_free_port())]
    with (folder / "log").open("wb") as log:
        subprocess.run(script, stdout=log, stderr=log, check=True, timeout=2 * _STARTING_SECONDS)
    try:
        yield Ceph(f"http://127.0.0.1:{port}", "testtest")
    finally:
        # There is nothing in it to be saved, and one waits for the other when asked to end.
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

    def answers() -> bool:
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
        wait_until(answers, f"{Path(arguments[0]).name} to answer", seconds=_STARTING_SECONDS)
        yield
    finally:
        process.terminate()
        try:
            process.wait(_STARTING_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
