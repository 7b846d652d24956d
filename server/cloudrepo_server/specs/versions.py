"""The order of versions (PEP 440), and the latest version of a project."""

from collections.abc import Iterable, Sequence

from packaging.version import InvalidVersion, Version

from cloudrepo_server.models import Project


def sort_versions(versions: Iterable[str]) -> list[str]:
    """Return the versions in ascending order; those that are not valid (PEP 440) come first."""
    return sorted(versions, key=_sort_key)


def latest_version(project: Project, *, ascending: Sequence[str] | None = None) -> str | None:
    """Return the version that an installer chooses if no version is requested.

    That is the newest final release that is not yanked. If there is none, it is the newest
    pre-release. If every release is yanked, the same order applies to the yanked ones, as on PyPI.

    Args:
        project: the project.
        ascending: all of its versions in ascending order, if that order is known.
    """
    files = project.files.values()
    versions = {file.version for file in files if file.version}
    not_yanked = {file.version for file in files if file.version and file.yanked is None}
    candidates = not_yanked or versions
    if not candidates:
        return None
    in_order = ascending or sort_versions(candidates)
    newest_first = [version for version in reversed(in_order) if version in candidates]
    final = (version for version in newest_first if not _is_prerelease(version))
    return next(final, newest_first[0])


def _sort_key(version: str) -> tuple[bool, Version | str]:
    try:
        return (True, Version(version))
    except InvalidVersion:
        return (False, version)


def _is_prerelease(version: str) -> bool:
    try:
        return Version(version).is_prerelease
    except InvalidVersion:
        return False
