"""An uploaded file that is not published yet: stored and digested while it arrives."""

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from io import BytesIO
from time import monotonic
from typing import IO, Protocol

from cloudrepo_server.errors import InvalidError, StagedFileLostError, TooLargeError
from cloudrepo_server.pools import ARCHIVES
from cloudrepo_server.storage import Storage

# The algorithm of each digest field of the upload form. All clients send hexadecimal digits.
DIGEST_FIELDS = {"sha256_digest": "sha256", "md5_digest": "md5", "blake2_256_digest": "blake2_256"}

_SMALL = 64 << 10
# A blob that is younger than this is not checked, to save a request to the store. So a sweep of a
# shared store must keep younger blobs: its `--older-than` must be longer than any upload takes.
_SAFE_AGE_SECONDS = 1.0
_CHUNK = 1 << 20


class _Hash(Protocol):
    def update(self, data: bytes, /) -> None: ...
    def hexdigest(self) -> str: ...


class StagedFile:
    """A blob that no document refers to yet, with digests of its content."""

    def __init__(
        self,
        storage: Storage,
        prefix: str,
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
        self._too_large = too_large or TooLargeError(
            f"{filename} is too large: the limit is {limit} bytes."
        )
        self._writer = storage.new_blob(prefix)
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
            raise self._too_large
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
        """Return the first field whose digest is not that of the content, or None."""
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

        Raises:
            StagedFileLostError: garbage collection deleted the blob.
            StorageError: the store did not respond.
        """
        safe = monotonic() - self._created < _SAFE_AGE_SECONDS
        if self._storage.shared and not safe and not await self._writer.is_complete():
            raise StagedFileLostError(
                f"the upload of {self.filename} took so long that garbage collection deleted its "
                "content; nothing was changed, so upload it again"
            )

    def open(self) -> IO[bytes]:
        """Open the content for reading; reading blocks unless the file is small."""
        small = self._writer.small
        if small is not None:
            return BytesIO(small)
        return self._storage.open(self.key, self.size)

    @property
    def is_small(self) -> bool:
        """Whether the content is small enough to be read in the event loop."""
        return self.size <= _SMALL

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
