"""One server for all tests that may share it, and repositories of their own on it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.server.support.index import Index, Server
from tests.server.support.process import ServerProcess

StartServer = Callable[..., ServerProcess]


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Server]:
    process = ServerProcess(folder)
    try:
        server = Server(process)
        yield server
        server.close()
    finally:
        status = process.stop()
    assert status == 0, process.log
    assert "Traceback" not in process.log, process.log


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Server]:
    """A server that no other test touches."""
    with running(tmp_path / "server") as server:
        yield server


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[StartServer]:
    """Starts servers with the arguments that the test gives; all are ended with the test."""
    started: list[ServerProcess] = []

    def start(
        *arguments: str | Path, name: str | None = None, environ: Mapping[str, str] | None = None
    ) -> ServerProcess:
        folder = tmp_path / (name or f"server-{len(started)}")
        started.append(ServerProcess(folder, *arguments, environ=environ))
        return started[-1]

    yield start
    for process in started:
        if process.process.poll() is None:
            process.kill()


@pytest.fixture
def index(server: Server) -> Index:
    """A new, empty repository with a read/write user."""
    return server.repository()


@pytest.fixture
def protected(server: Server) -> Index:
    """One with overwrite protection."""
    return server.repository(overwrite_protection=True)


@pytest.fixture(scope="module")
def victim(server: Server) -> Index:
    """A repository into which nothing gets."""
    return server.repository()


@pytest.fixture
def nothing_is_left(server: Server) -> Iterator[None]:
    """Whatever a test sends, nothing of it stays, nothing failed and the next is served."""
    before, log = server.blobs(), len(server.process.log)
    yield
    said = server.process.log[log:]
    assert "Traceback" not in said
    assert " 500 " not in said
    assert server.request("GET", "/healthz").status_code == 200
    assert server.keeps_nothing_beyond(before)
