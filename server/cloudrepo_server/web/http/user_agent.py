"""The header `User-Agent`."""

from aiohttp import web


def user_agent_of(request: web.BaseRequest) -> str:
    """Return the header `User-Agent` as valid Unicode, or an empty string.

    A header may contain any bytes. Those that are not valid UTF-8 are replaced.
    """
    header = request.headers.get("User-Agent", "")
    return header.encode(errors="surrogateescape").decode(errors="replace")
