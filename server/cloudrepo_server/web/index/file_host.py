"""The files of repositories whose files are on another host than the index.

The other host is this server too, under another host name. A request needs no login, but a
permanent link or a signed URL. Signed URLs expire.
"""

from time import time

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.errors import ForbiddenError, InvalidError
from cloudrepo_server.specs.file_urls import (
    OTHER_HOST,
    REDIRECT,
    is_link_secret,
    is_signature,
)
from cloudrepo_server.web.http.paths import IndexPath, parse_file_path
from cloudrepo_server.web.http.request_state import state_of
from cloudrepo_server.web.index.handler import IndexHandler
from cloudrepo_server.web.index.resolve import resolved


def resolve_file(organization: Organization) -> Middleware:
    """Return the middleware that parses the path and finds the repository, for `resolved`."""

    @web.middleware
    async def resolve(request: web.Request, handler: Handler) -> web.StreamResponse:
        state = state_of(request)
        path, _ = parse_file_path(request.rel_url.raw_path)
        state.index_path = path
        _, project, _ = path.parts
        organization.prefetch(
            path.repository, projects=(project,), serials=False, username=None, password=None
        )
        state.repository = await organization.find(path.repository)
        if state.repository is not None:
            state.dialect = state.repository.upload_dialect
        return await handler(request)

    return resolve


class FileHost:
    """The handler of `/files` and everything below it."""

    def __init__(self, organization: Organization, index: IndexHandler) -> None:
        self._organization = organization
        self._index = index

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Return a file, if the URL is valid for it.

        Raises:
            ForbiddenError: the URL is not valid, or has expired.
            InvalidError: a signed URL was requested with a login.
        """
        path, repository = resolved(state_of(request))
        place, is_valid = await self._check_url(
            request, path, "" if repository is None else repository.document.id
        )
        # The response does not reveal whether the repository exists.
        if repository is None or not is_valid or repository.place_of_files != place:
            raise ForbiddenError(
                "The URL of the file is not valid: request the file from the index again."
            )
        if place == REDIRECT:
            _check_signed_request(request)
        return await self._index.read(request, repository, path)

    async def _check_url(
        self, request: web.Request, path: IndexPath, repository_id: str
    ) -> tuple[str, bool]:
        """Return the place of files to which the URL belongs, and whether the URL is valid."""
        key = await self._organization.file_url_key.read()
        _, project, filename = path.parts
        _, secret = parse_file_path(request.rel_url.raw_path)
        if secret is not None:
            return OTHER_HOST, is_link_secret(secret, key, repository_id, project, filename)
        signature, expires = request.query.get("signature", ""), request.query.get("expires", "")
        return REDIRECT, is_signature(signature, key, repository_id, project, filename, expires)


def _check_signed_request(request: web.Request) -> None:
    # The signature is right, so the time is a number that this server chose.
    if time() >= int(request.query["expires"]):
        raise ForbiddenError(
            "The URL of the file has expired: request the file from the index again."
        )
    if "Authorization" in request.headers:
        # Object stores reject such requests, too.
        raise InvalidError(
            "A signed URL must be requested without a login: send the login of the index to the "
            "index only."
        )
