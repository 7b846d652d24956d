"""Restricts the operations of the admin API that take JSON to requests with that content type."""

from aiohttp import web
from aiohttp.typedefs import Handler

from cloudrepo_server.errors import UnsupportedTypeError

JSON = "application/json"


@web.middleware
async def require_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Reject a request whose body is not declared as JSON.

    A form on a page of another site can send JSON, with the login that the browser remembers, but
    not with this content type. Operations that take a file are PUT, which a form cannot send.

    Raises:
        UnsupportedTypeError: the content type is missing, or is not JSON.
    """
    if request.content_type != JSON:
        raise UnsupportedTypeError(
            f"The body of this request must be JSON: send it with Content-Type: {JSON}."
        )
    return await handler(request)
