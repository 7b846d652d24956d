"""The middleware that restricts a handler to some HTTP methods, and its 405 response."""

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from cloudrepo_server.web.http.responses import error_response

READS = ("GET", "HEAD")


def allow_methods(*methods: str, message: str | None = None) -> Middleware:
    """Return the middleware that responds 405 to requests with any other method.

    Args:
        methods: the methods that the handler supports.
        message: the reason phrase of the 405, if not the usual one.
    """

    @web.middleware
    async def check_method(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.method not in methods:
            return method_not_allowed(*methods, message=message)
        return await handler(request)

    return check_method


def method_not_allowed(*allowed: str, message: str | None = None) -> web.Response:
    """Return a 405 response that lists the allowed methods."""
    listed = ", ".join(allowed)
    return error_response(
        405, message or f"Only {listed} are allowed here", headers={"Allow": listed}
    )
