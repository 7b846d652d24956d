"""The portal's sessions: how long they last, and what the store keeps of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from cloudrepo_server.domain import sessions
from cloudrepo_server.domain.sessions import Sessions
from cloudrepo_server.storage.local import LocalStorage

TWELVE_HOURS = 12 * 3600.0
BEGINNING = 1_700_000_000.0


class Clock:
    """A clock that replaces the real one in the code of sessions."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = BEGINNING
        monkeypatch.setattr(sessions, "time", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def run(scenario: Callable[[LocalStorage], Awaitable[None]]) -> None:
    async def with_storage() -> None:
        storage = LocalStorage.in_memory()
        await scenario(storage)
        await storage.close()

    asyncio.run(with_storage())


async def count(storage: LocalStorage) -> int:
    return len((await storage.listing("sessions/")).names)


@pytest.mark.parametrize(("age", "valid"), [(TWELVE_HOURS - 1, True), (TWELVE_HOURS + 1, False)])
def test_a_session_ends_after_twelve_hours(clock: Clock, age: float, *, valid: bool) -> None:
    async def scenario(storage: LocalStorage) -> None:
        session = await Sessions(storage).start("ann@example.com")
        clock.now = BEGINNING + age
        username = await Sessions(storage).username(session)
        assert username == ("ann@example.com" if valid else None)

    run(scenario)


def test_each_sign_in_deletes_the_sessions_that_have_ended(clock: Clock) -> None:
    async def scenario(storage: LocalStorage) -> None:
        portal = Sessions(storage)
        for _ in range(2):
            await portal.start("ann@example.com")
        clock.now += TWELVE_HOURS / 2
        recent = await portal.start("bob@example.com")
        assert await count(storage) == 3
        clock.now += TWELVE_HOURS / 2 + 1
        new = await portal.start("cy@example.com")
        assert await count(storage) == 2
        assert [await portal.username(each) for each in (recent, new)] == [
            "bob@example.com",
            "cy@example.com",
        ]

    run(scenario)


def test_a_session_that_was_ended_is_not_stored(clock: Clock) -> None:
    async def scenario(storage: LocalStorage) -> None:
        portal = Sessions(storage)
        first, second = [await portal.start("ann@example.com") for _ in range(2)]
        assert first != second
        # 24 random bytes, in Base64.
        assert len(first) == len(second) == 32
        await portal.end(first)
        assert await portal.username(first) is None
        assert await portal.username(second) == "ann@example.com"
        assert await count(storage) == 1
        # It may be ended again.
        await portal.end(first)

    assert clock.now == BEGINNING
    run(scenario)


def test_every_server_of_a_store_signs_cookies_with_the_same_key() -> None:
    async def scenario(storage: LocalStorage) -> None:
        first = await Sessions(storage).key(b"a login")
        assert await Sessions(storage).key(b"a login") == first
        assert await Sessions(storage).key(b"another login") != first
        other = LocalStorage.in_memory()
        assert await Sessions(other).key(b"a login") != first
        await other.close()

    run(scenario)
