"""Token minting: a job exchanges its identity token for a token that can publish."""

from collections.abc import Sequence
from time import time
from typing import TYPE_CHECKING, Any, NamedTuple

from cloudrepo_server.domain.identity_issuer import IdentityIssuer
from cloudrepo_server.domain.mint_limit import MintLimit
from cloudrepo_server.domain.repository import Repository
from cloudrepo_server.domain.tokens import Tokens
from cloudrepo_server.domain.trusted_publishers import (
    TrustedPublishers,
    describe,
    find_publishers,
    in_provenance,
)
from cloudrepo_server.domain.used_identities import check_unused, use_identity
from cloudrepo_server.errors import TokenRequestError
from cloudrepo_server.models import RepositoryDocument, TrustedPublisher
from cloudrepo_server.storage import Documents

if TYPE_CHECKING:
    from cloudrepo_server.specs.identity_providers.provider import Provider

AUDIENCE = "pypi"
"""The audience of identity tokens for most hosts."""
TEST_AUDIENCE = "testpypi"
"""The audience for hosts such as `test.example`, as PyPI's test instance has it."""


class Identity(NamedTuple):
    """A verified identity token."""

    provider: "Provider"
    claims: dict[str, Any]


class MintedToken(NamedTuple):
    """A token that can publish, until it expires."""

    token: str
    expires: int
    publisher: str


class TokenMint:
    """Mints the tokens of an organization's trusted publishers."""

    def __init__(
        self,
        documents: Documents,
        tokens: Tokens,
        issuer: IdentityIssuer,
        publishers: TrustedPublishers,
    ) -> None:
        self._documents = documents
        self._tokens = tokens
        self._issuer = issuer
        self._publishers = publishers
        self._limit = MintLimit(documents, tokens)

    def is_enabled(self, document: RepositoryDocument) -> bool:
        """Return whether a repository accepts the tokens of at least one identity provider."""
        if not self._issuer.is_installed():
            return False
        if not document.disabled_identity_providers:
            return True
        from cloudrepo_server.specs.identity_providers.table import PROVIDERS

        return not PROVIDERS.keys() <= set(document.disabled_identity_providers)

    async def identify(
        self, identity_token: str, *, audience: str, disabled: Sequence[str] = ()
    ) -> Identity:
        """Return the identity that a token proves.

        Args:
            identity_token: the token.
            audience: the audience that it must be for.
            disabled: the names of the identity providers whose tokens are rejected.

        Raises:
            TokenRequestError: the token is not valid.
            StorageError: the store did not respond.
        """
        if not self._issuer.is_installed():
            raise TokenRequestError(
                "not-enabled",
                "trusted publishing functionality not enabled: install pytest-cloudrepo[trust] "
                "on the server",
            )
        await self._issuer.load()
        from cloudrepo_server.specs.identity_providers.table import ISSUERS

        issuer = _unverified_issuer(identity_token)
        provider = ISSUERS.get(issuer)
        if provider is None:
            raise TokenRequestError("invalid-payload", "unknown trusted publishing issuer")
        if provider.name in disabled:
            raise TokenRequestError(
                "not-enabled", f"{provider.title} trusted publishing functionality not enabled"
            )
        claims = await self._issuer.verify(identity_token, issuer=issuer, audience=audience)
        return Identity(provider, claims)

    async def mint(self, repository: Repository, identity: Identity) -> MintedToken:
        """Return a new token for the projects of the publishers that match an identity.

        Raises:
            TokenRequestError: no publisher matches, or the identity token was used before.
            TooManyTokensError: the repository has its maximum of minted tokens.
            StorageError: the store did not respond.
        """
        publishers = find_publishers(repository.document, *identity)
        used = repository.document.id, identity.provider.issuer, identity.claims
        # An identity token that was used before must neither change anything nor cause much work.
        await check_unused(self._documents, *used)
        async with self._limit.reserve(repository.document):
            await self._publishers.activate(repository, publishers)
            await use_identity(self._documents, *used)
            return await self._create(repository, publishers)

    async def _create(
        self, repository: Repository, publishers: Sequence[TrustedPublisher]
    ) -> MintedToken:
        projects = {each.project for each in publishers if each.project is not None}
        unlimited = any(each.project is None for each in publishers)
        expires = int(time() + repository.document.minted_token_seconds)
        publisher = describe(publishers[0])
        _, token = await self._tokens.create(
            repository.document,
            projects=None if unlimited else tuple(sorted(projects)),
            publisher=publisher,
            attestation_publisher=in_provenance(publishers[0]),
            expires=expires,
        )
        return MintedToken(token, expires, publisher)

    async def burn(self, token: str) -> None:
        """Revoke a minted token. Other tokens and invalid tokens are ignored.

        Raises:
            StorageError: the store did not respond.
        """
        document = await self._tokens.verify(token)
        if document is not None and document.publisher is not None:
            await self._tokens.delete(document.id)


def audience_of(host: str) -> str:
    """Return the audience of the identity tokens that are exchanged at a host."""
    return TEST_AUDIENCE if host.lower().startswith("test.") else AUDIENCE


def _unverified_issuer(token: str) -> str:
    import jwt

    malformed = TokenRequestError("invalid-payload", "malformed JWT")
    try:
        claims = jwt.decode(token, options={"verify_signature": False})
    except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError):
        raise malformed from None
    issuer = claims.get("iss")
    if not isinstance(issuer, str):
        raise malformed
    return issuer
