"""The order of versions (PEP 440), and the latest version of a project."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from operator import itemgetter

from packaging.version import InvalidVersion, Version

from cloudrepo_server.limits import MAX_VERSION
from cloudrepo_server.models import Project


def sort_versions(versions: Iterable[str]) -> list[str]:
    """Return the versions in ascending order; those that are not valid (PEP 440) come first."""
    valid: list[tuple[str, Version]] = []
    invalid: list[str] = []
    for version in versions:
        try:
            valid.append((version, Version(version)))
        except InvalidVersion:
            invalid.append(version)
    # Comparing tuples that contain versions would take twice as long.
    valid.sort(key=itemgetter(1))
    return [*sorted(invalid), *(version for version, _ in valid)]


def find_version(ascending: Sequence[str], version: str) -> str | None:
    """Return the version that equals the given one, in any spelling, or None.

    Args:
        ascending: the versions, as `sort_versions` returns them.
        version: the version to find.
    """
    if version in ascending:
        return version
    # Python does not parse integers of thousands of digits, and long texts take long to parse.
    if len(version) > MAX_VERSION or not (wanted := _sort_key(version))[0]:
        return None
    at = bisect_left(ascending, wanted, key=_sort_key)
    found = ascending[at] if at < len(ascending) else None
    return found if found is not None and _sort_key(found) == wanted else None


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
