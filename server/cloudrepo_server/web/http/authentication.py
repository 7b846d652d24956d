"""Authentication with the Authorization header, before the body is read."""

import base64
import binascii
import contextlib

from aiohttp import web

from cloudrepo_server.domain.access import Principal
from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.errors import UnauthenticatedError
from cloudrepo_server.web.http.client_address import client_address
from cloudrepo_server.web.http.paths import IndexPath


async def authenticate(request: web.BaseRequest, organization: Organization) -> Principal | None:
    """Return the authenticated user or token, or None if the request has no credentials.

    Raises:
        UnauthenticatedError: the credentials are wrong or malformed.
    """
    credentials = _read_credentials(request)
    if credentials is None:
        return None
    username, password = credentials
    if username is None:
        return await organization.access.identify_token(password)
    return await organization.access.identify(username, password, client=client_address(request))


def prefetch(request: web.BaseRequest, organization: Organization, path: IndexPath) -> None:
    """Start to read the documents that the request needs, all at once, from a shared store."""
    username = password = None
    with contextlib.suppress(UnauthenticatedError):
        username, password = _read_credentials(request) or (None, None)
    # `simple` may be the prefix of the simple API, or the name of a project.
    organization.prefetch(
        path.repository,
        projects=path.parts[1:2] if path.parts[:1] == ("simple",) else path.parts[:1],
        serials=path.names_page,
        username=username,
        password=password,
    )


def _read_credentials(request: web.BaseRequest) -> tuple[str | None, str] | None:
    # A bearer token has no user name.
    header = request.headers.get("Authorization")
    if header is None:
        return None
    scheme, _, value = header.partition(" ")
    if scheme.lower() == "bearer":
        return None, value.strip()
    if scheme.lower() != "basic":
        raise UnauthenticatedError(
            "Unsupported authentication scheme: use Basic, or Bearer with a token."
        )
    return _decode_basic(value.strip())


def _decode_basic(encoded: str) -> tuple[str, str]:
    try:
        decoded = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise UnauthenticatedError("The Basic credentials are not valid base64.") from None
    try:
        credentials = decoded.decode()
    except UnicodeDecodeError:
        # Clients that do not implement RFC 7617 send Latin-1.
        credentials = decoded.decode("latin-1")
    # The user name ends at the first colon; a passphrase may contain colons.
    username, _, password = credentials.partition(":")
    return username, password
