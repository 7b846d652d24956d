"""The program that sent a request."""

from aiohttp import web


def user_agent_of(request: web.BaseRequest) -> str:
    """Return the header `User-Agent`, or an empty text, as JSON can represent it.

    A header may contain any bytes. Those that are not valid UTF-8 are replaced.
    """
    header = request.headers.get("User-Agent", "")
    return header.encode(errors="surrogateescape").decode(errors="replace")
