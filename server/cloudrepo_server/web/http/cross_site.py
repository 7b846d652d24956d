"""Rejects requests that a page of another site makes a browser send.

A browser adds the login or the cookie that it remembers to such requests. Programs such as pip,
twine, uv and curl send none of the headers that are checked here, so they are not affected.
"""

from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler

from cloudrepo_server.errors import ForbiddenError

_SAFE_METHODS = frozenset(("GET", "HEAD", "OPTIONS", "TRACE"))
"""The methods that change nothing (RFC 9110, 9.2.1)."""
_OWN_SITE = ("same-origin", "none")
"""The values of `Sec-Fetch-Site` for the server's own pages and for the user's own actions."""


@web.middleware
async def reject_cross_site_changes(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Reject a request that would change something, if a page of another site caused it.

    Raises:
        ForbiddenError: the headers that only browsers send name another site.
    """
    if request.method not in _SAFE_METHODS and _is_cross_site(request):
        raise ForbiddenError(
            "The request was rejected and nothing was changed: it was sent from another site. "
            "If this is the server's own page, the proxy in front of the server must pass the "
            "original Host header on."
        )
    return await handler(request)


def _is_cross_site(request: web.BaseRequest) -> bool:
    headers = request.headers
    # A page on another port or subdomain is "same-site", but it has another origin.
    if headers.get("Sec-Fetch-Site", "none").strip().lower() not in _OWN_SITE:
        return True
    # Old browsers send no `Origin` with a form. If a header is repeated, each value must match.
    sources = headers.getall("Origin", ()) or headers.getall("Referer", ())
    return any(_host(source) != request.host.lower() for source in sources)


def _host(url: str) -> str | None:
    try:
        return urlsplit(url).netloc.lower() or None
    except ValueError:
        return None
