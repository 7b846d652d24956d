"""Stores that several servers share, and servers over them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.index import Index, Server
from tests.support.object_stores.engines import NAMES, Engine, started
from tests.support.object_stores.flaky_network import Way
from tests.support.object_stores.sweep import Sweep
from tests.support.process import ServerProcess

Serve = Callable[..., Server]

_OPTION = "--engines"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        _OPTION, default="ministack", help=f"which stores to test with: some of {','.join(NAMES)}"
    )
    parser.addoption("--storm", type=int, default=40, help="uploads of each writer in the storm")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "engine" in metafunc.fixturenames:
        names = metafunc.config.getoption(_OPTION).split(",")
        metafunc.parametrize("engine", names, indirect=True, scope="session")


@pytest.fixture(scope="session")
def engine(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Engine]:
    """A store that answers."""
    with started(request.param, tmp_path_factory.mktemp(request.param)) as engine:
        yield engine


@pytest.fixture
def url(engine: Engine) -> str:
    """A place in the store that no other test has."""
    return engine.new_url()


@pytest.fixture
def serve(engine: Engine, url: str, tmp_path: Path) -> Iterator[Serve]:
    """Starts servers over one place of the store; all are ended with the test."""
    begun: list[Server] = []

    def start(*arguments: str, data: str = url, **environ: str) -> Server:
        process = ServerProcess(
            tmp_path / f"server-{len(begun)}",
            *("--data", data),
            *arguments,
            environ=engine.environ(**environ),
        )
        begun.append(Server(process))
        return begun[-1]

    yield start
    for server in begun:
        server.close()
        if server.process.process.poll() is None:
            assert server.process.stop() == 0, server.process.log
        assert "Traceback" not in server.process.log, server.process.log


@pytest.fixture
def one(serve: Serve) -> Server:
    """A server over the store."""
    return serve()


@pytest.fixture
def other(serve: Serve) -> Server:
    """Another server over the same store."""
    return serve()


@pytest.fixture
def elsewhere(index: Index, other: Server) -> Index:
    """The same repository, as the other server has it."""
    return seen_from(other, index)


def seen_from(server: Server, index: Index) -> Index:
    """A repository, as another server has it."""
    return Index(server, index.name, index.username, index.password)


@pytest.fixture
def way(engine: Engine) -> Iterator[Way]:
    """The way from one of the servers to the store."""
    with Way(engine.endpoint) as way:
        yield way


@pytest.fixture
def sweep(engine: Engine, url: str) -> Sweep:
    """Sweeps the place that the servers are over."""
    return Sweep(engine, url)
