"""Who asks: the Authorization header, read before any body."""

import base64
import binascii

from aiohttp import web

from cloudrepo_server.errors import UnauthenticatedError
from cloudrepo_server.organization import Organization, Principal


async def authenticate(request: web.BaseRequest, organization: Organization) -> Principal | None:
    """Who asks, or None where no credentials came.

    Raises:
        UnauthenticatedError: the credentials are nobody's, or cannot be read.
    """
    header = request.headers.get("Authorization")
    if header is None:
        return None
    scheme, _, rest = header.partition(" ")
    if scheme.lower() == "bearer":
        return await organization.identify_token(rest.strip())
    if scheme.lower() != "basic":
        raise UnauthenticatedError("Use HTTP Basic authentication, or a token as Bearer.")
    username, password = _read_basic(rest.strip())
    return await organization.identify(username, password)


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
