"""Creates CI jobs, whose programs request identity tokens from this server."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cloudrepo_server.domain.identity_issuer import Job
from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.domain.repository import Repository
from cloudrepo_server.domain.token_minting import AUDIENCE, TEST_AUDIENCE
from cloudrepo_server.web.trust.identity_provider import JOB_TOKENS

if TYPE_CHECKING:
    from cloudrepo_server.clients import CiJob


async def create_job(
    organization: Organization,
    repository: Repository,
    provider: str,
    claims: Mapping[str, Any],
    *,
    url: str,
) -> "CiJob":
    """Return the identity of a CI job, with which its programs request identity tokens.

    Args:
        organization: the organization, whose issuer signs the tokens.
        repository: the repository to which the job publishes.
        provider: the name of the identity provider.
        claims: what identifies the job, and further claims of its tokens.
        url: the URL of this server, as the programs reach it.

    Raises:
        InvalidError: the provider or a claim is not valid, or the extra `trust` is not installed.
    """
    job = await identify_job(organization, repository, provider, claims)
    # Imported here because most servers create no job.
    from cloudrepo_server.clients import CiJob
    from cloudrepo_server.domain.identity_tokens import issue_token, job_claims
    from cloudrepo_server.specs.identity_providers.table import get_provider

    issuer = organization.issuer
    return CiJob(
        provider=provider,
        issuer=get_provider(provider).issuer,
        claims=job_claims(job),
        request_url=f"{url}{JOB_TOKENS}?api-version=2.0",
        request_token=await issuer.sign_job(job),
        tokens={
            audience: await issue_token(issuer, job, audience=audience)
            for audience in (AUDIENCE, TEST_AUDIENCE)
        },
    )


async def identify_job(
    organization: Organization, repository: Repository, provider: str, claims: Mapping[str, Any]
) -> Job:
    """Return a CI job of a provider, given the fields and claims that identify it.

    Raises:
        InvalidError: the provider or a claim is not valid, or the extra `trust` is not installed.
    """
    await organization.issuer.load()
    from cloudrepo_server.domain.identity_tokens import split_claims
    from cloudrepo_server.specs.identity_providers.table import get_provider

    fields, others = split_claims(get_provider(provider), claims)
    return Job(
        repository=repository.name,
        repository_id=repository.document.id,
        provider=provider,
        fields=fields,
        claims=others,
    )
