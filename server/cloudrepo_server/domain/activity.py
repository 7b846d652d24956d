"""The uploads and downloads of each repository and project: how many, and when.

A server counts them when they happen, because the journal keeps the newest requests only. Counts
are in memory. A server with a data folder adds them to documents in the folder, every few seconds
and when it ends. A server that shares its store counts nothing, because it receives only some of
the requests.
"""

import asyncio
import contextlib
from collections.abc import Iterator
from time import time

import msgspec

from cloudrepo_server.errors import CloudRepoServerError
from cloudrepo_server.keys import activity_key
from cloudrepo_server.limits import MAX_COUNTED_PROJECTS
from cloudrepo_server.models import Document
from cloudrepo_server.storage import Storage
from cloudrepo_server.storage.background import BackgroundTasks

WIDTHS = (
    *(1, 5, 15, 60, 300, 900, 3600, 21_600, 86_400, 604_800, 2_419_200, 31_449_600),
    # Ten years.
    314_496_000,
)
"""The lengths of intervals in seconds; each length is a multiple of the previous one."""
MAX_INTERVALS = 60
"""The largest number of intervals in a timeline. If more are needed, they become longer."""
# The seconds between two additions to the documents of a data folder.
_KEEP_SECONDS = 10.0

_WRITES_AT_ONCE = 50
_MAX_RECENT = 1000

Interval = tuple[int, int]
"""The uploads and the downloads of an interval."""


class Counts(msgspec.Struct):
    """The numbers of uploads and downloads, in total and in intervals of equal length.

    The intervals are as short as possible, but at least one second. So the timeline of a repository
    has a useful size, whether it was used for a few seconds or for years.
    """

    uploads: int = 0
    downloads: int = 0
    width: int = WIDTHS[0]
    """The length of an interval in seconds."""
    intervals: dict[int, Interval] = msgspec.field(default_factory=dict)
    """The intervals with uploads or downloads, by start time divided by `width`."""

    def __post_init__(self) -> None:
        """Reject a length that is not one of `WIDTHS`."""
        if self.width not in WIDTHS:
            raise ValueError(f"no timeline has intervals of {self.width} seconds")

    def count(self, moment: float, *, uploads: int = 0, downloads: int = 0) -> None:
        """Count uploads and downloads at a moment, in seconds since the epoch."""
        self.uploads += uploads
        self.downloads += downloads
        at = int(moment) // self.width
        known = self.intervals.get(at)
        if known is not None:
            self.intervals[at] = (known[0] + uploads, known[1] + downloads)
            return
        self.intervals[at] = (uploads, downloads)
        while max(self.intervals) - min(self.intervals) >= MAX_INTERVALS:
            self._widen()

    def merged(self, other: "Counts") -> "Counts":
        """Return the sums of these and other counts."""
        merged = Counts(
            self.uploads, self.downloads, max(self.width, other.width, key=WIDTHS.index)
        )
        for counts in (self, other):
            for start, (uploads, downloads) in counts.starts():
                merged.count(start, uploads=uploads, downloads=downloads)
        merged.uploads = self.uploads + other.uploads
        merged.downloads = self.downloads + other.downloads
        return merged

    def starts(self) -> Iterator[tuple[int, Interval]]:
        """Yield the start of each interval in seconds since the epoch, and the interval."""
        for at, interval in sorted(self.intervals.items()):
            yield at * self.width, interval

    def _widen(self) -> None:
        later = WIDTHS.index(self.width) + 1
        if later == len(WIDTHS):
            # Reached only if the clock was wrong by centuries.
            del self.intervals[min(self.intervals)]
            return
        factor, self.width = WIDTHS[later] // self.width, WIDTHS[later]
        intervals: dict[int, Interval] = {}
        for at, (uploads, downloads) in self.intervals.items():
            known = intervals.get(at // factor, (0, 0))
            intervals[at // factor] = (known[0] + uploads, known[1] + downloads)
        self.intervals = intervals


class ActivityDocument(Document, frozen=True, kw_only=True):
    """The counts of a repository or of one of its projects, in a data folder."""

    counts: Counts


class Activity:
    """The counts of all repositories and projects of an organization."""

    def __init__(self, storage: Storage, tasks: BackgroundTasks) -> None:
        self.is_counted = not storage.shared
        """Whether this server counts uploads and downloads."""
        self._storage = storage
        self._tasks = tasks
        self.is_kept = False
        """Whether the counts outlive the server."""
        self._is_writing = False
        # By repository id and project, which is empty for the repository itself.
        self._counts: dict[tuple[str, str], Counts] = {}
        # The newest uploads and downloads, which are not in `_counts` yet, by second too.
        self._recent: dict[tuple[str, str, int], Interval] = {}

    def keep(self) -> None:
        """Add all counts to documents from now on, because the store outlives the server."""
        self.is_kept = True

    def count_upload(self, repository_id: str, project: str) -> None:
        """Count the upload of a file."""
        self._count(repository_id, project, 1, 0)

    def count_download(self, repository_id: str, project: str) -> None:
        """Count the download of a file."""
        self._count(repository_id, project, 0, 1)

    async def of(self, repository_id: str, *, project: str = "") -> Counts:
        """Return the counts of a project, or of its repository if no project is given."""
        self._add_recent()
        recent = self._counts.get((repository_id, project), Counts())
        if not self.is_kept:
            return recent.merged(Counts())
        kept = await self._read(activity_key(repository_id, project))
        return recent.merged(Counts() if kept is None else kept.counts)

    def forget(self, repository_id: str) -> None:
        """Delete the counts of a deleted repository."""
        self._add_recent()
        for key in [key for key in self._counts if key[0] == repository_id]:
            del self._counts[key]

    async def close(self) -> None:
        """Write the counts that are not in a document yet."""
        if self.is_kept:
            await self._write()

    def _count(self, repository_id: str, project: str, uploads: int, downloads: int) -> None:
        # Called for every download, so it must be fast: it only adds to the current second.
        if not self.is_counted:
            return
        key = repository_id, project, int(time())
        known = self._recent.get(key)
        self._recent[key] = (
            (uploads, downloads) if known is None else (known[0] + uploads, known[1] + downloads)
        )
        if known is None:
            if len(self._recent) >= _MAX_RECENT:
                self._add_recent()
            if self.is_kept and not self._is_writing:
                self._is_writing = True
                self._tasks.start(self._write_later())

    def _add_recent(self) -> None:
        for (repository_id, project, second), (uploads, downloads) in self._recent.items():
            for key in ((repository_id, ""), (repository_id, project)):
                counts = self._counts.get(key)
                if counts is None:
                    # A repository itself is always counted.
                    if len(self._counts) >= MAX_COUNTED_PROJECTS and key[1]:
                        continue
                    counts = self._counts[key] = Counts()
                counts.count(second, uploads=uploads, downloads=downloads)
        self._recent.clear()

    async def _write_later(self) -> None:
        try:
            await asyncio.sleep(_KEEP_SECONDS)
            await self._write()
        finally:
            self._is_writing = False

    async def _write(self) -> None:
        written = 0
        self._add_recent()
        while self._counts:
            key, counts = self._counts.popitem()
            try:
                await self._add(activity_key(*key), counts)
            except CloudRepoServerError:
                self._counts[key] = counts.merged(self._counts.get(key, Counts()))
                raise
            written += 1
            if written % _WRITES_AT_ONCE == 0:
                await asyncio.sleep(0)

    async def _add(self, key: str, counts: Counts) -> None:
        def add(existing: ActivityDocument | None) -> ActivityDocument:
            known = Counts() if existing is None else existing.counts
            return ActivityDocument(counts=known.merged(counts))

        # A damaged document is replaced: its counts are lost, but new ones are kept.
        await self._storage.delete_damaged(key, ActivityDocument)
        await self._storage.change(key, ActivityDocument, add)

    async def _read(self, key: str) -> ActivityDocument | None:
        with contextlib.suppress(CloudRepoServerError):
            return await self._storage.read_uncached(key, ActivityDocument)
        return None
