"""The health checks `/healthz` and `/readyz`."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

import pytest

from tests.support.archives import wheel
from tests.support.index import Server
from tests.support.platforms import needs_posix
from tests.support.server_fixtures import StartServer
from tests.support.wait import wait_until

LOST = "The stored data were deleted or replaced: restart the server."


def delete(path: Path) -> None:
    """Delete a file or folder, with retries: Windows does not delete files that are open."""

    def is_deleted() -> bool:
        with contextlib.suppress(OSError):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        return not path.exists()

    wait_until(is_deleted, f"{path} to be deleted")


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
    delete(folder)
    folder.touch()
    wait_until(lambda: server.request("GET", "/readyz").status_code == 503, "/readyz to be 503")
    response = server.request("GET", "/readyz")
    assert (response.status_code, response.reason) == (503, LOST)
    assert folder.name not in response.text
    assert server.request("GET", "/healthz").status_code == 200
    server.close()


@pytest.mark.parametrize(
    "deleted",
    [
        # The server keeps the file of its lock open.
        pytest.param("data", marks=needs_posix("deletion of open files")),
        "data/store",
        "data/store/*",
    ],
)
def test_readyz_reports_that_the_data_were_deleted(
    start_server: StartServer, tmp_path: Path, deleted: str
) -> None:
    server = Server(start_server("--data", tmp_path / "data"))
    index = server.repository()
    index.publish(wheel())
    assert server.request("GET", "/readyz").status_code == 200
    for path in list(tmp_path.glob(deleted)):
        delete(path)
    wait_until(lambda: server.request("GET", "/readyz").reason == LOST, "/readyz to say so")
    # Writes would recreate the folder, but not its data.
    index.upload(wheel("other"))
    response = server.request("GET", "/readyz")
    assert (response.status_code, response.reason) == (503, LOST)
    assert str(tmp_path) not in response.text
    server.close()
