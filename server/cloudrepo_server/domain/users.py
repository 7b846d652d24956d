"""Repository users."""

import hashlib
import re

import msgspec
from cachetools import LRUCache

from cloudrepo_server.changes import note_change
from cloudrepo_server.domain.passphrases import (
    PassphraseHasher,
    generate_passphrase,
    hash_generated,
)
from cloudrepo_server.domain.token_values import is_token
from cloudrepo_server.errors import ConflictError, DamagedDocumentError, InvalidError, NotFoundError
from cloudrepo_server.keys import USERS, user_key
from cloudrepo_server.logs.redaction import MASK
from cloudrepo_server.models import UserDocument
from cloudrepo_server.specs.timestamps import now
from cloudrepo_server.storage import Documents

MIN_PASSPHRASE = 8
MAX_PASSPHRASE = 1024
MAX_EMAIL = 254
# No colon, which ends the user name in HTTP Basic authentication (RFC 7617). Spaces only in quotes.
EMAIL = r'([^\s:"]+|"[^:"]+")@[^\s:/@]+'
USER_NAME = r"[A-Za-z0-9][A-Za-z0-9._+-]*"
"""The pattern of user names that are not e-mail addresses, as in devpi and pypiserver."""

_MAX_VERIFIED = 1024


class Users:
    """The repository users of an organization; user names are compared without case."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._hasher = PassphraseHasher()
        # The revision of the user's document with which a passphrase was verified.
        self._verified: LRUCache[tuple[str, bytes], str] = LRUCache(_MAX_VERIFIED)

    async def create(
        self,
        email: str,
        *,
        passphrase: str | None = None,
        read_only: bool = False,
        run: str | None = None,
    ) -> tuple[UserDocument, str | None]:
        """Create a user; return it, and the passphrase if one was generated.

        Args:
            email: the user name, which is an e-mail address or another name.
            passphrase: the passphrase; None means that a passphrase is generated.
            read_only: whether the user may only read.
            run: the pytest session that creates the user, if one does.

        Raises:
            InvalidError: the user name or the passphrase is not valid.
            ConflictError: the user already exists.
        """
        _check_email(email)
        generated = None
        if passphrase is None:
            generated = generate_passphrase()
            hashed = hash_generated(generated)
        else:
            hashed = await self._hash(email, passphrase)
        user = UserDocument(
            email=email,
            passphrase=hashed,
            read_only=read_only,
            run=run,
            created=now(),
        )

        def create(existing: UserDocument | None) -> UserDocument:
            if existing is not None:
                raise _user_exists(existing)
            return user

        await self._documents.change(user_key(email), UserDocument, create)
        note_change("create-user", subject=email, detail="read-only" if read_only else "read/write")
        return user, generated

    async def check_new_email(self, email: str) -> None:
        """Check that a new user can have this user name.

        Raises:
            InvalidError: the user name is not valid.
            ConflictError: the user already exists.
        """
        _check_email(email)
        existing = await self._documents.read(user_key(email), UserDocument)
        if existing is not None:
            raise _user_exists(existing)

    async def get(self, email: str) -> UserDocument:
        """Return the user with this name.

        Raises:
            NotFoundError: there is no such user.
        """
        user = await self._documents.read(user_key(email), UserDocument)
        if user is None:
            raise _user_not_found(email)
        return user

    async def all(self) -> list[UserDocument]:
        """Return every user, sorted by user name."""
        users = await self._documents.read_all(USERS, UserDocument)
        return sorted(users, key=lambda user: user.email)

    async def update(
        self, email: str, *, passphrase: str | None = None, read_only: bool | None = None
    ) -> UserDocument:
        """Change a user's passphrase or permission, from the next request on. Return the user.

        Raises:
            InvalidError: the passphrase is not valid.
            NotFoundError: there is no such user.
        """
        hashed = None if passphrase is None else await self._hash(email, passphrase)

        def update(existing: UserDocument | None) -> UserDocument:
            if existing is None:
                raise _user_not_found(email)
            return msgspec.structs.replace(
                existing,
                passphrase=hashed or existing.passphrase,
                read_only=existing.read_only if read_only is None else read_only,
            )

        await self._documents.change(user_key(email), UserDocument, update)
        details = [] if passphrase is None else ["new passphrase"]
        if read_only is not None:
            details.append("read-only" if read_only else "read/write")
        note_change("change-user", subject=email, detail=", ".join(details))
        return await self.get(email)

    async def delete(self, email: str, *, run: str | None = None) -> None:
        """Delete a user, from the next request on.

        With `run`, delete the user only if that pytest session created it.

        Raises:
            NotFoundError: there is no such user.
        """

        def delete(existing: UserDocument | None) -> None:
            if existing is None or run not in (None, existing.run):
                raise _user_not_found(email)

        try:
            await self._documents.change(user_key(email), UserDocument, delete)
        except DamagedDocumentError:
            if run is not None or not await self._documents.delete_damaged(
                user_key(email), UserDocument
            ):
                raise
        note_change("delete-user", subject=email)

    async def exists(self, email: str) -> bool:
        """Return whether a user has this name, even if its document is damaged."""
        try:
            return await self._documents.read(user_key(email), UserDocument) is not None
        except DamagedDocumentError:
            return True

    def prefetch(self, email: str) -> None:
        """Start reading a user's document in the background."""
        self._documents.prefetch((user_key(email), UserDocument))

    async def verify(self, email: str, passphrase: str, *, client: str = "") -> UserDocument | None:
        """Return the user with this name and passphrase, or None.

        `client` is the address of the client that sent them: clients take turns.
        """
        try:
            user = await self._documents.read(user_key(email), UserDocument)
        except DamagedDocumentError as error:
            self._documents.report_damage(error)
            return None
        if user is None:
            return None
        # scrypt is slow, so a verified passphrase is remembered until the user's document changes.
        credentials = email, hashlib.sha256(passphrase.encode(errors="surrogateescape")).digest()
        if self._verified.get(credentials) == user.revision:
            return user
        if not await self._hasher.matches(
            passphrase, user.passphrase, user=user.email.casefold(), client=client
        ):
            return None
        self._verified[credentials] = user.revision
        return user

    async def _hash(self, email: str, passphrase: str) -> str:
        check_passphrase(passphrase)
        return await self._hasher.hash_chosen(passphrase, user=email.casefold())


def check_passphrase(passphrase: str) -> None:
    """Check a passphrase that a user chose.

    Raises:
        InvalidError: the passphrase is too short or too long.
    """
    if not MIN_PASSPHRASE <= len(passphrase) <= MAX_PASSPHRASE:
        raise InvalidError(
            f"A passphrase must have {MIN_PASSPHRASE} to {MAX_PASSPHRASE} characters; "
            f"this one has {len(passphrase)}."
        )


def _check_email(email: str) -> None:
    """Check the user name of a user, which is an e-mail address or another name.

    Raises:
        InvalidError: the user name is not valid.
    """
    if len(email) > MAX_EMAIL or not email.isprintable() or is_token(email):
        raise _invalid_name(email)
    if re.fullmatch(f"{EMAIL}|{USER_NAME}", email) is None:
        raise _invalid_name(email)


def is_address(username: str) -> bool:
    """Return whether a user name is an e-mail address."""
    return "@" in username


def _invalid_name(email: str) -> InvalidError:
    shown = MASK if is_token(email) else repr(email[:MAX_EMAIL])
    return InvalidError(
        f"{shown} is not a valid e-mail address, nor a valid user name: a user name consists of "
        "letters, digits and the characters '.', '_', '+' and '-'."
    )


def _user_exists(user: UserDocument) -> ConflictError:
    return ConflictError(f"The user {user.email} already exists.")


def _user_not_found(email: str) -> NotFoundError:
    return NotFoundError(f"The user {email} was not found.")
