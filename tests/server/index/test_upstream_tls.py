"""The certificates that the server trusts when an upstream uses https."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from tests.support.archives import wheel
from tests.support.index import Server
from tests.support.server_fixtures import StartServer

DEMO = wheel("demo", "1.0")


@pytest.mark.parametrize("trusted", [True, False])
def test_an_https_upstream_needs_a_trusted_certificate(
    start_server: StartServer, tmp_path: Path, *, trusted: bool
) -> None:
    authority = tmp_path / "authority.pem"
    upstream = start_server("--tls", authority, name="upstream")
    with contextlib.closing(Server(upstream)) as upstream_server:
        base = upstream_server.repository(public=True)
        base.publish(DEMO)
    environ = {"SSL_CERT_FILE": str(authority)} if trusted else {}
    with contextlib.closing(Server(start_server(environ=environ))) as server:
        url = f"{upstream.state()['tls_url']}/public/repositories/{base.name}"
        repository = server.repository(upstream=[url])
        if trusted:
            assert repository.file(DEMO).content == DEMO.data
        else:
            response = repository.get("/demo/")
            assert response.status_code == 502
            message = f"The upstream at {upstream.state()['tls_url']} did not respond."
            assert response.json()["error"] == message
