"""The request log of a repository, on a server with thousands of changes of other repositories."""

from __future__ import annotations

import asyncio

import aiohttp

from cloudrepo_server.limits import JOURNAL_ENTRIES
from cloudrepo_server.process.server import running_server
from cloudrepo_server.process.settings import ServerSettings
from cloudrepo_server.testkit.journal import Entry
from cloudrepo_server.testkit.journals import CHANGES_JOURNAL
from cloudrepo_server.testkit.registry import TestkitRegistry as Registry
from tests.support.raw import basic


def record_changes_of_another_repository(testkit: Registry) -> None:
    for _ in range(JOURNAL_ENTRIES):
        entry = Entry(
            kind="admin",
            method="PATCH",
            path="/api/repositories/other",
            repository="other",
            user="admin@example.com",
            user_agent="",
            status=200,
        )
        testkit.record(CHANGES_JOURNAL, entry)
        testkit.settle(CHANGES_JOURNAL, entry, anonymous=False)


def test_changes_of_other_repositories_hide_no_request_to_a_repository() -> None:
    settings = ServerSettings()

    async def scenario() -> None:
        async with (
            running_server(settings) as server,
            aiohttp.ClientSession(server.url, cookie_jar=aiohttp.CookieJar(unsafe=True)) as client,
        ):

            async def load(path: str) -> str:
                async with client.get(path) as response:
                    return await response.text()

            for name in ("demo", "unused"):
                await server.organization.create_repository(name)
            async with client.post(
                "/api/sign-in-links",
                json={"repository": "demo"},
                headers={"Authorization": basic(settings.admin_username, settings.admin_password)},
            ) as response:
                link = (await response.json())["url"]
            await load(link)
            await load("/repositories/demo/first/")
            record_changes_of_another_repository(server.organization.testkit)
            await load("/repositories/demo/second/")

            log = await load("/portal/repositories/demo/requests")
            assert log.index("/demo/second/") < log.index("/demo/first/")
            # A link to older requests would lead to an empty page.
            assert 'rel="next"' not in log
            older = await load("/portal/repositories/demo/requests/1")
            assert 'rel="prev"' in older
            newer = await load("/portal/repositories/demo/requests/2")
            assert 'rel="next"' in newer
            unused = await load("/portal/repositories/unused/requests")
            assert "No requests since the server started." in unused

    asyncio.run(scenario())
