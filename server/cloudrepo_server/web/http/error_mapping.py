"""Turns exceptions into error responses."""

import logging

from aiohttp import web
from aiohttp.http_exceptions import TransferEncodingError
from aiohttp.typedefs import Handler, Middleware

from cloudrepo_server.errors import CloudRepoServerError, StorageError
from cloudrepo_server.web.http.request_state import log_fields, state_of
from cloudrepo_server.web.http.responses import error_response, exception_response

log = logging.getLogger("cloudrepo_server")

_MAX_PATH = 200


def map_errors(realm: str) -> Middleware:
    """Return the middleware that responds to exceptions.

    Args:
        realm: the realm of `WWW-Authenticate` in a 401.
    """

    @web.middleware
    async def respond_to_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except ConnectionError:
            # The client has disconnected, so nobody would read a response.
            raise
        except Exception as error:
            response = _response_to(error, request, realm=realm)
            if state_of(request).response_started:
                # A second response would become part of the first one's body.
                raise ConnectionResetError("the response could not be completed") from error
            return response

    return respond_to_errors


def _response_to(error: Exception, request: web.Request, *, realm: str) -> web.Response:
    if isinstance(error, CloudRepoServerError):
        state = state_of(request)
        state.error = error
        if isinstance(error, StorageError):
            # Only the log has the cause: it may contain paths and URLs.
            log.warning("%s: %r", error, error.__cause__, extra=log_fields(request))
        return exception_response(
            error,
            realm=realm,
            dialect=state.dialect,
            is_upload=state.is_upload,
            has_login="Authorization" in request.headers,
        )
    if isinstance(error, web.HTTPException):
        return _router_response(request, error)
    if isinstance(error, (TransferEncodingError, web.RequestPayloadError)):
        return error_response(400, "The body ended early, or is not encoded as its headers say.")
    log.error(
        "%s %s failed",
        request.method,
        request.rel_url.raw_path,
        exc_info=error,
        extra=log_fields(request),
    )
    return error_response(500, "The server failed; its log says why.")


def _router_response(request: web.Request, error: web.HTTPException) -> web.Response:
    # aiohttp raises these for paths without a route and for methods without a handler.
    headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else None
    message = f"{error.reason}: {request.method} {request.path[:_MAX_PATH]}"
    return error_response(error.status, message, headers=headers)
