"""Repository users, their passphrases, and tokens."""

import asyncio
import base64
import hashlib
import hmac
import re
import secrets
from collections import OrderedDict

import msgspec

from cloudrepo_server.errors import ConflictError, InvalidError, NotFoundError
from cloudrepo_server.keys import TOKENS, USERS, token_key, user_key
from cloudrepo_server.models import RepositoryDocument, TokenDocument, UserDocument
from cloudrepo_server.specs.timestamps import now
from cloudrepo_server.storage import Storage

MIN_PASSPHRASE = 8
MAX_PASSPHRASE = 1024
MAX_EMAIL = 254
# A colon would end the user name in HTTP Basic authentication (RFC 7617); blanks stand in quotes.
EMAIL = r'([^\s:"]+|"[^:"]+")@[^\s:/@]+'

_SCRYPT_COST = 1 << 14
_SCRYPT_BLOCK = 8
_SLOW_HASHES_AT_ONCE = 2
_REMEMBERED = 1024
_TOKEN_PARTS = 3


class Users:
    """The repository users of an organization; their e-mail addresses are compared without case."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._verified: OrderedDict[tuple[str, bytes], str] = OrderedDict()
        self._slow_hashes = asyncio.Semaphore(_SLOW_HASHES_AT_ONCE)

    async def create(
        self,
        email: str,
        *,
        passphrase: str | None = None,
        read_only: bool = False,
        run: str | None = None,
    ) -> tuple[UserDocument, str | None]:
        """A new user, and the passphrase that was generated where none was given.

        `run` is the test run that it is made for.

        Raises:
            InvalidError: the e-mail address or the passphrase cannot be used.
            ConflictError: there is such a user.
        """
        _check_email(email)
        generated = secrets.token_urlsafe(24) if passphrase is None else None
        user = UserDocument(
            email=email,
            passphrase=await self._hash(passphrase, generated),
            read_only=read_only,
            run=run,
            created=now(),
        )

        def add(existing: UserDocument | None) -> UserDocument:
            if existing is not None:
                raise ConflictError(f"There is a user {existing.email} already.")
            return user

        await self._storage.change(user_key(email), UserDocument, add)
        return user, generated

    async def get(self, email: str) -> UserDocument:
        """The user of that address.

        Raises:
            NotFoundError: there is none.
        """
        user = await self._storage.read(user_key(email), UserDocument)
        if user is None:
            raise NotFoundError(f"There is no user {email}.")
        return user

    async def all(self) -> list[UserDocument]:
        """Every user, by address."""
        found = await self._storage.read_all(USERS, UserDocument)
        return sorted(found, key=lambda user: user.email)

    async def update(
        self, email: str, *, passphrase: str | None = None, read_only: bool | None = None
    ) -> UserDocument:
        """Change a user's passphrase or rights, from the next request on.

        Raises:
            InvalidError: the passphrase cannot be used.
            NotFoundError: there is no such user.
        """
        hashed = None if passphrase is None else await self._hash(passphrase, None)

        def change(existing: UserDocument | None) -> UserDocument:
            if existing is None:
                raise NotFoundError(f"There is no user {email}.")
            return msgspec.structs.replace(
                existing,
                passphrase=hashed or existing.passphrase,
                read_only=existing.read_only if read_only is None else read_only,
            )

        await self._storage.change(user_key(email), UserDocument, change)
        return await self.get(email)

    async def delete(self, email: str, *, run: str | None = None) -> None:
        """Revoke a user's access, from the next request on; where a run is named, if it is its.

        Raises:
            NotFoundError: there is no such user.
        """

        def remove(existing: UserDocument | None) -> None:
            if existing is None or run not in (None, existing.run):
                raise NotFoundError(f"There is no user {email}.")

        await self._storage.change(user_key(email), UserDocument, remove)

    def prefetch(self, email: str) -> None:
        """Say that this user's passphrase will be verified."""
        self._storage.prefetch((user_key(email), UserDocument))

    async def verify(self, email: str, passphrase: str) -> UserDocument | None:
        """The user whose passphrase this is, or None."""
        user = await self._storage.read(user_key(email), UserDocument)
        if user is None:
            return None
        # A slow hash is paid once: what was verified is remembered with the document's revision.
        remembered = email, hashlib.sha256(passphrase.encode(errors="surrogateescape")).digest()
        if self._verified.get(remembered) == user.revision:
            return user
        if not await self._matches(passphrase, user.passphrase):
            return None
        self._verified[remembered] = user.revision
        if len(self._verified) > _REMEMBERED:
            self._verified.popitem(last=False)
        return user

    async def _hash(self, chosen: str | None, generated: str | None) -> str:
        if chosen is None:
            return "sha256$" + _sha256(generated or "")
        if not MIN_PASSPHRASE <= len(chosen) <= MAX_PASSPHRASE:
            raise InvalidError(
                f"A passphrase has {MIN_PASSPHRASE} to {MAX_PASSPHRASE} characters, "
                f"this one has {len(chosen)}."
            )
        salt = secrets.token_bytes(16)
        return f"scrypt${_text(salt)}${_text(await self._scrypt(chosen, salt))}"

    async def _matches(self, passphrase: str, stored: str) -> bool:
        # A passphrase of full entropy needs no slow hash; one that a person chose does.
        kind, _, rest = stored.partition("$")
        if kind == "sha256":
            return hmac.compare_digest(_sha256(passphrase), rest)
        salt, _, expected = rest.partition("$")
        hashed = await self._scrypt(passphrase, base64.b64decode(salt))
        return hmac.compare_digest(_text(hashed), expected)

    async def _scrypt(self, passphrase: str, salt: bytes) -> bytes:
        # Each takes 16 MiB for a moment.
        async with self._slow_hashes:
            return await asyncio.to_thread(
                hashlib.scrypt,
                passphrase.encode(errors="surrogateescape"),
                salt=salt,
                n=_SCRYPT_COST,
                r=_SCRYPT_BLOCK,
                p=1,
            )


class Tokens:
    """Tokens, each for one repository; the first part of a token finds its document."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    async def create(
        self, repository: RepositoryDocument, *, read_only: bool = False
    ) -> tuple[TokenDocument, str]:
        """A new token's document, and the token, which nothing stores."""
        secret = secrets.token_urlsafe(32)
        token = TokenDocument(
            id=secrets.token_hex(8),
            repository=repository.name,
            repository_id=repository.id,
            secret=_sha256(secret),
            read_only=read_only,
            created=now(),
        )
        await self._storage.change(token_key(token.id), TokenDocument, lambda _: token)
        return token, f"cloudrepo.{token.id}.{secret}"

    async def all(self) -> list[TokenDocument]:
        """Every token, oldest first."""
        found = await self._storage.read_all(TOKENS, TokenDocument)
        return sorted(found, key=lambda token: token.created)

    async def delete(self, token_id: str) -> None:
        """Revoke a token, from the next request on.

        Raises:
            NotFoundError: there is none of that id.
        """

        def remove(existing: TokenDocument | None) -> None:
            if existing is None:
                raise NotFoundError(f"There is no token {token_id}.")

        if not _is_token_id(token_id):
            remove(None)
        await self._storage.change(token_key(token_id), TokenDocument, remove)

    def prefetch(self, token: str) -> None:
        """Say that this will be verified, which may be a token."""
        token_id, _ = _parts(token)
        if token_id:
            self._storage.prefetch((token_key(token_id), TokenDocument))

    async def verify(self, token: str) -> TokenDocument | None:
        """The document of that token, or None."""
        token_id, secret = _parts(token)
        if not token_id:
            return None
        known = await self._storage.read(token_key(token_id), TokenDocument)
        if known is None or not hmac.compare_digest(_sha256(secret), known.secret):
            return None
        return known


def _check_email(email: str) -> None:
    if len(email) > MAX_EMAIL or not email.isprintable() or re.fullmatch(EMAIL, email) is None:
        raise InvalidError(f"{email[:MAX_EMAIL]!r} is not an e-mail address.")


def _parts(token: str) -> tuple[str, str]:
    # Its document's name and what proves it; nothing of what is no token.
    parts = token.split(".", _TOKEN_PARTS - 1)
    if len(parts) != _TOKEN_PARTS or parts[0] != "cloudrepo" or not _is_token_id(parts[1]):
        return "", ""
    return parts[1], parts[2]


def _is_token_id(text: str) -> bool:
    # It stands in a key, which no store takes at any length.
    return re.fullmatch(r"[0-9a-f]{16}", text, re.ASCII) is not None


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
