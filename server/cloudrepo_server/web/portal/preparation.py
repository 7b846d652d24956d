"""Prepares the portal while the server is idle, so that its first pages are as fast as others.

The first page needs the portal's modules, and the first page of each kind needs compiled templates.
Without this preparation, users wait for them. It has two steps, and each begins when the server is
idle:

1. Import the modules, and compile the templates one by one, in a thread.
2. Once the portal was opened, read the catalogue, and start the programs that render READMEs and
   compare texts. Most servers are used without the portal, and need none of this.
"""

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING

from aiohttp import web

from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.errors import CloudRepoServerError
from cloudrepo_server.pools import IMPORTS
from cloudrepo_server.web.http.in_flight import InFlightRequests

if TYPE_CHECKING:
    from cloudrepo_server.web.portal.router import PortalRouter

IDLE_SECONDS = 1.0
"""A server is idle after this time without a request."""
_PAUSE_SECONDS = 0.01
"""The time without any request between two parts of the preparation."""


class Preparation:
    """The preparation of one server's portal. It runs once, in the background."""

    def __init__(
        self,
        organization: Organization,
        in_flight: InFlightRequests,
        load: Callable[[], Awaitable["PortalRouter"]],
        *,
        in_advance: bool,
    ) -> None:
        """Create a preparation, which `run_in_background` starts.

        Args:
            organization: the organization of the portal.
            in_flight: the requests in flight.
            load: imports the portal's modules.
            in_advance: whether the first step runs before the portal was opened.
        """
        self._organization = organization
        self._in_flight = in_flight
        self._load = load
        self._in_advance = in_advance
        self._opened = asyncio.Event()

    def portal_opened(self) -> None:
        """Allow all steps, because the portal was opened."""
        self._opened.set()

    async def run_in_background(self, _: web.Application) -> AsyncIterator[None]:
        """Run the preparation while an application runs. This is a cleanup context of aiohttp."""
        task = asyncio.ensure_future(self._run())
        yield
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    async def _run(self) -> None:
        # The first page that needs an unprepared part tries again, and reports the error.
        with contextlib.suppress(CloudRepoServerError):
            if not self._in_advance:
                await self._opened.wait()
            await self._in_flight.wait_until_idle(IDLE_SECONDS)
            await self._prepare_pages()
            # Exclude the modules and the templates, which are never deleted, from later garbage
            # collections. A full collection would otherwise delay a page by about 60 ms.
            gc.freeze()
            await self._opened.wait()
            await self._in_flight.wait_until_idle(IDLE_SECONDS)
            await self._prepare_contents()

    async def _prepare_pages(self) -> None:
        router = await self._load()
        if not self._organization.shared:
            # The first use of the key creates it. In a shared store, the first page does that.
            await router.load_cookies()
        for part in router.preparations():
            await self._in_flight.wait_until_idle(_PAUSE_SECONDS)
            await IMPORTS.run(part)

    async def _prepare_contents(self) -> None:
        organization = self._organization
        if organization.shared:
            # Each project would cost a request to the store.
            return
        repositories = [each.document for each in await organization.repositories()]
        summaries = await organization.catalogue.read(repositories)
        if any(summary.totals.projects for summary in summaries.values()):
            await organization.readmes.prepare()
            await organization.text_differences.prepare()
