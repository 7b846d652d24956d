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
    identifier = claims.get("jti")
    if not isinstance(identifier, str):
        return
    used = UsedIdentityDocument(expires=float(claims["exp"]) + LEEWAY + _MARGIN)

    def use(existing: UsedIdentityDocument | None) -> UsedIdentityDocument:
        if existing is not None:
            raise TokenRequestError("invalid-reuse-token", "invalid token: already used")
        return used

    key = used_identity_key(repository_id, issuer, identifier)
    documents.require_fresh()
    await documents.change(key, UsedIdentityDocument, use)


async def delete_expired_identities(documents: Documents, repository_id: str) -> None:
    """Delete the records of a repository's used identity tokens that have expired."""
    folder = used_identities_of(repository_id)
    for name in (await documents.listing(folder)).names:
        with contextlib.suppress(StorageError):
            used = await documents.read(folder + name, UsedIdentityDocument)
            if used is not None and used.expires < time():
                await documents.change(folder + name, UsedIdentityDocument, lambda _: None)
