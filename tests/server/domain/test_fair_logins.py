"""Wrong passphrases, which are slow to verify, do not delay the logins of others."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator

import pytest

from cloudrepo_server.domain import passphrases
from cloudrepo_server.domain.fair_queue import FairQueue
from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.domain.passphrases import ScryptCost
from cloudrepo_server.errors import UnauthenticatedError
from cloudrepo_server.storage.local import LocalStorage
from tests.support.index import Server
from tests.support.raw import basic, connect, request
from tests.support.server_fixtures import StartServer

VICTIM, OTHER = "victim@example.com", "other@example.com"
PASSPHRASE = "correct horse battery staple"
WRONG_LOGINS = 1001
# The server hashes the wrong passphrases of so many connections for seconds.
CONNECTIONS = 200
# Two hashes run at a time, and a login waits for one turn of each other user or client.
FEW = 6


async def wrong_logins_before(
    organization: Organization, username: str, *, client: str, attackers: int = 1
) -> int:
    """Return the number of wrong logins that end while this right login waits."""
    ended = 0

    async def guess(number: int) -> None:
        nonlocal ended
        with pytest.raises(UnauthenticatedError):
            await organization.access.identify(
                VICTIM, f"wrong {number}", client=f"6.6.6.{number % attackers}"
            )
        ended += 1

    guesses = [asyncio.ensure_future(guess(number)) for number in range(WRONG_LOGINS)]
    await asyncio.wait(guesses, return_when=asyncio.FIRST_COMPLETED)
    before = ended
    await organization.access.identify(username, PASSPHRASE, client=client)
    after = ended
    for each in guesses:
        each.cancel()
    await asyncio.gather(*guesses, return_exceptions=True)
    return after - before


def run(monkeypatch: pytest.MonkeyPatch, username: str, *, client: str, attackers: int = 1) -> int:
    monkeypatch.setattr(passphrases, "COST", ScryptCost(n=1 << 10, r=8, p=1))

    async def scenario() -> int:
        organization = Organization(
            "example", LocalStorage.in_memory(), admin_username="admin", admin_password="secret"
        )
        for email in (VICTIM, OTHER):
            await organization.users.create(email, passphrase=PASSPHRASE)
        return await wrong_logins_before(organization, username, client=client, attackers=attackers)

    return asyncio.run(scenario())


@pytest.mark.parametrize("client", ["6.6.6.0", "4.4.4.4"], ids=["same client", "another client"])
@pytest.mark.parametrize("attackers", [1, 200])
def test_wrong_logins_for_a_user_do_not_delay_the_first_login_of_another(
    monkeypatch: pytest.MonkeyPatch, client: str, attackers: int
) -> None:
    assert run(monkeypatch, OTHER, client=client, attackers=attackers) <= FEW


def test_wrong_logins_of_a_client_do_not_delay_the_same_user_at_another_client(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert run(monkeypatch, VICTIM, client="4.4.4.4") <= FEW


def order_of_turns(*waiting: tuple[str, str], cancelled: tuple[int, ...] = ()) -> list[int]:
    """Return the order in which tasks of these users and clients get their turns."""
    order: list[int] = []
    active = 0

    @contextlib.asynccontextmanager
    async def only_turn(queue: FairQueue, user: str, client: str) -> AsyncIterator[None]:
        nonlocal active
        async with queue.turn(user, client):
            active += 1
            assert active == 1, "the queue has one slot"
            yield
            active -= 1

    async def work(queue: FairQueue, number: int) -> None:
        async with only_turn(queue, *waiting[number]):
            order.append(number)
            await asyncio.sleep(0)

    async def scenario() -> None:
        queue = FairQueue(1)
        async with only_turn(queue, "first", ""):
            tasks = [asyncio.ensure_future(work(queue, each)) for each in range(len(waiting))]
            await asyncio.sleep(0)
            for each in cancelled:
                tasks[each].cancel()
            await asyncio.sleep(0)
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(result, AssertionError):
                raise result
        # Nothing was lost: the slot is free again. Nothing was added either.
        async with asyncio.timeout(5), only_turn(queue, "last", ""):
            further = asyncio.ensure_future(work(queue, 0))
            await asyncio.sleep(0)
            further.cancel()
            await asyncio.gather(further, return_exceptions=True)

    asyncio.run(scenario())
    return order


def test_users_take_turns_and_so_do_the_clients_of_each() -> None:
    a1, a2, b = ("a", "1"), ("a", "2"), ("b", "1")
    assert order_of_turns(a1, a1, a1, a2, b, b) == [0, 4, 3, 5, 1, 2]


def test_a_disconnected_client_takes_no_turn() -> None:
    a, b = ("a", "1"), ("b", "1")
    for gone in itertools.chain.from_iterable(
        itertools.combinations(range(4), count) for count in range(5)
    ):
        order = order_of_turns(a, a, b, b, cancelled=gone)
        assert sorted(order) == [each for each in range(4) if each not in gone]


def test_a_turn_that_was_given_to_a_cancelled_task_is_passed_on() -> None:
    turns = []

    async def work(queue: FairQueue, name: str) -> None:
        async with queue.turn(name, ""):
            turns.append(name)

    async def scenario() -> None:
        queue = FairQueue(1)
        async with queue.turn("first", ""):
            task = asyncio.ensure_future(work(queue, "cancelled"))
            await asyncio.sleep(0)
        # The task was given the turn, but has not run since.
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled()
        async with asyncio.timeout(5):
            await work(queue, "last")

    asyncio.run(scenario())
    assert turns == ["last"]


def test_wrong_logins_over_http_do_not_delay_the_same_user_at_another_client(
    start_server: StartServer,
) -> None:
    server = Server(start_server("--behind-proxy"))
    index = server.repository()
    server.api_json("POST", "/users", {"email": VICTIM, "passphrase": PASSPHRASE})

    def login(passphrase: str, address: str) -> bytes:
        headers = {"Authorization": basic(VICTIM, passphrase), "X-Forwarded-For": address}
        return request(f"GET {index.path}/ HTTP/1.1", headers)

    with contextlib.ExitStack() as open_:
        strangers = [open_.enter_context(connect(server.url)) for _ in range(CONNECTIONS)]
        for number, stranger in enumerate(strangers):
            stranger.send(login(f"wrong {number}", "6.6.6.6"))
        with connect(server.url) as victim:
            victim.send(login(PASSPHRASE, "4.4.4.4"))
            assert victim.read_response().status == 200
        # All of them would have a response if the right login had waited for each.
        assert sum(stranger.has_data() for stranger in strangers) < CONNECTIONS / 2
    server.close()
