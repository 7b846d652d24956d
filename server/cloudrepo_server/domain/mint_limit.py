"""The limit on the number of tokens that CI jobs mint for a repository.

Some identity tokens have no identifier, so a job can exchange such a token any number of times.
Without a limit, the job could fill the store.
"""

import contextlib
from collections import Counter
from collections.abc import AsyncIterator

from cachetools import TTLCache

from cloudrepo_server.domain.tokens import Tokens
from cloudrepo_server.domain.used_identities import delete_expired_identities
from cloudrepo_server.errors import TooManyTokensError
from cloudrepo_server.limits import MAX_MINTED_TOKENS
from cloudrepo_server.models import RepositoryDocument
from cloudrepo_server.storage import Documents

RETRY_SECONDS = 1
"""How many seconds a repository at the limit rejects exchanges before its tokens are recounted."""

_MAX_REMEMBERED = 1024


class MintLimit:
    """The limit on the minted tokens of each repository."""

    def __init__(self, documents: Documents, tokens: Tokens) -> None:
        self._documents = documents
        self._tokens = tokens
        self._reserved: Counter[str] = Counter()
        """The exchanges in progress, by the id of the repository."""
        self._full: TTLCache[str, bool] = TTLCache(_MAX_REMEMBERED, ttl=RETRY_SECONDS)

    @contextlib.asynccontextmanager
    async def reserve(self, repository: RepositoryDocument) -> AsyncIterator[None]:
        """Delete expired tokens and used identities, and allow one new token during the context.

        Raises:
            TooManyTokensError: the repository has its maximum of tokens or of used identities.
            StorageError: the store did not respond.
        """
        if repository.id in self._full:
            raise _too_many(repository)
        self._reserved[repository.id] += 1
        try:
            minted = sum(
                each.repository_id == repository.id and each.publisher is not None
                for each in await self._tokens.delete_expired()
            )
            used = await delete_expired_identities(self._documents, repository.id)
            if max(minted, used) + self._reserved[repository.id] > MAX_MINTED_TOKENS:
                self._full[repository.id] = True
                raise _too_many(repository)
            yield
        finally:
            self._reserved -= Counter((repository.id,))


def _too_many(repository: RepositoryDocument) -> TooManyTokensError:
    return TooManyTokensError(
        f"the repository {repository.name} has {MAX_MINTED_TOKENS} minted tokens or used identity "
        "tokens, which is the limit: revoke minted tokens, or wait until tokens expire"
    )
