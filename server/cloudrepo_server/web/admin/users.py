"""The admin API's operations on repository users and tokens."""

from http import HTTPStatus

from aiohttp import web
from msgspec import UNSET

from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.web.admin import bodies, responses
from cloudrepo_server.web.http.request_body import read_json
from cloudrepo_server.web.http.request_state import state_of
from cloudrepo_server.web.http.responses import json_response


class UserApi:
    """The handlers of requests for repository users."""

    def __init__(self, organization: Organization) -> None:
        self._users = organization.users

    async def list_users(self, _: web.Request) -> web.Response:
        """List the repository users."""
        users = [responses.UserResponse.of(user) for user in await self._users.all()]
        return json_response(responses.UsersResponse(users))

    async def create_user(self, request: web.Request) -> web.Response:
        """Create a repository user. The response has the passphrase if it was generated."""
        body = await read_json(request, bodies.NewUser)
        user, generated = await self._users.create(
            body.email,
            passphrase=body.passphrase,
            read_only=body.read_only,
            run=body.run,
        )
        return json_response(
            responses.UserResponse.of(user, generated=generated), status=HTTPStatus.CREATED
        )

    async def change_user(self, request: web.Request) -> web.Response:
        """Change a user's passphrase or access, from the next request on."""
        body = await read_json(request, bodies.UserChange)
        user = await self._users.update(
            request.match_info["email"],
            passphrase=None if body.passphrase is UNSET else body.passphrase,
            read_only=None if body.read_only is UNSET else body.read_only,
        )
        return json_response(responses.UserResponse.of(user))

    async def delete_user(self, request: web.Request) -> web.Response:
        """Delete a user, whose credentials are rejected from the next request on."""
        await self._users.delete(request.match_info["email"])
        return web.Response(status=HTTPStatus.NO_CONTENT)


class TokenApi:
    """The handlers of requests for tokens."""

    def __init__(self, organization: Organization) -> None:
        self._organization = organization

    async def list_tokens(self, _: web.Request) -> web.Response:
        """List the tokens, without their secrets."""
        tokens = await self._organization.tokens.all()
        return json_response(
            responses.TokensResponse([responses.TokenResponse.of(token) for token in tokens])
        )

    async def create_token(self, request: web.Request) -> web.Response:
        """Create a token for a repository. Only this response has its secret."""
        body = await read_json(request, bodies.NewToken)
        state_of(request).details.repository = body.repository
        repository = await self._organization.repository(body.repository)
        document, token = await self._organization.tokens.create(
            repository.document,
            read_only=body.read_only,
            name=body.name,
            value=body.value,
            expires_in=body.expires_in,
        )
        response = responses.TokenResponse.of(document, token=token, dialect=repository.dialect)
        return json_response(response, status=HTTPStatus.CREATED)

    async def change_token(self, request: web.Request) -> web.Response:
        """Change the name of a token, or when it expires, from the next request on."""
        body = await read_json(request, bodies.TokenChange)
        document = await self._organization.tokens.update(
            request.match_info["id"],
            name=None if body.name is UNSET else body.name,
            expires_in=None if body.expires_in is UNSET else body.expires_in,
            never_expires=body.expires_in is None,
        )
        return json_response(responses.TokenResponse.of(document))

    async def delete_token(self, request: web.Request) -> web.Response:
        """Revoke a token, which is rejected from the next request on."""
        await self._organization.tokens.delete(request.match_info["id"])
        return web.Response(status=HTTPStatus.NO_CONTENT)
