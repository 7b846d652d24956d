"""How often the store is asked: once for each document that a request needs, and all at once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.support.archives import wheel
from tests.support.index import JSON, Index
from tests.support.object_stores.engines import Engine
from tests.support.object_stores.fixtures import Serve
from tests.support.object_stores.flaky_network import Fate, Way, passes

SECONDS = 60.0


@pytest.fixture
def index(serve: Serve, engine: Engine, way: Way) -> Index:
    """A repository with a file, on a server whose requests to the store are seen."""
    index = serve(**engine.through(way.port)).repository()
    index.publish(wheel())
    return index


def asked(way: Way) -> list[str]:
    """Which documents the store was asked for, by the folders of their keys."""
    return sorted(
        folder
        for method, path, _ in way.judged
        for folder in ("users", "tokens", "repositories", "projects", "blobs")
        if f"/{folder}/" in path
    )


@pytest.mark.parametrize("below", ["/demo/", "/simple/demo/", f"/demo/{wheel().filename}"])
def test_each_document_is_asked_for_once_and_together(index: Index, way: Way, below: str) -> None:
    """None of them is answered before all were asked for."""
    wanted = {"users": 1, "repositories": 1, "projects": 2 if "simple" in below else 1}
    assert index.get(below).status_code == 200
    way.judged.clear()
    together = threading.Barrier(sum(wanted.values()))

    def judge(_method: str, path: str) -> Fate:
        if any(f"/{folder}/" in path for folder in wanted):
            together.wait(SECONDS)
        return Fate.PASSES

    way.judge = judge
    assert index.request("GET", below, timeout=SECONDS).status_code == 200
    assert {folder: asked(way).count(folder) for folder in set(asked(way))} == wanted


def test_many_that_come_together_share_an_answer(index: Index, way: Way) -> None:
    """The store is held up until all have come; then it is asked for them once more at most."""
    index.get("/demo/")
    came, hold = threading.Semaphore(0), threading.Event()

    def judge(_method: str, _path: str) -> Fate:
        came.release()
        hold.wait(SECONDS)
        return Fate.PASSES

    way.judged.clear()
    way.judge = judge

    def read() -> int:
        answer = requests.get(
            index.url + "/demo/", headers={"Accept": JSON}, auth=index.auth, timeout=SECONDS
        )
        return answer.status_code

    with ThreadPoolExecutor(30) as pool:
        reading = [pool.submit(read) for _ in range(30)]
        for _ in range(3):
            assert came.acquire(timeout=SECONDS)
        hold.set()
        way.judge = passes
        assert {each.result() for each in reading} == {200}
    # Thirty by themselves would be ninety.
    assert len(asked(way)) < 45
