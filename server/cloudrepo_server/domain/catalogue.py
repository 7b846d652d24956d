"""The catalogue: what lists and searches need to know of every project, in memory.

Reading every project's document for each page would take too long. The catalogue therefore keeps a
summary of each project. It reads a document again only after the document has changed. A request
reads a bounded number of documents. A background task reads the others, and pages say that the
catalogue is incomplete until then.
"""

import asyncio
import re
from array import array
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import islice

import msgspec

from cloudrepo_server.errors import DamagedDocumentError
from cloudrepo_server.keys import project_name, projects_of
from cloudrepo_server.limits import CATALOGUE_FILES, CATALOGUE_READS
from cloudrepo_server.models import ProjectDocument, RepositoryDocument
from cloudrepo_server.storage import Storage
from cloudrepo_server.storage.background import BackgroundTasks

_READS_AT_ONCE = 10
# Reading a project with this many files takes as long as reading another small project.
_FILES_PER_READ = 20

_SEPARATORS = str.maketrans("_.", "--")
_SEVERAL = re.compile("-+")


# The garbage collector skips summaries: there may be many, and they are in no reference cycle.
class ProjectSummary(msgspec.Struct, frozen=True, gc=False):
    """A project, as lists and searches see it."""

    name: str
    file_count: int = 0
    size: int = 0
    last_upload: str = ""
    """The upload time of the newest file, or an empty text."""
    filenames: tuple[str, ...] = ()
    """The names of the files, sorted; none if the catalogue is full."""
    sizes: Sequence[int] = ()
    """The size of each of these files."""
    upload_times: Sequence[float] = ()
    """The upload time of each of these files, in seconds since the epoch."""
    folded: str = ""
    """The names of these files as `fold` returns them, one on each line."""


class Totals(msgspec.Struct, frozen=True):
    """The sums over the projects of one or several repositories."""

    projects: int = 0
    files: int = 0
    size: int = 0
    last_upload: str = ""

    def __add__(self, other: "Totals") -> "Totals":
        return Totals(
            self.projects + other.projects,
            self.files + other.files,
            self.size + other.size,
            max(self.last_upload, other.last_upload),
        )


class RepositorySummary:
    """The projects of one repository."""

    def __init__(self) -> None:
        self.projects: dict[str, ProjectSummary] = {}
        """The summary of each project that was read, by normalized name, in no order."""
        self.unread: dict[str, None] = {}
        """The names of the documents that were not read since they changed, in order."""
        self.kept_files = 0
        """The number of files whose names are kept."""
        self._read: dict[str, str] = {}
        self._versions: Mapping[str, str] = {}
        self._revision = ""
        self._totals: Totals | None = None

    @property
    def totals(self) -> Totals:
        """The sums over the projects. Only their number includes the projects that are unread."""
        if self._totals is None:
            projects = self.projects.values()
            self._totals = Totals(
                len(self._versions),
                sum(each.file_count for each in projects),
                sum(each.size for each in projects),
                max((each.last_upload for each in projects), default=""),
            )
        return self._totals

    async def find_changes(self, storage: Storage, prefix: str) -> None:
        """Find out which documents were added, changed or deleted since the last call."""
        versions = await storage.versions(prefix)
        if versions.revision == self._revision:
            return
        self._versions, self._revision, self._totals = versions.by_name, versions.revision, None
        for deleted in self._read.keys() - self._versions.keys():
            del self._read[deleted]
            self._remove(project_name(deleted))
        known = self._read.get
        self.unread = {name: None for name, each in self._versions.items() if known(name) != each}

    def put(self, name: str, project: ProjectDocument | None, *, max_files: int) -> None:
        """Add or replace the summary of a document.

        Args:
            name: the name of the document.
            project: the document, or None if it is damaged or was deleted.
            max_files: the number of files of this repository whose names may be kept.
        """
        self._read[name], self._totals = self._versions.get(name, ""), None
        self.unread.pop(name, None)
        self._remove(project_name(name))
        if project is not None:
            room = max_files - self.kept_files
            summary = self.projects[project.name] = _summary(project, room)
            self.kept_files += len(summary.filenames)

    def _remove(self, project: str) -> None:
        removed = self.projects.pop(project, None)
        if removed is not None:
            self.kept_files -= len(removed.filenames)


class Catalogue:
    """The summaries of all projects of an organization, by the ids of their repositories."""

    def __init__(self, storage: Storage, tasks: BackgroundTasks) -> None:
        self._storage = storage
        self._tasks = tasks
        self._repositories: dict[str, RepositorySummary] = {}
        self._lock = asyncio.Lock()
        self._is_reading = False
        # Reads from a shared store are concurrent. Reads from a local store do not wait.
        self._batch_size = _READS_AT_ONCE if storage.shared else 1

    async def read(
        self, repositories: Sequence[RepositoryDocument]
    ) -> dict[str, RepositorySummary]:
        """Return the current summaries of repositories, by id.

        If `unread` of a summary is not empty, a background task is reading the rest.

        Raises:
            StorageError: the store did not respond.
        """
        async with self._lock:
            for repository in repositories:
                summary = self._repositories.setdefault(repository.id, RepositorySummary())
                await summary.find_changes(self._storage, projects_of(repository.id))
            await self._read_unread([each.id for each in repositories], CATALOGUE_READS)
            found = {each.id: self._repositories[each.id] for each in repositories}
        if any(each.unread for each in found.values()) and not self._is_reading:
            self._is_reading = True
            self._tasks.start(self._read_rest(list(found)))
        return found

    def forget(self, repository_id: str) -> None:
        """Delete the summaries of a deleted repository."""
        self._repositories.pop(repository_id, None)

    def keep_only(self, repository_ids: Iterable[str]) -> None:
        """Delete the summaries of all other repositories, which other servers may have deleted."""
        for gone in self._repositories.keys() - set(repository_ids):
            del self._repositories[gone]

    async def _read_rest(self, repository_ids: Sequence[str]) -> None:
        try:
            while any(self._is_unread(each) for each in repository_ids):
                async with self._lock:
                    await self._read_unread(repository_ids, _READS_AT_ONCE)
                await asyncio.sleep(0)
        finally:
            self._is_reading = False

    def _is_unread(self, repository_id: str) -> bool:
        summary = self._repositories.get(repository_id)
        return summary is not None and bool(summary.unread)

    async def _read_unread(self, repository_ids: Iterable[str], limit: float) -> None:
        kept_files = sum(each.kept_files for each in self._repositories.values())
        for repository_id in repository_ids:
            summary = self._repositories.get(repository_id)
            if summary is None:
                continue
            kept_by_others = kept_files - summary.kept_files
            while summary.unread and limit > 0:
                names = list(islice(summary.unread, self._batch_size))
                for name, project in zip(
                    names, await self._read_batch(repository_id, names), strict=True
                ):
                    cost = 1 + (0 if project is None else len(project.files)) / _FILES_PER_READ
                    if cost > _READS_AT_ONCE:
                        # Decoding a large project takes long, and so does its summary. Other
                        # requests are handled between them.
                        await asyncio.sleep(0)
                    summary.put(name, project, max_files=CATALOGUE_FILES - kept_by_others)
                    limit -= cost
            kept_files = kept_by_others + summary.kept_files

    async def _read_batch(
        self, repository_id: str, names: Sequence[str]
    ) -> list[ProjectDocument | None]:
        prefix = projects_of(repository_id)

        async def read(name: str) -> ProjectDocument | None:
            try:
                return await self._storage.read_uncached(prefix + name, ProjectDocument)
            except DamagedDocumentError as error:
                self._storage.report_damage(error)
                return None

        if not self._storage.shared:
            return [await read(name) for name in names]
        return await asyncio.gather(*(read(name) for name in names))


def fold(text: str) -> str:
    """Return a text for searches: in lower case, with `-` for each of the separators.

    The separators of project names and file names are `-`, `_` and `.`. The length stays the same.
    """
    lower = text.lower()
    if len(lower) != len(text):
        # Some capital letters have two characters in lower case.
        lower = "".join(each.lower()[0] for each in text)
    return lower.translate(_SEPARATORS)


def fold_project(text: str) -> str:
    """Return a part of a project's name for searches, with runs of separators as one hyphen."""
    return _SEVERAL.sub("-", fold(text))


def _summary(project: ProjectDocument, room: int) -> ProjectSummary:
    files = sorted(project.files.values(), key=lambda each: each.filename)
    size = sum(each.size for each in files)
    last_upload = max((each.upload_time for each in files), default="")
    if len(files) > room:
        return ProjectSummary(project.name, len(files), size, last_upload)
    names = tuple(each.filename for each in files)
    return ProjectSummary(
        name=project.name,
        file_count=len(files),
        size=size,
        last_upload=last_upload,
        filenames=names,
        sizes=array("Q", (each.size for each in files)),
        upload_times=array(
            "d", (datetime.fromisoformat(each.upload_time).timestamp() for each in files)
        ),
        folded=fold("\n".join(names)),
    )
