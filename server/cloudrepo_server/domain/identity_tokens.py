"""Identity tokens, which the issuer signs for the CI jobs of a provider."""

import secrets
from collections.abc import Mapping
from time import time
from typing import Any

import msgspec

from cloudrepo_server.domain.identity_issuer import IdentityIssuer, Job
from cloudrepo_server.domain.token_minting import AUDIENCE
from cloudrepo_server.errors import InvalidError
from cloudrepo_server.limits import MAX_CLAIMS
from cloudrepo_server.specs.identity_providers.provider import Provider, uuid_of
from cloudrepo_server.specs.identity_providers.table import get_provider

# The maximum number of characters of an audience.
_MAX_AUDIENCE = 255


def split_claims(
    provider: Provider, given: Mapping[str, Any]
) -> tuple[dict[str, str], dict[str, Any]]:
    """Return the fields of a job and its other claims, from the names and values that were given.

    Raises:
        InvalidError: a field is missing or invalid, or the claims are too large.
    """
    known = (*provider.required, *provider.optional)
    fields = {name: value for name, value in given.items() if name in known and value is not None}
    for name, value in fields.items():
        if not isinstance(value, str):
            raise InvalidError(f"Invalid {name} for {provider.title}: it must be a string.")
    claims = {name: value for name, value in given.items() if name not in known}
    if len(msgspec.json.encode(claims)) > MAX_CLAIMS:
        raise InvalidError(f"The claims are too large: the limit is {MAX_CLAIMS} bytes of JSON.")
    return provider.check_fields(fields), claims


def job_claims(job: Job) -> dict[str, Any]:
    """Return the claims that all tokens of a job have in common."""
    return _without_nulls(_claims_of(job))


def default_audience(job: Job) -> str:
    """Return the audience of a token if the job's request names no audience."""
    if job.provider == "github":
        return f"https://github.com/{job.fields['repository'].partition('/')[0]}"
    return AUDIENCE


async def issue_token(
    issuer: IdentityIssuer,
    job: Job,
    *,
    audience: str,
    expires_in: float | None = None,
    valid_in: float = 0.0,
) -> str:
    """Return a new identity token of a job.

    Args:
        issuer: signs the token.
        job: the job. Its claims override all others, `aud`, `exp` and `iss` included.
        audience: the audience that the token is for.
        expires_in: the seconds after which it expires; by default the provider's lifetime.
        valid_in: the seconds before which it is not valid yet.

    Raises:
        InvalidError: the audience or the claims are too large, or the extra `trust` is missing.
        StorageError: the store did not respond.
    """
    if len(audience) > _MAX_AUDIENCE:
        raise InvalidError(f"The audience is too long: the limit is {_MAX_AUDIENCE} characters.")
    provider = get_provider(job.provider)
    now = time()
    lifetime = provider.lifetime if expires_in is None else expires_in
    claims: dict[str, Any] = {
        "iss": provider.issuer,
        "aud": audience,
        "iat": int(now),
        "exp": int(now + lifetime),
    }
    if provider.has_jti:
        claims["jti"] = uuid_of(secrets.token_hex(16))
    if valid_in:
        claims["nbf"] = int(now + valid_in)
    elif provider.backdated is not None:
        claims["nbf"] = int(now - provider.backdated)
    return await issuer.sign(_without_nulls({**claims, **_claims_of(job)}))


def _claims_of(job: Job) -> dict[str, Any]:
    # A claim that is None is left out of the token.
    return {**get_provider(job.provider).claims(job.fields, job.claims), **job.claims}


def _without_nulls(claims: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in claims.items() if value is not None}
