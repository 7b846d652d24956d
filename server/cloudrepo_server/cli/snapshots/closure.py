"""Finds the releases that a resolution of some requirements may need.

The search begins with the given requirements, and follows the dependencies of each release that it
records. For each distinct requirement of a project, it records the newest releases that satisfy the
requirement. It works in rounds: the pages and metadata of a round are read concurrently.
"""

import asyncio
from collections.abc import Coroutine, Iterable, Iterator
from functools import lru_cache
from typing import Any, Final

import msgspec
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from cloudrepo_server.cli.snapshots.candidates import Candidate, candidates, newest
from cloudrepo_server.cli.snapshots.client import IndexClient, RemoteDistribution
from cloudrepo_server.cli.snapshots.environments import Environment
from cloudrepo_server.cli.snapshots.metadata import (
    Metadata,
    parse_requirement,
    read_sdist,
    read_wheel,
)
from cloudrepo_server.errors import InvalidError

_MAX_PROJECTS: Final = 5_000
_MAX_RELEASES: Final = 50_000
_READERS: Final = 64
_CACHED: Final = 1 << 16


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """The options of a search."""

    requirements: tuple[Requirement, ...]
    """The requirements with which the search begins."""
    environments: tuple[Environment, ...]
    """The environments in which markers are evaluated. At least one must accept a file."""
    versions: int
    """The number of releases to record for each requirement and each environment."""
    exclude_newer: str
    """The time before which the recorded files were uploaded, in the format of the simple API."""
    requires_upload_times: bool
    """Whether each file must have an upload time."""
    prereleases: bool
    """Whether pre-releases are recorded even if a requirement does not ask for one."""


class Distribution(msgspec.Struct, frozen=True):
    """A recorded file."""

    filename: str
    metadata: Metadata
    upload_time: str | None
    yanked: str | None


class Closure(msgspec.Struct, frozen=True):
    """The result of the search."""

    releases: dict[str, dict[str, list[Distribution]]]
    """The files of each version of each project; the newest version is the first."""
    left_out: list[str]
    """The projects, files and requirements that could not be recorded, with the reasons."""


class _Demand(msgspec.Struct, frozen=True, order=True):
    """A requirement of a project, without its marker."""

    project: str
    specifier: str
    extras: tuple[str, ...]


class _Project(msgspec.Struct):
    """A project that the search has reached."""

    candidates: list[Candidate]
    extras: set[str] = msgspec.field(default_factory=set)
    recorded: dict[str, list[Distribution]] = msgspec.field(default_factory=dict)
    seen: set[str] = msgspec.field(default_factory=set)
    """The versions that were selected, whether or not they could be recorded."""


class Search:
    """A search in one index."""

    def __init__(self, client: IndexClient, options: Options) -> None:
        self._client = client
        self._options = options
        self._projects: dict[str, _Project] = {}
        self._left_out: dict[str, None] = {}
        self._readers = asyncio.Semaphore(_READERS)
        self._missing: set[str] = set()

    @property
    def progress(self) -> str:
        """The numbers of projects and releases that were found so far, in words."""
        releases = sum(len(project.recorded) for project in self._projects.values())
        return f"{len(self._projects)} projects, {releases} releases"

    async def run(self) -> Closure:
        """Return the releases that were found.

        Raises:
            InvalidError: the index has no release that satisfies one of the given requirements, or
                too many projects or releases would be recorded.
            UpstreamError: the index did not respond.
        """
        demands = {_demand(requirement) for requirement in self._options.requirements}
        seen: set[_Demand] = set()
        while demands:
            seen |= demands
            changed = await self._record(sorted(demands))
            demands = set(self._dependencies(changed)) - seen
        for requirement in self._options.requirements:
            self._require_release(requirement)
        return Closure(
            releases={
                name: dict(
                    sorted(
                        project.recorded.items(), key=lambda item: Version(item[0]), reverse=True
                    )
                )
                for name, project in sorted(self._projects.items())
                if project.recorded
            },
            left_out=sorted(self._left_out),
        )

    async def _record(self, demands: list[_Demand]) -> list[str]:
        """Record the releases that satisfy these requirements; return the changed projects."""
        await self._read_pages({demand.project for demand in demands})
        changed: dict[str, None] = {}
        reads: list[Coroutine[Any, Any, None]] = []
        for demand in demands:
            project = self._projects.get(demand.project)
            if project is None:
                continue
            if not project.extras.issuperset(demand.extras):
                project.extras.update(demand.extras)
                changed[demand.project] = None
            for candidate in newest(
                project.candidates,
                SpecifierSet(demand.specifier),
                self._options.versions,
                environments=self._options.environments,
                prereleases=self._options.prereleases or None,
            ):
                if candidate.version not in project.seen:
                    project.seen.add(candidate.version)
                    changed[demand.project] = None
                    reads.append(self._read_release(demand.project, candidate))
        if sum(len(project.seen) for project in self._projects.values()) > _MAX_RELEASES:
            raise InvalidError(
                f"a snapshot has at most {_MAX_RELEASES} releases: use fewer requirements, or a "
                "smaller number of versions"
            )
        await _all(reads)
        return list(changed)

    async def _read_pages(self, names: set[str]) -> None:
        new = sorted(names - self._projects.keys() - self._missing)
        if len(self._projects) + len(new) > _MAX_PROJECTS:
            raise InvalidError(
                f"a snapshot has at most {_MAX_PROJECTS} projects: use fewer requirements"
            )
        await _all(map(self._read_page, new))

    async def _read_page(self, name: str) -> None:
        files = await self._client.project(name)
        if files is None:
            self._missing.add(name)
            self._left_out[f"{name}: the index does not have this project"] = None
            return
        options = self._options
        if options.requires_upload_times and any(file.page.upload_time is None for file in files):
            raise InvalidError(
                f"{name}: the index does not list upload times, so --exclude-newer cannot be used"
            )
        self._projects[name] = _Project(
            candidates(name, files, options.environments, options.exclude_newer)
        )

    async def _read_release(self, name: str, candidate: Candidate) -> None:
        async with self._readers:
            distributions = await self._read_distributions(name, candidate)
        if distributions:
            self._projects[name].recorded[candidate.version] = distributions

    async def _read_distributions(self, name: str, candidate: Candidate) -> list[Distribution]:
        # Wheels with the same digest of their metadata are read only once.
        known: dict[str, Metadata] = {}
        distributions = []
        for file in candidate.files:
            page = file.page
            try:
                metadata = known.get(page.metadata_sha256 or "") or await self._read(name, file)
            except InvalidError as error:
                self._left_out[f"{page.filename}: {error}"] = None
                continue
            if page.metadata_sha256 is not None:
                known[page.metadata_sha256] = metadata
            distributions.append(
                Distribution(page.filename, metadata, page.upload_time, page.yanked)
            )
        return distributions

    async def _read(self, name: str, file: RemoteDistribution) -> Metadata:
        is_wheel = file.page.filename.endswith(".whl")
        return await (read_wheel if is_wheel else read_sdist)(self._client, name, file)

    def _dependencies(self, names: Iterable[str]) -> Iterator[_Demand]:
        """Yield the requirements of all recorded releases of these projects."""
        for name in names:
            project = self._projects[name]
            for version, distributions in project.recorded.items():
                lines = dict.fromkeys(
                    line for each in distributions for line in each.metadata.requires
                )
                for line in lines:
                    yield from self._demands(f"{name} {version}", line, project.extras)

    def _demands(self, release: str, line: str, extras: set[str]) -> Iterator[_Demand]:
        marker, demand = _marker_and_demand(line)
        if marker and not _applies(marker, frozenset(extras), self._options.environments):
            return
        if demand is None:
            self._left_out[
                f"{release}: the requirement {line} names a URL instead of a version"
            ] = None
            return
        yield demand

    def _require_release(self, requirement: Requirement) -> None:
        project = self._projects.get(canonicalize_name(requirement.name))
        if project is None:
            raise InvalidError(f"{requirement}: the index does not have this project")
        specifier = requirement.specifier
        if not any(specifier.contains(version, prereleases=True) for version in project.recorded):
            raise InvalidError(
                f"{requirement}: the index has no release that satisfies this requirement, was "
                "uploaded early enough, and can be installed in one of the environments"
            )


def _demand(requirement: Requirement) -> _Demand:
    extras = tuple(sorted(map(canonicalize_name, requirement.extras)))
    return _Demand(canonicalize_name(requirement.name), str(requirement.specifier), extras)


@lru_cache(_CACHED)
def _marker_and_demand(line: str) -> tuple[str, _Demand | None]:
    """Return the marker of a requirement, and its demand; None if it names a URL, not a version."""
    requirement = parse_requirement(line)
    marker = str(requirement.marker or "")
    return marker, _demand(requirement) if requirement.url is None else None


@lru_cache(_CACHED)
def _applies(marker: str, extras: frozenset[str], environments: tuple[Environment, ...]) -> bool:
    return any(environment.applies(marker, extras) for environment in environments)


async def _all(work: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Run coroutines concurrently. If one fails, cancel the others and raise its error."""
    try:
        async with asyncio.TaskGroup() as group:
            for each in work:
                group.create_task(each)
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
