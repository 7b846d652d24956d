"""A server is killed at each write of each kind of change; another server checks the result."""

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
from tests.support.object_stores.fixtures import StartSharedServer
from tests.support.object_stores.flaky_network import Action, FlakyNetwork
from tests.support.object_stores.sweep import Sweep
from tests.support.wait import wait_until

Write = tuple[str, str]
"""The method and path of a request that writes to the store."""

# No change makes this many writes, so the rounds end before it.
MAX_WRITES = 12


@dataclass
class InterruptedChange:
    """A change that is interrupted at its write with the given number."""

    change: Change
    number: int
    action: Action
    forwarded: Counter[Write] = field(default_factory=Counter)
    interrupted_write: Write | None = None

    def policy(self, write: Write) -> Action:
        if self.interrupted_write is None and self.forwarded.total() == self.number - 1:
            self.interrupted_write = write
            return self.action
        if self.interrupted_write == write:
            # The server retries the interrupted write.
            return Action.HANG
        self.forwarded[write] += 1
        return Action.FORWARD

    def expected_responses(self) -> Counter[Write]:
        """Return the writes to which the store must respond before the server is killed."""
        write = self.interrupted_write if self.action is Action.HOLD_RESPONSE else None
        return self.forwarded + Counter([] if write is None else [write])


@dataclass
class Round:
    """All kinds of changes at once, each interrupted at its write with the same number."""

    network: FlakyNetwork
    changes: Sequence[InterruptedChange]
    lock: threading.Lock = field(default_factory=threading.Lock)

    def policy(self, method: str, path: str) -> Action:
        # Being killed before a read is equivalent to being killed before the next write.
        if method in ("GET", "HEAD"):
            return Action.FORWARD
        with self.lock:
            for each in self.changes:
                if any(part in path for part in each.change.path_parts):
                    return each.policy((method, path))
        return Action.FORWARD

    def run(self, server: Server) -> list[int | None]:
        """Request all changes, kill the server, and return the status of each response."""
        self.network.policy = self.policy
        with ThreadPoolExecutor(len(self.changes)) as pool:
            requests_ = [pool.submit(request_change, server, each.change) for each in self.changes]
            wait_until(lambda: self._is_interrupted(requests_), "every change to be interrupted")
            server.process.kill()
        return [each.result() for each in requests_]

    def _is_interrupted(self, requests_: Sequence[Future[int | None]]) -> bool:
        responded = Counter(self.network.responded)
        return all(
            each.expected_responses() <= responded
            and (
                each.interrupted_write is not None or (request.done() and each.change.is_finished())
            )
            for each, request in zip(self.changes, requests_, strict=True)
        )


def request_change(server: Server, change: Change) -> int | None:
    own = Server(server.process)
    try:
        return change.act(own).status_code
    except requests.RequestException:
        return None
    finally:
        own.close()


@pytest.mark.parametrize(
    "action",
    [
        pytest.param(Action.CUT_REQUEST, id="during"),
        pytest.param(Action.HOLD_RESPONSE, id="after"),
    ],
)
def test_a_server_killed_during_or_after_any_write_leaves_the_old_or_the_new_state(
    engine: Engine,
    url: str,
    start_shared_server: StartSharedServer,
    second_server: Server,
    sweep: Sweep,
    action: Action,
) -> None:
    """One kill interrupts one change of each kind.

    The writes of each change are counted separately.
    For the store, "before a write" is the same moment as "after the previous write".
    """
    changes = Changes(second_server, second_server.user(), engine, url)
    states: list[tuple[Change, object]] = []
    for number in range(1, MAX_WRITES):
        with FlakyNetwork(engine.endpoint) as network:
            interrupted = [
                InterruptedChange(change, number, action) for change in changes.new(number)
            ]
            statuses = Round(network, interrupted).run(
                start_shared_server(**engine.variables_through(network.port))
            )
        for each, status in zip(interrupted, statuses, strict=True):
            states.append((each.change, checked_state(each.change, status, second_server)))
        if all(each.interrupted_write is None for each in interrupted):
            assert None not in statuses
            break
    else:
        raise AssertionError("a change makes more writes than this test expects")
    sweep()
    for change, state in states:
        complete_change(change, state, second_server)
    sweep()
    for change, _ in states:
        assert change.read_state(second_server) == change.after, change.name
    folders = Counter(key.partition("/")[0] for key in sweep.keys)
    # Each round creates a user and a token, and one user existed before.
    assert (folders["users"], folders["tokens"]) == (number + 1, number)
    assert without_folders(sweep.keys, "users", "tokens") == referenced_keys(sweep, engine, url)


def checked_state(change: Change, status: int | None, second_server: Server) -> object:
    """Check and return the state.

    If there was a response, it is the new state, else the old or the new state.
    """
    assert status in (None, 200, 201, 204), (change.name, status)
    state = change.read_state(second_server)
    possible = (change.before, change.after) if status is None else (change.after,)
    assert state in possible, change.name
    return state


def complete_change(change: Change, state: object, second_server: Server) -> None:
    """Repeat a change that was not applied, and check that a conflicting request is rejected."""
    if state == change.before:
        response = change.act(second_server)
        assert response.status_code in (200, 201, 204), (change.name, response.reason)
    if change.rejected_afterwards is not None:
        assert change.rejected_afterwards(second_server).status_code == 409


def without_folders(keys: set[str], *folders: str) -> set[str]:
    return {key for key in keys if key.partition("/")[0] not in folders}


def referenced_keys(sweep: Sweep, engine: Engine, url: str) -> set[str]:
    """Return the keys of all repositories, of their projects, and of the projects' files."""
    repositories = {key for key in sweep.keys if key.startswith("repositories/")}
    ids = {engine.document(url, key)["id"] for key in repositories}
    projects = {
        key for key in sweep.keys if key.startswith("projects/") and key.split("/")[1] in ids
    }
    files = [file for key in projects for file in engine.document(url, key)["files"].values()]
    blobs = {file[blob] for file in files for blob in ("blob", "metadata_blob")}
    assert len(blobs) == 2 * len(files)
    return repositories | projects | blobs
