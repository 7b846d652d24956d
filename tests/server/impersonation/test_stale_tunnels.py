"""Requests of tunnels whose impersonation or repository was deleted reach no other repository.

The proxy closes such tunnels. A request that has arrived before is handled afterwards.
"""

from __future__ import annotations

import asyncio

import pytest

from cloudrepo_server.process.server import RunningServer, running_server
from cloudrepo_server.process.settings import ServerSettings
from cloudrepo_server.testkit.impersonation import Impersonation
from cloudrepo_server.web.impersonation.proxy import Proxy
from cloudrepo_server.web.impersonation.tunnel import Tunnel, TunnelServer
from cloudrepo_server.web.ops.early_responses import EarlyResponses
from tests.support.raw import SECONDS, basic, request

PATHS = ("/simple/", "/pypi/demo/json", "/repositories/demo/", "/repositories/demo/simple/")
USER = ("user@example.com", "correct horse battery staple")


@pytest.fixture
def tunnels(monkeypatch: pytest.MonkeyPatch) -> list[TunnelServer]:
    """What opens the tunnels of the servers that the test starts."""
    opened: list[TunnelServer] = []

    async def listen(_: Proxy, __: str, tunnels: TunnelServer, ___: EarlyResponses) -> None:
        opened.append(tunnels)

    monkeypatch.setattr(Proxy, "listen", listen)
    return opened


def impersonate(server: RunningServer, repository_id: str) -> Impersonation:
    return server.organization.testkit.impersonations.add(
        "demo", repository_id, urls=["http://pypi.example/simple"], allow=[]
    )


async def create_repository(server: RunningServer) -> str:
    return (await server.organization.create_repository("demo")).document.id


async def response_to(tunnels: TunnelServer, impersonation: Impersonation, path: str) -> str:
    """Return the status and reason of the response to a user's request in a tunnel."""
    stream = await tunnels.open(Tunnel(impersonation, "http", "pypi.example", 80))
    try:
        await stream.send(request(f"GET {path} HTTP/1.1", {"Authorization": basic(*USER)}))
        line = await asyncio.wait_for(stream.reader.readline(), SECONDS)
        return line.decode().partition(" ")[2]
    finally:
        stream.abort()


@pytest.mark.parametrize("path", PATHS)
def test_a_request_after_the_impersonation_was_deleted_is_rejected(
    tunnels: list[TunnelServer], path: str
) -> None:
    async def check() -> None:
        async with running_server(ServerSettings()) as server:
            await server.organization.users.create(USER[0], passphrase=USER[1])
            impersonation = impersonate(server, await create_repository(server))
            before = await response_to(tunnels[0], impersonation, path)
            server.organization.testkit.impersonations.delete(
                impersonation.repository_id, impersonation.id
            )
            assert not before.startswith("403")
            after = await response_to(tunnels[0], impersonation, path)
            assert after.startswith("403 The impersonation of pypi.example was deleted")

    asyncio.run(check())


@pytest.mark.parametrize("path", PATHS)
def test_a_repository_with_the_same_name_is_not_found(
    tunnels: list[TunnelServer], path: str
) -> None:
    async def check() -> None:
        async with running_server(ServerSettings()) as server:
            await server.organization.users.create(USER[0], passphrase=USER[1])
            old = await create_repository(server)
            await server.organization.delete_repository("demo")
            await create_repository(server)
            # As if the repository were replaced after the request had found its impersonation.
            stale = impersonate(server, old)
            assert (await response_to(tunnels[0], stale, path)).startswith(
                "404 The repository could not be found"
            )

    asyncio.run(check())
