"""The provider of identity tokens: its discovery document, its keys, and the tokens of CI jobs."""

from http import HTTPStatus
from typing import TYPE_CHECKING

from aiohttp import web

from cloudrepo_server.domain.identity_issuer import Job
from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.errors import NotFoundError, UnauthenticatedError
from cloudrepo_server.web.http.responses import error_response, json_response

if TYPE_CHECKING:
    from cloudrepo_server.specs.identity_providers.provider import Provider

CONFIGURATION = "/.well-known/openid-configuration"
JWKS = "/.well-known/jwks"
ISSUERS = "/_/issuers/"
"""The beginning of the paths of these two documents on the server's own host."""
JOB_TOKENS = "/_/ci/idtoken"
"""The path at which a job requests its identity tokens."""
METADATA = "/computeMetadata/v1/instance/service-accounts/default/"

_METADATA_HEADER = {"Metadata-Flavor": "Google"}


class IdentityProvider:
    """The handlers of requests to a provider of identity tokens."""

    def __init__(self, organization: Organization) -> None:
        self._organization = organization

    def configuration(self, provider: "Provider", *, base: str) -> web.Response:
        """Return the discovery document (OpenID Connect Discovery 1.0).

        Args:
            provider: the provider whose tokens are described.
            base: the URL below which the keys are served.
        """
        return json_response(
            {
                "issuer": provider.issuer,
                "jwks_uri": base + JWKS,
                "response_types_supported": ["id_token"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "claims_supported": ["sub", "aud", "exp", "iat", "iss"],
            }
        )

    async def jwks(self) -> web.Response:
        """Return the public keys that verify the tokens."""
        return json_response(await self._organization.issuer.jwks())

    async def job_of(self, token: str | None) -> Job:
        """Return the job of a token, after checking that its repository still exists.

        Raises:
            UnauthenticatedError: the token is not valid.
        """
        job = await self._organization.issuer.verify_job(token or "")
        repository = await self._organization.find(job.repository)
        if repository is None or repository.document.id != job.repository_id:
            raise UnauthenticatedError("The repository of this job was deleted.")
        return job

    async def issue(self, request: web.Request, job: Job) -> web.Response:
        """Return an identity token as GitHub does."""
        token = await self._token(request, job)
        return json_response({"count": len(token), "value": token})

    async def metadata(self, request: web.Request, job: Job, name: str) -> web.Response:
        """Return a value of Google Cloud's metadata server.

        Raises:
            NotFoundError: there is no such value.
        """
        if request.headers.get("Metadata-Flavor") != "Google":
            return error_response(
                HTTPStatus.FORBIDDEN, "The header Metadata-Flavor: Google is missing."
            )
        if name == "identity":
            text = await self._token(request, job)
        elif name == "email":
            text = job.fields["email"]
        else:
            raise NotFoundError(f"The metadata server has no value {name[:200]!r}.")
        return web.Response(text=text, headers=_METADATA_HEADER)

    async def _token(self, request: web.Request, job: Job) -> str:
        # Imported here because few servers receive this request.
        from cloudrepo_server.domain.identity_tokens import default_audience, issue_token

        audience = request.query.get("audience") or default_audience(job)
        return await issue_token(self._organization.issuer, job, audience=audience)


def bearer_token(request: web.Request) -> str | None:
    """Return the bearer token of a request, or None."""
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    return value.strip() if scheme.lower() == "bearer" else None
