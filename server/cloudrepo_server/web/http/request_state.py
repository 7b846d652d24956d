"""What is noted with a request, for others who see it later, and the id by which it is told."""

import itertools
import os
import string

import msgspec
from aiohttp import web

from cloudrepo_server.domain.access import Principal
from cloudrepo_server.errors import CloudRepoServerError
from cloudrepo_server.limits import Limits
from cloudrepo_server.specs.dialect import Dialect
from cloudrepo_server.testkit.journal import Entry

LIMITS = web.AppKey("limits", Limits)
"""The application's limits."""

_STATE = "state"
_SANE = frozenset(string.ascii_letters + string.digits + "-._:=+/@")
_LONGEST = 128
_SCHEMES = ("http", "https")
_PROCESS = os.urandom(4).hex()
_numbers = itertools.count(1)


class RequestState(msgspec.Struct):
    """What is known of a request so far."""

    request_id: str
    scheme: str | None = None
    """What a proxy says of how it was reached, where it is believed."""
    awaits_continue: bool = False
    """Whether its client waits with the body until its credentials are good."""
    principal: Principal | None = None
    """Who asks, where that was settled before any login was read."""
    user: str | None = None
    """Who asks, where no journal says it."""
    is_upload: bool = False
    """Whether it asks for a file to be published."""
    dialect: Dialect | None = None
    journal_entry: Entry | None = None
    error: CloudRepoServerError | None = None
    """The error that was answered."""


def create_request_state(request: web.BaseRequest) -> RequestState:
    """What will be known of a request that just came."""
    state = request[_STATE] = RequestState(_request_id(request))
    return state


def state_of(request: web.BaseRequest) -> RequestState:
    """What is known of a request."""
    state: RequestState = request[_STATE]
    return state


def accept_forwarded_scheme(request: web.BaseRequest) -> None:
    """Note how the proxy in front says that it was reached."""
    scheme = request.headers.get("X-Forwarded-Proto", "").partition(",")[0].strip().lower()
    if scheme in _SCHEMES:
        state_of(request).scheme = scheme


def _request_id(request: web.BaseRequest) -> str:
    # Its own where that is fit to be shown.
    given = request.headers.get("X-Request-Id")
    if given and len(given) <= _LONGEST and _SANE.issuperset(given):
        return given
    return f"{_PROCESS}{next(_numbers):08x}"
