"""The Admin Portal; nothing of it is imported before its first page is asked for."""

import asyncio
import importlib
from typing import TYPE_CHECKING

from aiohttp import web

from cloudrepo_server.domain.organization import Organization

if TYPE_CHECKING:
    from cloudrepo_server.web.portal.site import Site

HOME = "/portal/"


class Portal:
    """Answers every request below `/portal`, and `/`, which leads there."""

    def __init__(self, organization: Organization) -> None:
        self._organization = organization
        self._site: Site | None = None

    async def lead(self, _: web.Request) -> web.Response:
        """Where the portal is."""
        return web.Response(status=302, headers={"Location": HOME})

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """A page, a file, or what a form did."""
        if self._site is None:
            # The templates' engine takes a while to import; others are answered meanwhile.
            module = await asyncio.to_thread(importlib.import_module, f"{__name__}.site")
            if self._site is None:
                self._site = module.Site(self._organization)
        return await self._site.answer(request)
