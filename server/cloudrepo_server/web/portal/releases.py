"""The releases of a project: their order, and the files of each release."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby

from cachetools import LRUCache

from cloudrepo_server.domain.repository import Repository
from cloudrepo_server.models import File, ProjectDocument
from cloudrepo_server.pools import PAGES
from cloudrepo_server.specs.versions import find_version, latest_version, sort_versions

_CACHED_VERSIONS = 200_000
_MAX_INLINE = 500
_WHEEL = ".whl"
_SDIST = (".tar.gz", ".zip")
_WHEEL_HYPHENS = 4


@dataclass(frozen=True, slots=True)
class ReleaseOrder:
    """The versions of a project.

    Attributes:
        ascending: the versions, oldest first.
        versions: the versions, newest first; None, for files without a version, is last.
        latest: the version that an installer chooses.
    """

    ascending: Sequence[str]
    versions: Sequence[str | None]
    latest: str | None

    def find(self, version: str) -> str | None:
        """Return the version that equals the given one, in any spelling, or None."""
        return find_version(self.ascending, version)

    def before(self, version: str) -> str | None:
        """Return the next older version, or None."""
        at = self.versions.index(version) + 1
        return self.versions[at] if at < len(self.versions) else None


@dataclass(frozen=True)
class Release:
    """A release with its files, sorted by name; or the files without a version."""

    version: str | None
    files: Sequence[File]

    @cached_property
    def is_yanked(self) -> bool:
        """Whether all files are yanked."""
        return all(file.yanked is not None for file in self.files)

    @property
    def is_partly_yanked(self) -> bool:
        """Whether some files are yanked, but not all."""
        return not self.is_yanked and any(file.yanked is not None for file in self.files)

    @property
    def reason(self) -> str:
        """The reason of the yank, if all files have the same."""
        reasons = {file.yanked for file in self.files}
        return (reasons.pop() or "") if len(reasons) == 1 else ""

    @property
    def size(self) -> int:
        """The size of all files."""
        return sum(file.size for file in self.files)

    @property
    def upload_time(self) -> str:
        """The upload time of the file that was uploaded first."""
        return min(file.upload_time for file in self.files)

    @cached_property
    def wheels(self) -> Sequence[File]:
        """The wheels."""
        return [file for file in self.files if file.filename.endswith(_WHEEL)]

    @cached_property
    def sdists(self) -> Sequence[File]:
        """The sdists."""
        return [file for file in self.files if file.filename.endswith(_SDIST)]

    @cached_property
    def wheels_by_tags(self) -> Mapping[str, File]:
        """The first wheel with each tag set, such as `py3-none-any`."""
        found: dict[str, File] = {}
        for wheel in self.wheels:
            if tags := _wheel_tags(wheel.filename):
                found.setdefault(tags, wheel)
        return found

    @property
    def described_by(self) -> File | None:
        """The file whose core metadata describe the release: a wheel, or else an sdist."""
        # Installers read the metadata of a wheel.
        candidates = [*self.wheels, *self.sdists]
        with_metadata = (file for file in candidates if file.metadata_sha256 is not None)
        return next(with_metadata, candidates[0] if candidates else None)


class ReleaseOrders:
    """The orders of the releases of projects. Each is determined once for a project's revision."""

    def __init__(self) -> None:
        self._cache: LRUCache[tuple[str, str, str], ReleaseOrder] = LRUCache(
            _CACHED_VERSIONS, getsizeof=lambda order: len(order.versions) + 1
        )

    async def of(self, repository: Repository, project: ProjectDocument) -> ReleaseOrder:
        """Return the order of the releases of a project in a repository.

        Raises:
            BusyError: too much other work waits for the pool.
        """
        # Documents of different repositories can have the same revision, such as an empty one.
        key = (repository.document.id, project.name, project.revision)
        order = self._cache.get(key)
        if order is None:
            # Sorting thousands of versions takes tens of milliseconds.
            is_long = len(project.files) > _MAX_INLINE
            order = await PAGES.run(_order, project) if is_long else _order(project)
            self._cache[key] = order
        return order


def _order(project: ProjectDocument) -> ReleaseOrder:
    # In the order of the uploads, which usually needs little sorting.
    found = dict.fromkeys(file.version or None for file in project.files.values())
    ascending = sort_versions(filter(None, found))
    versions: list[str | None] = [*reversed(ascending)]
    if None in found:
        versions.append(None)
    return ReleaseOrder(ascending, versions, latest_version(project, ascending=ascending))


def releases_of(project: ProjectDocument, versions: Collection[str | None]) -> list[Release]:
    """Return these releases of a project, in the order of the versions."""
    files: Mapping[str | None, list[File]] = {version: [] for version in versions}
    for file in project.files.values():
        if (version := file.version or None) in files:
            files[version].append(file)
    return [
        Release(version, sorted(found, key=lambda file: file.filename))
        for version, found in files.items()
        if found
    ]


def files_newest_first(project: ProjectDocument, order: ReleaseOrder) -> list[File]:
    """Return all files, those of the newest release first and those without a version last."""
    return [file for release in releases_of(project, order.versions) for file in release.files]


def group_by_release(files: Iterable[File]) -> list[tuple[str | None, list[File]]]:
    """Return the releases of sorted files, each with its files."""
    groups = groupby(files, lambda each: each.version or None)
    return [(version, list(group)) for version, group in groups]


def distribution_type(filename: str) -> str:
    """Return the type of a file as the portal shows it: wheel, sdist or file."""
    if filename.endswith(_WHEEL):
        return "wheel"
    return "sdist" if filename.endswith(_SDIST) else "file"


def _wheel_tags(filename: str) -> str:
    """Return the tags of a wheel, such as `py3-none-any`, or an empty string for other files."""
    if not filename.endswith(_WHEEL) or filename.count("-") < _WHEEL_HYPHENS:
        return ""
    # A page calls this for each of thousands of files, and splitting takes twice as long.
    abi_at = filename.rfind("-", 0, filename.rfind("-"))
    return filename[filename.rfind("-", 0, abi_at) + 1 : -len(_WHEEL)]
