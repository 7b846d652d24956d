"""Fixtures for servers and repositories: most tests share one server."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
import requests

from tests.support.index import Index, Server
from tests.support.object_stores.engines import Engine, run_engine
from tests.support.process import ServerProcess

StartServer = Callable[..., ServerProcess]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--store", help="run the servers with this object store, such as ministack")


@pytest.fixture(scope="session")
def store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Engine | None]:
    """The object store of the option `--store`, if it is given."""
    name: str | None = request.config.getoption("--store", None)
    if name is None:
        yield None
    else:
        with run_engine(name, tmp_path_factory.mktemp(name)) as engine:
            yield engine


class Shared(Server):
    """A server with an object store that other servers may share."""

    def __init__(self, process: ServerProcess, store: Engine, url: str) -> None:
        super().__init__(process)
        self._store = store
        self._url = url

    def keys(self) -> set[str]:
        return self._store.keys(self._url)

    def api(self, method: str, path: str, json: object = None) -> requests.Response:
        response = super().api(method, path, json)
        if response.status_code == 409 and "does not share its store" in response.text:
            pytest.skip("journals, faults and impersonations belong to one server")
        return response


@contextlib.contextmanager
def running(folder: Path, store: Engine | None = None) -> Iterator[Server]:
    url = None if store is None else store.new_url()
    if store is None or url is None:
        process = ServerProcess(folder)
    else:
        process = ServerProcess(folder, "--data", url, environ=store.environ())
    try:
        server = Server(process) if url is None or store is None else Shared(process, store, url)
        yield server
        server.close()
    finally:
        status = process.stop()
    assert status == 0, process.log
    assert "Traceback" not in process.log, process.log


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, store: Engine | None) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("server"), store) as server:
        yield server


@pytest.fixture(autouse=True)
def separate_tests(request: pytest.FixtureRequest) -> Iterator[None]:
    """Remove what could collide with the next test that uses the same server."""
    if "server" not in request.fixturenames:
        yield
        return
    server: Server = request.getfixturevalue("server")
    yield
    # A fault may make the server close the connection. A request that is sent at the same moment
    # gets no response.
    server.session.close()
    server.delete_named_users()


@pytest.fixture(autouse=True)
def no_frozen_objects() -> Iterator[None]:
    """Undo the `gc.freeze` of a server that ran in this process.

    Hypothesis would not find the references to its random generator, and warn about it.
    """
    yield
    gc.unfreeze()


@pytest.fixture
def own_server(tmp_path: Path, store: Engine | None) -> Iterator[Server]:
    """A server that no other test uses."""
    with running(tmp_path / "server", store) as server:
        yield server


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[StartServer]:
    """A function that starts servers with further arguments; they stop after the test."""
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
    """A new, empty repository with overwrite protection."""
    return server.repository(overwrite_protection=True)


@pytest.fixture(scope="module")
def victim(server: Server) -> Index:
    """The repository that hostile requests target; all of their uploads are rejected."""
    return server.repository()


@pytest.fixture
def server_stays_clean(server: Server) -> Iterator[None]:
    """Check that the test left no blob and caused no error, and that the server still works."""
    before, log = server.blobs(), len(server.process.log)
    yield
    output = server.process.log[log:]
    assert "Traceback" not in output
    assert " 500 " not in output
    assert server.request("GET", "/healthz").status_code == 200
    assert server.wait_until_only_blobs(before)
