"""Projects that depend on each other, as data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final, TypeAlias, TypedDict

from pytest_cloudrepo import package
from pytest_cloudrepo._distributions import validation
from pytest_cloudrepo._distributions.release import Release
from pytest_cloudrepo._distributions.upload_time import iso_format
from pytest_cloudrepo.errors import PackageError
from pytest_cloudrepo.package import Distribution


class ReleaseDetails(TypedDict, total=False):
    """A release of a graph; what is left out is as `cloudrepo_package` has it."""

    requires: Sequence[str]
    """What it depends on."""
    requires_python: str | None
    """The Pythons that it is for."""
    extras: Mapping[str, Sequence[str]] | None
    """What each of its extras depends on."""
    files: Mapping[str, str | bytes] | None
    """What it installs."""
    entry_points: Mapping[str, Mapping[str, str]] | None
    """Its entry points, by group."""
    metadata_version: str
    """The version of its metadata."""
    summary: str
    """What it is, in one line."""
    wheel: bool
    """Whether it has a wheel; it has."""
    sdist: bool
    """Whether it has an sdist; it has none."""
    tags: Sequence[str]
    """A wheel for each of these."""
    build_tag: str | None
    """The wheels' build tag."""
    yanked: bool | str
    """Whether its files are yanked, or why."""
    upload_time: datetime | str | None
    """When the index is to say that its files came."""


Graph: TypeAlias = Mapping[str, Mapping[str, Sequence[str] | ReleaseDetails]]
"""Projects, their versions, and of each version what it requires, or more than that."""

_KNOWN: Final = frozenset(ReleaseDetails.__annotations__)
_OF_RELEASE: Final = _KNOWN & {field.name for field in fields(Release)}


@dataclass(frozen=True, slots=True)
class Publication:
    """A file, and what the index is to say about it."""

    distribution: Distribution
    yanked: bool | str
    upload_time: str | None


def publications(graph: Graph) -> list[Publication]:
    """Give the files of a graph's releases.

    Raises:
        PackageError: A release is not valid; the message names it.
    """
    made: dict[str, Publication] = {}
    for project, versions in validation.mapped(graph, "a graph").items():
        for version, described in validation.mapped(versions, f"the project {project!r}").items():
            for one in _of_release(project, version, described):
                filename = one.distribution.filename
                if filename in made:
                    raise PackageError(f"{project} {version}: there is already a file {filename}")
                made[filename] = one
    return list(made.values())


def _of_release(project: str, version: str, described: object) -> list[Publication]:
    try:
        details = _details(described)
        release = Release(
            project, version, **{name: details[name] for name in details.keys() & _OF_RELEASE}
        )
        yanked, upload_time = _yanked(details), _upload_time(details)
        return [
            Publication(distribution, yanked, upload_time)
            for distribution in _distributions(release, details)
        ]
    except PackageError as error:
        raise PackageError(f"{project} {version}: {error}") from None


def _details(described: object) -> dict[str, Any]:
    if not isinstance(described, Mapping):
        return {"requires": validation.listed(described, "what a release requires")}
    unknown = [name for name in described if name not in _KNOWN]
    if unknown:
        raise PackageError(
            f"{', '.join(map(repr, unknown))} cannot be said of a release; "
            f"there are {', '.join(sorted(_KNOWN))}"
        )
    return dict(described)


def _distributions(release: Release, details: Mapping[str, Any]) -> Iterator[Distribution]:
    has_wheel, has_sdist = _flag(details, "wheel", default=True), _flag(details, "sdist")
    if not (has_wheel or has_sdist):
        raise PackageError("a release has a wheel, an sdist or both")
    if has_wheel:
        tags = validation.listed(details.get("tags", [package.ANY]), "tags")
        if not tags:
            raise PackageError("a release with a wheel has at least one tag, or says none")
        for tag in tags:
            yield package.write_wheel(release, tags=[tag], build_tag=details.get("build_tag"))
    elif details.keys() & {"tags", "build_tag"}:
        raise PackageError("tags and a build tag are a wheel's, and this release has none")
    if has_sdist:
        yield package.write_sdist(release)


def _yanked(details: Mapping[str, Any]) -> bool | str:
    yanked = details.get("yanked", False)
    if isinstance(yanked, bool | str):
        return yanked
    raise PackageError(f"yanked is True, False or a reason, not {yanked!r}")


def _upload_time(details: Mapping[str, Any]) -> str | None:
    upload_time = details.get("upload_time")
    return None if upload_time is None else iso_format(upload_time)


def _flag(details: Mapping[str, Any], name: str, *, default: bool = False) -> bool:
    flag = details.get(name, default)
    if isinstance(flag, bool):
        return flag
    raise PackageError(f"{name} is True or False, not {flag!r}")
