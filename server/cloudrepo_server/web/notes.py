"""What is noted with a request, for others who see it later: under these names, and its id."""

import itertools
import os
import string

from aiohttp import web

from cloudrepo_server.limits import Limits

ENTRY = "entry"
DIALECT = "dialect"
PRINCIPAL = "principal"
REFUSAL = "refusal"
"""The error that was answered."""
REQUEST_ID = "request_id"
SCHEME = "scheme"
"""What a proxy says of how it was reached, where it is believed."""
UPLOAD = "upload"
"""There if it asks for a file to be published."""
USER = "user"
"""Who asks, where no journal says it."""
WAITS = "waits"
"""There if its client waits with the body until its credentials are good."""

LIMITS = web.AppKey("limits", Limits)
"""The application's limits."""

_SANE = frozenset(string.ascii_letters + string.digits + "-._:=+/@")
_LONGEST = 128
_SCHEMES = ("http", "https")
_PROCESS = os.urandom(4).hex()
_numbers = itertools.count(1)


def request_id(request: web.BaseRequest) -> str:
    """The request's own `X-Request-Id` where it is fit to be shown, else a new one."""
    given = request.headers.get("X-Request-Id")
    if given and len(given) <= _LONGEST and _SANE.issuperset(given):
        return given
    return f"{_PROCESS}{next(_numbers):08x}"


def note_scheme(request: web.BaseRequest) -> None:
    """Note how the proxy in front says that it was reached."""
    scheme = request.headers.get("X-Forwarded-Proto", "").partition(",")[0].strip().lower()
    if scheme in _SCHEMES:
        request[SCHEME] = scheme
