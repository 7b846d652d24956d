"""A read cache for a store with several writers; each read states how stale its result may be.

A request may use any value that was read after the request arrived. Such a value includes all
changes that any server made before. Each request therefore reads a document at most once, and
concurrent requests share one read. A read that started before a request arrived is never used for
that request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from time import monotonic
from typing import Generic, TypeVar

from cachetools import LRUCache

# The seconds to wait for an earlier read before a fresh read starts in parallel.
_WAIT_FOR_EARLIER_READ = 0.1

_fresh_since: ContextVar[float] = ContextVar("fresh_since")


def require_fresh() -> None:
    """Require that all further reads of this task return no state older than this moment."""
    _fresh_since.set(monotonic())


def staleness_bound() -> float:
    """Return the time from which on a read is fresh enough for this task; by default, now."""
    return _fresh_since.get(None) or monotonic()


V = TypeVar("V")
Fetch = Callable[[V | None], Awaitable[V]]
"""Reads a value from the store; receives the cached value, which may be stale, or None."""


@dataclass(frozen=True, slots=True)
class _CachedRead(Generic[V]):
    """A value that was current at the moment `read_at`, or later."""

    value: V
    read_at: float


@dataclass(frozen=True, slots=True, eq=False)
class _PendingRead(Generic[V]):
    """A read that has started and not finished."""

    started_at: float
    task: asyncio.Task[V]


class ReadCache(Generic[V]):
    """The newest value of each key, and the reads in progress."""

    def __init__(self, max_size: int, *, size_of: Callable[[V], int]) -> None:
        self._cached: LRUCache[str, _CachedRead[V]] = LRUCache(
            max_size, getsizeof=lambda cached: size_of(cached.value)
        )
        self._pending: dict[str, _PendingRead[V]] = {}

    async def get_or_fetch(self, key: str, fetch: Fetch[V], *, not_before: float) -> V:
        """Return a value that was current at `not_before` or later, from the cache or the store."""
        while True:
            cached = self._cached.get(key)
            if cached is not None and cached.read_at >= not_before:
                return cached.value
            pending = self._pending.get(key)
            if pending is None:
                pending = self._start(key, fetch)
            elif pending.started_at < not_before:
                # Too old for this caller. All callers that wait here share the next read.
                await asyncio.wait({pending.task}, timeout=_WAIT_FOR_EARLIER_READ)
                if self._pending.get(key) is not pending:
                    continue
                pending = self._start(key, fetch)
            return await asyncio.shield(pending.task)

    def store(self, key: str, value: V, *, read_at: float) -> None:
        """Cache a value that was current at `read_at` or later, unless a newer one is cached."""
        cached = self._cached.get(key)
        if cached is not None and cached.read_at > read_at:
            return
        try:
            self._cached[key] = _CachedRead(value, read_at)
        except ValueError:
            # The value is larger than the whole cache.
            self._cached.pop(key, None)

    def _start(self, key: str, fetch: Fetch[V]) -> _PendingRead[V]:
        started_at = monotonic()

        async def read() -> V:
            cached = self._cached.get(key)
            value = await fetch(None if cached is None else cached.value)
            self.store(key, value, read_at=started_at)
            return value

        pending = _PendingRead(started_at, asyncio.ensure_future(read()))
        self._pending[key] = pending
        pending.task.add_done_callback(lambda task: self._finish(key, pending, task))
        return pending

    def _finish(self, key: str, pending: _PendingRead[V], task: asyncio.Task[V]) -> None:
        if self._pending.get(key) is pending:
            del self._pending[key]
        if not task.cancelled():
            # Callers that still wait receive the exception too. Retrieve it here, so that asyncio
            # does not log it if no caller waits.
            task.exception()
