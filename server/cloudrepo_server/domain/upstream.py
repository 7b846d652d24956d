"""What a repository shows when it falls through to others: its own files first, then theirs."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol
from urllib.parse import urlsplit, urlunsplit

import msgspec

from cloudrepo_server.errors import InvalidError
from cloudrepo_server.models import ProjectDocument, RepositoryDocument

STRATEGIES = ("first-match", "best-version")
"""The first that has a project answers for it alone; or all that have it answer together."""

_REMOTE = ("http://", "https://")


class Source(Protocol):
    """A repository of this server, or another index."""

    async def project(self, name: str) -> ProjectDocument | None:
        """The project of that name, or None."""

    async def project_names(self) -> list[str]:
        """The normalized names of all projects, sorted."""

    async def listing_revision(self) -> str:
        """What is another as soon as there are other projects."""


class LocalSource(Source, Protocol):
    """A repository of this server."""

    document: RepositoryDocument


Find = Callable[[str], Awaitable[LocalSource | None]]
Connect = Callable[[str], Source]


def is_remote(upstream: str) -> bool:
    """Whether an upstream is the URL of an index, rather than a repository's name."""
    return upstream.startswith(_REMOTE)


def without_password(upstream: str) -> str:
    """An upstream as it may be shown."""
    parts = urlsplit(upstream)
    if parts.password is None:
        return upstream
    return urlunsplit(parts._replace(netloc="***@" + parts.netloc.rpartition("@")[2]))


class Upstreams:
    """Follows repositories to those that they fall through to."""

    def __init__(self, find: Find) -> None:
        self._find = find
        self.connect: Connect = _no_remote

    async def check(self, document: RepositoryDocument) -> None:
        """Refuse what cannot be fallen through to.

        Raises:
            InvalidError: a repository is not there, or the way leads back to this one.
        """
        if document.upstream_strategy not in STRATEGIES:
            raise InvalidError(f"upstream_strategy is one of: {', '.join(STRATEGIES)}.")
        seen = {document.name}
        ahead = list(document.upstream)
        while ahead:
            name = ahead.pop()
            if is_remote(name):
                _check_url(name)
                continue
            if name == document.name:
                raise InvalidError(f"The upstream of {document.name} leads back to itself.")
            if name in seen:
                continue
            seen.add(name)
            found = await self._find(name)
            if found is None:
                raise InvalidError(f"There is no repository {name} to be an upstream.")
            ahead += found.document.upstream

    async def project(
        self, repository: LocalSource, name: str, *, own: ProjectDocument | None
    ) -> ProjectDocument | None:
        """The project as the repository shows it: its own, with what comes from its upstreams."""
        if not repository.document.upstream:
            return own
        return await self._project(repository, name, own, frozenset())

    async def project_names(self, repository: LocalSource) -> list[str]:
        """The normalized names of all projects that the repository shows, sorted."""
        names: set[str] = set()
        for source in await self._all(repository):
            names.update(await source.project_names())
        return sorted(names)

    async def listing_revision(self, repository: LocalSource) -> str:
        """What is another as soon as the repository shows other projects."""
        return " ".join([await source.listing_revision() for source in await self._all(repository)])

    async def _project(
        self,
        repository: LocalSource,
        name: str,
        own: ProjectDocument | None,
        passed: frozenset[str],
    ) -> ProjectDocument | None:
        found = [own] if own is not None and own.files else []
        together = repository.document.upstream_strategy == "best-version"
        for upstream in repository.document.upstream:
            if found and not together:
                break
            theirs = await self._from(upstream, name, passed | {repository.document.name})
            if theirs is not None and theirs.files:
                found.append(theirs)
        return _merged(found) if found else own

    async def _from(
        self, upstream: str, name: str, passed: frozenset[str]
    ) -> ProjectDocument | None:
        if is_remote(upstream):
            return await self.connect(upstream).project(name)
        # Two settings changed at the same moment may make a circle that neither check saw.
        repository = None if upstream in passed else await self._find(upstream)
        if repository is None:
            return None
        return await self._project(repository, name, await repository.project(name), passed)

    async def _all(self, repository: LocalSource) -> list[Source]:
        sources: list[Source] = [repository]
        seen = {repository.document.name}
        ahead = list(repository.document.upstream)
        while ahead:
            name = ahead.pop(0)
            if name in seen:
                continue
            seen.add(name)
            found = None if is_remote(name) else await self._find(name)
            if is_remote(name):
                sources.append(self.connect(name))
            elif found is not None:
                sources.append(found)
                ahead += found.document.upstream
        return sources


def _merged(projects: Sequence[ProjectDocument]) -> ProjectDocument:
    first = projects[0]
    if len(projects) == 1:
        return first
    files = {}
    for project in reversed(projects):
        files.update(project.files)
    revision = "+".join(project.revision for project in projects)
    return msgspec.structs.replace(first, files=files, revision=revision)


def _check_url(url: str) -> None:
    try:
        host = urlsplit(url).hostname
    except ValueError:
        host = None
    if not host or not url.isprintable():
        raise InvalidError(f"{url[:64]!r} is not the URL of an index.")


def _no_remote(url: str) -> Source:
    raise InvalidError(f"Other indexes cannot be reached from here: {url}")
