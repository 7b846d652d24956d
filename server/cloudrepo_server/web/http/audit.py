"""Adds the changes of each request to the list of changes."""

from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from cloudrepo_server.domain.audit import AuditList, Interface
from cloudrepo_server.web.http.request_state import RequestState, state_of

_INTERFACES: tuple[tuple[str, Interface], ...] = (("/api/", "api"), ("/portal", "portal"))


def record_before_response(
    audit: AuditList,
) -> Callable[[web.Request, web.StreamResponse], Awaitable[None]]:
    """Return the signal handler that adds the changes of a request before its response is sent.

    So a client that has received the response finds the changes in the list.
    """

    async def record(request: web.Request, _: web.StreamResponse) -> None:
        state = state_of(request)
        if state.changes:
            _record(audit, request, state)

    return record


def record_without_response(audit: AuditList) -> Middleware:
    """Return the middleware that adds the changes of a request whose response is never sent."""

    @web.middleware
    async def record(request: web.Request, handler: Handler) -> web.StreamResponse:
        state = state_of(request)
        try:
            return await handler(request)
        except BaseException:
            # Also if the task is cancelled, because the client has disconnected.
            if state.changes:
                _record(audit, request, state)
            raise

    return record


def _record(audit: AuditList, request: web.Request, state: RequestState) -> None:
    changes = state.changes.copy()
    state.changes.clear()
    details = state.details
    audit.record(
        changes,
        user=details.user,
        repository=details.repository,
        interface=_interface(request, state),
    )


def _interface(request: web.Request, state: RequestState) -> Interface:
    if state.index_path is not None:
        return "index"
    path = request.rel_url.raw_path
    return next((interface for start, interface in _INTERFACES if path.startswith(start)), "trust")
