"""The releases of a project that a snapshot may record, and the newest of them."""

import contextlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

import msgspec
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import parse_wheel_filename
from packaging.version import Version

from cloudrepo_server.cli.snapshots.client import RemoteDistribution
from cloudrepo_server.cli.snapshots.environments import Environment
from cloudrepo_server.errors import InvalidError
from cloudrepo_server.specs.filenames import parse_filename
from cloudrepo_server.specs.timestamps import parse_upload_time


class Candidate(msgspec.Struct, frozen=True):
    """A release, and those of its files that a snapshot records."""

    version: str
    files: tuple[RemoteDistribution, ...]
    environments: frozenset[Environment]
    """The environments that accept at least one of the files."""

    @property
    def is_yanked(self) -> bool:
        """Whether all of the files are yanked."""
        return all(file.page.yanked is not None for file in self.files)


def candidates(
    project: str,
    files: Iterable[RemoteDistribution],
    environments: Sequence[Environment],
    exclude_newer: str,
) -> list[Candidate]:
    """Return the releases that can be installed in one of the environments, the newest first.

    Each candidate has the wheels that at least one environment accepts. It has the sdist too if an
    environment accepts none of these wheels.

    Args:
        project: the normalized name of the project.
        files: the files on its page.
        environments: the environments.
        exclude_newer: the time before which the files were uploaded.
    """
    wheels: dict[str, list[_File]] = defaultdict(list)
    sdists: dict[str, list[_File]] = defaultdict(list)
    for file in files:
        time = file.page.upload_time
        if time is not None and parse_upload_time(time) >= exclude_newer:
            continue
        read = _read(project, file, environments)
        if read is not None and read.environments:
            (wheels if file.page.filename.endswith(".whl") else sdists)[read.version].append(read)
    found = []
    for version in wheels.keys() | sdists.keys():
        covered = {environment for wheel in wheels[version] for environment in wheel.environments}
        needed = [sdist for sdist in sdists[version] if set(sdist.environments) - covered]
        chosen = [*wheels[version], *needed]
        accepting = frozenset(each for file in chosen for each in file.environments)
        found.append(Candidate(version, tuple(each.file for each in chosen), accepting))
    return sorted(
        (candidate for candidate in found if candidate.files),
        key=lambda candidate: Version(candidate.version),
        reverse=True,
    )


def newest(
    releases: Sequence[Candidate],
    specifier: SpecifierSet,
    count: int,
    *,
    environments: Iterable[Environment],
    prereleases: bool | None,
) -> Iterator[Candidate]:
    """Yield the newest releases that satisfy a specifier, for each environment.

    Args:
        releases: the releases, the newest first.
        specifier: the specifier.
        count: the number of releases for each environment.
        environments: the environments.
        prereleases: whether pre-releases satisfy the specifier. None means that they do if the
            specifier names one, or if no other release satisfies it.
    """
    for environment in environments:
        accepted = [release for release in releases if environment in release.environments]
        yield from _newest(accepted, specifier, count, prereleases=prereleases)


def _newest(
    releases: Sequence[Candidate],
    specifier: SpecifierSet,
    count: int,
    *,
    prereleases: bool | None,
) -> list[Candidate]:
    # Yanked releases are chosen in addition, and at most `count` of them.
    by_version = {Version(release.version): release for release in releases}
    available = [version for version, each in by_version.items() if not each.is_yanked]
    chosen = list(specifier.filter(available, prereleases=prereleases))[:count]
    yanked = [version for version, each in by_version.items() if each.is_yanked]
    if chosen:
        yanked = [version for version in yanked if version > chosen[-1]]
    chosen += list(specifier.filter(yanked, prereleases=prereleases))[:count]
    return [by_version[version] for version in chosen]


class _File(msgspec.Struct, frozen=True):
    file: RemoteDistribution
    version: str
    environments: tuple[Environment, ...]


def _read(
    project: str, file: RemoteDistribution, environments: Sequence[Environment]
) -> _File | None:
    """Return a file with its version and environments, or None if installers ignore it."""
    filename = file.page.filename
    if not filename.endswith((".whl", ".tar.gz")):
        return None
    try:
        name = parse_filename(filename, project=project)
    except InvalidError:
        return None
    if name.project != project or not name.version:
        return None
    requires_python = _requires_python(file)
    accepting = [each for each in environments if each.accepts_python(requires_python)]
    if filename.endswith(".whl"):
        tags = parse_wheel_filename(filename)[3]
        accepting = [each for each in accepting if each.accepts_wheel(tags)]
    return _File(file, str(Version(name.version)), tuple(accepting))


def _requires_python(file: RemoteDistribution) -> SpecifierSet:
    # Installers ignore an invalid Requires-Python.
    with contextlib.suppress(InvalidSpecifier):
        return SpecifierSet(file.page.requires_python or "")
    return SpecifierSet()
