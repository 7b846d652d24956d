"""Whether the upstreams of repositories responded, since the server started."""

import contextlib
from collections.abc import Iterator
from time import time

import msgspec
from cachetools import LRUCache

from cloudrepo_server.errors import CloudRepoServerError
from cloudrepo_server.limits import UPSTREAM_STATES


class UpstreamState(msgspec.Struct):
    """How an upstream responded to the requests of one repository.

    Times are seconds since the epoch, or None if there was no such response.
    """

    responses: int = 0
    failures: int = 0
    responded: float | None = None
    failed: float | None = None
    error: str = ""
    """The last error."""

    @property
    def is_failing(self) -> bool:
        """Whether the last request failed."""
        return self.failed is not None and self.failed >= (self.responded or 0)


class UpstreamStates:
    """The states of the most recently queried upstreams, in memory."""

    def __init__(self) -> None:
        self._states: LRUCache[tuple[str, str], UpstreamState] = LRUCache(UPSTREAM_STATES)

    def find(self, repository_id: str, upstream: str) -> UpstreamState | None:
        """Return the state of a repository's upstream, or None if it was not queried recently."""
        return self._states.get((repository_id, upstream))

    @contextlib.contextmanager
    def observe(self, repository_id: str, upstream: str) -> Iterator[None]:
        """Record whether an upstream responds during the context."""
        key = repository_id, upstream
        state = self._states.get(key)
        if state is None:
            state = self._states[key] = UpstreamState()
        try:
            yield
        except CloudRepoServerError as error:
            state.failures += 1
            state.failed, state.error = time(), str(error)
            raise
        state.responses += 1
        state.responded = time()
