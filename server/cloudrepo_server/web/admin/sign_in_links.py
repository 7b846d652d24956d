"""The admin API's operation that issues one-time sign-in links."""

from http import HTTPStatus

from aiohttp import web

from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.limits import SIGN_IN_LINK_SECONDS
from cloudrepo_server.web.admin import bodies, responses
from cloudrepo_server.web.http.paths import SIGN_IN_LINK
from cloudrepo_server.web.http.request_body import read_json
from cloudrepo_server.web.http.responses import json_response
from cloudrepo_server.web.http.urls import base_url_of


class SignInLinkApi:
    """The handler of requests for sign-in links."""

    def __init__(self, organization: Organization) -> None:
        self._organization = organization

    async def create_link(self, request: web.Request) -> web.Response:
        """Create a link that signs a browser in once, and leads to the page of a repository."""
        body = await read_json(request, bodies.NewSignInLink)
        repository = await self._organization.repository(body.repository)
        secret = self._organization.sign_in_links.issue(
            self._organization.access.admin_username, repository.name
        )
        link = responses.SignInLinkResponse(
            url=f"{base_url_of(request)}{SIGN_IN_LINK}?token={secret}",
            expires_in=SIGN_IN_LINK_SECONDS,
        )
        return json_response(link, status=HTTPStatus.CREATED)
