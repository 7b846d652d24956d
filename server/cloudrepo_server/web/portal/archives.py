"""Reads the archives of files for the portal's pages: in a pool, within limits, with a cache."""

import contextlib
from collections.abc import Collection, Mapping
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from cachetools import LRUCache

from cloudrepo_server.domain.repository import Repository
from cloudrepo_server.errors import InvalidError
from cloudrepo_server.limits import CONTENTS_CACHE_BYTES, MAX_ENTRY_POINTS
from cloudrepo_server.models import File
from cloudrepo_server.pools import CONTENTS
from cloudrepo_server.specs.archive_contents import Contents, read_contents, read_members
from cloudrepo_server.specs.core_metadata import read_core_metadata
from cloudrepo_server.specs.entry_points import read_entry_points

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import IO

    from packaging.metadata import RawMetadata

_ENTRY_OVERHEAD = 256

T = TypeVar("T")


class Archives:
    """The archives of a server's files, cached by the keys of blobs, which are never reused."""

    def __init__(self, *, max_bytes: int = CONTENTS_CACHE_BYTES) -> None:
        self._cache: LRUCache[tuple[str, bool], Contents] = LRUCache(
            max_bytes, getsizeof=_cached_size
        )

    async def contents(
        self, repository: Repository, file: File, *, with_digests: bool = False
    ) -> Contents:
        """Return the files in an archive; see `read_contents`.

        Raises:
            InvalidError: the archive cannot be read, or is of another type.
            BusyError: too many other archives wait to be read.
            StorageError: the archive was deleted, or the store did not respond.
        """
        key = (file.blob, with_digests)
        contents = self._cache.get(key)
        if contents is None:
            work = partial(read_contents, with_digests=with_digests)
            contents = await _run(repository, file, work)
            # A list that is larger than the whole cache is read again each time.
            with contextlib.suppress(ValueError):
                self._cache[key] = contents
        return contents

    async def members(
        self, repository: Repository, file: File, paths: Collection[str]
    ) -> dict[str, bytes]:
        """Return the beginnings of files in an archive, by path; see `read_members`.

        Raises:
            InvalidError: the archive cannot be read, or is of another type.
            BusyError: too many other archives wait to be read.
            StorageError: the archive was deleted, or the store did not respond.
        """
        if not paths:
            return {}
        return await _run(repository, file, partial(read_members, paths=frozenset(paths)))

    async def metadata(self, repository: Repository, file: File) -> bytes | None:
        """Return the core metadata of a file, or None if there are none that can be read.

        The index offers no core metadata of an old sdist, because a build may change them. This
        method returns their beginning nevertheless.

        Raises:
            BusyError: too many other archives wait to be read.
            StorageError: the archive was deleted, or the store did not respond.
        """
        if file.metadata_blob is not None:
            return await (await repository.metadata(file)).read()
        ending = ".dist-info/METADATA" if file.filename.endswith(".whl") else "/PKG-INFO"
        try:
            return await self._top_level_file(repository, file, ending)
        except InvalidError:
            return None

    async def core_metadata(self, repository: Repository, file: File) -> "RawMetadata":
        """Return the fields of the core metadata of a file; there may be none.

        Raises:
            BusyError: too many other archives wait to be read.
            StorageError: the archive was deleted, or the store did not respond.
        """
        if file.metadata_blob is not None:
            return await repository.core_metadata(file)
        metadata = await self.metadata(repository, file)
        return {} if metadata is None else await CONTENTS.run(read_core_metadata, metadata)

    async def entry_points(
        self, repository: Repository, wheel: File
    ) -> Mapping[str, Mapping[str, str]]:
        """Return the entry points of a wheel, by group.

        Raises:
            InvalidError: they cannot be read.
            BusyError: too many other archives wait to be read.
            StorageError: the archive was deleted, or the store did not respond.
        """
        data = await self._top_level_file(repository, wheel, ".dist-info/entry_points.txt")
        if data is None:
            return {}
        if len(data) > MAX_ENTRY_POINTS:
            raise InvalidError(f"they are larger than {MAX_ENTRY_POINTS >> 10} KiB")
        try:
            return await CONTENTS.run(read_entry_points, data)
        except ValueError as error:
            raise InvalidError(str(error)) from None

    async def _top_level_file(
        self, repository: Repository, file: File, ending: str
    ) -> bytes | None:
        """Return the beginning of the file in a folder directly below the root."""
        contents = await self.contents(repository, file)
        for member in contents.members:
            path = member.path
            if path.endswith(ending) and path.removeprefix("./").count("/") == 1:
                return (await self.members(repository, file, [path])).get(path)
        return None


async def _run(repository: Repository, file: File, work: "Callable[[str, IO[bytes]], T]") -> T:
    stored = repository.content(file)

    def read() -> T:
        with stored.open() as archive:
            return work(file.filename, archive)

    return await CONTENTS.run(read)


def _cached_size(contents: Contents) -> int:
    return sum(len(each.path) + len(each.target) + _ENTRY_OVERHEAD for each in contents.members)
