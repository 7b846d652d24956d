"""What those see who watch the server: each request with its answer, once it was sent."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Protocol

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from cloudrepo_server.errors import CloudRepoServerError
from cloudrepo_server.web.http.paths import PRIVATE, PUBLIC
from cloudrepo_server.web.http.request_state import state_of

# As nginx has it, since no status was sent.
CLIENT_GONE = 499


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and what was answered; `refusal` is the rule that it broke, where one did.

    The bytes are those of the body received, and of all that was sent.
    """

    request_id: str
    method: str
    path: str
    route: str
    repository: str | None
    project: str | None
    filename: str | None
    user: str | None
    upload: bool
    status: int
    reason: str
    refusal: type[CloudRepoServerError] | None
    bytes_received: int
    bytes_sent: int
    seconds: float
    user_agent: str


class Observer(Protocol):
    """Is told of every request."""

    def begun(self) -> None:
        """Note that a request came."""

    def ended(self, exchange: Exchange) -> None:
        """Note what was answered, or that its client has gone."""


def watched_by(observers: Sequence[Observer]) -> Middleware:
    """What tells the observers; it stands around all else that answers pass through."""

    @web.middleware
    async def watch(request: web.Request, handler: Handler) -> web.StreamResponse:
        started = monotonic()
        response: web.StreamResponse | None = None
        for observer in observers:
            observer.begun()
        try:
            answer = await handler(request)
            # aiohttp ends an answer that lost its client without a word.
            with contextlib.suppress(ConnectionError):
                await answer.prepare(request)
                await answer.write_eof()
                response = answer
            return answer
        finally:
            exchange = _exchange(request, response, seconds=monotonic() - started)
            for observer in observers:
                observer.ended(exchange)

    return watch


def _exchange(
    request: web.Request, response: web.StreamResponse | None, *, seconds: float
) -> Exchange:
    state = state_of(request)
    entry, refusal = state.journal_entry, state.error
    return Exchange(
        request_id=state.request_id,
        method=request.method,
        path=request.rel_url.raw_path,
        route=_route(request),
        repository=_repository(request),
        project=None if entry is None else entry.project,
        filename=(entry and entry.filename) or request.match_info.get("filename"),
        user=(entry and entry.user) or state.user,
        upload=state.is_upload,
        status=CLIENT_GONE if response is None else response.status,
        reason="The client has gone." if response is None else response.reason or "",
        refusal=None if refusal is None else type(refusal),
        bytes_received=request.content.total_bytes,
        bytes_sent=response.body_length if response else entry.bytes_sent if entry else 0,
        seconds=seconds,
        user_agent=request.headers.get("User-Agent", ""),
    )


def _repository(request: web.Request) -> str | None:
    entry = state_of(request).journal_entry
    if entry is None:
        return request.match_info.get("name")
    below: str = entry.path.removeprefix(PUBLIC).removeprefix(PRIVATE)
    return below.strip("/").partition("/")[0] or None


def _route(request: web.Request) -> str:
    """The kind of URL, of which there are few, whatever is asked for."""
    resource = request.match_info.route.resource
    if resource is None:
        return "other"
    route = resource.canonical.removesuffix("{below}")
    entry = state_of(request).journal_entry
    if entry is None:
        return route
    base = PUBLIC if route.startswith(PUBLIC) else PRIVATE
    below = ("/{repository}", "/{project}", "/{filename}")
    names = (_repository(request), entry.project, entry.filename)
    depth = 1 if request.method == "POST" else sum(1 for name in names if name)
    return base + "".join(below[:depth])
