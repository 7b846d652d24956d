"""A project's releases: their order, and the files of each."""

from collections.abc import Iterable
from itertools import groupby

from packaging.version import InvalidVersion, Version

from cloudrepo_server.models import File, ProjectDocument
from cloudrepo_server.specs.simple_api import sort_versions


def files_newest_first(project: ProjectDocument) -> list[File]:
    """Return all files, those of the newest release first and those without a version last."""
    order = {version: at for at, version in enumerate(_versions(project.files.values()))}
    by_name = sorted(project.files.values(), key=lambda file: file.filename)
    return sorted(
        by_name, key=lambda file: -1 if file.version is None else order[file.version], reverse=True
    )


def group_by_release(files: Iterable[File]) -> list[tuple[str | None, list[File]]]:
    """Return the releases of sorted files, each with its files."""
    return [(version, list(group)) for version, group in groupby(files, lambda each: each.version)]


def latest_version(project: ProjectDocument) -> str | None:
    """Return the version that an installer chooses if no version is requested.

    That is the newest final release that is not yanked. If there is none, it is the newest
    pre-release, and after that the newest yanked release.
    """
    not_yanked = _versions(file for file in project.files.values() if file.yanked is None)
    final = [version for version in not_yanked if not _is_prerelease(version)]
    candidates = final or not_yanked or _versions(project.files.values())
    return candidates[-1] if candidates else None


def last_upload_time(project: ProjectDocument) -> str | None:
    """Return the upload time of the newest file, or None for a project without files."""
    return max((file.upload_time for file in project.files.values()), default=None)


def distribution_type(filename: str) -> str:
    """Return the type of a file as the portal shows it: wheel, sdist or file."""
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
