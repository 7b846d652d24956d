"""The headers that tell a browser not to execute anything in a response."""

from functools import partial

from aiohttp import web

_POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_SERVER = "cloudrepo-server"


def add_headers_to_every_response(server: web.Server) -> None:
    """Make a server name itself in all of its responses, and forbid browsers to execute them.

    aiohttp responds to malformed requests before any application sees them, so the signal
    `on_response_prepare` is not enough. The hook and the parameter `_cls` are private to aiohttp,
    which has no public way.
    """
    server.request_factory = partial(server.request_factory, _cls=_Request)  # type: ignore[call-arg] # private


class _Request(web.Request):
    async def _prepare_hook(self, response: web.StreamResponse) -> None:
        await super()._prepare_hook(response)
        headers = response.headers
        headers["Server"] = _SERVER
        # Pages and files contain what users and upstreams wrote.
        headers["X-Content-Type-Options"] = "nosniff"
        # The portal's pages have a policy of their own, which allows its scripts and styles.
        headers.setdefault("Content-Security-Policy", _POLICY)
