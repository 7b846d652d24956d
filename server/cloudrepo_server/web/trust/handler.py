"""The requests of trusted publishing: on the server's own host, and on impersonated hosts."""

from collections.abc import Awaitable, Callable
from functools import partial

from aiohttp import web
from yarl import URL

from cloudrepo_server.domain.organization import Organization, is_repository_name
from cloudrepo_server.domain.repository import Repository
from cloudrepo_server.domain.token_minting import AUDIENCE, audience_of
from cloudrepo_server.errors import NotFoundError, RepositoryNotFoundError
from cloudrepo_server.specs.identity_providers import NAMES
from cloudrepo_server.testkit.impersonation import Impersonation
from cloudrepo_server.testkit.journal import Entry
from cloudrepo_server.web.http.methods import READS, method_not_allowed
from cloudrepo_server.web.http.request_state import state_of
from cloudrepo_server.web.http.urls import base_url_of, prefix_of
from cloudrepo_server.web.ops.recording import new_entry, record_request
from cloudrepo_server.web.trust.discovery import (
    DISCOVERY,
    OIDC,
    OIDC_OF_REPOSITORY,
    discovery_response,
    repository_of,
    upload_path_of,
)
from cloudrepo_server.web.trust.identity_provider import (
    CONFIGURATION,
    ISSUERS,
    JOB_TOKENS,
    JWKS,
    METADATA,
    IdentityProvider,
    bearer_token,
)
from cloudrepo_server.web.trust.token_exchange import ENDPOINTS, TokenExchange

_PATHS = (OIDC, DISCOVERY, CONFIGURATION, JWKS, METADATA)
_Respond = Callable[[web.Request], Awaitable[web.StreamResponse]]


class TrustHandler:
    """The handlers of requests of trusted publishing."""

    def __init__(self, organization: Organization) -> None:
        self._organization = organization
        self._provider = IdentityProvider(organization)

    def routes(self) -> list[web.RouteDef]:
        """Return the routes on the server's own host."""
        return [
            web.route("*", DISCOVERY, self._discover),
            web.route("*", OIDC_OF_REPOSITORY + "{repository}/{endpoint:.+}", self._exchange),
            web.route("*", OIDC + "{endpoint:.+}", self._exchange),
            web.route("*", JOB_TOKENS, self._issue_job_token),
            web.get(ISSUERS + "{provider}" + CONFIGURATION, self._configuration),
            web.get(ISSUERS + "{provider}" + JWKS, self._jwks),
        ]

    async def handle_impersonated(
        self, request: web.Request, impersonation: Impersonation, origin: URL
    ) -> web.StreamResponse | None:
        """Return the response to a request of trusted publishing, or None for other requests.

        Args:
            request: the request.
            impersonation: the impersonation of the host.
            origin: the scheme, host and port of the request's URL.

        Raises:
            RepositoryNotFoundError: the repository of the impersonation does not exist any more.
        """
        path = request.rel_url.raw_path
        if not path.startswith(_PATHS):
            return None
        repository = await self._organization.repository(impersonation.repository)
        if repository.document.id != impersonation.repository_id:
            raise RepositoryNotFoundError(impersonation.repository)
        respond = await self._impersonated(path, repository, impersonation, origin)
        return None if respond is None else await self._record(request, repository, respond)

    async def _impersonated(
        self, path: str, repository: Repository, impersonation: Impersonation, origin: URL
    ) -> _Respond | None:
        audience = audience_of(origin.host or "")
        exchange = TokenExchange(self._organization, repository, audience=audience)
        if path.startswith(OIDC):
            return _endpoint(exchange, path.removeprefix(OIDC))
        if path == DISCOVERY:
            return partial(_discover_impersonated, exchange, impersonation, origin)
        if path in (CONFIGURATION, JWKS):
            return self._issuer_document(str(origin), path)
        if impersonation.job is not None:
            job = await self._provider.job_of(impersonation.job)
            if job.provider == "google":
                name = path.removeprefix(METADATA)
                return lambda request: self._provider.metadata(request, job, name)
        return None

    def _issuer_document(self, origin: str, path: str) -> _Respond | None:
        from cloudrepo_server.specs.identity_providers.table import ISSUERS as BY_ISSUER

        provider = BY_ISSUER.get(origin)
        if provider is None:
            return None

        async def respond(_: web.Request) -> web.StreamResponse:
            if path == JWKS:
                return await self._provider.jwks()
            return self._provider.configuration(provider, base=origin)

        return respond

    async def _discover(self, request: web.Request) -> web.StreamResponse:
        name = repository_of(upload_path_of(request).removeprefix(prefix_of(request)))
        repository = await self._organization.find(name)
        exchange = TokenExchange(self._organization, repository, audience=AUDIENCE)
        url, base = base_url_of(request), f"{OIDC_OF_REPOSITORY}{name}/"
        # The response does not depend on whether the repository exists: names are not public.
        return await self._record(request, repository, partial(_discover, exchange, url, base))

    async def _exchange(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info.get("repository")
        if name is not None and not is_repository_name(name):
            raise RepositoryNotFoundError(name)
        repository = None if name is None else await self._organization.find(name)
        exchange = TokenExchange(
            self._organization, repository, audience=AUDIENCE, any_repository=name is None
        )
        respond = _endpoint(exchange, request.match_info["endpoint"])
        if respond is None:
            raise NotFoundError("There is nothing at this path.")
        response = await self._record(request, repository, respond)
        if repository is None and exchange.repository is not None:
            # The repository is known only now, from the identity token.
            entry = state_of(request).details
            if isinstance(entry, Entry):
                testkit, found = self._organization.testkit, exchange.repository.document.id
                entry.repository = exchange.repository.name
                testkit.record(found, entry)
                testkit.settle(found, entry, anonymous=entry.user is None)
        return response

    async def _issue_job_token(self, request: web.Request) -> web.StreamResponse:
        job = await self._provider.job_of(bearer_token(request))
        repository = await self._organization.find(job.repository)

        async def respond(request: web.Request) -> web.StreamResponse:
            if request.method not in READS:
                return method_not_allowed(*READS)
            return await self._provider.issue(request, job)

        return await self._record(request, repository, respond)

    async def _configuration(self, request: web.Request) -> web.Response:
        from cloudrepo_server.specs.identity_providers.table import PROVIDERS

        provider = PROVIDERS[_provider_name(request)]
        base = f"{base_url_of(request)}{ISSUERS}{provider.name}"
        return self._provider.configuration(provider, base=base)

    async def _jwks(self, request: web.Request) -> web.Response:
        _provider_name(request)
        return await self._provider.jwks()

    async def _record(
        self, request: web.Request, repository: Repository | None, respond: _Respond
    ) -> web.StreamResponse:
        entry = new_entry(request, "trusted-publishing")
        entry.repository = None if repository is None else repository.name
        return await record_request(
            self._organization.testkit,
            None if repository is None else repository.document.id,
            entry,
            request,
            respond,
        )


def _provider_name(request: web.Request) -> str:
    name = request.match_info["provider"]
    if name not in NAMES:
        raise NotFoundError("There is no identity provider with this name.")
    return name


def _endpoint(exchange: TokenExchange, name: str) -> _Respond | None:
    known = ENDPOINTS.get(name)
    if known is None:
        return None
    method, handle = known
    methods = READS if method == "GET" else (method,)

    async def respond(request: web.Request) -> web.StreamResponse:
        if request.method not in methods:
            return method_not_allowed(*methods)
        return await handle(exchange, request)

    return respond


async def _discover_impersonated(
    exchange: TokenExchange, impersonation: Impersonation, origin: URL, request: web.Request
) -> web.StreamResponse:
    path = upload_path_of(request)
    below = impersonation.relative_path(origin.scheme, origin.host or "", origin.port or 0, path)
    if below not in ("", "/"):
        raise NotFoundError(f"No upload URL of this host has the path {path[:200]}.")
    return await _discover(exchange, str(origin), OIDC, request)


async def _discover(
    exchange: TokenExchange, url: str, base: str, request: web.Request
) -> web.StreamResponse:
    if request.method not in READS:
        return method_not_allowed(*READS)
    if not exchange.is_enabled:
        raise NotFoundError("Trusted publishing is not enabled for this upload URL.")
    return discovery_response(url, base)
