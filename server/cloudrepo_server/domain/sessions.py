"""Sessions of the portal, valid on every server that shares the store."""

import hashlib
import secrets
from time import time

from cloudrepo_server.changes import note_change
from cloudrepo_server.domain.passphrases import derive_key
from cloudrepo_server.errors import DamagedDocumentError
from cloudrepo_server.keys import PORTAL_KEY, SESSIONS, session_key
from cloudrepo_server.models import Document
from cloudrepo_server.storage import Documents

LIFETIME_SECONDS = 12 * 60 * 60
"""How long a browser stays signed in."""


class KeyDocument(Document, frozen=True, kw_only=True):
    """The secret from which the key of the portal's cookies is derived."""

    secret: str


class SessionDocument(Document, frozen=True, kw_only=True):
    """One signed-in browser; `id` is a digest of the session identifier in its cookie."""

    id: str
    username: str
    begun: float
    """Seconds since the epoch."""


class Sessions:
    """The sessions of an organization's portal."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._key: bytes | None = None

    async def key(self, login: bytes) -> bytes:
        """Return the key that signs cookies, derived from the stored secret and the admin login.

        The first server that needs the key creates the secret. If the admin login changes, the
        cookies that were signed before are not valid any more.

        Args:
            login: a digest of the admin user's name and password.

        Raises:
            StorageError: the store did not respond.
        """
        if self._key is None:
            new = KeyDocument(secret=secrets.token_hex(32))
            # A damaged key would prevent every sign-in. A new key only ends the existing sessions.
            await self._documents.delete_damaged(PORTAL_KEY, KeyDocument)
            await self._documents.change(PORTAL_KEY, KeyDocument, lambda existing: existing or new)
            stored = await self._documents.read(PORTAL_KEY, KeyDocument)
            self._key = await derive_key(login, salt=bytes.fromhex((stored or new).secret))
        return self._key

    async def start(self, username: str) -> str:
        """Start a session; return its identifier, which is not stored.

        Raises:
            StorageError: the store did not respond.
        """
        await self.delete_expired()
        identifier = secrets.token_urlsafe(24)
        session = SessionDocument(id=_digest(identifier), username=username, begun=time())
        await self._documents.change(session_key(session.id), SessionDocument, lambda _: session)
        note_change("sign-in", subject=username)
        return identifier

    async def username(self, identifier: str) -> str | None:
        """Return the user name of a session, or None if it has ended.

        Raises:
            StorageError: the store did not respond.
        """
        try:
            session = await self._documents.read(session_key(_digest(identifier)), SessionDocument)
        except DamagedDocumentError as error:
            self._documents.report_damage(error)
            return None
        if session is None or _is_expired(session):
            return None
        return session.username

    async def end(self, identifier: str) -> None:
        """End a session; its cookie is no longer valid.

        Raises:
            StorageError: the store did not respond.
        """
        username = await self.username(identifier)
        await self._delete(_digest(identifier))
        if username is not None:
            note_change("sign-out", subject=username)

    async def delete_expired(self) -> int:
        """Delete expired and damaged sessions; return the number of expired sessions.

        Raises:
            StorageError: the store did not respond.
        """
        sessions = await self._documents.read_all(SESSIONS, SessionDocument)
        expired = [session for session in sessions if _is_expired(session)]
        for session in expired:
            await self._delete(session.id)
        names = (await self._documents.listing(SESSIONS)).names
        if len(names) > len(sessions):
            for name in names:
                await self._documents.delete_damaged(SESSIONS + name, SessionDocument)
        return len(expired)

    async def _delete(self, session_id: str) -> None:
        key = session_key(session_id)
        try:
            await self._documents.change(key, SessionDocument, lambda _: None)
        except DamagedDocumentError:
            if not await self._documents.delete_damaged(key, SessionDocument):
                raise


def _is_expired(session: SessionDocument) -> bool:
    return session.begun < time() - LIFETIME_SECONDS


def _digest(identifier: str) -> str:
    return hashlib.sha256(identifier.encode()).hexdigest()[:32]
