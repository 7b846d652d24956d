"""Identity tokens that were exchanged for an upload token; each can be exchanged once.

A document for each token is created by a conditional write. So exactly one of several concurrent
requests with the same token succeeds, also on several servers of one store.
"""

import contextlib
from collections.abc import Mapping
from time import time
from typing import Any

from cloudrepo_server.domain.identity_issuer import LEEWAY
from cloudrepo_server.errors import StorageError, TokenRequestError
from cloudrepo_server.keys import used_identities_of, used_identity_key
from cloudrepo_server.models import UsedIdentityDocument
from cloudrepo_server.storage import Documents

_MARGIN = 5.0


async def check_unused(
    documents: Documents, repository_id: str, issuer: str, claims: Mapping[str, Any]
) -> None:
    """Check that an identity token was not used for a repository, if the token has an identifier.

    Raises:
        TokenRequestError: the token was used before; the code is `invalid-reuse-token`.
        StorageError: the store did not respond.
    """
    key = _key_of(repository_id, issuer, claims)
    if key is not None:
        documents.require_fresh()
        _reject_used(await documents.read(key, UsedIdentityDocument))


async def use_identity(
    documents: Documents, repository_id: str, issuer: str, claims: Mapping[str, Any]
) -> None:
    """Record that an identity token was used for a repository, if the token has an identifier.

    Args:
        documents: the store.
        repository_id: the repository.
        issuer: the issuer of the token.
        claims: the verified claims of the token.

    Raises:
        TokenRequestError: the token was used before; the code is `invalid-reuse-token`.
        StorageError: the store did not respond.
    """
    key = _key_of(repository_id, issuer, claims)
    if key is None:
        return
    used = UsedIdentityDocument(expires=claims["exp"] + LEEWAY + _MARGIN)

    def use(existing: UsedIdentityDocument | None) -> UsedIdentityDocument:
        _reject_used(existing)
        return used

    documents.require_fresh()
    await documents.change(key, UsedIdentityDocument, use)


async def delete_expired_identities(documents: Documents, repository_id: str) -> int:
    """Delete the records of a repository's used identity tokens that have expired.

    Returns:
        the number of all other records.
    """
    folder = used_identities_of(repository_id)
    kept = 0
    for name in (await documents.listing(folder)).names:
        kept += 1
        with contextlib.suppress(StorageError):
            used = await documents.read(folder + name, UsedIdentityDocument)
            if used is not None and used.expires < time():
                await documents.change(folder + name, UsedIdentityDocument, lambda _: None)
                kept -= 1
    return kept


def _key_of(repository_id: str, issuer: str, claims: Mapping[str, Any]) -> str | None:
    identifier = claims.get("jti")
    if not isinstance(identifier, str):
        return None
    return used_identity_key(repository_id, issuer, identifier)


def _reject_used(existing: UsedIdentityDocument | None) -> None:
    if existing is not None:
        raise TokenRequestError("invalid-reuse-token", "invalid token: already used")
