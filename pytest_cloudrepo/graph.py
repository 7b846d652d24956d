"""Dependency graphs: projects, their versions and their requirements, as data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any, Final, TypeAlias, TypedDict

from pytest_cloudrepo import package
from pytest_cloudrepo._distributions import named, validation
from pytest_cloudrepo._distributions.release import Release
from pytest_cloudrepo._distributions.upload_time import iso_format
from pytest_cloudrepo._new_files import NewFile
from pytest_cloudrepo.errors import PackageError
from pytest_cloudrepo.package import Distribution


class DistributionDetails(TypedDict, total=False):
    """The details of a wheel or an sdist that differ from those of its release."""

    requires: Sequence[str]
    """The dependencies."""
    requires_python: str | None
    """The supported Python versions."""
    extras: Mapping[str, Sequence[str]] | None
    """The dependencies of each extra."""
    yanked: bool | str
    """Whether the file is yanked; a string is the reason."""
    upload_time: datetime | str | None
    """The upload time that the index shows for the file."""


class ReleaseDetails(TypedDict, total=False):
    """The details of a release in a dependency graph.

    A detail that is also a parameter of `cloudrepo_package` has the same default.
    """

    requires: Sequence[str]
    """The dependencies."""
    requires_python: str | None
    """The supported Python versions."""
    extras: Mapping[str, Sequence[str]] | None
    """The dependencies of each extra."""
    files: Mapping[str, str | bytes] | None
    """The contents of the installed files, by relative path."""
    entry_points: Mapping[str, Mapping[str, str]] | None
    """The entry points, by group."""
    metadata_version: str
    """The version of the core metadata."""
    summary: str
    """A description of one line."""
    wheel: bool
    """Whether the release has a wheel. The default is True."""
    sdist: bool
    """Whether the release has an sdist. The default is False."""
    tags: Sequence[str]
    """Compatibility tags; the release has one wheel for each of them."""
    build_tag: str | None
    """The build tag of the wheels."""
    distributions: Mapping[str, DistributionDetails]
    """The release's wheels and sdists by file name, instead of `wheel`, `sdist`, `tags` and
    `build_tag`. Such wheels contain no module, unless `files` or `entry_points` need one."""
    yanked: bool | str
    """Whether the release's files are yanked; a string is the reason."""
    upload_time: datetime | str | None
    """The upload time that the index shows for the release's files."""


Graph: TypeAlias = Mapping[str, Mapping[str, Sequence[str] | ReleaseDetails]]
"""The requirements, or the `ReleaseDetails`, of each version of each project."""

_KEYS: Final = frozenset(ReleaseDetails.__annotations__)
_DISTRIBUTION_KEYS: Final = frozenset(DistributionDetails.__annotations__)
_UNNAMED_KEYS: Final = frozenset({"wheel", "sdist", "tags", "build_tag"})
_RELEASE_KEYS: Final = _KEYS & {field.name for field in fields(Release)}


def publications(graph: Graph) -> list[NewFile]:
    """Return the distributions of all releases of a graph, as files to add to a repository.

    Raises:
        PackageError: a release is invalid; the message names it.
    """
    found: dict[str, NewFile] = {}
    for project, versions in validation.require_mapping(graph, "a graph").items():
        releases = validation.require_mapping(versions, f"the value for the project {project!r}")
        for version, description in releases.items():
            for publication in _release_publications(project, version, description):
                filename = publication.filename
                if filename in found:
                    raise PackageError(
                        f"{project} {version}: another release has the same file name {filename}"
                    )
                found[filename] = publication
    return list(found.values())


def _release_publications(project: str, version: str, description: object) -> list[NewFile]:
    try:
        details = _details(description)
        release = _release(project, version, details)
        if "distributions" in details:
            return list(_named_distributions(release, details))
        yanked, upload_time = _yanked(details), _upload_time(details)
        return [
            NewFile(distribution.filename, distribution.content, yanked, upload_time)
            for distribution in _distributions(release, details)
        ]
    except PackageError as error:
        raise PackageError(f"{project} {version}: {error}") from None


def _release(project: str, version: str, details: Mapping[str, Any]) -> Release:
    return Release(
        project, version, **{name: details[name] for name in details.keys() & _RELEASE_KEYS}
    )


def _named_distributions(release: Release, details: Mapping[str, Any]) -> Iterator[NewFile]:
    others = [key for key in details if key in _UNNAMED_KEYS]
    if others:
        raise PackageError(
            f"{', '.join(others)} cannot be combined with distributions: the file names in "
            "distributions determine the files of the release"
        )
    files = validation.require_mapping(details["distributions"], "distributions")
    if not files:
        raise PackageError("distributions must not be empty")
    metadata = release.core_metadata()
    for filename, given in files.items():
        changes = validation.require_mapping(given, f"the value for the file {filename!r}")
        _check_keys("key of a distribution", changes, _DISTRIBUTION_KEYS)
        own = {**details, **changes}
        own_metadata = metadata
        if changes.keys() & _RELEASE_KEYS:
            own_metadata = _release(release.name, release.version, own).core_metadata()
        content = named.distribution_content(release, filename, own_metadata)
        yield NewFile(filename, content, _yanked(own), _upload_time(own))


def _check_keys(what: str, given: Mapping[Any, Any], known: frozenset[str]) -> None:
    unknown = [key for key in given if key not in known]
    if unknown:
        raise PackageError(
            f"unknown {what} {', '.join(map(repr, unknown))}; "
            f"the keys are {', '.join(sorted(known))}"
        )


def _details(description: object) -> dict[str, Any]:
    if not isinstance(description, Mapping):
        return {"requires": validation.require_list(description, "requires")}
    _check_keys("release key", description, _KEYS)
    return dict(description)


def _distributions(release: Release, details: Mapping[str, Any]) -> Iterator[Distribution]:
    has_wheel, has_sdist = _flag(details, "wheel", default=True), _flag(details, "sdist")
    if not (has_wheel or has_sdist):
        raise PackageError("a release must have a wheel, an sdist or both")
    if has_wheel:
        tags = validation.require_list(details.get("tags", [package.UNIVERSAL_TAG]), "tags")
        if not tags:
            raise PackageError("tags must not be empty for a release with a wheel")
        for tag in tags:
            yield package.create_wheel(release, tags=[tag], build_tag=details.get("build_tag"))
    elif details.keys() & {"tags", "build_tag"}:
        raise PackageError("tags and build_tag apply to wheels only, and this release has no wheel")
    if has_sdist:
        yield package.create_sdist(release)


def _yanked(details: Mapping[str, Any]) -> bool | str:
    yanked = details.get("yanked", False)
    if isinstance(yanked, bool | str):
        return yanked
    raise PackageError(f"yanked must be True, False or a reason, not {yanked!r}")


def _upload_time(details: Mapping[str, Any]) -> str | None:
    upload_time = details.get("upload_time")
    return None if upload_time is None else iso_format(upload_time)


def _flag(details: Mapping[str, Any], name: str, *, default: bool = False) -> bool:
    flag = details.get(name, default)
    if isinstance(flag, bool):
        return flag
    raise PackageError(f"{name} must be True or False, not {flag!r}")
