"""The state of a request: its id, and what the middlewares and handlers found out about it."""

import itertools
import os
import re
import string
from time import monotonic

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from cloudrepo_server.changes import CHANGES, Change
from cloudrepo_server.domain.access import Principal
from cloudrepo_server.domain.repository import Repository
from cloudrepo_server.errors import CloudRepoServerError
from cloudrepo_server.limits import Limits
from cloudrepo_server.logs import FIELDS
from cloudrepo_server.logs.redaction import set_request_secrets
from cloudrepo_server.pools import IS_CONNECTED
from cloudrepo_server.specs.dialect import Dialect
from cloudrepo_server.testkit.impersonated_urls import IndexUrls
from cloudrepo_server.testkit.journal import RequestDetails
from cloudrepo_server.web.http.authorization import secrets_of
from cloudrepo_server.web.http.expect import is_waiting_to_send
from cloudrepo_server.web.http.paths import IndexPath

LIMITS = web.AppKey("limits", Limits)
"""The application's limits."""

_ID_CHARACTERS = frozenset(string.ascii_letters + string.digits + "-._:=+/@")
_MAX_ID_LENGTH = 128
_SCHEMES = ("http", "https")
_MAX_PREFIX = 256
# Segments of unreserved characters (RFC 3986), but no segment `.` or `..`.
_PREFIX = re.compile(r"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~-]+)*", re.ASCII)
_PROCESS = os.urandom(4).hex()
_numbers = itertools.count(1)


class RequestState(msgspec.Struct):
    """What is known about a request so far."""

    request_id: str
    awaits_continue: bool = False
    """Whether the client waits for `100 Continue` before it sends the body."""
    behind_proxy: bool = False
    """Whether a trusted proxy in front of this server sets the forwarded headers."""
    scheme: str | None = None
    """The scheme that the client used, if this server cannot know it from the connection."""
    prefix: str = ""
    """The path at which a trusted proxy serves this server, or an empty string."""
    impersonated_path: str | None = None
    """For a request to an impersonated host: the path of this server that is served instead."""
    impersonated_index: IndexUrls | None = None
    """For a request to an index that is impersonated by name: the URLs of that index."""
    impersonating_repository_id: str | None = None
    """The id of the repository that impersonates the host; the path contains only its name."""
    file_host_url: str | None = None
    """For a request to an impersonated host: the URL of the host for files of its repository."""
    principal: Principal | None = None
    """The principal of an anonymous read from an impersonated public index; otherwise None."""
    index_path: IndexPath | None = None
    """The parsed path of a request to a repository."""
    repository: Repository | None = None
    dialect: Dialect | None = None
    is_repeatable: bool = False
    """Whether equal requests get the same response until a document or a fault changes."""
    is_upload: bool = False
    """Whether the request would publish a file."""
    details: RequestDetails = msgspec.field(default_factory=RequestDetails)
    """The user, project and file that the handlers found, for the journal and the access log."""
    changes: list[Change] = msgspec.field(default_factory=list)
    """The changes by the request that are not in the list of changes yet."""
    error: CloudRepoServerError | None = None
    """The error that the response reports."""
    response_started: bool = False
    """Whether the status line was sent, so that no other response is possible."""
    connection_lost: bool = False
    """Whether the connection ended before the response was complete."""
    started: float = msgspec.field(default_factory=monotonic)


_STATE = web.RequestKey("state", RequestState)


def create_request_state(*, behind_proxy: bool) -> Middleware:
    """Return the middleware that gives each request its id and its state.

    Args:
        behind_proxy: trust the headers `X-Forwarded-Proto`, `X-Forwarded-Prefix` and
            `X-Forwarded-For`.
    """

    @web.middleware
    async def request_state(request: web.Request, handler: Handler) -> web.StreamResponse:
        state = RequestState(_request_id(request), awaits_continue=is_waiting_to_send(request))
        if behind_proxy:
            state.behind_proxy = True
            state.scheme = _forwarded_scheme(request)
            state.prefix = _forwarded_prefix(request)
        request[_STATE] = state
        set_request_secrets(secrets_of(request.headers.get("Authorization")))
        connection = request.protocol
        IS_CONNECTED.set(lambda: connection.connected)
        CHANGES.set(state.changes)
        return await handler(request)

    return request_state


async def add_request_id(request: web.Request, response: web.StreamResponse) -> None:
    """Add the request id to a response that is about to be sent."""
    create_missing_state(request)
    state = state_of(request)
    state.response_started = True
    response.headers["X-Request-Id"] = state.request_id


def create_missing_state(request: web.BaseRequest) -> RequestState | None:
    """Create the state of a request that aiohttp rejects before it calls any middleware.

    Return None if the request has a state already.
    """
    if _STATE in request:
        return None
    set_request_secrets(secrets_of(request.headers.get("Authorization")))
    state = request[_STATE] = RequestState(_request_id(request))
    return state


def state_of(request: web.BaseRequest) -> RequestState:
    """Return the state of a request."""
    return request[_STATE]


def repeatable_state(request: web.BaseRequest) -> RequestState | None:
    """Return the state of a request whose response can be repeated, or None."""
    state = request.get(_STATE)
    return state if state is not None and state.is_repeatable else None


def log_fields(request: web.BaseRequest) -> dict[str, dict[str, str]]:
    """Return the `extra` of a log record about a request: its id."""
    return {FIELDS: {"request_id": state_of(request).request_id}}


def _forwarded_scheme(request: web.BaseRequest) -> str | None:
    scheme = request.headers.get("X-Forwarded-Proto", "").partition(",")[0].strip().lower()
    return scheme if scheme in _SCHEMES else None


def _forwarded_prefix(request: web.BaseRequest) -> str:
    # The last value is that of the closest proxy; a client may have sent the others.
    given = request.headers.getall("X-Forwarded-Prefix", None)
    prefix = given[-1].strip().rstrip("/") if given else ""
    if len(prefix) > _MAX_PREFIX or not _PREFIX.fullmatch(prefix):
        return ""
    return prefix


def _request_id(request: web.BaseRequest) -> str:
    """Return the client's own id if it is short and safe to log, and otherwise a new id."""
    given = request.headers.get("X-Request-Id")
    if given and len(given) <= _MAX_ID_LENGTH and _ID_CHARACTERS.issuperset(given):
        return given
    return new_request_id()


def new_request_id() -> str:
    """Return an id that no other request has."""
    return f"{_PROCESS}{next(_numbers):08x}"
