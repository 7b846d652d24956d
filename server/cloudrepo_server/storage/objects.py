"""Objects of a store, as obstore lists them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TypeAlias

import msgspec
import obstore
from obstore.store import AzureStore, GCSStore, LocalStore, MemoryStore, S3Store

from cloudrepo_server.storage.failures import storage_errors

Store: TypeAlias = LocalStore | MemoryStore | S3Store | GCSStore | AzureStore

_BATCH = 1000


class StoredObject(msgspec.Struct, frozen=True):
    """A stored object's key and size, and its last change in seconds since the epoch.

    Most stores also state an entity tag, which differs between two contents of the object.
    """

    key: str
    modified: float
    size: int
    tag: str = ""


async def list_objects(store: Store, prefix: str) -> AsyncIterator[list[StoredObject]]:
    """Yield the objects below `prefix` in batches, in no particular order.

    Raises:
        StorageError: the store did not respond.
    """
    with storage_errors():
        async for batch in obstore.list(store, prefix, chunk_size=_BATCH):
            yield [
                StoredObject(
                    meta["path"],
                    meta["last_modified"].timestamp(),
                    meta["size"],
                    meta["e_tag"] or "",
                )
                for meta in batch
            ]


async def list_folders(store: Store, prefix: str) -> list[str]:
    """Return the names of the folders directly below `prefix`.

    Raises:
        StorageError: the store did not respond.
    """
    with storage_errors():
        found = await obstore.list_with_delimiter_async(store, prefix)
    return [each.removesuffix("/")[len(prefix) :] for each in found["common_prefixes"]]
