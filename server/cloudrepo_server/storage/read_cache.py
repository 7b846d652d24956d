"""What was seen in a store that others write to, and when: how old it may be is the reader's word.

A request may be answered from what was seen after it arrived: whatever was done before it came is
in there, by whichever server. So each request asks the store once for each document; many that
arrive together share one answer; and one that was asked for before they came serves none of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from time import monotonic
from typing import Generic, TypeVar

from cachetools import LRUCache

# A question that takes longer than this is asked anew, rather than waited for.
_PATIENCE = 0.1

_needed: ContextVar[float] = ContextVar("needed")


def require_fresh() -> None:
    """Let what is looked at from now on, in this task, be no older than this moment."""
    _needed.set(monotonic())


def needed() -> float:
    """How old what is looked at may be, as a moment; this one, where no other was named."""
    return _needed.get(None) or monotonic()


V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Sighting(Generic[V]):
    """A value that was there at `at` or later."""

    value: V
    at: float


@dataclass(slots=True, eq=False)
class _Question(Generic[V]):
    begun: float
    answer: asyncio.Task[V]


Ask = Callable[[Sighting[V] | None], Awaitable[V]]


class Sightings(Generic[V]):
    """The newest sighting of each key, and the questions that are under way."""

    def __init__(self, size: int, *, size_of: Callable[[V], int]) -> None:
        self._seen: LRUCache[str, Sighting[V]] = LRUCache(
            size, getsizeof=lambda sighting: size_of(sighting.value)
        )
        self._asked: dict[str, _Question[V]] = {}

    async def look(self, key: str, ask: Ask[V], *, since: float) -> V:
        """What was there at `since` or later; `ask` is given what is known and asks the store."""
        while True:
            seen = self._seen.get(key)
            if seen is not None and seen.at >= since:
                return seen.value
            question = self._asked.get(key)
            if question is None:
                question = self._begin(key, ask)
            elif question.begun < since:
                # Those who came too late for its answer share the next one.
                await asyncio.wait({question.answer}, timeout=_PATIENCE)
                if self._asked.get(key) is not question:
                    continue
                question = self._begin(key, ask)
            return await asyncio.shield(question.answer)

    def last(self, key: str) -> V | None:
        """What was there when it was last seen."""
        seen = self._seen.get(key)
        return None if seen is None else seen.value

    def note(self, key: str, value: V, *, at: float) -> bool:
        """Remember what was there at that moment or later; whether that is the newest."""
        seen = self._seen.get(key)
        if seen is not None and seen.at > at:
            return False
        try:
            self._seen[key] = Sighting(value, at)
        except ValueError:
            # It is larger than all that is kept.
            self._seen.pop(key, None)
            return False
        return True

    def forget(self, key: str) -> None:
        """Forget what was there."""
        self._seen.pop(key, None)

    def _begin(self, key: str, ask: Ask[V]) -> _Question[V]:
        begun = monotonic()

        async def answer() -> V:
            value = await ask(self._seen.get(key))
            self.note(key, value, at=begun)
            return value

        question = _Question(begun, asyncio.ensure_future(answer()))
        self._asked[key] = question
        question.answer.add_done_callback(lambda task: self._end(key, question, task))
        return question

    def _end(self, key: str, question: _Question[V], task: asyncio.Task[V]) -> None:
        if self._asked.get(key) is question:
            del self._asked[key]
        if not task.cancelled():
            # Whoever waited has it too; where nobody did, it is nobody's concern.
            task.exception()
