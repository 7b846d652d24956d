"""A server that is paused at a request to its store, until the test resumes it."""

from __future__ import annotations

import threading

from tests.support.object_stores.flaky_network import Action, FlakyNetwork
from tests.support.wait import wait_until


class Pause:
    """Pauses a server at its first request for a folder; by default at its first write.

    With `Action.FORWARD` the request itself waits. With `Action.DROP_RESPONSE` the store applies
    the write, its response is lost, and the server's next request waits. Later requests for the
    folder wait too, except with `first_only`.
    """

    def __init__(
        self,
        network: FlakyNetwork,
        action: Action,
        *,
        folder: str = "/projects",
        method: str = "PUT",
        first_only: bool = False,
    ) -> None:
        self._network = network
        self._action = action
        self._folder = folder
        self._method = method
        self._first_only = first_only
        self._paused: tuple[str, str] | None = None
        self._resumed = threading.Event()
        network.policy = self._policy

    def _policy(self, method: str, path: str) -> Action:
        if f"{self._folder}/" not in path or self._resumed.is_set():
            return Action.FORWARD
        if self._paused is None:
            if method != self._method:
                return Action.FORWARD
            self._paused = method, path
            if self._action is Action.DROP_RESPONSE:
                return self._action
        elif self._first_only:
            return Action.FORWARD
        self._resumed.wait()
        return Action.FORWARD

    def wait(self) -> None:
        """Wait until the server is paused."""
        applied = self._action is Action.DROP_RESPONSE
        wait_until(
            lambda: (
                self._paused is not None
                and (not applied or self._paused in self._network.responded)
            ),
            f"the server to send {self._method} to {self._folder}",
        )

    def resume(self) -> None:
        self._resumed.set()
