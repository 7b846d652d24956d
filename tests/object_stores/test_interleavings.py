"""What two servers and a sweep do at once, each halted where it is worst for the others."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from time import monotonic

import pytest
import requests

from cloudrepo_server.domain.sessions import KeyDocument
from cloudrepo_server.storage.connect import open_shared
from tests.support.archives import wheel
from tests.support.index import Index, Server
from tests.support.object_stores.engines import Engine
from tests.support.object_stores.fixtures import Serve, seen_from
from tests.support.object_stores.flaky_network import Fate, Way
from tests.support.object_stores.sweep import Sweep
from tests.support.wait import wait_until

FILE, OTHERS = wheel(), wheel(module="x = 2\n")
REMEMBERED = 32
"""How many revisions of a document are told from one that never was."""


class Halt:
    """Halts a server at its first write to a folder, until the test lets it go on."""

    def __init__(self, way: Way, fate: Fate, *, folder: str = "/projects") -> None:
        self._way = way
        self._fate = fate
        self._folder = folder
        self._write: tuple[str, str] | None = None
        self._on = threading.Event()
        way.judge = self._judge

    def _judge(self, method: str, path: str) -> Fate:
        if f"{self._folder}/" not in path or self._on.is_set():
            return Fate.PASSES
        if self._write is None:
            if method != "PUT":
                return Fate.PASSES
            self._write = method, path
            if self._fate is Fate.LOSES_ITS_ANSWER:
                # What it asks next waits.
                return self._fate
        self._on.wait()
        return Fate.PASSES

    def wait(self) -> None:
        """Wait until the server is there."""
        lost = self._fate is Fate.LOSES_ITS_ANSWER
        wait_until(
            lambda: self._write is not None and (not lost or self._write in self._way.answered),
            f"the server to write to {self._folder}",
        )

    def go_on(self) -> None:
        self._on.set()


@pytest.fixture
def far(serve: Serve, engine: Engine, way: Way) -> Server:
    """The server that is halted, at the end of the way."""
    return serve(**engine.through(way.port))


@pytest.fixture
def near(index: Index) -> Index:
    """A repository, as a server has it that goes on all the while."""
    return index


@pytest.fixture
def index(other: Server) -> Index:
    return other.repository()


class Halted:
    """An upload that was begun by one server, and stands still."""

    def __init__(self, index: Index, far: Server, halt: Halt) -> None:
        self._halt = halt
        self._pool = ThreadPoolExecutor(1)
        self._answer: Future[requests.Response] = self._pool.submit(
            seen_from(far, index).upload, FILE
        )
        halt.wait()

    def answer(self) -> requests.Response:
        """What is answered when it has gone on."""
        self._halt.go_on()
        with self._pool:
            return self._answer.result()


def test_what_was_deleted_before_its_upload_was_answered_does_not_come_again(
    near: Index, far: Server, way: Way
) -> None:
    upload = Halted(near, far, Halt(way, Fate.LOSES_ITS_ANSWER))
    near.done("DELETE", f"/files/{FILE.filename}")
    # It was stored once, and who stored it is told so.
    assert upload.answer().status_code == 200
    assert near.get("/demo/").status_code == 404


def test_what_was_replaced_before_its_upload_was_answered_does_not_come_again(
    near: Index, far: Server, way: Way
) -> None:
    upload = Halted(near, far, Halt(way, Fate.LOSES_ITS_ANSWER))
    near.publish(OTHERS)
    assert upload.answer().status_code == 200
    assert near.file(OTHERS).content == OTHERS.data


def test_what_was_replaced_long_before_its_upload_was_answered_does_not_come_again(
    near: Index, far: Server, way: Way
) -> None:
    """So long that nobody can tell whether it was there."""
    upload = Halted(near, far, Halt(way, Fate.LOSES_ITS_ANSWER))
    near.publish(*[OTHERS] * (REMEMBERED + 1))
    answer = upload.answer()
    assert answer.status_code == 503
    assert "may or may not have been applied" in answer.reason
    assert near.file(OTHERS).content == OTHERS.data


def test_what_changed_often_before_its_upload_was_answered_is_whole(
    near: Index, far: Server, way: Way
) -> None:
    """So often that nobody can tell whether it is the same."""
    near.set(overwrite_protection=True)
    upload = Halted(near, far, Halt(way, Fate.LOSES_ITS_ANSWER))
    for number in range(REMEMBERED + 1):
        near.done("PATCH", f"/files/{FILE.filename}", {"yanked": f"{number}"})
    assert upload.answer().status_code == 503
    assert near.file(FILE).content == FILE.data
    assert near.files()[FILE.filename]["yanked"] == f"{REMEMBERED}"


def test_what_came_under_protection_is_not_replaced_by_who_was_slow(
    near: Index, far: Server, way: Way
) -> None:
    """Who began while there was no protection, and no file."""
    upload = Halted(near, far, Halt(way, Fate.PASSES))
    near.set(overwrite_protection=True)
    near.publish(OTHERS)
    assert upload.answer().status_code == 409
    assert near.file(OTHERS).content == OTHERS.data


def test_an_upload_whose_bytes_were_swept_is_not_said_to_be_stored(
    near: Index, far: Server, way: Way, sweep: Sweep
) -> None:
    """It stood still for longer than the sweep was told that uploads take."""
    near.publish(OTHERS)
    began = monotonic()
    upload = Halted(near, far, Halt(way, Fate.PASSES))
    sweep()
    wait_until(lambda: monotonic() - began > 1.5, "the upload to have taken long")
    answer = upload.answer()
    assert answer.status_code == 503, answer.reason
    assert "swept" in answer.reason
    assert near.file(OTHERS).content == OTHERS.data
    near.publish(FILE)
    assert near.file(FILE).content == FILE.data


@pytest.mark.skipif(sys.platform == "win32", reason="Windows stops no process")
def test_a_server_that_slept_while_its_upload_was_swept(
    near: Index, far: Server, way: Way, sweep: Sweep
) -> None:
    asleep = threading.Event()

    def judge(method: str, path: str) -> Fate:
        blobs = [each for each in way.answered if "/blobs/" in each[1]]
        if method == "GET" and "/repositories/" in path and len(blobs) == 2 and not asleep.is_set():
            os.kill(far.process.pid, signal.SIGSTOP)
            asleep.set()
        return Fate.PASSES

    way.judge = judge
    began = monotonic()
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(seen_from(far, near).upload, FILE)
        assert asleep.wait(60)
        try:
            sweep()
            wait_until(lambda: monotonic() - began > 1.5, "the upload to have taken long")
        finally:
            os.kill(far.process.pid, signal.SIGCONT)
        assert answer.result().status_code == 503
    assert near.get("/demo/").status_code == 404
    near.publish(FILE)
    assert near.file(FILE).content == FILE.data


def test_a_name_that_somebody_took_since_is_not_removed_with_what_its_owner_left(
    far: Server, way: Way, other: Server
) -> None:
    """A sweep has seen what a killed run left, and comes to it when it is somebody else's."""
    names = {"repositories": "taken", "users": "taken@example.com"}
    made = {"/repositories": {"name": names["repositories"]}, "/users": {"email": names["users"]}}
    for folder, what in made.items():
        other.done("POST", folder, {**what, "run": "killed"})
        halt = Halt(way, Fate.PASSES, folder=folder)
        with ThreadPoolExecutor(1) as pool:
            swept = pool.submit(far.done, "POST", "/sweep", {"runs_older_than": 0})
            halt.wait()
            other.done("DELETE", f"{folder}/{names[folder[1:]]}")
            other.done("POST", folder, what)
            halt.go_on()
            assert swept.result()["runs"] == 1
        assert [each["run"] for each in other.done("GET", folder)[folder[1:]]] == [None]


def test_a_repository_that_came_since_is_removed_with_what_is_in_it(
    near: Index, far: Server, way: Way, engine: Engine, url: str
) -> None:
    """Two are told to remove one of that name, and the other one makes a new one meanwhile."""
    halt = Halt(way, Fate.PASSES, folder="/repositories")
    with ThreadPoolExecutor(1) as pool:
        gone = pool.submit(far.api, "DELETE", f"/repositories/{near.name}")
        halt.wait()
        near.done("DELETE")
        near.server.done("POST", "/repositories", {"name": near.name})
        near.publish(FILE)
        halt.go_on()
        assert gone.result().status_code == 204
    assert near.get("/").status_code == 404
    wait_until(
        lambda: not any(key.startswith(("projects/", "blobs/")) for key in engine.keys(url)),
        "what was in it to be removed",
    )


def test_a_sweep_that_slept_removes_nothing_in_place_of_a_tombstone(
    url: str, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be overdue, and somebody may have begun to use the name again."""
    for name, value in engine.environ().items():
        monkeypatch.setenv(name, value)
    moment = 0.0

    def asleep() -> float:
        nonlocal moment
        moment += 60.0
        return moment

    def add(_: KeyDocument | None) -> KeyDocument:
        return KeyDocument(secret="none")

    async def remove_gone() -> int:
        storage = await open_shared(url)
        await storage.change("users/one.json", KeyDocument, add)
        await storage.change("users/one.json", KeyDocument, lambda _: None)
        with monkeypatch.context() as patch:
            patch.setattr("cloudrepo_server.storage.shared.monotonic", asleep)
            removed = await storage.purge_tombstones(
                "users/", before=await storage.current_time() + 60
            )
        await storage.close()
        return removed

    assert asyncio.run(remove_gone()) == 0
    assert "users/one.json" in engine.keys(url)
