"""However often a server is killed under uploads, nothing is lost and nothing is half there."""

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
from tests.support.http_connection import Answer, Asking
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
MOST_ANSWERS = 120

State = tuple[str, str | None] | None
"""A file's digest and why it is yanked, or None where it is not there."""


@functools.cache
def archive_of(version: str, variant: int) -> Archive:
    """One of the files that bear one name; those of the first version are large."""
    padding = LARGE if version[0] == "0" else 0
    return wheel(version=version, module=f"x = {variant}\n", padding=padding)


@dataclass
class Storm:
    """What was answered so far, and when to end."""

    answers: int = 0
    over: threading.Event = field(default_factory=threading.Event)

    def answered(self) -> None:
        self.answers += 1


@dataclass
class Writer:
    """Writes files that no other writes, into a project that all write to."""

    number: int
    random: random.Random
    states: dict[str, set[State]] = field(default_factory=dict)
    """What each version's file may be; one thing alone unless the server was killed meanwhile."""

    def write(self, index: Index, storm: Storm) -> None:
        """Write until the server is killed."""
        with Asking(index.server.url) as asking:
            while True:
                version = f"{self.random.randrange(VERSIONS)}.{self.number}"
                before = self.states.setdefault(version, {None})
                (was,) = before
                after, status, ask = self.choose(index, version, was)
                # Till it is answered, it may be done or not.
                self.states[version] = {was, after}
                try:
                    answer = ask(asking)
                except (OSError, http.client.HTTPException):
                    if storm.over.is_set():
                        return
                    raise
                assert answer.status == status, (answer.status, answer.reason)
                self.states[version] = {after}
                storm.answered()

    def choose(
        self, index: Index, version: str, was: State
    ) -> tuple[State, int, Callable[[Asking], Answer]]:
        """What the file is afterwards, what is answered, and how it is asked for."""
        chance = self.random.random()
        if was is None or chance < 0.7:
            archive = archive_of(version, self.random.randrange(VARIANTS))
            form = encode(fields(archive))
            headers = {"Content-Type": form.content_type}
            return (
                (archive.sha256, None),
                200,
                lambda asking: asking.ask(
                    "POST", index.path, login=index.auth, body=form.body, headers=headers
                ),
            )
        below = f"/api{index.path}/files/{archive_of(version, 0).filename}"
        admin = index.server.admin
        if chance < 0.8:
            return None, 204, lambda asking: asking.ask("DELETE", below, login=admin)
        reason = f"because of {chance}"
        return (
            (was[0], reason),
            200,
            lambda asking: asking.ask("PATCH", below, login=admin, json={"yanked": reason}),
        )


@contextmanager
def writing(index: Index, writers: list[Writer], storm: Storm) -> Iterator[list[Future[None]]]:
    with ThreadPoolExecutor(len(writers)) as pool:
        running = [pool.submit(each.write, index, storm) for each in writers]
        yield running
    for each in running:
        each.result()


def observed(index: Index) -> dict[str, State]:
    """What the page says of each version; each file's bytes are as it says."""
    with Asking(index.server.url) as asking:
        page = asking.ask("GET", f"{index.path}/demo/", login=index.auth, headers={"Accept": JSON})
        found: dict[str, State] = {}
        for file in page.json()["files"] if page.status == 200 else ():
            served = asking.ask("GET", file["url"], login=index.auth)
            assert served.status == 200, file
            digest = hashlib.sha256(served.content).hexdigest()
            assert digest == file["hashes"]["sha256"], file
            metadata = asking.ask("GET", file["url"] + ".metadata", login=index.auth)
            expected = file["core-metadata"]["sha256"]
            assert hashlib.sha256(metadata.content).hexdigest() == expected, file
            yanked = file.get("yanked") or None
            found[file["filename"].split("-")[1]] = (digest, yanked)
        return found


def wait_for(answers: int, storm: Storm, running: list[Future[None]]) -> None:
    wait_until(
        lambda: storm.answers >= answers or any(each.done() for each in running),
        f"{answers} answers to the writers",
        seconds=120,
    )


def test_nothing_is_lost_and_nothing_is_half_there(
    tmp_path: Path, start_server: StartServer
) -> None:
    seed = random.randrange(1 << 32)  # noqa: S311 (no secret)
    print(f"seed {seed}")  # noqa: T201 (shown where the test fails)
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
        found = observed(index)
        for writer in writers:
            for version, possible in writer.states.items():
                state = found.pop(version, None)
                assert state in possible, (version, state, possible)
                writer.states[version] = {state}
        assert found == {}
        expected = 2 * sum(each != {None} for writer in writers for each in writer.states.values())
        wait_for_blobs(expected, data)
        storm = Storm()
        enough = random_.randrange(MOST_ANSWERS)
        with writing(index, writers, storm) as running:
            try:
                wait_for(enough, storm, running)
            finally:
                storm.over.set()
                server.process.kill()
        server.close()
        assert "Traceback" not in server.process.log, server.process.log
