"""Upstreams: other repositories and indexes whose projects a repository also offers."""

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import msgspec

from cloudrepo_server.domain.upstream_states import UpstreamStates
from cloudrepo_server.domain.upstream_urls import (
    check_url,
    hide_password,
    is_url,
    origin_error,
    shown_upstream,
)
from cloudrepo_server.errors import InvalidError, UpstreamLoopError
from cloudrepo_server.limits import MAX_HOPS, MAX_UPSTREAMS
from cloudrepo_server.models import (
    File,
    Project,
    ProjectDocument,
    RemoteFile,
    RepositoryDocument,
    UpstreamProject,
)

FIRST_MATCH = "first-match"
BEST_VERSION = "best-version"
STRATEGIES = (FIRST_MATCH, BEST_VERSION)
"""How a project is assembled from its sources: the repository itself, then its upstreams in order.

- `first-match`: the first source that has files of the project provides all its files.
- `best-version`: the files of all sources are offered together.
"""


class Source(Protocol):
    """A source of projects: a repository of this server, or another index."""

    async def project(self, name: str) -> Project | None:
        """Return the project with this name, or None."""

    async def project_names(self) -> list[str]:
        """Return the normalized names of all projects, sorted."""

    async def listing_revision(self) -> str:
        """Return a text that changes when the list of projects changes."""


class LocalSource(Source, Protocol):
    """A repository of this server."""

    document: RepositoryDocument

    async def project(self, name: str) -> ProjectDocument | None:
        """Return the project with this name, or None."""


Find = Callable[[str], Awaitable[LocalSource | None]]
"""Returns the repository of this server with a name, or None."""
Connect = Callable[[str, Sequence[str], tuple[str, ...]], Source]
"""Returns the index at a URL; its files may also be at the given origins.

The last argument is the ids of the repositories that the request passed.
"""


def check_loop(repository: RepositoryDocument, via: tuple[str, ...]) -> None:
    """Check that this repository did not cause the request itself, through its upstreams.

    Args:
        repository: the repository that received the request.
        via: the ids of the repositories that the request passed on its way here.

    Raises:
        UpstreamLoopError: this repository caused it, or it passed too many repositories.
    """
    if repository.id in via:
        raise UpstreamLoopError(
            f"The upstream setting of {repository.name} leads back to {repository.name}: "
            "remove the upstream whose URL leads to this repository."
        )
    if len(via) >= MAX_HOPS:
        raise UpstreamLoopError(
            f"The request passed {MAX_HOPS} repositories on its way to {repository.name}: "
            "use fewer repositories in a row as upstreams."
        )


class _Search(msgspec.Struct, frozen=True):
    """The search for one project in a repository and its upstreams."""

    name: str
    queried: list[str]
    """The upstreams that were queried so far, without passwords."""
    known: dict[str, Project | None] = msgspec.field(default_factory=dict)
    """The project as each repository of this server offers it, by the repository's name."""


class Upstreams:
    """The upstreams of all repositories, and the projects that repositories offer with them."""

    def __init__(self, find: Find) -> None:
        self._find = find
        self.connect: Connect = _no_connection
        self.states = UpstreamStates()

    async def check(self, document: RepositoryDocument) -> None:
        """Check the upstream settings of a repository.

        Raises:
            InvalidError: the strategy is unknown, or an upstream does not exist, has an invalid
                URL, or leads back to the repository.
        """
        check_strategy(document.upstream_strategy)
        check_origins(document.upstream_file_origins)
        await self.check_upstreams(document, document.upstream)

    async def check_upstreams(self, document: RepositoryDocument, upstream: Sequence[str]) -> None:
        """Check the proposed upstreams of a repository.

        Raises:
            InvalidError: there are too many, or some do not exist, have invalid URLs, or lead back
                to the repository. The error names all of these.
        """
        _check_number(upstream)
        messages = []
        found: dict[str, LocalSource | None] = {}
        for each in upstream:
            try:
                await self._check_upstream(document, each, found)
            except InvalidError as error:
                messages.append(str(error))
        if messages:
            raise InvalidError(" ".join(dict.fromkeys(messages)))

    async def project(
        self,
        repository: LocalSource,
        name: str,
        *,
        local: ProjectDocument | None,
        via: tuple[str, ...] = (),
        queried: list[str] | None = None,
    ) -> Project | None:
        """Return a project as a repository offers it, with files of its upstreams.

        Args:
            repository: the repository.
            name: the name of the project.
            local: the project in the repository itself, if it has one.
            via: the ids of the repositories that the request passed on its way here.
            queried: a list to which the queried upstreams are added, without passwords.
        """
        if not repository.document.upstream:
            return local
        search = _Search(name, [] if queried is None else queried)
        return await self._project(repository, search, local, via)

    async def project_names(self, repository: LocalSource) -> list[str]:
        """Return the normalized names of all projects that a repository offers, sorted."""
        names: set[str] = set()
        for source in await self._sources(repository):
            names.update(await source.project_names())
        return sorted(names)

    async def listing_revision(self, repository: LocalSource) -> str:
        """Return a text that changes when the list of offered projects changes."""
        sources = await self._sources(repository)
        return " ".join([await source.listing_revision() for source in sources])

    async def _check_upstream(
        self, document: RepositoryDocument, first: str, found: dict[str, LocalSource | None]
    ) -> None:
        """Check one upstream and those behind it; add each repository that was read to `found`."""
        visited = {document.name}
        remaining = deque([(first, 1)])
        while remaining:
            upstream, hops = remaining.popleft()
            if is_url(upstream):
                check_url(upstream)
                continue
            if upstream == document.name:
                raise InvalidError(
                    f"The upstream {first} leads back to {document.name}: leave it out."
                )
            if upstream in visited:
                continue
            visited.add(upstream)
            if upstream not in found:
                found[upstream] = await self._find(upstream)
            repository = found[upstream]
            if repository is None:
                raise InvalidError(
                    f"The upstream {shown_upstream(upstream)} was not found: create it first."
                )
            if hops >= MAX_HOPS:
                raise InvalidError(
                    f"The upstream {first} leads through more than {MAX_HOPS} repositories: use "
                    "fewer repositories in a row as upstreams."
                )
            remaining += ((each, hops + 1) for each in repository.document.upstream)

    async def _project(
        self,
        repository: LocalSource,
        search: _Search,
        local: ProjectDocument | None,
        via: tuple[str, ...],
    ) -> Project | None:
        # Several chains of upstreams may lead to the same repository, so each repository is read
        # once. Until then its entry is None, which ends cycles.
        search.known[repository.document.name] = None
        if len(via) >= MAX_HOPS:
            raise UpstreamLoopError(
                f"The upstreams lead through {MAX_HOPS} repositories, and "
                f"{repository.document.name} would be the next: use fewer."
            )
        found: list[Project] = [local] if local is not None and local.files else []
        merge = repository.document.upstream_strategy == BEST_VERSION
        for upstream in repository.document.upstream:
            if found and not merge:
                break
            project = await self._upstream_project(
                repository, upstream, search, (*via, repository.document.id)
            )
            if project is not None and project.files:
                found.append(project)
        project = _merge(found) if found else local
        search.known[repository.document.name] = project
        return project

    async def _upstream_project(
        self,
        parent: LocalSource,
        upstream: str,
        search: _Search,
        via: tuple[str, ...],
    ) -> Project | None:
        # Two settings that change at the same time may make a cycle that neither check could see.
        if upstream in search.known:
            return search.known[upstream]
        shown = hide_password(upstream)
        if shown not in search.queried:
            search.queried.append(shown)
        if is_url(upstream):
            origins = parent.document.upstream_file_origins
            with self.states.observe(parent.document.id, upstream):
                return await self.connect(upstream, origins, via).project(search.name)
        repository = await self._find(upstream)
        if repository is None:
            return None
        return await self._project(repository, search, await repository.project(search.name), via)

    async def _sources(self, repository: LocalSource) -> list[Source]:
        sources: list[Source] = [repository]
        visited = {repository.document.name}
        remaining = list(repository.document.upstream)
        while remaining:
            upstream = remaining.pop(0)
            if upstream in visited:
                continue
            visited.add(upstream)
            if is_url(upstream):
                sources.append(self.connect(upstream, (), ()))
                continue
            found = await self._find(upstream)
            if found is not None:
                sources.append(found)
                remaining += found.document.upstream
        return sources


def check_strategy(strategy: str) -> None:
    """Check the strategy with which a project is assembled from its sources.

    Raises:
        InvalidError: the strategy is unknown.
    """
    if strategy not in STRATEGIES:
        raise InvalidError(f"upstream_strategy must be one of: {', '.join(STRATEGIES)}.")


def check_origins(origins: Sequence[str]) -> None:
    """Check the further origins of the files of upstreams.

    Raises:
        InvalidError: there are too many, or some are not origins. The error names all of these.
    """
    _check_number(origins)
    messages = [message for origin in origins if (message := origin_error(origin))]
    if messages:
        raise InvalidError(" ".join(messages))


def _check_number(entries: Sequence[str]) -> None:
    if len(entries) > MAX_UPSTREAMS:
        raise InvalidError(
            f"upstream and upstream_file_origins have at most {MAX_UPSTREAMS} entries each."
        )


def _merge(projects: Sequence[Project]) -> Project:
    first = projects[0]
    if len(projects) == 1:
        return first
    files: dict[str, File | RemoteFile] = {}
    # The files of earlier projects replace files of the same name in later ones.
    for project in reversed(projects):
        files.update(project.files)
    return UpstreamProject(
        name=first.name,
        files=files,
        status=first.status,
        status_reason=first.status_reason,
        revision="+".join(project.revision for project in projects),
    )


def _no_connection(url: str, _origins: Sequence[str], _via: tuple[str, ...]) -> Source:
    raise InvalidError(f"This process cannot connect to other indexes: {hide_password(url)}")
