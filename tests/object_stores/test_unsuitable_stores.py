"""A server rejects a store that several servers cannot share, with a one-line error."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.support.object_stores.engines import ADMIN
from tests.support.process import ServerProcess


class UnconditionalStore(BaseHTTPRequestHandler):
    """A minimal S3 store that ignores the conditions of conditional writes."""

    protocol_version = "HTTP/1.1"
    honours_create = False
    """Whether it honours one condition: that the object does not exist yet."""
    objects: dict[str, bytes]

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.honours_create and "If-None-Match" in self.headers and self.path in self.objects:
            self._respond(412)
            return
        self.objects[self.path] = body
        self._respond(200)

    def do_DELETE(self) -> None:
        self.objects.pop(self.path, None)
        self._respond(204)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._respond(200)

    def _respond(self, status: int) -> None:
        self.send_response(status)
        self.send_header("ETag", '"an-entity-tag"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *values: object) -> None:  # noqa: A002 (the name in http.server)
        """Log nothing."""


@pytest.fixture
def unconditional_store(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a store that ignores conditions.

    A true parameter makes it honour one condition: that the object does not exist yet.
    """
    handler = type(
        "Handler",
        (UnconditionalStore,),
        {"objects": {}, "honours_create": getattr(request, "param", False)},
    )
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def start_error(folder: Path, url: str, **environ: str) -> str:
    """Start a server that must fail, and return its one-line error."""
    variables = {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "a-secret-access-key",
        "AWS_REGION": "us-east-1",
        "AWS_ALLOW_HTTP": "true",
        "AZURE_STORAGE_ACCOUNT_NAME": "",
        **environ,
    }
    process = ServerProcess(folder, "--data", url, environ=variables)
    assert process.wait() != 0
    assert "a-secret-access-key" not in process.log
    assert "Traceback" not in process.log
    line = process.log.splitlines()[-1]
    assert line.startswith("cloudrepo-server")
    return line


@pytest.mark.parametrize("unconditional_store", [False, True], indirect=True)
def test_a_store_that_ignores_conditions_is_rejected(
    unconditional_store: str, tmp_path: Path
) -> None:
    line = start_error(
        tmp_path, "s3://bucket/prefix", AWS_ENDPOINT_URL=unconditional_store, **ADMIN
    )
    assert "several servers cannot share s3://bucket/prefix: it overwrites objects" in line
    assert "Use a store with conditional writes" in line


def test_an_unreachable_store_is_rejected(tmp_path: Path) -> None:
    line = start_error(
        tmp_path, "s3://bucket/prefix", AWS_ENDPOINT_URL="http://127.0.0.1:1", **ADMIN
    )
    assert "s3://bucket/prefix cannot be used with the settings in the variables AWS_..." in line


def test_a_store_without_settings_is_rejected(tmp_path: Path) -> None:
    line = start_error(tmp_path, "az://container/prefix", **ADMIN)
    assert "az://container/prefix cannot be used with the settings in the variables AZURE_" in line


def test_a_missing_admin_login_is_rejected(tmp_path: Path) -> None:
    for given in ({}, {"CLOUDREPO_ADMIN_USERNAME": "admin@example.com"}):
        line = start_error(tmp_path / str(len(given)), "s3://bucket/prefix", **given)
        assert "set CLOUDREPO_ADMIN_USERNAME and CLOUDREPO_ADMIN_PASSWORD" in line


@pytest.mark.parametrize("scheme", ["http", "file", "memory", "ftp"])
def test_an_unknown_scheme_is_rejected(tmp_path: Path, scheme: str) -> None:
    line = start_error(tmp_path, f"{scheme}://bucket/prefix", **ADMIN)
    assert re.search(rf"{scheme}:// is not a supported object store: use s3://, gs://, az://", line)
