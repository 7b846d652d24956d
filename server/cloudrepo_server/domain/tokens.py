"""Tokens, each valid for one repository."""

import hmac
import re
import secrets
from time import time

from cloudrepo_server.domain.passphrases import hash_secret
from cloudrepo_server.errors import DamagedDocumentError, NotFoundError
from cloudrepo_server.keys import TOKENS, token_key
from cloudrepo_server.models import RepositoryDocument, TokenDocument
from cloudrepo_server.specs.timestamps import now
from cloudrepo_server.storage import Documents

TOKEN_PREFIX = "cloudrepo."  # noqa: S105 (the first part of every token, and no secret)
# PyPI's publishing action warns about a token that begins otherwise.
_MINTED = "pypi-"

_ID = re.compile(r"[0-9a-f]{16}", re.ASCII)


class Tokens:
    """The tokens of an organization.

    A token has the form `cloudrepo.ID.SECRET`. A token that was minted for a trusted publisher has
    the form `pypi-cloudrepo.ID.SECRET`. The ID is part of the key of the token's document.
    """

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    async def create(
        self,
        repository: RepositoryDocument,
        *,
        read_only: bool = False,
        projects: tuple[str, ...] | None = None,
        publisher: str | None = None,
        attestation_publisher: dict[str, str | None] | None = None,
        expires: float | None = None,
    ) -> tuple[TokenDocument, str]:
        """Create a token; return its document and the token itself, which is not stored.

        Args:
            repository: the repository for which the token is valid.
            read_only: whether the token may not publish.
            projects: the only projects that it may publish; by default any project.
            publisher: the trusted publisher for which it is minted, or None.
            attestation_publisher: the same publisher, as provenance objects show it.
            expires: the time from which it is not valid any more, in seconds since the epoch.
        """
        secret = secrets.token_urlsafe(32)
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
            expires=expires,
        )
        await self._documents.change(token_key(document.id), TokenDocument, lambda _: document)
        minted = "" if publisher is None else _MINTED
        return document, f"{minted}{TOKEN_PREFIX}{document.id}.{secret}"

    async def all(self) -> list[TokenDocument]:
        """Return every token, oldest first."""
        documents = await self._documents.read_all(TOKENS, TokenDocument)
        return sorted(documents, key=lambda document: document.created)

    async def delete(self, token_id: str) -> None:
        """Revoke a token, from the next request on.

        Raises:
            NotFoundError: there is no token with this id.
        """

        def delete(existing: TokenDocument | None) -> None:
            if existing is None:
                raise NotFoundError(f"The token {token_id} was not found.")

        if not _is_id(token_id):
            delete(None)
        try:
            await self._documents.change(token_key(token_id), TokenDocument, delete)
        except DamagedDocumentError:
            if not await self._documents.delete_damaged(token_key(token_id), TokenDocument):
                raise

    async def delete_expired(self) -> list[TokenDocument]:
        """Delete expired tokens; return all other tokens.

        Raises:
            StorageError: the store did not respond.
        """
        valid = []
        for each in await self.all():
            if is_expired(each):
                await self._documents.change(token_key(each.id), TokenDocument, lambda _: None)
            else:
                valid.append(each)
        return valid

    def prefetch(self, password: str) -> None:
        """Start reading the document of a token in the background, if the password is a token."""
        token_id, _ = _split(password)
        if token_id:
            self._documents.prefetch((token_key(token_id), TokenDocument))

    async def verify(self, token: str) -> TokenDocument | None:
        """Return the document of this token, or None if the token is not valid."""
        token_id, secret = _split(token)
        if not token_id:
            return None
        try:
            document = await self._documents.read(token_key(token_id), TokenDocument)
        except DamagedDocumentError as error:
            self._documents.report_damage(error)
            return None
        if document is None or not hmac.compare_digest(hash_secret(secret), document.secret):
            return None
        return None if is_expired(document) else document


def is_expired(token: TokenDocument) -> bool:
    """Return whether a token is not valid any more."""
    return token.expires is not None and token.expires <= time()


def is_token(password: str) -> bool:
    """Return whether a password has the form of a token; it need not be valid."""
    return password.removeprefix(_MINTED).startswith(TOKEN_PREFIX)


def _split(token: str) -> tuple[str, str]:
    # The id and the secret, or two empty strings if this is not a token.
    if not is_token(token):
        return "", ""
    token_id, _, secret = token.removeprefix(_MINTED).removeprefix(TOKEN_PREFIX).partition(".")
    return (token_id, secret) if secret and _is_id(token_id) else ("", "")


def _is_id(text: str) -> bool:
    # Checked before the text becomes part of a key: stores limit the length of a key.
    return _ID.fullmatch(text) is not None
