"""The health checks `/healthz` and `/readyz`."""

from __future__ import annotations

import shutil

from tests.support.index import Server
from tests.support.server_fixtures import StartServer
from tests.support.wait import wait_until


def test_healthz_needs_no_credentials(server: Server) -> None:
    assert server.request("GET", "/healthz").json() == {"status": "ok"}
    assert server.request("HEAD", "/healthz").status_code == 200


def test_readyz_needs_no_credentials(server: Server) -> None:
    assert server.request("GET", "/readyz").json() == {"status": "ready"}
    assert server.request("HEAD", "/readyz").status_code == 200


def test_a_server_without_its_store_is_healthy_but_not_ready(start_server: StartServer) -> None:
    process = start_server()
    server = Server(process)
    (folder,) = process.temporary.iterdir()
    assert server.request("GET", "/readyz").status_code == 200
    shutil.rmtree(folder)
    folder.touch()
    wait_until(lambda: server.request("GET", "/readyz").status_code == 503, "/readyz to be 503")
    response = server.request("GET", "/readyz")
    assert (response.status_code, response.reason) == (503, "The storage does not respond.")
    assert folder.name not in response.text
    assert response.headers["Retry-After"] == "1"
    assert server.request("GET", "/healthz").status_code == 200
    folder.unlink()
    folder.mkdir()
    assert server.request("GET", "/readyz").status_code == 200
    server.close()
