"""Who is signed in to the portal, on whichever server of those that share a store."""

import hashlib
import secrets
from time import time

from cloudrepo_server.keys import PORTAL_KEY, SESSIONS, session_key
from cloudrepo_server.models import Document
from cloudrepo_server.storage import Storage

LIFETIME = 12 * 60 * 60


class KeyDocument(Document, frozen=True, kw_only=True):
    """What the portal's cookies are signed with."""

    secret: str


class SessionDocument(Document, frozen=True, kw_only=True):
    """One signed-in browser; `id` is a digest of what it knows."""

    id: str
    username: str
    begun: float


class Sessions:
    """Every session of an organization's portal."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._key: bytes | None = None

    async def key(self) -> bytes:
        """What cookies are signed with: made once, by the first server that needs it.

        Raises:
            StorageError: the store did not answer.
        """
        if self._key is None:
            made = KeyDocument(secret=secrets.token_hex(32))
            await self._storage.change(PORTAL_KEY, KeyDocument, lambda existing: existing or made)
            kept = await self._storage.read(PORTAL_KEY, KeyDocument)
            self._key = bytes.fromhex((kept or made).secret)
        return self._key

    async def begin(self, username: str) -> str:
        """Begin a session; the answer is what its browser must show, and nothing stores it.

        Raises:
            StorageError: the store did not answer.
        """
        await self.prune()
        identity = secrets.token_urlsafe(24)
        session = SessionDocument(id=_id(identity), username=username, begun=time())
        await self._storage.change(session_key(session.id), SessionDocument, lambda _: session)
        return identity

    async def username(self, identity: str) -> str | None:
        """Whose session that is, or None where it has ended.

        Raises:
            StorageError: the store did not answer.
        """
        session = await self._storage.read(session_key(_id(identity)), SessionDocument)
        if session is None or session.begun < time() - LIFETIME:
            return None
        return session.username

    async def end(self, identity: str) -> None:
        """End a session, wherever its cookie still is.

        Raises:
            StorageError: the store did not answer.
        """
        await self._remove(_id(identity))

    async def prune(self) -> int:
        """Remove those that have ended by themselves; the answer is how many.

        Raises:
            StorageError: the store did not answer.
        """
        sessions = await self._storage.read_all(SESSIONS, SessionDocument)
        ended = [session for session in sessions if session.begun < time() - LIFETIME]
        for session in ended:
            await self._remove(session.id)
        return len(ended)

    async def _remove(self, session_id: str) -> None:
        await self._storage.change(session_key(session_id), SessionDocument, lambda _: None)


def _id(identity: str) -> str:
    return hashlib.sha256(identity.encode()).hexdigest()[:32]
