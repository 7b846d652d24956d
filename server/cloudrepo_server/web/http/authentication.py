"""Who asks: the Authorization header, read before any body."""

import base64
import binascii
import contextlib

from aiohttp import web

from cloudrepo_server.domain.access import Principal
from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.errors import UnauthenticatedError
from cloudrepo_server.web.http.paths import IndexPath


async def authenticate(request: web.BaseRequest, organization: Organization) -> Principal | None:
    """Who asks, or None where no credentials came.

    Raises:
        UnauthenticatedError: the credentials are nobody's, or cannot be read.
    """
    login = _read_login(request)
    if login is None:
        return None
    username, password = login
    if username is None:
        return await organization.access.identify_token(password)
    return await organization.access.identify(username, password)


def prefetch(request: web.BaseRequest, organization: Organization, target: IndexPath) -> None:
    """Let a shared store be asked at once for all that the request will need."""
    username = password = None
    with contextlib.suppress(UnauthenticatedError):
        username, password = _read_login(request) or (None, None)
    # Below `simple` there may be a project, or a file of a project of that name.
    organization.prefetch(
        target.repository,
        projects=target.parts[:2] if target.parts[:1] == ("simple",) else target.parts[:1],
        username=username,
        password=password,
    )


def _read_login(request: web.BaseRequest) -> tuple[str | None, str] | None:
    # A token as Bearer has no user name.
    header = request.headers.get("Authorization")
    if header is None:
        return None
    scheme, _, rest = header.partition(" ")
    if scheme.lower() == "bearer":
        return None, rest.strip()
    if scheme.lower() != "basic":
        raise UnauthenticatedError("Use HTTP Basic authentication, or a token as Bearer.")
    return _read_basic(rest.strip())


def _read_basic(encoded: str) -> tuple[str, str]:
    try:
        decoded = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise UnauthenticatedError("The Basic credentials are not valid base64.") from None
    try:
        pair = decoded.decode()
    except UnicodeDecodeError:
        # What clients of before RFC 7617 send.
        pair = decoded.decode("latin-1")
    # The first colon parts them: a passphrase may hold more.
    username, _, password = pair.partition(":")
    return username, password
