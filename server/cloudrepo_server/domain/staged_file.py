"""An uploaded file that is not published yet: stored and digested while it arrives."""

import asyncio
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from io import BytesIO
from time import monotonic
from typing import IO, Protocol

from cloudrepo_server.errors import InvalidError, StagedFileLostError, StorageError, TooLargeError
from cloudrepo_server.keys import blobs_of
from cloudrepo_server.pools import ARCHIVES
from cloudrepo_server.storage import Storage

# The algorithm of each digest field of the upload form. All clients send hexadecimal digits.
DIGEST_FIELDS = {"sha256_digest": "sha256", "md5_digest": "md5", "blake2_256_digest": "blake2_256"}

SAFE_AGE_SECONDS = 1.0
"""The age of a blob up to which an upload does not look for garbage collections.

So garbage collection of a shared store must keep blobs that are younger than this.
"""

_CHUNK = 1 << 20
_GARBAGE_COLLECTION_SECONDS = 60.0
_POLL_SECONDS = 0.25


class _Hash(Protocol):
    def update(self, data: bytes, /) -> None: ...
    def hexdigest(self) -> str: ...


class StagedFile:
    """A blob that no document refers to yet, with digests of its content."""

    def __init__(
        self,
        storage: Storage,
        repository_id: str,
        filename: str,
        *,
        limit: int | None,
        digests: Iterable[str] = (),
        too_large: TooLargeError | None = None,
    ) -> None:
        self.filename = filename
        self.size = 0
        self._storage = storage
        self._limit = limit
        self._too_large = too_large
        self._repository_id = repository_id
        self._writer = storage.new_blob(blobs_of(repository_id))
        self._hashes = {name: _new_hash(name) for name in {"sha256", *digests}}
        self._finished = False
        self._created = monotonic()

    @property
    def key(self) -> str:
        """The key of the blob."""
        return self._writer.key

    async def write(self, data: bytes) -> None:
        """Add content.

        Raises:
            TooLargeError: the file is larger than the limit.
            StorageError: the store did not accept the content.
        """
        self.size += len(data)
        if self._limit is not None and self.size > self._limit:
            raise self._too_large or TooLargeError(
                f"{self.filename} is too large: the limit is {self._limit} bytes."
            )
        for hash_ in self._hashes.values():
            hash_.update(data)
        await self._writer.write(data)

    async def digest(self, name: str) -> str:
        """Return a digest of the content, in hexadecimal digits.

        Raises:
            StorageError: the store did not accept or return the content.
        """
        if name not in self._hashes:
            # The form declared this digest after the content.
            await self.finish()
            self._hashes[name] = await ARCHIVES.run(self._read_and_digest, name)
        return self._hashes[name].hexdigest()

    async def check_digests(self, declared: Mapping[str, str]) -> None:
        """Compare the content with the declared digests, by the names of the form's fields.

        Raises:
            InvalidError: a digest differs.
        """
        field = await self.find_wrong_digest(declared)
        if field is not None:
            actual = await self.digest(DIGEST_FIELDS[field])
            raise InvalidError(
                f"The {field} of the form does not match {self.filename}: "
                f"the digest of the content is {actual}."
            )

    async def find_wrong_digest(self, declared: Mapping[str, str]) -> str | None:
        """Return the first field whose digest does not match the content, or None."""
        for field, value in declared.items():
            actual = await self.digest(DIGEST_FIELDS[field])
            if not hmac.compare_digest(actual.encode(), value.strip().lower().encode()):
                return field
        return None

    async def finish(self) -> None:
        """Make the blob readable.

        Raises:
            StorageError: the store did not accept it.
        """
        if not self._finished:
            await self._writer.finish()
            self._finished = True

    async def require_present(self) -> None:
        """Check that garbage collection has not deleted the blob of a slow upload.

        Waits for a garbage collection that is about to delete blobs of this age.

        Raises:
            StagedFileLostError: garbage collection deleted the blob.
            StorageError: the garbage collection did not end in time, or the store did not respond.
        """
        started = monotonic()
        if not self._storage.shared or started - self._created < SAFE_AGE_SECONDS:
            return
        while True:
            # In this order: an announcement is withdrawn only after the blobs are deleted.
            deleted_before = await self._storage.announced_deletion(self._repository_id)
            written = await self._writer.written()
            if written is None:
                raise StagedFileLostError(
                    f"the upload of {self.filename} took so long that garbage collection deleted "
                    "its content; nothing was changed, so upload it again"
                )
            if written > deleted_before:
                return
            if monotonic() - started > _GARBAGE_COLLECTION_SECONDS:
                raise StorageError(
                    f"garbage collection did not end in {_GARBAGE_COLLECTION_SECONDS:g} seconds, "
                    f"and may delete the content of {self.filename}; "
                    "nothing was changed, so upload it again"
                )
            await asyncio.sleep(_POLL_SECONDS)

    def open(self) -> IO[bytes]:
        """Open the content for reading, which may block."""
        small = self.small
        return BytesIO(small) if small is not None else self._storage.open(self.key, self.size)

    @property
    def small(self) -> bytes | None:
        """The content, if it is small enough to be in memory."""
        return self._writer.small

    def discard(self) -> None:
        """Delete the blob."""
        if self._finished:
            self._storage.delete(self.key)
        else:
            self._writer.discard()

    def _read_and_digest(self, name: str) -> _Hash:
        hash_ = _new_hash(name)
        with self.open() as content:
            while data := content.read(_CHUNK):
                hash_.update(data)
        return hash_


def _new_hash(name: str) -> _Hash:
    if name == "blake2_256":
        return hashlib.blake2b(digest_size=32)
    return hashlib.new(name, usedforsecurity=False)
