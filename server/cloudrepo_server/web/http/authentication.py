"""Authentication with the Authorization header, before the body is read."""

import contextlib

from aiohttp import web

from cloudrepo_server.domain.access import Principal
from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.errors import UnauthenticatedError
from cloudrepo_server.web.http.authorization import parse_authorization
from cloudrepo_server.web.http.client_address import client_address
from cloudrepo_server.web.http.paths import IndexPath
from cloudrepo_server.web.http.request_state import state_of


async def authenticate(request: web.BaseRequest, organization: Organization) -> Principal | None:
    """Return the authenticated user or token, or None if the request has no credentials.

    Raises:
        UnauthenticatedError: the credentials are wrong or malformed.
    """
    credentials = parse_authorization(request.headers.get("Authorization"))
    if credentials is None:
        return None
    username, password = credentials
    repository = state_of(request).repository
    repository_id = None if repository is None else repository.document.id
    if username is None:
        return await organization.access.identify_token(password, repository_id=repository_id)
    return await organization.access.identify(
        username, password, repository_id=repository_id, client=client_address(request)
    )


def prefetch(request: web.BaseRequest, organization: Organization, path: IndexPath) -> None:
    """Start to read the documents that the request needs, all at once, from a shared store."""
    username = password = None
    with contextlib.suppress(UnauthenticatedError):
        username, password = parse_authorization(request.headers.get("Authorization")) or (
            None,
            None,
        )
    # `simple` may be the prefix of the simple API, or the name of a project.
    organization.prefetch(
        path.repository,
        projects=path.parts[1:2] if path.parts[:1] == ("simple",) else path.parts[:1],
        serials=path.names_page,
        username=username,
        password=password,
    )
