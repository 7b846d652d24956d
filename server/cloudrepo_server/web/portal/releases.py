"""A project's releases: their order, and the files of each."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby

from cachetools import LRUCache

from cloudrepo_server.models import File, ProjectDocument
from cloudrepo_server.pools import PAGES
from cloudrepo_server.specs.filenames import same_version
from cloudrepo_server.specs.versions import latest_version, sort_versions

_CACHED_VERSIONS = 200_000
_MAX_INLINE = 500
_WHEEL_PARTS = 5


@dataclass(frozen=True, slots=True)
class ReleaseOrder:
    """The versions of a project.

    Attributes:
        versions: the versions, newest first; None, for files without a version, is last.
        latest: the version that an installer chooses.
    """

    versions: Sequence[str | None]
    latest: str | None

    def find(self, version: str) -> str | None:
        """Return the version that equals the given one, in any spelling, or None."""
        if version in self.versions:
            return version
        return next((each for each in self.versions if each and same_version(each, version)), None)

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
        return [file for file in self.files if distribution_type(file.filename) == "wheel"]

    @cached_property
    def sdists(self) -> Sequence[File]:
        """The sdists."""
        return [file for file in self.files if distribution_type(file.filename) == "sdist"]

    @property
    def described_by(self) -> File | None:
        """The file whose core metadata describe the release: a wheel, or else an sdist."""
        candidates = [*self.wheels, *self.sdists]
        # Installers read the metadata of a wheel.
        return min(candidates, key=lambda file: file.metadata_sha256 is None, default=None)


class ReleaseOrders:
    """The orders of the releases of projects. Each is determined once for a project's revision."""

    def __init__(self) -> None:
        self._cache: LRUCache[tuple[str, str], ReleaseOrder] = LRUCache(
            _CACHED_VERSIONS, getsizeof=lambda order: len(order.versions) + 1
        )

    async def of(self, project: ProjectDocument) -> ReleaseOrder:
        """Return the order of a project's releases.

        Raises:
            BusyError: too much other work waits for the pool.
        """
        key = (project.name, project.revision)
        order = self._cache.get(key)
        if order is None:
            # Sorting thousands of versions takes tens of milliseconds.
            is_long = len(project.files) > _MAX_INLINE
            order = await PAGES.run(_order, project) if is_long else _order(project)
            self._cache[key] = order
        return order


def _order(project: ProjectDocument) -> ReleaseOrder:
    found = {file.version or None for file in project.files.values()}
    ascending = sort_versions(filter(None, found))
    versions: list[str | None] = [*reversed(ascending)]
    if None in found:
        versions.append(None)
    return ReleaseOrder(versions, latest_version(project, ascending=ascending))


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


def files_newest_first(project: ProjectDocument) -> list[File]:
    """Return all files, those of the newest release first and those without a version last."""
    files = project.files.values()
    versions = sort_versions({file.version for file in files if file.version})
    order = {version: at for at, version in enumerate(versions)}
    by_name = sorted(files, key=lambda file: file.filename)
    return sorted(
        by_name, key=lambda file: -1 if file.version is None else order[file.version], reverse=True
    )


def group_by_release(files: Iterable[File]) -> list[tuple[str | None, list[File]]]:
    """Return the releases of sorted files, each with its files."""
    return [(version, list(group)) for version, group in groupby(files, lambda each: each.version)]


def distribution_type(filename: str) -> str:
    """Return the type of a file as the portal shows it: wheel, sdist or file."""
    if filename.endswith(".whl"):
        return "wheel"
    return "sdist" if filename.endswith((".tar.gz", ".zip")) else "file"


def wheel_tags(filename: str) -> str:
    """Return the tags of a wheel, such as `py3-none-any`, or an empty string for other files."""
    parts = filename.removesuffix(".whl").split("-")
    is_wheel = filename.endswith(".whl") and len(parts) >= _WHEEL_PARTS
    return "-".join(parts[-3:]) if is_wheel else ""


def tag_names(files: Iterable[File]) -> list[str]:
    """Return the tags of all wheels, each once."""
    return list(dict.fromkeys(tags for file in files if (tags := wheel_tags(file.filename))))
