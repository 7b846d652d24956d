"""The interface of documents: small JSON values, each changed by one conditional write."""

from __future__ import annotations

import contextlib
import logging
import secrets
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import TypeVar

import msgspec

from cloudrepo_server.errors import DamagedDocumentError, StorageError, TooLargeError
from cloudrepo_server.limits import MAX_DOCUMENT, MAX_READ_DOCUMENT
from cloudrepo_server.models import Document
from cloudrepo_server.storage.objects import Store

log = logging.getLogger("cloudrepo_server")

D = TypeVar("D", bound=Document)


class Listing(msgspec.Struct, frozen=True):
    """The sorted names of the documents below a prefix.

    `revision` changes whenever the names change.
    """

    names: tuple[str, ...]
    revision: str = msgspec.field(default_factory=lambda: secrets.token_hex(8))


class Versions(msgspec.Struct, frozen=True):
    """The documents below a prefix, by name, each with a text that identifies its version.

    The text changes whenever the document changes. `revision` changes with any of the documents.
    """

    by_name: Mapping[str, str]
    revision: str = msgspec.field(default_factory=lambda: secrets.token_hex(8))


class Documents(ABC):
    """Documents under keys; each document carries a revision of its own."""

    def __init__(self, store: Store) -> None:
        self._document_store = store
        self._reported: set[str] = set()
        self.revision: int | None = None
        """A number that changes with every change of a document; None for a shared store."""
        self.damaged_keys: set[str] = set()
        """The keys of the damaged documents that reads have found and that are not deleted yet."""
        self.counts: Counter[str] = Counter()
        """Counters for the metrics: requests to a shared store, and some of their results."""

    @abstractmethod
    def require_fresh(self) -> None:
        """Require fresh reads: in this task, reads return no state older than this moment."""

    @abstractmethod
    def prefetch(self, *keys: tuple[str, type[Document]]) -> None:
        """Start reading documents that will be needed soon, all of them at once."""

    @abstractmethod
    async def read(self, key: str, type_: type[D]) -> D | None:
        """Return the document under `key`, or None.

        Raises:
            StorageError: the store did not respond.
        """

    @abstractmethod
    async def read_uncached(self, key: str, type_: type[D]) -> D | None:
        """Return the document under `key`, or None, without adding it to the cache.

        For callers that read all documents once.

        Raises:
            StorageError: the store did not respond.
        """

    @abstractmethod
    async def read_all(self, prefix: str, type_: type[D]) -> list[D]:
        """Return all documents below `prefix`, which ends with a slash, sorted by key.

        Damaged documents are left out, and reported in the log.

        Raises:
            StorageError: the store did not respond.
        """

    @abstractmethod
    async def delete_damaged(self, key: str, type_: type[Document]) -> bool:
        """Delete the document under `key` if it is damaged, and return whether it was.

        Raises:
            StorageError: the store did not respond.
        """

    @contextlib.contextmanager
    def noting_damage(self, key: str) -> Iterator[None]:
        """Add `key` to the damaged keys if its document is damaged when the context reads it."""
        try:
            yield
        except DamagedDocumentError:
            self.damaged_keys.add(key)
            raise
        except FileNotFoundError:
            self.damaged_keys.discard(key)
            raise
        self.damaged_keys.discard(key)

    def report_damage(self, error: DamagedDocumentError) -> None:
        """Log a warning about a damaged document, once for each document."""
        if str(error) not in self._reported:
            self._reported.add(str(error))
            log.warning("%s", error)

    @abstractmethod
    async def listing(self, prefix: str) -> Listing:
        """Return the names of the documents below `prefix`, which ends with a slash.

        Raises:
            StorageError: the store did not respond.
        """

    @abstractmethod
    async def versions(self, prefix: str) -> Versions:
        """Return the documents below `prefix`, which ends with a slash, without reading them.

        Raises:
            StorageError: the store did not respond.
        """

    @abstractmethod
    async def change(
        self,
        key: str,
        type_: type[D],
        change: Callable[[D | None], D | None],
        *,
        prepare: Callable[[D | None], Awaitable[None]] | None = None,
    ) -> None:
        """Replace the document under `key` with the result of `change`.

        If `change` returns None, the document is deleted. If it returns the document that it
        received, nothing is written. `change` is called again after a conflict with another writer.
        If it raises, the document stays unchanged. `prepare` is awaited before each call of
        `change`. It reads data that must not be older than the document that it receives.

        Raises:
            StorageError: the store did not apply the change.
            UncertainError: the store may or may not have applied the change.
        """


def encode_document(document: Document, *, replaced_size: int) -> bytes:
    """Return an encoded document.

    An earlier version of the server may have written a larger document than this version allows.
    Such a document may change as long as it does not grow.

    Args:
        document: the document.
        replaced_size: the size of the document that it replaces.

    Raises:
        TooLargeError: it is larger than any document may be.
    """
    encoded = msgspec.json.encode(document)
    if len(encoded) > max(MAX_DOCUMENT, replaced_size):
        raise TooLargeError(
            "The change was rejected, because the project or object that it changes would become "
            f"too large: the limit is {MAX_DOCUMENT} bytes. Delete files first."
        )
    return encoded


def decode_document(key: str, encoded: bytes | memoryview, type_: type[D]) -> D:
    """Return a decoded document.

    Raises:
        DamagedDocumentError: the JSON is damaged, or describes another type.
    """
    try:
        return msgspec.json.decode(encoded, type=type_)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise damaged(key, str(error)) from error


def check_size(key: str, size: int) -> None:
    """Check the size of a stored document before it takes memory.

    Raises:
        DamagedDocumentError: it is larger than any document that a server has written.
    """
    if size > MAX_READ_DOCUMENT:
        raise damaged(key, f"it has {size} bytes, and the limit is {MAX_READ_DOCUMENT}")


def damaged(key: str, reason: str) -> DamagedDocumentError:
    """Return the error for a document that cannot be read."""
    return DamagedDocumentError(
        f"the stored document {key} cannot be read: {reason}; delete it, or restore a backup"
    )


def check_type(document: Document, type_: type[D]) -> D:
    """Return the document, after checking its type.

    Raises:
        StorageError: the document has another type.
    """
    if not isinstance(document, type_):
        found = type(document).__name__
        raise StorageError(f"expected a stored {type_.__name__}, found a {found}")
    return document
