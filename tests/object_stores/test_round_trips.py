"""A request reads each document once from the store, and all documents at the same time."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.support.archives import wheel
from tests.support.index import JSON, Index
from tests.support.object_stores.engines import Engine
from tests.support.object_stores.fixtures import StartSharedServer
from tests.support.object_stores.flaky_network import Action, FlakyNetwork, forward_all

SECONDS = 60.0


@pytest.fixture
def index(start_shared_server: StartSharedServer, engine: Engine, network: FlakyNetwork) -> Index:
    """A repository with a file, on a server whose requests to the store are recorded."""
    index = start_shared_server(**engine.variables_through(network.port)).repository()
    index.publish(wheel())
    return index


def read_folders(network: FlakyNetwork) -> list[str]:
    """Return the folder of the key of each request to the store."""
    return sorted(
        folder
        for method, path, _ in network.requests
        for folder in ("users", "tokens", "repositories", "projects", "serials", "blobs")
        if f"/{folder}/" in path
    )


@pytest.mark.parametrize(
    ("dialect", "below", "serials"),
    [
        ("modern", "/demo/", 0),
        ("modern", "/simple/demo/", 0),
        ("modern", f"/demo/{wheel().filename}", 0),
        ("pypi", "/simple/demo/", 1),
        ("pypi", f"/demo/{wheel().filename}", 0),
    ],
)
def test_a_request_reads_each_document_once_and_all_concurrently(
    index: Index, network: FlakyNetwork, dialect: str, below: str, serials: int
) -> None:
    """The store responds to none of the reads before all have arrived."""
    expected = {"users": 1, "repositories": 1, "projects": 1}
    if serials:
        expected["serials"] = serials
    index.set(dialect=dialect)
    assert index.get(below).status_code == 200
    network.requests.clear()
    all_arrived = threading.Barrier(sum(expected.values()))

    def policy(_method: str, path: str) -> Action:
        if any(f"/{folder}/" in path for folder in expected):
            all_arrived.wait(SECONDS)
        return Action.FORWARD

    network.policy = policy
    assert index.request("GET", below, timeout=SECONDS).status_code == 200
    assert {
        folder: read_folders(network).count(folder) for folder in set(read_folders(network))
    } == expected


def test_concurrent_requests_share_reads(index: Index, network: FlakyNetwork) -> None:
    """Requests that arrive during a read share the next one."""
    index.get("/demo/")
    arrived, released = threading.Semaphore(0), threading.Event()

    def policy(_method: str, _path: str) -> Action:
        arrived.release()
        released.wait(SECONDS)
        return Action.FORWARD

    network.requests.clear()
    network.policy = policy

    def read() -> int:
        response = requests.get(
            index.url + "/demo/", headers={"Accept": JSON}, auth=index.auth, timeout=SECONDS
        )
        return response.status_code

    with ThreadPoolExecutor(30) as pool:
        reading = [pool.submit(read) for _ in range(30)]
        for _ in range(3):
            assert arrived.acquire(timeout=SECONDS)
        released.set()
        network.policy = forward_all
        assert {each.result() for each in reading} == {200}
    # Without sharing, thirty requests make ninety reads.
    assert len(read_folders(network)) < 45
