"""Hashes of passphrases and of other secrets.

A generated passphrase is hashed with SHA-256, since nobody can guess it. A passphrase that a person
chose is hashed with scrypt, which makes each guess slow. A hash states its algorithm and cost, so
the cost of new hashes can be raised while old ones stay valid:

    sha256$HEX
    scrypt$N$R$P$SALT$KEY     salt and key in base64
    scrypt$SALT$KEY           written by early versions, with the cost of `_UNSTATED_COST`
"""

import base64
import hashlib
import hmac
import secrets
import string

import msgspec

from cloudrepo_server.domain.fair_queue import FairQueue
from cloudrepo_server.errors import StorageError
from cloudrepo_server.pools import HASHES


class ScryptCost(msgspec.Struct, frozen=True):
    """The cost parameters of scrypt (RFC 7914)."""

    n: int
    r: int
    p: int

    @property
    def memory(self) -> int:
        """The memory in bytes that one hash needs."""
        return 128 * self.r * (self.n + self.p + 2)


COST = ScryptCost(n=1 << 14, r=8, p=1)
"""The cost of new hashes: 16 MiB, and about 50 ms."""

_UNSTATED_COST = ScryptCost(n=1 << 14, r=8, p=1)
_CONCURRENT_HASHES = 2
_CHARACTERS = string.ascii_letters + string.digits
_GENERATED_LENGTH = 32


class PassphraseHasher:
    """A hasher of passphrases, which works on a few at a time because scrypt needs memory.

    Users take turns. Many wrong passphrases for one user therefore do not delay other users.
    """

    def __init__(self) -> None:
        self._queue = FairQueue(_CONCURRENT_HASHES)

    async def hash_chosen(self, passphrase: str, *, user: str = "") -> str:
        """Return the scrypt hash of a passphrase that a person chose for a user."""
        salt = secrets.token_bytes(16)
        async with self._queue.turn(user, ""):
            key = await _scrypt(_bytes(passphrase), salt, COST)
        return f"scrypt${COST.n}${COST.r}${COST.p}${_encode(salt)}${_encode(key)}"

    async def matches(
        self, passphrase: str, stored: str, *, user: str = "", client: str = ""
    ) -> bool:
        """Return whether a stored hash is the hash of this passphrase.

        Args:
            passphrase: the passphrase.
            stored: the hash.
            user: the user whose hash it is.
            client: the address of the client that sent the passphrase.

        Raises:
            StorageError: the stored hash cannot be read.
        """
        match stored.split("$"):
            case ["sha256", expected]:
                return hmac.compare_digest(hash_secret(passphrase), expected)
            case ["scrypt", n, r, p, salt, expected]:
                cost = ScryptCost(int(n), int(r), int(p))
            case ["scrypt", salt, expected]:
                cost = _UNSTATED_COST
            case _:
                raise StorageError(
                    f"the stored passphrase of the user {user} has an unknown format: set a new one"
                )
        async with self._queue.turn(user, client):
            key = await _scrypt(_bytes(passphrase), base64.b64decode(salt), cost)
        return hmac.compare_digest(_encode(key), expected)


async def derive_key(secret: bytes, *, salt: bytes) -> bytes:
    """Return a key that is derived from a secret, which may be a passphrase that a person chose.

    The derivation is slow, so that someone who has the salt and something that was signed with the
    key cannot guess the secret.
    """
    return await _scrypt(secret, salt, COST)


def generate_passphrase() -> str:
    """Return a passphrase of 190 random bits.

    It has only letters and digits, because programs take an argument that begins with a hyphen for
    an option.
    """
    return "".join(secrets.choice(_CHARACTERS) for _ in range(_GENERATED_LENGTH))


def hash_generated(passphrase: str) -> str:
    """Return the SHA-256 hash of a generated passphrase."""
    return f"sha256${hash_secret(passphrase)}"


def hash_secret(secret: str) -> str:
    """Return the SHA-256 digest of a generated secret, in hexadecimal."""
    return hashlib.sha256(_bytes(secret)).hexdigest()


async def _scrypt(secret: bytes, salt: bytes, cost: ScryptCost) -> bytes:
    return await HASHES.run(
        hashlib.scrypt,
        secret,
        salt=salt,
        n=cost.n,
        r=cost.r,
        p=cost.p,
        # The default limit is 32 MiB, which a higher cost exceeds.
        maxmem=2 * cost.memory,
    )


def _bytes(passphrase: str) -> bytes:
    return passphrase.encode(errors="surrogateescape")


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode()
