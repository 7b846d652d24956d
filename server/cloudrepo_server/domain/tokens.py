"""Tokens, each valid for one repository."""

import hmac
import secrets
from collections.abc import Callable
from time import time

import msgspec

from cloudrepo_server.changes import note_change
from cloudrepo_server.domain.passphrases import hash_secret
from cloudrepo_server.domain.token_uses import TokenUses
from cloudrepo_server.domain.token_values import (
    check_name,
    check_value,
    generated_token,
    is_chosen_value,
    is_token_id,
    split_token,
    time_of_expiry,
)
from cloudrepo_server.errors import ConflictError, DamagedDocumentError, NotFoundError
from cloudrepo_server.keys import TOKENS, chosen_token_key, token_key
from cloudrepo_server.models import RepositoryDocument, TokenDocument
from cloudrepo_server.specs.timestamps import now
from cloudrepo_server.storage import Documents


class Tokens:
    """The tokens of an organization.

    A generated token has the form `cloudrepo.ID.SECRET`. A token that was minted for a trusted
    publisher has the form `pypi-cloudrepo.ID.SECRET`. The ID is part of the key of the token's
    document. The value of a token can also be chosen. The key of its document is then made from
    the id of its repository and a digest of the value.
    """

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self.uses = TokenUses(documents)

    async def create(
        self,
        repository: RepositoryDocument,
        *,
        name: str = "",
        value: str | None = None,
        read_only: bool = False,
        projects: tuple[str, ...] | None = None,
        publisher: str | None = None,
        attestation_publisher: dict[str, str | None] | None = None,
        expires: float | None = None,
        expires_in: float | None = None,
    ) -> tuple[TokenDocument, str]:
        """Create a token; return its document and the token itself, which is not stored.

        Args:
            repository: the repository for which the token is valid.
            name: what the token is for.
            value: the token itself; None means that it is generated.
            read_only: whether the token may not publish.
            projects: the only projects that it may publish; by default any project.
            publisher: the trusted publisher for which it is minted, or None.
            attestation_publisher: the same publisher, as provenance objects show it.
            expires: the time from which it is not valid any more, in seconds since the epoch.
            expires_in: the same time, in seconds from now, instead of `expires`.

        Raises:
            InvalidError: the name, the value or the lifetime is not valid.
            ConflictError: the repository has another token with this value.
        """
        check_name(name)
        secret = secrets.token_urlsafe(32) if value is None else check_value(value)
        document = TokenDocument(
            id=secrets.token_hex(8),
            repository=repository.name,
            repository_id=repository.id,
            secret=hash_secret(secret),
            read_only=read_only,
            created=now(),
            projects=projects,
            publisher=publisher,
            attestation_publisher=attestation_publisher,
            expires=expires if expires_in is None else time_of_expiry(expires_in),
            name=name,
            chosen_key=None if value is None else chosen_token_key(repository.id, value),
        )

        def add(existing: TokenDocument | None) -> TokenDocument:
            if existing is not None:
                raise ConflictError(
                    f"The repository {repository.name} already has a token with this value: "
                    f"revoke the token {existing.id} first, or choose another value."
                )
            return document

        await self._documents.change(document.key, TokenDocument, add)
        note_change(
            "create-token" if publisher is None else "mint-token",
            repository=repository.name,
            subject=document.id,
            detail=publisher or name,
        )
        if value is not None:
            return document, value
        return document, generated_token(document.id, secret, minted=publisher is not None)

    async def all(self) -> list[TokenDocument]:
        """Return every token, oldest first."""
        documents = await self._documents.read_all(TOKENS, TokenDocument)
        return sorted(documents, key=lambda document: document.created)

    async def get(self, token_id: str) -> TokenDocument:
        """Return the token with this id.

        Raises:
            NotFoundError: there is no token with this id.
        """
        document = await self._documents.read(await self._key(token_id), TokenDocument)
        if document is None:
            raise _not_found(token_id)
        return document

    async def update(
        self,
        token_id: str,
        *,
        name: str | None = None,
        expires_in: float | None = None,
        never_expires: bool = False,
    ) -> TokenDocument:
        """Change a token, from the next request on. Return the changed token.

        Args:
            token_id: the id of the token.
            name: its new name; None keeps the name.
            expires_in: in how many seconds the token expires; None keeps the time.
            never_expires: let the token never expire.

        Raises:
            InvalidError: the name or the lifetime is not valid.
            NotFoundError: there is no token with this id.
        """
        check_name(name or "")
        moment = None if expires_in is None else time_of_expiry(expires_in)
        changed: TokenDocument | None = None

        def change(existing: TokenDocument | None) -> TokenDocument:
            nonlocal changed
            if existing is None:
                raise _not_found(token_id)
            expires = existing.expires if moment is None else moment
            changed = msgspec.structs.replace(
                existing,
                name=existing.name if name is None else name,
                expires=None if never_expires else expires,
            )
            return changed

        await self._documents.change(await self._key(token_id), TokenDocument, change)
        if changed is None:
            raise _not_found(token_id)
        note_change(
            "change-token", repository=changed.repository, subject=token_id, detail=changed.name
        )
        return changed

    async def delete(self, token_id: str) -> None:
        """Revoke a token, from the next request on.

        Raises:
            NotFoundError: there is no token with this id.
        """
        repository: str | None = None

        def delete(existing: TokenDocument | None) -> None:
            nonlocal repository
            if existing is None:
                raise _not_found(token_id)
            repository = existing.repository

        await self._delete(await self._key(token_id), delete)
        note_change("delete-token", repository=repository, subject=token_id)

    async def revoke(self, token: TokenDocument) -> None:
        """Revoke a token if it still exists, from the next request on.

        Raises:
            StorageError: the store did not respond.
        """
        await self._delete(token.key, lambda _: None)

    async def _delete(
        self, key: str, delete: Callable[[TokenDocument | None], TokenDocument | None]
    ) -> None:
        try:
            await self._documents.change(key, TokenDocument, delete)
        except DamagedDocumentError:
            if not await self._documents.delete_damaged(key, TokenDocument):
                raise

    async def delete_expired(self) -> list[TokenDocument]:
        """Delete expired tokens of trusted publishing; return all other tokens.

        Raises:
            StorageError: the store did not respond.
        """
        valid = []
        for each in await self.all():
            if is_expired(each) and each.publisher is not None:
                await self.revoke(each)
            else:
                valid.append(each)
        return valid

    def prefetch(self, text: str) -> None:
        """Start reading the document of a token in the background, if the text is a token."""
        token_id, _ = split_token(text)
        if token_id:
            self._documents.prefetch((token_key(token_id), TokenDocument))

    async def verify(self, token: str) -> TokenDocument | None:
        """Return the document of this generated token, or None if the token is not valid."""
        document = await self.find(token)
        return None if document is None or is_expired(document) else document

    async def find(self, token: str, *, repository_id: str | None = None) -> TokenDocument | None:
        """Return the document of this token, which may have expired, or None.

        Args:
            token: the token.
            repository_id: the repository whose tokens may have chosen values. Without it, only
                generated tokens are found.
        """
        token_id, secret = split_token(token)
        if token_id:
            key = token_key(token_id)
        elif repository_id is not None and is_chosen_value(token):
            key, secret = chosen_token_key(repository_id, token), token
        else:
            return None
        try:
            document = await self._documents.read(key, TokenDocument)
        except DamagedDocumentError as error:
            self._documents.report_damage(error)
            return None
        if document is None or not hmac.compare_digest(hash_secret(secret), document.secret):
            return None
        return document

    async def _key(self, token_id: str) -> str:
        """Return the key under which the token with an id is stored, if it exists.

        Raises:
            NotFoundError: no token can have this id, because stores limit the length of a key.
        """
        if not is_token_id(token_id):
            raise _not_found(token_id)
        key = token_key(token_id)
        try:
            if await self._documents.read(key, TokenDocument) is not None:
                return key
        except DamagedDocumentError:
            return key
        for each in await self.all():
            if each.id == token_id:
                return each.key
        return key


def is_expired(token: TokenDocument) -> bool:
    """Return whether a token is not valid any more."""
    return token.expires is not None and token.expires <= time()


def _not_found(token_id: str) -> NotFoundError:
    return NotFoundError(f"The token {token_id} was not found.")
