"""Whom the server trusts when it asks an upstream over https."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from tests.support.archives import wheel
from tests.support.index import Server
from tests.support.server_fixtures import StartServer

DEMO = wheel("demo", "1.0")


@pytest.mark.parametrize("trusted", [True, False])
def test_an_upstream_is_trusted_as_the_machine_trusts_it(
    start_server: StartServer, tmp_path: Path, *, trusted: bool
) -> None:
    authority = tmp_path / "authority.pem"
    upstream = start_server("--tls", authority, name="upstream")
    with contextlib.closing(Server(upstream)) as there:
        base = there.repository(public=True)
        base.publish(DEMO)
    trusting = {"SSL_CERT_FILE": str(authority)} if trusted else {}
    with contextlib.closing(Server(start_server(environ=trusting))) as here:
        url = f"{upstream.state()['tls_url']}/public/repositories/{base.name}"
        mine = here.repository(upstream=[url])
        if trusted:
            assert mine.file(DEMO).content == DEMO.data
        else:
            assert mine.get("/demo/").status_code == 502
