"""The exchange of identity tokens for upload tokens, as PyPI has it and PEP 807 describes it."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus

import msgspec
from aiohttp import web

from cloudrepo_server.domain.mint_limit import RETRY_SECONDS
from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.domain.repository import Repository
from cloudrepo_server.domain.token_minting import Identity, MintedToken
from cloudrepo_server.domain.trusted_publishers import find_publishers
from cloudrepo_server.errors import TokenRequestError, TooLargeError, TooManyTokensError
from cloudrepo_server.limits import MAX_IDENTITY_TOKEN
from cloudrepo_server.web.http.request_body import read_bytes
from cloudrepo_server.web.http.request_state import state_of
from cloudrepo_server.web.http.responses import json_response, reason_phrase

Endpoint = Callable[["TokenExchange", web.Request], Awaitable[web.Response]]


class _TokenBody(msgspec.Struct, frozen=True):
    """The body of a request to exchange or to revoke a token."""

    token: str


class TokenExchange:
    """The endpoints of an impersonated host, or those of the server's own host."""

    def __init__(
        self,
        organization: Organization,
        repository: Repository | None,
        *,
        audience: str,
        any_repository: bool = False,
    ) -> None:
        """Prepare the endpoints.

        Args:
            organization: the organization.
            repository: the repository, or None if it does not exist.
            audience: the audience that identity tokens must be for.
            any_repository: whether the claims of the identity token select the repository.
        """
        self._organization = organization
        self.repository = repository
        self._audience = audience
        self._any_repository = any_repository

    @property
    def is_enabled(self) -> bool:
        """Whether the identity tokens of at least one provider are accepted."""
        if self.repository is None:
            return self._organization.issuer.is_installed()
        return self._organization.mint.is_enabled(self.repository.document)

    async def show_audience(self, _: web.Request) -> web.Response:
        """Return the audience that identity tokens must be for."""
        if not self.is_enabled:
            message = "Trusted publishing functionality not enabled"
            return _with_reason(
                json_response({"message": message}, status=HTTPStatus.FORBIDDEN), message
            )
        return json_response({"audience": self._audience})

    async def mint_token(self, request: web.Request) -> web.Response:
        """Exchange an identity token for an upload token."""
        try:
            minted = await self._mint(await _read_token(request))
        except TokenRequestError as error:
            state_of(request).error = error
            response = _error_response(error, "Token request failed")
            return _with_reason(response, f"{error.code}: {error}")
        state_of(request).details.user = minted.publisher
        return json_response({"success": True, "token": minted.token, "expires": minted.expires})

    async def burn_token(self, request: web.Request) -> web.Response:
        """Revoke an upload token; the response does not say whether it was valid."""
        try:
            await self._organization.mint.burn(await _read_token(request))
        except TokenRequestError as error:
            state_of(request).error = error
            return _error_response(error, str(error))
        return json_response({"message": "Accepted"}, status=HTTPStatus.ACCEPTED)

    async def _mint(self, identity_token: str) -> MintedToken:
        document = None if self.repository is None else self.repository.document
        disabled = () if document is None else document.disabled_identity_providers
        mint = self._organization.mint
        identity = await mint.identify(identity_token, audience=self._audience, disabled=disabled)
        if self.repository is None:
            self.repository = await self._find_repository(identity)
        return await mint.mint(self.repository, identity)

    async def _find_repository(self, identity: Identity) -> Repository:
        found = []
        candidates = await self._organization.repositories() if self._any_repository else []
        for repository in candidates:
            document = repository.document
            if identity.provider.name in document.disabled_identity_providers:
                continue
            try:
                find_publishers(document, *identity)
            except TokenRequestError:
                continue
            found.append(repository)
        if len(found) == 1:
            return found[0]
        raise TokenRequestError(
            "invalid-publisher",
            "valid token, but no corresponding publisher (Publisher with matching claims was not "
            "found)"
            if not found
            else "valid token, but several repositories have a corresponding publisher "
            "(use the token-mint-endpoint that discovery returns for the upload URL)",
        )


ENDPOINTS: dict[str, tuple[str, Endpoint]] = {
    "audience": ("GET", TokenExchange.show_audience),
    "mint-token": ("POST", TokenExchange.mint_token),
    # Old versions of the publishing action and of PDM use this path.
    "github/mint-token": ("POST", TokenExchange.mint_token),
    "burn-token": ("POST", TokenExchange.burn_token),
}
"""The method and the handler of each endpoint, by its path below `/_/oidc/`."""


async def _read_token(request: web.Request) -> str:
    # The content type is not checked, because uv sends none.
    try:
        body = await read_bytes(request, limit=MAX_IDENTITY_TOKEN)
        return msgspec.json.decode(body, type=_TokenBody).token
    except (TooLargeError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise TokenRequestError(
            "invalid-payload", f"the request body is invalid: {error}"
        ) from None


def _error_response(error: TokenRequestError, message: str) -> web.Response:
    body = {"message": message, "errors": [{"code": error.code, "description": str(error)}]}
    if isinstance(error, TooManyTokensError):
        response = json_response(body, status=HTTPStatus.TOO_MANY_REQUESTS)
        response.headers["Retry-After"] = str(RETRY_SECONDS)
        return response
    return json_response(body, status=HTTPStatus.UNPROCESSABLE_ENTITY)


def _with_reason(response: web.Response, reason: str) -> web.Response:
    response.set_status(response.status, reason_phrase(reason))
    return response
