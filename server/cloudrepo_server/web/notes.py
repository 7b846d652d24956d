"""What is noted with a request, for others who see it later: under these names, and its id."""

import itertools
import os
import string

from aiohttp import web

ENTRY = "entry"
DIALECT = "dialect"
PRINCIPAL = "principal"
REFUSAL = "refusal"
"""The error that was answered."""
REQUEST_ID = "request_id"
UPLOAD = "upload"
"""There if it asks for a file to be published."""
USER = "user"
"""Who asks, where no journal says it."""

_SANE = frozenset(string.ascii_letters + string.digits + "-._:=+/@")
_LONGEST = 128
_PROCESS = os.urandom(4).hex()
_numbers = itertools.count(1)


def request_id(request: web.BaseRequest) -> str:
    """The request's own `X-Request-Id` where it is fit to be shown, else a new one."""
    given = request.headers.get("X-Request-Id")
    if given and len(given) <= _LONGEST and _SANE.issuperset(given):
        return given
    return f"{_PROCESS}{next(_numbers):08x}"
