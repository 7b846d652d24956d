"""The time at which each token was used last."""

from time import time

import msgspec

from cloudrepo_server.limits import TOKEN_USE_SECONDS
from cloudrepo_server.models import TokenDocument
from cloudrepo_server.storage import Documents
from cloudrepo_server.storage.background import BackgroundTasks

_CLOSE_SECONDS = 5.0


class TokenUses:
    """Records the uses of tokens in the background, with at most one write per token and hour."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._tasks = BackgroundTasks()
        self._in_progress: set[str] = set()
        """The ids of the tokens whose last use is being written."""

    def record(self, token: TokenDocument) -> None:
        """Record that a token was used just now."""
        if not _is_recent(token) and token.id not in self._in_progress:
            self._in_progress.add(token.id)
            self._tasks.start(self._write(token))

    async def close(self) -> None:
        """Wait until the uses are written, for a few seconds."""
        await self._tasks.close(grace=_CLOSE_SECONDS)

    async def _write(self, token: TokenDocument) -> None:
        def change(existing: TokenDocument | None) -> TokenDocument | None:
            # The token may have been revoked, or another server may have recorded a use.
            if existing is None or existing.id != token.id or _is_recent(existing):
                return existing
            return msgspec.structs.replace(existing, last_used=time())

        try:
            await self._documents.change(token.key, TokenDocument, change)
        finally:
            self._in_progress.discard(token.id)


def _is_recent(token: TokenDocument) -> bool:
    return token.last_used is not None and time() - token.last_used < TOKEN_USE_SECONDS
