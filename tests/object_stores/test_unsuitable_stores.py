"""A store that several servers cannot share is refused at the start, in one line."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.support.object_stores.engines import ADMIN
from tests.support.process import ServerProcess


class Careless(BaseHTTPRequestHandler):
    """Speaks S3, as far as it goes: it takes every condition and heeds those of its class alone."""

    protocol_version = "HTTP/1.1"
    heeds_create = False
    objects: dict[str, bytes]

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.heeds_create and "If-None-Match" in self.headers and self.path in self.objects:
            self._answer(412)
            return
        self.objects[self.path] = body
        self._answer(200)

    def do_DELETE(self) -> None:
        self.objects.pop(self.path, None)
        self._answer(204)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(200)

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("ETag", '"an-entity-tag"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *values: object) -> None:  # noqa: A002 (its own name)
        """Say nothing."""


@pytest.fixture
def careless(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a store that overwrites what it should not."""
    handler = type(
        "Handler", (Careless,), {"objects": {}, "heeds_create": getattr(request, "param", False)}
    )
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def refused(folder: Path, url: str, **environ: str) -> str:
    """The one line in which the server says why it does not start."""
    given = {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "a-secret-access-key",
        "AWS_REGION": "us-east-1",
        "AWS_ALLOW_HTTP": "true",
        "AZURE_STORAGE_ACCOUNT_NAME": "",
        **environ,
    }
    process = ServerProcess(folder, "--data", url, environ=given)
    assert process.wait() != 0
    assert "a-secret-access-key" not in process.log
    assert "Traceback" not in process.log
    line = process.log.splitlines()[-1]
    assert line.startswith("cloudrepo-server")
    return line


@pytest.mark.parametrize("careless", [False, True], indirect=True)
def test_a_store_that_heeds_no_condition_is_refused(careless: str, tmp_path: Path) -> None:
    line = refused(tmp_path, "s3://bucket/prefix", AWS_ENDPOINT_URL=careless, **ADMIN)
    assert "several servers cannot share s3://bucket/prefix: it overwrites objects" in line
    assert "Use a store with conditional writes" in line


def test_a_store_that_is_not_there_is_refused(tmp_path: Path) -> None:
    line = refused(tmp_path, "s3://bucket/prefix", AWS_ENDPOINT_URL="http://127.0.0.1:1", **ADMIN)
    assert "s3://bucket/prefix cannot be used with the settings in the variables AWS_..." in line


def test_a_store_without_its_settings_is_refused(tmp_path: Path) -> None:
    line = refused(tmp_path, "az://container/prefix", **ADMIN)
    assert "az://container/prefix cannot be used with the settings in the variables AZURE_" in line


def test_the_admin_login_has_to_be_given(tmp_path: Path) -> None:
    for given in ({}, {"CLOUDREPO_ADMIN_USERNAME": "admin@example.com"}):
        line = refused(tmp_path / str(len(given)), "s3://bucket/prefix", **given)
        assert "set CLOUDREPO_ADMIN_USERNAME and CLOUDREPO_ADMIN_PASSWORD" in line


@pytest.mark.parametrize("scheme", ["http", "file", "memory", "ftp"])
def test_another_scheme_is_refused(tmp_path: Path, scheme: str) -> None:
    line = refused(tmp_path, f"{scheme}://bucket/prefix", **ADMIN)
    assert re.search(rf"{scheme}:// is not a supported object store: use s3://, gs://, az://", line)
