"""Finds the repository that a request is for."""

import contextlib

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.domain.repository import Repository
from cloudrepo_server.errors import UnauthenticatedError
from cloudrepo_server.web.http.authorization import parse_authorization
from cloudrepo_server.web.http.paths import IndexPath, parse_index_path
from cloudrepo_server.web.http.request_state import RequestState, state_of


def resolve_repository(organization: Organization) -> Middleware:
    """Return the middleware that parses the path and finds the repository, for `resolved`.

    A request to an impersonated host is handled as one for its `impersonated_path`.
    """

    @web.middleware
    async def resolve(request: web.Request, handler: Handler) -> web.StreamResponse:
        state = state_of(request)
        path = parse_index_path(state.impersonated_path or request.rel_url.raw_path)
        state.index_path = path
        if organization.shared:
            _prefetch(request, organization, path)
        state.repository = await organization.find(path.repository)
        if state.repository is not None and state.impersonating_repository_id not in (
            None,
            state.repository.document.id,
        ):
            # The repository was deleted, and another one has its name.
            state.repository = None
        if state.repository is not None:
            state.dialect = state.repository.upload_dialect
        return await handler(request)

    return resolve


def resolved(state: RequestState) -> tuple[IndexPath, Repository | None]:
    """Return the path and the repository that `resolve_repository` found for a request.

    The repository is None if no repository has the name in the path.
    """
    if state.index_path is None:
        raise LookupError("the route of this request lacks the middleware resolve_repository")
    return state.index_path, state.repository


def _prefetch(request: web.BaseRequest, organization: Organization, path: IndexPath) -> None:
    """Start to read the documents that the request needs, all at once, from a shared store."""
    username = password = None
    with contextlib.suppress(UnauthenticatedError):
        credentials = parse_authorization(request.headers.get("Authorization"))
        if credentials is not None:
            username, password = credentials
    # `simple` may be the prefix of the simple API, or the name of a project.
    organization.prefetch(
        path.repository,
        projects=path.parts[1:2] if path.parts[:1] == ("simple",) else path.parts[:1],
        serials=path.names_page,
        username=username,
        password=password,
    )
