"""The middleware that reports each request and its response to observers.

The observers are the access log and the metrics.
"""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Protocol

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from cloudrepo_server.errors import CloudRepoServerError
from cloudrepo_server.web.http.request_state import state_of
from cloudrepo_server.web.http.user_agent import user_agent_of

CLIENT_DISCONNECTED = 499
"""The status of a request whose response could not be sent, as nginx logs it."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and its response.

    `bytes_received` is the size of the request's body, `bytes_sent` that of the whole response.
    """

    request_id: str
    method: str
    path: str
    route: str
    repository: str | None
    project: str | None
    filename: str | None
    user: str | None
    is_upload: bool
    status: int
    reason: str
    error: type[CloudRepoServerError] | None
    bytes_received: int
    bytes_sent: int
    seconds: float
    user_agent: str


class Observer(Protocol):
    """Receives a report of every request."""

    def request_started(self) -> None:
        """Note that a request arrived."""

    def request_finished(self, exchange: Exchange) -> None:
        """Note the response, or that the client disconnected before it was sent."""


def observe_requests(observers: Sequence[Observer]) -> Middleware:
    """Return the middleware that reports each request to the observers, once it is complete.

    It sends the response itself, so that it knows how long that took and how many bytes were sent.
    """

    @web.middleware
    async def observe(request: web.Request, handler: Handler) -> web.StreamResponse:
        sent: web.StreamResponse | None = None
        for observer in observers:
            observer.request_started()
        try:
            response = await handler(request)
            # Ignore a disconnected client, as aiohttp does.
            with contextlib.suppress(ConnectionError):
                await response.prepare(request)
                await response.write_eof()
                sent = response
            return response
        finally:
            exchange = _exchange(request, sent)
            for observer in observers:
                observer.request_finished(exchange)

    return observe


def _exchange(request: web.Request, response: web.StreamResponse | None) -> Exchange:
    state = state_of(request)
    details = state.details
    return Exchange(
        request_id=state.request_id,
        method=request.method,
        path=request.rel_url.raw_path,
        route=_route(request),
        repository=_repository(request),
        project=details.project,
        filename=details.filename or request.match_info.get("filename"),
        user=details.user,
        is_upload=state.is_upload,
        status=CLIENT_DISCONNECTED if response is None else response.status,
        reason="The client disconnected." if response is None else response.reason or "",
        error=None if state.error is None else type(state.error),
        bytes_received=request.content.total_bytes,
        bytes_sent=details.bytes_sent if response is None else response.body_length,
        seconds=monotonic() - state.started,
        user_agent=user_agent_of(request),
    )


def _repository(request: web.Request) -> str | None:
    path = state_of(request).index_path
    if path is None:
        return request.match_info.get("name")
    return path.repository or None


def _route(request: web.Request) -> str:
    """Return placeholders instead of the path, so that the metrics have few labels."""
    resource = request.match_info.route.resource
    if resource is None:
        return "other"
    state = state_of(request)
    if state.index_path is None:
        return resource.canonical.removesuffix("{below}")
    placeholders = ("/{repository}", "/{project}", "/{filename}")
    names = (state.index_path.repository, state.details.project, state.details.filename)
    depth = 1 if request.method == "POST" else sum(1 for name in names if name)
    return state.index_path.mount + "".join(placeholders[:depth])
