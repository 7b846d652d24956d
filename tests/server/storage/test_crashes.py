"""A server that is killed during uploads loses no accepted change, and keeps no partial one."""

from __future__ import annotations

import functools
import hashlib
import http.client
import itertools
import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support.archives import Archive, wheel
from tests.support.data_folder import wait_for_blobs
from tests.support.forms import encode, fields
from tests.support.http_connection import KeptConnection, Response
from tests.support.index import JSON, Index, Server
from tests.support.nightly import repetitions
from tests.support.server_fixtures import StartServer
from tests.support.wait import wait_until

pytestmark = pytest.mark.nightly

KILLS = repetitions(8, 300)
WRITERS = 4
LARGE = 2 << 20
VERSIONS = 5
VARIANTS = 3
MAX_RESPONSES = 120

State = tuple[str, str | None] | None
"""A file's digest and the reason of its yank, or None if the file does not exist."""


@functools.cache
def archive_of(version: str, variant: int) -> Archive:
    """Return a file of this version, with different content for each variant.

    Files of the first version are large.
    """
    padding = LARGE if version[0] == "0" else 0
    return wheel(version=version, module=f"x = {variant}\n", padding=padding)


@dataclass
class Progress:
    """The number of responses so far, and whether the server is being killed."""

    responses: int = 0
    killed: threading.Event = field(default_factory=threading.Event)

    def count_response(self) -> None:
        self.responses += 1


@dataclass
class Writer:
    """A writer of files of its own, in a project that all writers share."""

    number: int
    random: random.Random
    states: dict[str, set[State]] = field(default_factory=dict)
    """The possible states of each version's file; more than one only if a response is missing."""

    def write(self, index: Index, progress: Progress) -> None:
        """Make random changes until the server is killed."""
        with KeptConnection(index.server.url) as connection:
            while True:
                version = f"{self.random.randrange(VERSIONS)}.{self.number}"
                before = self.states.setdefault(version, {None})
                (was,) = before
                after, status, send = self.choose_change(index, version, was)
                # Until there is a response, both states are possible.
                self.states[version] = {was, after}
                try:
                    response = send(connection)
                except (OSError, http.client.HTTPException):
                    if progress.killed.is_set():
                        return
                    raise
                assert response.status == status, (response.status, response.reason)
                self.states[version] = {after}
                progress.count_response()

    def choose_change(
        self, index: Index, version: str, was: State
    ) -> tuple[State, int, Callable[[KeptConnection], Response]]:
        """Choose a change; return the new state, the expected status and its request."""
        chance = self.random.random()
        if was is None or chance < 0.7:
            archive = archive_of(version, self.random.randrange(VARIANTS))
            form = encode(fields(archive))
            headers = {"Content-Type": form.content_type}
            return (
                (archive.sha256, None),
                200,
                lambda connection: connection.request(
                    "POST", index.path, login=index.auth, body=form.body, headers=headers
                ),
            )
        below = f"/api{index.path}/files/{archive_of(version, 0).filename}"
        admin = index.server.admin
        if chance < 0.8:
            return None, 204, lambda connection: connection.request("DELETE", below, login=admin)
        reason = f"reason {chance}"
        return (
            (was[0], reason),
            200,
            lambda connection: connection.request(
                "PATCH", below, login=admin, json={"yanked": reason}
            ),
        )


@contextmanager
def writing(
    index: Index, writers: list[Writer], progress: Progress
) -> Iterator[list[Future[None]]]:
    with ThreadPoolExecutor(len(writers)) as pool:
        running = [pool.submit(each.write, index, progress) for each in writers]
        yield running
    for each in running:
        each.result()


def read_states(index: Index) -> dict[str, State]:
    """Return the state of each version, after checking the content of each file."""
    with KeptConnection(index.server.url) as connection:
        page = connection.request(
            "GET", f"{index.path}/demo/", login=index.auth, headers={"Accept": JSON}
        )
        found: dict[str, State] = {}
        for file in page.json()["files"] if page.status == 200 else ():
            served = connection.request("GET", file["url"], login=index.auth)
            assert served.status == 200, file
            digest = hashlib.sha256(served.content).hexdigest()
            assert digest == file["hashes"]["sha256"], file
            metadata = connection.request("GET", file["url"] + ".metadata", login=index.auth)
            expected = file["core-metadata"]["sha256"]
            assert hashlib.sha256(metadata.content).hexdigest() == expected, file
            yanked = file.get("yanked") or None
            found[file["filename"].split("-")[1]] = (digest, yanked)
        return found


def wait_for_responses(number: int, progress: Progress, running: list[Future[None]]) -> None:
    wait_until(
        lambda: progress.responses >= number or any(each.done() for each in running),
        f"{number} responses to the writers",
        seconds=120,
    )


def test_killed_servers_lose_no_accepted_change_and_keep_no_partial_change(
    tmp_path: Path, start_server: StartServer
) -> None:
    seed = random.randrange(1 << 32)  # noqa: S311 (no secret)
    print(f"seed {seed}")  # noqa: T201 (shown if the test fails)
    random_ = random.Random(seed)  # noqa: S311 (no secret)
    data = tmp_path / "data"
    writers = [Writer(each, random.Random(random_.random())) for each in range(WRITERS)]  # noqa: S311 (no secret)
    for number, variant in itertools.product(range(VERSIONS), range(VARIANTS)):
        for writer in writers:
            archive_of(f"{number}.{writer.number}", variant)
    index: Index | None = None
    for _ in range(KILLS + 1):
        server = Server(start_server("--data", data))
        if index is None:
            index = server.repository()
        index = Index(server, index.name, index.username, index.password)
        found = read_states(index)
        for writer in writers:
            for version, possible in writer.states.items():
                state = found.pop(version, None)
                assert state in possible, (version, state, possible)
                writer.states[version] = {state}
        assert found == {}
        expected = 2 * sum(each != {None} for writer in writers for each in writer.states.values())
        wait_for_blobs(expected, data)
        progress = Progress()
        responses = random_.randrange(MAX_RESPONSES)
        with writing(index, writers, progress) as running:
            try:
                wait_for_responses(responses, progress, running)
            finally:
                progress.killed.set()
                server.process.kill()
        server.close()
        assert "Traceback" not in server.process.log, server.process.log
