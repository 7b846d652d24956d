"""A cache of the core metadata fields that pages show.

An upload reads only the fields that identify a file. The other fields are read when a page first
shows them: the portal's page of a project, or PyPI's JSON. Both use the same bounded reader, in the
pool for archives.

The fields are not stored at the upload, for these reasons:

- Most files never appear on such a page, but each upload would write one more blob, with a second
  copy of the README.
- Files of earlier versions have no stored fields, so pages would need the reader anyway.
- The reader takes a quarter of a second at most, whatever the metadata contain. An upload of the
  same file takes longer.
"""

import asyncio
import contextlib
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from cachetools import LRUCache

from cloudrepo_server.limits import METADATA_CACHE_BYTES
from cloudrepo_server.pools import ARCHIVES
from cloudrepo_server.storage import Blobs

if TYPE_CHECKING:
    from packaging.metadata import RawMetadata


class CoreMetadataCache:
    """The fields of the core metadata that were read last, by the keys of their blobs.

    A key is never used for other content, so an entry is valid for ever.
    """

    def __init__(self, blobs: Blobs, *, max_bytes: int = METADATA_CACHE_BYTES) -> None:
        self._blobs = blobs
        self._cached: LRUCache[str, tuple[RawMetadata, int]] = LRUCache(
            max_bytes, getsizeof=lambda entry: entry[1]
        )
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def read(self, blob: str) -> "RawMetadata":
        """Return the fields of the core metadata in a blob. The caller must not change them.

        Raises:
            FileNotFoundError: the blob does not exist.
            StorageError: the store did not respond.
            BusyError: too much other work waits for the pool.
        """
        lock = self._locks.get(blob)
        if lock is None:
            lock = self._locks[blob] = asyncio.Lock()
        # Concurrent requests for one file wait for the first of them.
        async with lock:
            entry = self._cached.get(blob)
            if entry is None:
                entry = await ARCHIVES.run(_read, await self._blobs.get(blob))
                # Fields that are larger than the whole cache are read again each time.
                with contextlib.suppress(ValueError):
                    self._cached[blob] = entry
        return entry[0]


def _read(metadata: bytes) -> tuple["RawMetadata", int]:
    # Imported here because it imports the email package, which few servers need.
    from cloudrepo_server.specs.core_metadata import read_core_metadata

    fields = read_core_metadata(metadata)
    return fields, _size_of(fields.values())


def _size_of(values: Iterable[Any]) -> int:
    size = sys.getsizeof({})
    for value in values:
        size += sys.getsizeof(value)
        if isinstance(value, dict):
            size += _size_of(value.keys()) + _size_of(value.values())
        elif isinstance(value, list):
            size += _size_of(value)
    return size
