"""The headers that tell a browser not to execute anything in a response."""

from collections.abc import Callable
from functools import partial
from typing import Any

from aiohttp import web
from aiohttp.http_parser import RawRequestMessage
from multidict import CIMultiDictProxy

_POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_SERVER = "cloudrepo-server"


def add_headers_to_every_response(
    server: web.Server, report: Callable[[web.Request, web.StreamResponse], None]
) -> None:
    """Make a server name itself in all of its responses, and forbid browsers to execute them.

    `report` is called before each response is sent.

    aiohttp responds to malformed requests before any application sees them, so the signal
    `on_response_prepare` is not enough. The hook and the parameter `_cls` are private to aiohttp,
    which has no public way.
    """

    class Request(web.Request):
        def __init__(self, message: RawRequestMessage, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 (as in the base class)
            super().__init__(_with_printable_expectation(message), *args, **kwargs)

        async def _prepare_hook(self, response: web.StreamResponse) -> None:
            report(self, response)
            await super()._prepare_hook(response)
            headers = response.headers
            headers["Server"] = _SERVER
            # Pages and files contain what users and upstreams wrote.
            headers["X-Content-Type-Options"] = "nosniff"
            # The portal's pages have a policy of their own, which allows its scripts and styles.
            headers.setdefault("Content-Security-Policy", _POLICY)

    server.request_factory = partial(server.request_factory, _cls=Request)  # type: ignore[call-arg] # private


def _with_printable_expectation(message: RawRequestMessage) -> RawRequestMessage:
    # aiohttp repeats an unknown expectation in its response, which is encoded as UTF-8. Bytes that
    # are not UTF-8 would make that a server error.
    expectation = message.headers.get("Expect")
    if expectation is None or expectation.isprintable():
        return message
    headers = message.headers.copy()
    headers["Expect"] = "unprintable"
    return message._replace(headers=CIMultiDictProxy(headers))
