"""A project's files by release, newest release first."""

from collections.abc import Iterable
from itertools import groupby

from packaging.version import InvalidVersion, Version

from cloudrepo_server.models import File, ProjectDocument
from cloudrepo_server.specs.simple_api import sort_versions


def newest_first(project: ProjectDocument) -> list[File]:
    """All files, those of the newest release first; those without a version last."""
    order = {version: at for at, version in enumerate(_versions(project.files.values()))}
    by_name = sorted(project.files.values(), key=lambda file: file.filename)
    return sorted(
        by_name, key=lambda file: -1 if file.version is None else order[file.version], reverse=True
    )


def by_release(files: Iterable[File]) -> list[tuple[str | None, list[File]]]:
    """The files, each release's together, in the order in which they come."""
    return [(version, list(group)) for version, group in groupby(files, lambda each: each.version)]


def latest_version(project: ProjectDocument) -> str | None:
    """The newest version that installers take without being asked for it by name."""
    offered = _versions(file for file in project.files.values() if file.yanked is None)
    final = [version for version in offered if not _is_prerelease(version)]
    newest = final or offered or _versions(project.files.values())
    return newest[-1] if newest else None


def last_upload(project: ProjectDocument) -> str | None:
    """When the last file came."""
    return max((file.upload_time for file in project.files.values()), default=None)


def kind_of(filename: str) -> str:
    """What people call such a file."""
    if filename.endswith(".whl"):
        return "wheel"
    return "sdist" if filename.endswith((".tar.gz", ".zip")) else "file"


def _versions(files: Iterable[File]) -> list[str]:
    return sort_versions({file.version for file in files if file.version})


def _is_prerelease(version: str) -> bool:
    try:
        return Version(version).is_prerelease
    except InvalidVersion:
        return False
