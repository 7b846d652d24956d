"""The issuer of identity tokens: it signs the tokens of CI jobs, and verifies them.

One key signs the tokens of all providers. It is stored in a document. So servers that share a store
accept each other's tokens, and a restarted server accepts its earlier tokens. The document is
encrypted with a key that is derived from the admin login, so reading the store is not enough to
sign tokens.
"""

import asyncio
import hashlib
import importlib
import math
import secrets
from importlib.util import find_spec
from time import time
from typing import TYPE_CHECKING, Any

import msgspec

from cloudrepo_server.domain.passphrases import derive_key
from cloudrepo_server.errors import InvalidError, TokenRequestError, UnauthenticatedError
from cloudrepo_server.keys import ISSUER_KEY
from cloudrepo_server.limits import MAX_CLAIMS, MAX_IDENTITY_TOKEN
from cloudrepo_server.models import Document
from cloudrepo_server.pools import IMPORTS
from cloudrepo_server.storage import Documents

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

# The beginning of the key's identifier, by which the tokens of this issuer can be recognized.
_KEY_ID_PREFIX = "cloudrepo-"

LEEWAY = 30.0
"""The seconds by which the clocks of an issuer and an index may differ, as on PyPI."""

_ALGORITHM = "RS256"
_KEY_BITS = 2048
_JOB_ISSUER = "cloudrepo"
_JOB_AUDIENCE = "identity-tokens"
_JOB_SECONDS = 6 * 60 * 60
_REQUIRED = ["iss", "iat", "exp", "aud"]


class IssuerKeyDocument(Document, frozen=True, kw_only=True):
    """The encrypted private key, and the salt of the key that encrypts it."""

    salt: str
    pem: str


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """A CI job that may request identity tokens for a repository's publisher."""

    repository: str
    repository_id: str
    provider: str
    fields: dict[str, str]
    claims: dict[str, Any] = {}
    """The claims that differ from those of an ordinary job."""


class IdentityIssuer:
    """The issuer of an organization's identity tokens."""

    def __init__(self, documents: Documents, login: bytes) -> None:
        """Prepare the issuer. Its key is created when the key is first needed.

        Args:
            documents: the store.
            login: a digest of the admin user's name and password.
        """
        self._documents = documents
        self._login = login
        self._key: _Key | None = None
        self._lock = asyncio.Lock()

    @staticmethod
    def is_installed() -> bool:
        """Return whether the extra `trust` is installed."""
        return find_spec("jwt") is not None and find_spec("cryptography") is not None

    async def load(self) -> None:
        """Import the libraries and load the key, if that has not happened yet.

        Raises:
            InvalidError: the extra `trust` is not installed.
            StorageError: the store did not respond.
        """
        await self._load()

    async def sign(self, claims: dict[str, Any]) -> str:
        """Return a token with these claims.

        Raises:
            InvalidError: the extra `trust` is not installed, or the claims are too large or have
                a type that no token can contain.
            StorageError: the store did not respond.
        """
        key = await self._load()
        if len(msgspec.json.encode(claims)) > MAX_CLAIMS:
            raise InvalidError(
                f"The claims are too large: the limit is {MAX_CLAIMS} bytes of JSON."
            )
        import jwt

        try:
            return jwt.encode(claims, key.private, algorithm=_ALGORITHM, headers={"kid": key.id})
        except (TypeError, ValueError, OverflowError) as error:
            raise InvalidError(f"The claims are not valid in a token: {error}") from None

    async def sign_job(self, job: Job) -> str:
        """Return the token with which a job requests its identity tokens.

        The token contains the job, so no server has to remember it.

        Raises:
            InvalidError: the extra `trust` is not installed, or the claims are too large.
            StorageError: the store did not respond.
        """
        now = int(time())
        validity = {"iss": _JOB_ISSUER, "aud": _JOB_AUDIENCE, "iat": now, "exp": now + _JOB_SECONDS}
        return await self.sign({**validity, "job": msgspec.to_builtins(job)})

    async def verify_job(self, token: str) -> Job:
        """Return the job to which a token was given.

        Raises:
            UnauthenticatedError: the token is not valid.
            StorageError: the store did not respond.
        """
        try:
            claims = await self.verify(token, issuer=_JOB_ISSUER, audience=_JOB_AUDIENCE)
            return msgspec.convert(claims["job"], Job)
        except (TokenRequestError, InvalidError, KeyError, msgspec.ValidationError):
            raise UnauthenticatedError(
                "The job's token is wrong or has expired: request identity tokens with the "
                "environment of a CI job."
            ) from None

    async def verify(self, token: str, *, issuer: str, audience: str) -> dict[str, Any]:
        """Return the claims of a token after its signature, issuer, audience and times are checked.

        The claim `exp` is a number, whatever its type in the token.

        Raises:
            TokenRequestError: the token is not valid; the code is `invalid-token`.
            InvalidError: the extra `trust` is not installed.
            StorageError: the store did not respond.
        """
        key = await self._load()
        import jwt

        if len(token) > MAX_IDENTITY_TOKEN:
            raise _invalid_token("it is too long")
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                key.private.public_key(),
                algorithms=[_ALGORITHM],
                issuer=issuer,
                audience=audience,
                leeway=LEEWAY,
                options={"require": _REQUIRED, "strict_aud": True},
            )
            # PyJWT accepts every number and text that `int` accepts. The server stores this time.
            claims["exp"] = float(claims["exp"])
            if not math.isfinite(claims["exp"]):
                raise OverflowError("the time of expiry is infinite")  # noqa: TRY301 (handled below)
        except jwt.ExpiredSignatureError:
            raise _invalid_token("it has expired") from None
        except jwt.ImmatureSignatureError:
            raise _invalid_token("it is not valid yet") from None
        except jwt.InvalidAudienceError:
            raise _invalid_token(f"its audience is not {audience!r}") from None
        except (jwt.InvalidSignatureError, jwt.InvalidAlgorithmError):
            raise _invalid_token(
                "it was not signed by the identity provider of this server"
            ) from None
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError):
            raise _invalid_token("its header or its claims are invalid") from None
        return claims

    async def jwks(self) -> dict[str, Any]:
        """Return the public key as a JSON Web Key Set (RFC 7517).

        Raises:
            InvalidError: the extra `trust` is not installed.
            StorageError: the store did not respond.
        """
        key = await self._load()
        from jwt.algorithms import RSAAlgorithm

        public = RSAAlgorithm.to_jwk(key.private.public_key(), as_dict=True)
        return {"keys": [{**public, "kid": key.id, "alg": _ALGORITHM, "use": "sig"}]}

    async def _load(self) -> "_Key":
        if self._key is None:
            require_extra()
            async with self._lock:
                if self._key is None:
                    # In a thread the imports block no other request.
                    await IMPORTS.run(importlib.import_module, "jwt")
                    self._key = await self._read_or_create()
        return self._key

    async def _read_or_create(self) -> "_Key":
        # A key that is damaged, or encrypted with another admin login, is replaced. That only
        # invalidates the tokens that it signed, which are short-lived.
        await self._documents.delete_damaged(ISSUER_KEY, IssuerKeyDocument)
        existing = await self._documents.read(ISSUER_KEY, IssuerKeyDocument)
        key = None if existing is None else await self._decrypt(existing)
        if key is not None:
            return key
        salt = secrets.token_hex(16)
        generated, pem = await IMPORTS.run(_generate, await self._passphrase(salt))
        new = IssuerKeyDocument(salt=salt, pem=pem)
        unreadable = None if existing is None else existing.pem

        def create(current: IssuerKeyDocument | None) -> IssuerKeyDocument:
            return new if current is None or current.pem == unreadable else current

        await self._documents.change(ISSUER_KEY, IssuerKeyDocument, create)
        # Another server may have created the key at the same time.
        stored = await self._documents.read(ISSUER_KEY, IssuerKeyDocument) or new
        return generated if stored.pem == pem else await self._decrypt(stored) or generated

    async def _decrypt(self, document: IssuerKeyDocument) -> "_Key | None":
        passphrase = await self._passphrase(document.salt)
        return await IMPORTS.run(_decrypt, document.pem, passphrase)

    async def _passphrase(self, salt: str) -> bytes:
        return (await derive_key(self._login, salt=salt.encode())).hex().encode()


class _Key:
    def __init__(self, private: "RSAPrivateKey") -> None:
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        self.private = private
        public = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        self.id = _KEY_ID_PREFIX + hashlib.sha256(public).hexdigest()[:16]


def require_extra() -> None:
    """Check that the libraries for identity tokens are installed.

    Raises:
        InvalidError: the extra `trust` is not installed.
    """
    if not IdentityIssuer.is_installed():
        raise InvalidError(
            "Trusted publishing requires PyJWT and cryptography: install pytest-cloudrepo[trust]."
        )


def _generate(passphrase: bytes) -> tuple[_Key, str]:
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import (
        BestAvailableEncryption,
        Encoding,
        PrivateFormat,
    )

    key = rsa.generate_private_key(public_exponent=65537, key_size=_KEY_BITS)
    encryption = BestAvailableEncryption(passphrase)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption).decode("ascii")
    return _Key(key), pem


def _decrypt(pem: str, passphrase: bytes) -> _Key | None:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(pem.encode(), passphrase)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
    return _Key(key) if isinstance(key, RSAPrivateKey) else None


def _invalid_token(reason: str) -> TokenRequestError:
    return TokenRequestError("invalid-token", f"malformed or invalid token: {reason}")
