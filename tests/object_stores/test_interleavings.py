"""Interleavings of two servers and a sweep, with one server paused at the worst moment."""

from __future__ import annotations

import asyncio
import os
import re
import signal
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
from tests.support.object_stores.fixtures import index_through
from tests.support.object_stores.flaky_network import Action, FlakyNetwork
from tests.support.object_stores.pause import Pause
from tests.support.object_stores.sweep import Sweep
from tests.support.platforms import needs_posix
from tests.support.wait import wait_until

FILE, OTHER_CONTENT = wheel(), wheel(module="x = 2\n")
_LISTING_OF_BLOBS = re.compile("blobs(/|%2F)[0-9a-f]+(/|%2F)(&|$)")
REMEMBERED_REVISIONS = 32
"""The number of earlier revisions that a document remembers."""


@pytest.fixture
def index(second_server: Server) -> Index:
    """A repository, addressed through the server that is never paused."""
    return second_server.repository()


class PausedUpload:
    """An upload through a server that is paused."""

    def __init__(self, index: Index, server: Server, pause: Pause) -> None:
        self._pause = pause
        self._pool = ThreadPoolExecutor(1)
        self._response: Future[requests.Response] = self._pool.submit(
            index_through(server, index).upload, FILE
        )
        pause.wait()

    def finish(self) -> requests.Response:
        """Resume the server, and return the response."""
        self._pause.resume()
        with self._pool:
            return self._response.result()


def test_a_retried_upload_does_not_restore_a_file_that_was_deleted_meanwhile(
    index: Index, paused_server: Server, network: FlakyNetwork
) -> None:
    upload = PausedUpload(index, paused_server, Pause(network, Action.DROP_RESPONSE))
    index.api_json("DELETE", f"/files/{FILE.filename}")
    # The upload was stored once, so it succeeded.
    assert upload.finish().status_code == 200
    assert index.get("/demo/").status_code == 404


def test_a_retried_upload_does_not_restore_a_file_that_was_replaced_meanwhile(
    index: Index, paused_server: Server, network: FlakyNetwork
) -> None:
    upload = PausedUpload(index, paused_server, Pause(network, Action.DROP_RESPONSE))
    index.publish(OTHER_CONTENT)
    assert upload.finish().status_code == 200
    assert index.file(OTHER_CONTENT).content == OTHER_CONTENT.data


def test_a_retried_upload_reports_an_unknown_outcome_after_too_many_replacements(
    index: Index, paused_server: Server, network: FlakyNetwork
) -> None:
    upload = PausedUpload(index, paused_server, Pause(network, Action.DROP_RESPONSE))
    index.publish(*[OTHER_CONTENT] * (REMEMBERED_REVISIONS + 1))
    response = upload.finish()
    assert response.status_code == 503
    assert "may or may not have been applied" in response.reason
    assert index.file(OTHER_CONTENT).content == OTHER_CONTENT.data


def test_a_retried_upload_keeps_its_file_after_too_many_other_changes(
    index: Index, paused_server: Server, network: FlakyNetwork
) -> None:
    index.set(overwrite_protection=True)
    upload = PausedUpload(index, paused_server, Pause(network, Action.DROP_RESPONSE))
    for number in range(REMEMBERED_REVISIONS + 1):
        index.api_json("PATCH", f"/files/{FILE.filename}", {"yanked": f"{number}"})
    assert upload.finish().status_code == 503
    assert index.file(FILE).content == FILE.data
    assert index.files()[FILE.filename]["yanked"] == f"{REMEMBERED_REVISIONS}"


def test_a_slow_upload_does_not_replace_a_file_that_became_protected_meanwhile(
    index: Index, paused_server: Server, network: FlakyNetwork
) -> None:
    """The upload began without overwrite protection, and without a file."""
    upload = PausedUpload(index, paused_server, Pause(network, Action.FORWARD))
    index.set(overwrite_protection=True)
    index.publish(OTHER_CONTENT)
    assert upload.finish().status_code == 409
    assert index.file(OTHER_CONTENT).content == OTHER_CONTENT.data


def test_an_upload_fails_if_a_sweep_deleted_its_content(
    index: Index, paused_server: Server, network: FlakyNetwork, sweep: Sweep
) -> None:
    """The upload took longer than the sweep's minimum age."""
    index.publish(OTHER_CONTENT)
    started = monotonic()
    upload = PausedUpload(index, paused_server, Pause(network, Action.FORWARD))
    sweep()
    wait_until(lambda: monotonic() - started > 1.5, "the upload to take long")
    response = upload.finish()
    assert response.status_code == 503, response.reason
    assert "garbage collection deleted" in response.reason
    assert index.file(OTHER_CONTENT).content == OTHER_CONTENT.data
    index.publish(FILE)
    assert index.file(FILE).content == FILE.data


@pytest.mark.parametrize("grace", ["0s", "3s"])
def test_a_sweep_never_deletes_the_content_of_an_accepted_upload(
    index: Index,
    paused_server: Server,
    network: FlakyNetwork,
    engine: Engine,
    sweep: Sweep,
    grace: str,
) -> None:
    """The file becomes visible while the sweep waits for its grace period, or deletes blobs."""
    index.publish(OTHER_CONTENT)
    upload = PausedUpload(index, paused_server, Pause(network, Action.FORWARD))
    wait_until(
        lambda: min(engine.ages(f"{sweep.url}/blobs")) > 3.6,
        "the content to be old enough to delete",
    )
    with FlakyNetwork(engine.endpoint) as network_of_sweep, ThreadPoolExecutor(1) as pool:
        resumed = threading.Event()

        def has_listed_blobs() -> bool:
            return any(_LISTING_OF_BLOBS.search(path) for _, path in network_of_sweep.responded)

        def policy(_method: str, _path: str) -> Action:
            # With a grace period, the sweep itself waits after it has listed the blobs.
            if grace == "0s" and has_listed_blobs():
                resumed.wait()
            return Action.FORWARD

        network_of_sweep.policy = policy
        swept = pool.submit(
            sweep, "0s", grace=grace, variables=engine.variables_through(network_of_sweep.port)
        )
        wait_until(has_listed_blobs, "the sweep to list the blobs")
        response = upload.finish()
        resumed.set()
        swept.result()
    stored = index.get(f"/demo/{FILE.filename}").content
    if response.status_code == 200:
        assert stored == FILE.data
    else:
        # On a slow machine, the paused write to the store times out.
        assert "may or may not have been applied" in response.reason
        assert stored in (FILE.data, OTHER_CONTENT.data)


@needs_posix("SIGSTOP")
def test_an_upload_fails_if_a_sweep_deleted_its_content_while_the_server_was_suspended(
    index: Index, paused_server: Server, network: FlakyNetwork, sweep: Sweep
) -> None:
    suspended = threading.Event()

    def policy(method: str, path: str) -> Action:
        blobs = [each for each in network.responded if "/blobs/" in each[1]]
        if (
            method == "GET"
            and "/repositories/" in path
            and len(blobs) == 2
            and not suspended.is_set()
        ):
            os.kill(paused_server.process.pid, signal.SIGSTOP)
            suspended.set()
        return Action.FORWARD

    network.policy = policy
    started = monotonic()
    with ThreadPoolExecutor(1) as pool:
        response = pool.submit(index_through(paused_server, index).upload, FILE)
        assert suspended.wait(60)
        try:
            sweep()
            wait_until(lambda: monotonic() - started > 1.5, "the upload to take long")
        finally:
            os.kill(paused_server.process.pid, signal.SIGCONT)
        assert response.result().status_code == 503
    assert index.get("/demo/").status_code == 404
    index.publish(FILE)
    assert index.file(FILE).content == FILE.data


def test_a_sweep_keeps_a_new_object_with_the_name_of_a_leftover(
    paused_server: Server, network: FlakyNetwork, second_server: Server
) -> None:
    """The sweep found the leftover, which is replaced before the sweep deletes it."""
    names = {"repositories": "taken", "users": "taken@example.com"}
    bodies = {
        "/repositories": {"name": names["repositories"]},
        "/users": {"email": names["users"]},
    }
    for folder, body in bodies.items():
        second_server.api_json("POST", folder, {**body, "run": "killed"})
        pause = Pause(network, Action.FORWARD, folder=folder)
        with ThreadPoolExecutor(1) as pool:
            swept = pool.submit(paused_server.api_json, "POST", "/sweep", {"runs_older_than": 0})
            pause.wait()
            second_server.api_json("DELETE", f"{folder}/{names[folder[1:]]}")
            second_server.api_json("POST", folder, body)
            pause.resume()
            assert swept.result()["runs"] == 1
        assert [each["run"] for each in second_server.api_json("GET", folder)[folder[1:]]] == [None]


def test_a_deletion_also_deletes_a_repository_that_was_recreated_meanwhile(
    index: Index, paused_server: Server, network: FlakyNetwork, engine: Engine, url: str
) -> None:
    """The paused server deletes the repository.

    Before it finishes, the other server deletes and recreates the repository.
    """
    pause = Pause(network, Action.FORWARD, folder="/repositories")
    with ThreadPoolExecutor(1) as pool:
        deletion = pool.submit(paused_server.api, "DELETE", f"/repositories/{index.name}")
        pause.wait()
        index.api_json("DELETE")
        index.server.api_json("POST", "/repositories", {"name": index.name})
        index.publish(FILE)
        pause.resume()
        assert deletion.result().status_code == 204
    assert index.get("/").status_code == 404
    wait_until(
        lambda: not any(key.startswith(("projects/", "blobs/")) for key in engine.keys(url)),
        "the contents of the repository to be deleted",
    )


def test_a_suspended_sweep_does_not_delete_a_document_in_place_of_a_tombstone(
    url: str, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sweep that was suspended does not delete a tombstone that it read before.

    Another server may have created a document under the same key meanwhile.
    """
    for name, value in engine.environ().items():
        monkeypatch.setenv(name, value)
    moment = 0.0

    def suspended_monotonic() -> float:
        nonlocal moment
        moment += 60.0
        return moment

    def add(_: KeyDocument | None) -> KeyDocument:
        return KeyDocument(secret="none")

    async def purge_tombstones() -> int:
        storage = await open_shared(url)
        await storage.change("users/some.json", KeyDocument, add)
        await storage.change("users/some.json", KeyDocument, lambda _: None)
        with monkeypatch.context() as patch:
            patch.setattr("cloudrepo_server.storage.shared.monotonic", suspended_monotonic)
            purged = await storage.purge_tombstones(
                "users/", before=await storage.current_time() + 60
            )
        await storage.close()
        return purged

    assert asyncio.run(purge_tombstones()) == 0
    assert "users/some.json" in engine.keys(url)
