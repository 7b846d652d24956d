"""Fixtures: object stores, servers that share one, and a flaky network between them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.index import Index, Server
from tests.support.object_stores.engines import ENGINES, Engine, run_engine
from tests.support.object_stores.flaky_network import FlakyNetwork
from tests.support.object_stores.sweep import Sweep
from tests.support.process import ServerProcess

StartSharedServer = Callable[..., Server]

_ENGINES_OPTION = "--engines"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        _ENGINES_OPTION,
        default="ministack",
        help=f"the object stores to test with, separated by commas, of {','.join(ENGINES)}",
    )
    parser.addoption(
        "--uploads-per-writer",
        type=int,
        default=40,
        help="the uploads of each writer in the tests of concurrent writers",
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "engine" in metafunc.fixturenames:
        names = metafunc.config.getoption(_ENGINES_OPTION).split(",")
        metafunc.parametrize("engine", names, indirect=True, scope="session")


@pytest.fixture(scope="session")
def engine(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Engine]:
    """A running object store."""
    with run_engine(request.param, tmp_path_factory.mktemp(request.param)) as engine:
        yield engine


@pytest.fixture
def url(engine: Engine) -> str:
    """The URL of a prefix in the store that no other test uses."""
    return engine.new_url()


@pytest.fixture
def start_shared_server(engine: Engine, url: str, tmp_path: Path) -> Iterator[StartSharedServer]:
    """Start servers that share one URL of the store; the fixture stops them after the test."""
    servers: list[Server] = []

    def start(*arguments: str, data: str = url, **environ: str) -> Server:
        process = ServerProcess(
            tmp_path / f"server-{len(servers)}",
            *("--data", data),
            *arguments,
            environ=engine.environ(**environ),
        )
        servers.append(Server(process))
        return servers[-1]

    yield start
    for server in servers:
        server.close()
        if server.process.process.poll() is None:
            assert server.process.stop() == 0, server.process.log
        assert "Traceback" not in server.process.log, server.process.log


@pytest.fixture
def first_server(start_shared_server: StartSharedServer) -> Server:
    """The first of two servers that share the store."""
    return start_shared_server()


@pytest.fixture
def second_server(start_shared_server: StartSharedServer) -> Server:
    """The second of two servers that share the store."""
    return start_shared_server()


@pytest.fixture
def index_on_second(index: Index, second_server: Server) -> Index:
    """The same repository, addressed through the second server."""
    return index_through(second_server, index)


def index_through(server: Server, index: Index) -> Index:
    """Return the same repository, addressed through another server."""
    return Index(server, index.name, index.username, index.password)


@pytest.fixture
def network(engine: Engine) -> Iterator[FlakyNetwork]:
    """The network between one of the servers and the store."""
    with FlakyNetwork(engine.endpoint) as network:
        yield network


@pytest.fixture
def sweep(engine: Engine, url: str) -> Sweep:
    """Run `cloudrepo-server sweep` on the data of the servers."""
    return Sweep(engine, url)


@pytest.fixture
def paused_server(
    start_shared_server: StartSharedServer, engine: Engine, network: FlakyNetwork
) -> Server:
    """The server that the tests pause by pausing its requests to the store."""
    return start_shared_server(**engine.variables_through(network.port))
