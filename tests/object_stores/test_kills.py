"""A server is killed at each moment of each kind of change, and another one sees what is there."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest
import requests

from tests.support.index import Server
from tests.support.object_stores.changes import Change, Changes
from tests.support.object_stores.engines import Engine
from tests.support.object_stores.fixtures import Serve
from tests.support.object_stores.flaky_network import Fate, Way
from tests.support.object_stores.sweep import Sweep
from tests.support.wait import wait_until

Writes = Counter[tuple[str, str]]

# Every write of a change is the last in one of the rounds, and there are not that many.
MOST_WRITES = 12


@dataclass
class Held:
    """A change of whose writes one meets its fate; what does not wait for it goes on."""

    change: Change
    number: int
    fate: Fate
    through: Writes = field(default_factory=Counter)
    met: tuple[str, str] | None = None

    def judge(self, write: tuple[str, str]) -> Fate:
        if self.met is None and self.through.total() == self.number - 1:
            self.met = write
            return self.fate
        if self.met == write:
            # It is tried again.
            return Fate.WAITS
        self.through[write] += 1
        return Fate.PASSES

    def awaited(self) -> Writes:
        """What the store has to answer before this is at its moment."""
        kept = self.met if self.fate is Fate.ITS_ANSWER_WAITS else None
        return self.through + Counter([] if kept is None else [kept])


@dataclass
class Round:
    """All kinds of change at once, each of which waits for its write of that number."""

    way: Way
    held: Sequence[Held]
    lock: threading.Lock = field(default_factory=threading.Lock)

    def judge(self, method: str, path: str) -> Fate:
        # Where the server dies before it reads is where it dies before it writes next.
        if method in ("GET", "HEAD"):
            return Fate.PASSES
        with self.lock:
            for each in self.held:
                if any(mark in path for mark in each.change.marks):
                    return each.judge((method, path))
        return Fate.PASSES

    def statuses_till_killed(self, server: Server) -> list[int | None]:
        """What each was answered before the server was killed, when all were at their moments."""
        self.way.judge = self.judge
        with ThreadPoolExecutor(len(self.held)) as pool:
            asked = [pool.submit(_ask, server, each.change) for each in self.held]
            wait_until(lambda: self._all_there(asked), "every change to come to its moment")
            server.process.kill()
        return [each.result() for each in asked]

    def _all_there(self, asked: Sequence[Future[int | None]]) -> bool:
        answered = Counter(self.way.answered)
        return all(
            each.awaited() <= answered
            and (each.met is not None or (future.done() and each.change.over()))
            for each, future in zip(self.held, asked, strict=True)
        )


def _ask(server: Server, change: Change) -> int | None:
    own = Server(server.process)
    try:
        return change.act(own).status_code
    except requests.RequestException:
        return None
    finally:
        own.close()


@pytest.mark.parametrize(
    "fate", [pytest.param(Fate.IS_CUT, id="amid"), pytest.param(Fate.ITS_ANSWER_WAITS, id="after")]
)
def test_a_server_that_is_killed_amid_or_after_any_write(
    engine: Engine, url: str, serve: Serve, other: Server, sweep: Sweep, fate: Fate
) -> None:
    """Those of one change are counted for themselves, so all kinds of change share each kill.

    To the store, before a write is after the one before it.
    """
    changes = Changes(other, other.user(), engine, url)
    seen: list[tuple[Change, object]] = []
    for number in range(1, MOST_WRITES):
        with Way(engine.endpoint) as way:
            held = [Held(change, number, fate) for change in changes.new(number)]
            statuses = Round(way, held).statuses_till_killed(serve(**engine.through(way.port)))
        for each, status in zip(held, statuses, strict=True):
            seen.append((each.change, check(each.change, status, other)))
        if all(each.met is None for each in held):
            assert None not in statuses
            break
    else:
        raise AssertionError("there are more writes in a change than this test thought of")
    sweep()
    for change, was in seen:
        complete(change, was, other)
    sweep()
    for change, _ in seen:
        assert change.look(other) == change.after, change.name
    folders = Counter(key.partition("/")[0] for key in sweep.keys)
    # A user and a token are new in each round, and one user was there before.
    assert (folders["users"], folders["tokens"]) == (number + 1, number)
    assert without(sweep.keys, "users", "tokens") == needed(sweep, engine, url)


def check(change: Change, status: int | None, other: Server) -> object:
    """What there is: what was answered, wholly; and what was not, wholly or not at all."""
    assert status in (None, 200, 201, 204), (change.name, status)
    seen = change.look(other)
    possible = (change.before, change.after) if status is None else (change.after,)
    assert seen in possible, change.name
    return seen


def complete(change: Change, seen: object, other: Server) -> None:
    """What was not done can be done by another server; and a rival of what was comes too late."""
    if seen == change.before:
        answer = change.act(other)
        assert answer.status_code in (200, 201, 204), (change.name, answer.reason)
    if change.rival is not None:
        assert change.rival(other).status_code == 409


def without(keys: set[str], *folders: str) -> set[str]:
    return {key for key in keys if key.partition("/")[0] not in folders}


def needed(sweep: Sweep, engine: Engine, url: str) -> set[str]:
    """The keys of all repositories, of the projects in them, and of their files."""
    repositories = {key for key in sweep.keys if key.startswith("repositories/")}
    ids = {engine.document(url, key)["id"] for key in repositories}
    projects = {
        key for key in sweep.keys if key.startswith("projects/") and key.split("/")[1] in ids
    }
    files = [file for key in projects for file in engine.document(url, key)["files"].values()]
    blobs = {file[blob] for file in files for blob in ("blob", "metadata_blob")}
    assert len(blobs) == 2 * len(files)
    return repositories | projects | blobs
