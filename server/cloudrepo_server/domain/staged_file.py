"""A file as it arrives: stored and digested in one pass."""

import asyncio
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from io import BytesIO
from time import monotonic
from typing import IO, Protocol

from cloudrepo_server.errors import InvalidError, StagedFileLostError, TooLargeError
from cloudrepo_server.storage import Storage

# The legacy upload form's fields; all clients send hexadecimal digits.
DIGEST_FIELDS = {"sha256_digest": "sha256", "md5_digest": "md5", "blake2_256_digest": "blake2_256"}

_INLINE = 64 << 10
# No sweep takes what is younger.
_YOUNG = 1.0
_CHUNK = 1 << 20


class _Hash(Protocol):
    def update(self, data: bytes, /) -> None: ...
    def hexdigest(self) -> str: ...


class StagedFile:
    """The file part of an upload; nothing refers to its blob until it is published."""

    def __init__(
        self,
        storage: Storage,
        prefix: str,
        filename: str,
        *,
        limit: int | None,
        digests: Iterable[str] = (),
    ) -> None:
        self.filename = filename
        self.size = 0
        self._storage = storage
        self._limit = limit
        self._writer = storage.new_blob(prefix)
        self._hashes = {name: _new_hash(name) for name in {"sha256", *digests}}
        self._finished = False
        self._begun = monotonic()

    @property
    def key(self) -> str:
        """The blob's key."""
        return self._writer.key

    async def write(self, data: bytes) -> None:
        """Add bytes as they arrive.

        Raises:
            TooLargeError: there are more than the repository takes.
            StorageError: the store did not take them.
        """
        self.size += len(data)
        if self._limit is not None and self.size > self._limit:
            raise TooLargeError(
                f"{self.filename} is larger than this repository takes: {self._limit} bytes."
            )
        for known in self._hashes.values():
            known.update(data)
        await self._writer.write(data)

    async def digest(self, name: str) -> str:
        """A digest of all bytes, in hexadecimal digits.

        Raises:
            StorageError: the store did not take them, or did not give them back.
        """
        if name not in self._hashes:
            # It was asked for after the bytes had gone by.
            await self.finish()
            self._hashes[name] = await asyncio.to_thread(self._digest_again, name)
        return self._hashes[name].hexdigest()

    async def check_digests(self, claimed: Mapping[str, str]) -> None:
        """Compare with what the form claims, by the form's names of the digests.

        Raises:
            InvalidError: one differs.
        """
        for field, value in claimed.items():
            actual = await self.digest(DIGEST_FIELDS[field])
            if not hmac.compare_digest(actual.encode(), value.strip().lower().encode()):
                raise InvalidError(
                    f"The {field} of the form does not match {self.filename}: "
                    f"the bytes that arrived have {actual}."
                )

    async def finish(self) -> None:
        """Make the blob readable.

        Raises:
            StorageError: the store did not take it.
        """
        if not self._finished:
            await self._writer.finish()
            self._finished = True

    async def require_present(self) -> None:
        """See that no sweep took the blob, as nothing referred to it for long.

        Raises:
            StagedFileLostError: one did.
            StorageError: the store did not answer.
        """
        young = monotonic() - self._begun < _YOUNG
        if self._storage.shared and not young and not await self._writer.is_complete():
            raise StagedFileLostError(
                f"{self.filename} took so long that its bytes were swept; nothing was changed"
            )

    def open(self) -> IO[bytes]:
        """The bytes, to read from any position; blocks when they are many."""
        small = self._writer.small
        if small is not None:
            return BytesIO(small)
        return self._storage.open(self.key, self.size)

    @property
    def inline(self) -> bool:
        """Whether the bytes are so few that reading them holds nobody up."""
        return self.size <= _INLINE

    def discard(self) -> None:
        """Leave nothing behind."""
        if self._finished:
            self._storage.delete(self.key)
        else:
            self._writer.discard()

    def _digest_again(self, name: str) -> _Hash:
        again = _new_hash(name)
        with self.open() as opened:
            while data := opened.read(_CHUNK):
                again.update(data)
        return again


def _new_hash(name: str) -> _Hash:
    if name == "blake2_256":
        return hashlib.blake2b(digest_size=32)
    return hashlib.new(name, usedforsecurity=False)
