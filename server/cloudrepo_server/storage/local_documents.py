"""The documents of a store that one process owns.

Only this process writes, so what it read or wrote last is the current state. A change that awaits
nothing between its read and its write is atomic. All operations therefore run inline, mostly from
a cache.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import secrets
import zlib
from collections.abc import Awaitable, Callable

import msgspec
import obstore
from obstore.store import LocalStore, MemoryStore

from cloudrepo_server.errors import DamagedDocumentError
from cloudrepo_server.models import Document
from cloudrepo_server.storage.document_cache import DocumentCache
from cloudrepo_server.storage.documents import (
    D,
    Documents,
    Listing,
    Versions,
    check_size,
    check_type,
    decode_document,
    encode_document,
)
from cloudrepo_server.storage.failures import storage_errors
from cloudrepo_server.storage.objects import Store

# The size of the JSON; a decoded document takes several times as much.
_CACHE_BYTES = 2 << 20
# Compressing a document of this size takes less than a millisecond.
_MAX_COMPRESSED = 64 << 10
_COMPRESSION_LEVEL = 1
# The first byte of the data that `zlib.compress` returns. The JSON of a document begins with `{`.
_COMPRESSED = b"\x78"


class LocalDocuments(Documents):
    """Documents that only this process writes."""

    def __init__(self, store: LocalStore | MemoryStore) -> None:
        Documents.__init__(self, store)
        self.revision = 0
        # Documents in a folder stay JSON, so that every version of the server can read them.
        self._may_compress = isinstance(store, MemoryStore)
        self._cached = DocumentCache(_CACHE_BYTES, on_drop=self._compress)
        self._names: dict[str, set[str]] = {}
        self._listings: dict[str, Listing] = {}
        # The number of the last change of each document, below the prefixes whose versions were
        # requested. Documents without a number have not changed since.
        self._changes: dict[str, dict[str, str]] = {}
        self._versions: dict[str, Versions] = {}
        self._change_numbers = itertools.count(1)

    def require_fresh(self) -> None:
        """Do nothing: the cache is never stale."""

    def prefetch(self, *keys: tuple[str, type[Document]]) -> None:
        """Do nothing: reads do not wait."""

    async def read(self, key: str, type_: type[D]) -> D | None:
        """Return the document under `key`, or None."""
        return self._read(key, type_)[0]

    async def read_uncached(self, key: str, type_: type[D]) -> D | None:
        """Return the document under `key`, or None, without adding it to the cache."""
        return self._read(key, type_, cache=False)[0]

    async def read_all(self, prefix: str, type_: type[D]) -> list[D]:
        """Return all documents below `prefix`, sorted by key."""
        listing = await self.listing(prefix)
        found = []
        for name in listing.names:
            try:
                document = self._read(prefix + name, type_)[0]
            except DamagedDocumentError as error:
                self.report_damage(error)
                continue
            if document is not None:
                found.append(document)
        return found

    async def delete_damaged(self, key: str, type_: type[Document]) -> bool:
        """Delete the document under `key` if it is damaged, and return whether it was."""
        try:
            self._read(key, type_)
        except DamagedDocumentError:
            self._delete(key)
            return True
        return False

    async def listing(self, prefix: str) -> Listing:
        """Return the names of the documents below `prefix`."""
        if prefix not in self._names:
            with storage_errors():
                names = _names_of_plain_files(self._document_store, prefix)
                if names is None:
                    names = {
                        meta["path"][len(prefix) :]
                        for batch in obstore.list(self._document_store, prefix)
                        for meta in batch
                    }
                self._names[prefix] = names
        if prefix not in self._listings:
            self._listings[prefix] = Listing(tuple(sorted(self._names[prefix])))
        return self._listings[prefix]

    async def versions(self, prefix: str) -> Versions:
        """Return the documents below `prefix`, each with the number of its last change."""
        if prefix not in self._versions:
            changes = self._changes.setdefault(prefix, {})
            names = (await self.listing(prefix)).names
            self._versions[prefix] = Versions({name: changes.get(name, "") for name in names})
        return self._versions[prefix]

    async def change(
        self,
        key: str,
        type_: type[D],
        change: Callable[[D | None], D | None],
        *,
        prepare: Callable[[D | None], Awaitable[None]] | None = None,
    ) -> None:
        """Replace the document under `key` with the result of `change`; None deletes it."""
        before, size = self._read(key, type_)
        if prepare is not None:
            # Its reads are inline too, so no other task runs between them and the write.
            await prepare(before)
        after = change(before)
        if after is before:
            return
        if after is None:
            self._delete(key)
            return
        after = msgspec.structs.replace(after, revision=secrets.token_hex(8))
        encoded = encode_document(after, replaced_size=size)
        with storage_errors():
            obstore.put(self._document_store, key, encoded, use_multipart=False)
        self._cached.pop(key, None)
        self._cache(key, after, len(encoded))
        if before is None:
            self._update_listing(key, exists=True)
        self._number_change(key)

    def _read(self, key: str, type_: type[D], *, cache: bool = True) -> tuple[D | None, int]:
        """Return the document, or None, and the size of its JSON."""
        cached = self._cached.get(key)
        if cached is not None:
            return check_type(cached[0], type_), cached[1]
        try:
            with self.noting_damage(key):
                with storage_errors():
                    response = obstore.get(self._document_store, key)
                    check_size(key, response.meta["size"])
                    encoded = self._decompress(memoryview(response.bytes()))
                document = decode_document(key, encoded, type_)
        except FileNotFoundError:
            return None, 0
        if cache:
            self._cache(key, document, len(encoded))
        return document, len(encoded)

    def _compress(self, key: str) -> None:
        """Compress a document that the cache has dropped, if the store is in memory.

        Compression reduces most documents to less than half of their size. Compressing each
        document when it is written would make uploads slower.
        """
        if not self._may_compress:
            return
        with storage_errors(), contextlib.suppress(FileNotFoundError):
            encoded = obstore.get(self._document_store, key).bytes().to_bytes()
            if len(encoded) <= _MAX_COMPRESSED and not encoded.startswith(_COMPRESSED):
                compressed = zlib.compress(encoded, _COMPRESSION_LEVEL)
                obstore.put(self._document_store, key, compressed, use_multipart=False)

    def _decompress(self, encoded: memoryview) -> memoryview:
        if self._may_compress and encoded[:1] == _COMPRESSED:
            return memoryview(zlib.decompress(encoded))
        return encoded

    def _delete(self, key: str) -> None:
        with storage_errors(), contextlib.suppress(FileNotFoundError):
            obstore.delete(self._document_store, key)
        self.damaged_keys.discard(key)
        self._cached.pop(key, None)
        self._update_listing(key, exists=False)
        self._number_change(key)

    def _cache(self, key: str, document: Document, size: int) -> None:
        # A document that is larger than the whole cache is read again each time.
        with contextlib.suppress(ValueError):
            self._cached[key] = document, size

    def _update_listing(self, key: str, *, exists: bool) -> None:
        prefix, _, name = key.rpartition("/")
        names = self._names.get(prefix + "/")
        if names is not None:
            (names.add if exists else names.discard)(name)
            self._listings.pop(prefix + "/", None)

    def _number_change(self, key: str) -> None:
        self.revision = (self.revision or 0) + 1
        prefix, _, name = key.rpartition("/")
        changes = self._changes.get(prefix + "/")
        if changes is not None:
            changes[name] = str(next(self._change_numbers))
            self._versions.pop(prefix + "/", None)

    def _drop_listing(self, prefix: str) -> None:
        self.revision = (self.revision or 0) + 1
        self._names.pop(prefix, None)
        self._listings.pop(prefix, None)
        self._changes.pop(prefix, None)
        self._versions.pop(prefix, None)


def _names_of_plain_files(store: Store, prefix: str) -> set[str] | None:
    """Return the names of the files in a folder, or None if only obstore can list the folder.

    Listing a folder with obstore takes nine times as long, because obstore reads the metadata of
    each file. But only obstore knows which folders, links, incomplete files and unusual names are
    part of the store. The result is None if the folder contains any of these, or if the store is
    not on the local disk.
    """
    if not isinstance(store, LocalStore) or store.prefix is None:
        return None
    names = set()
    try:
        with os.scandir(store.prefix / prefix) as entries:
            for entry in entries:
                if not entry.is_file(follow_symlinks=False):
                    return None
                names.add(entry.name)
    except FileNotFoundError:
        return names
    joined = "".join(names)
    return names if joined.isprintable() and "#" not in joined else None
