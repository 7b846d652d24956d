"""Idle and stalled clients do not keep the server from serving many others."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from pytest_cloudrepo._programs.command import run
from pytest_cloudrepo._programs.environment import Environment
from tests.support.archives import wheel
from tests.support.forms import encode, fields
from tests.support.hostile import head
from tests.support.index import Index, Server
from tests.support.nightly import repetitions
from tests.support.raw import connect, request
from tests.support.server_fixtures import StartServer
from tests.support.wait import wait_until

IDLE, HALF_SENT = 500, 200
SECONDS = 900.0


@pytest.fixture
def many_open_files() -> Iterator[None]:
    """Raise the limit of open files for the connections of a test."""
    if sys.platform == "win32":
        yield
        return
    import resource  # noqa: PLC0415 (not on Windows)

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * (IDLE + HALF_SENT)
    if soft < wanted:
        if hard != resource.RLIM_INFINITY and hard < wanted:
            pytest.skip(f"this system allows only {hard} open files")
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("many_open_files")
def test_idle_and_stalled_clients_do_not_delay_others(
    start_server: StartServer,
) -> None:
    server = Server(start_server("--max-requests", str(HALF_SENT + 50)))
    index = server.repository()
    index.publish(wheel("before"))
    form = encode(fields(wheel(padding=100_000)))
    half = head(index, form, Content_Length=str(len(form.body))) + form.body[:60_000]
    with ExitStack() as open_:
        for number in range(IDLE):
            connection = open_.enter_context(connect(index.url))
            if number % 2:
                connection.send(request("GET /healthz HTTP/1.1"))
                assert connection.read_response().status == 200
        senders = [open_.enter_context(connect(index.url)) for _ in range(HALF_SENT)]
        for connection in senders:
            connection.send(half)
        for number in range(20):
            assert index.get("/before/").status_code == 200
            index.publish(wheel("meanwhile", version=f"{number}.0"))
            assert index.get(f"/before/{wheel('before').filename}").content == wheel("before").data
        # The stalled clients were connected all the time; each of them can complete its upload now.
        for connection in senders:
            connection.send(form.body[60_000:])
        assert {connection.read_response().status for connection in senders} == {200}
    assert index.file(wheel(padding=100_000)).status_code == 200
    wait_until(lambda: index.get("/").status_code == 200, "the server to respond")


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("installer", "times", "packages"),
    [
        ("uv", repetitions(4, 50), repetitions(30, 100)),
        ("pip", repetitions(2, 50), repetitions(10, 100)),
    ],
)
def test_concurrent_installs_of_a_dependency_graph(
    start_server: StartServer, tmp_path: Path, installer: str, times: int, packages: int
) -> None:
    index = Server(start_server()).repository()
    publish_graph(index, packages)
    environment = Environment(tmp_path / "environment").scrubbed()
    arguments = {
        "uv": ("uv", "pip", "install", "--python", sys.executable),
        "pip": ("pip", "install", "--no-input", "--no-compile"),
    }

    def install(number: int) -> str:
        target = tmp_path / f"target-{number}"
        result = run(
            [
                *(sys.executable, "-m", *arguments[installer]),
                *("--index-url", index.index_url, "--target", target, "part0"),
            ],
            environ=environment,
            timeout=SECONDS,
            check=False,
        )
        assert result.ok, result.output
        assert len(list(target.glob("part*.py"))) == packages
        return result.output

    with ThreadPoolExecutor(times) as pool:
        outputs = list(pool.map(install, range(times)))
    assert "WARNING: Retrying" not in "".join(outputs)
    # Only a client's first request, without credentials, may be rejected.
    assert {each["status"] for each in index.journal()} <= {200, 304, 401}


def publish_graph(index: Index, packages: int) -> None:
    """Publish a tree of packages: each requires two packages, so the first requires all of them."""
    for number in range(packages):
        needs = [each for each in (2 * number + 1, 2 * number + 2) if each < packages]
        more = "".join(f"Requires-Dist: part{each}\n" for each in needs)
        index.publish(wheel(f"part{number}", more=more))
