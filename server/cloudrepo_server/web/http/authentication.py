"""Authentication with the Authorization header, before the body is read."""

from aiohttp import web

from cloudrepo_server.domain.access import Principal
from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.web.http.authorization import parse_authorization
from cloudrepo_server.web.http.client_address import client_address
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
