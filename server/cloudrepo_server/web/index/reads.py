"""What is read below a repository's URL: the root, a project's page, a file, what belongs to it."""

from collections.abc import Callable

import msgspec
from aiohttp import web
from cachetools import LRUCache

from cloudrepo_server.domain.repository import Repository
from cloudrepo_server.domain.upstream import Upstreams
from cloudrepo_server.errors import NotFoundError
from cloudrepo_server.models import Project, ProjectDocument, RemoteFile
from cloudrepo_server.specs.dialect import CORE_METADATA, PROVENANCE
from cloudrepo_server.specs.provenance import PROVENANCE_SUFFIX, PROVENANCE_TYPE, provenance_json
from cloudrepo_server.specs.simple_api import (
    HTML,
    HTML_V1,
    JSON_V1,
    project_html,
    project_json,
    root_html,
    root_json,
)
from cloudrepo_server.testkit.faults import RequestKind
from cloudrepo_server.testkit.journal import Entry
from cloudrepo_server.web.http.file_response import file_response
from cloudrepo_server.web.http.paths import IndexPath
from cloudrepo_server.web.http.responses import error_response
from cloudrepo_server.web.http.urls import origin_of, scheme_of
from cloudrepo_server.web.index.fault_injection import ActiveFaults
from cloudrepo_server.web.index.pages import Pages, negotiate, page_response
from cloudrepo_server.web.index.remote_index import Remote

METADATA = ".metadata"

_MAX_PARTS = 2
_LISTINGS = 16


class ReadTarget(msgspec.Struct, frozen=True):
    """What a path asks for: the root, the page of a project, or a file.

    `own` is the project as it is in the repository itself, where it is.
    """

    base: str
    aim: RequestKind
    project: str = ""
    filename: str = ""
    own: ProjectDocument | None = None


class Read(msgspec.Struct, frozen=True):
    """One request to read, with all that its answer depends on."""

    request: web.Request
    repository: Repository
    target: ReadTarget
    struck: ActiveFaults
    entry: Entry


async def find_read_target(repository: Repository, target: IndexPath) -> ReadTarget:
    """What the path asks for; whether it is there is another question.

    Raises:
        NotFoundError: no such path can be.
    """
    parts = target.parts
    below_simple = bool(parts) and parts[0] in repository.dialect.simple_prefixes
    if below_simple and not await _is_file_of_simple(repository, parts):
        parts = parts[1:]
    if not parts:
        return ReadTarget(target.base, "root")
    if len(parts) > _MAX_PARTS:
        raise NotFoundError(f"There is nothing at this path in the repository {repository.name}.")
    own = await repository.project(parts[0])
    name = parts[0] if own is None else own.name
    if len(parts) == 1:
        return ReadTarget(target.base, "page", name, own=own)
    if target.slash:
        raise NotFoundError(f"A file's URL does not end in a slash: {parts[1]}")
    aim: RequestKind = "metadata" if parts[1].endswith(METADATA) else "file"
    return ReadTarget(target.base, aim, name, parts[1], own)


class Reader:
    """Answers reads, with pages kept as bytes."""

    def __init__(self, upstreams: Upstreams, remote: Remote) -> None:
        self._upstreams = upstreams
        self._remote = remote
        self._pages = Pages()
        self._names: LRUCache[tuple[str, str], list[str]] = LRUCache(_LISTINGS)

    async def answer(self, read: Read) -> web.StreamResponse:
        """What was asked for.

        Raises:
            NotFoundError: it is not there.
        """
        if read.target.aim == "root":
            return await self._root(read)
        repository, name = read.repository, read.target.project
        project = await self._upstreams.project(repository, name, local=read.target.own)
        if read.target.aim == "page":
            return self._project(read, read.struck.page(project, name))
        if project is None:
            raise _no_project(read)
        try:
            return await self._file(read, project)
        except FileNotFoundError:
            # It was replaced between the document and the blob: the document now names another.
            own = await repository.project(name)
            again = await self._upstreams.project(repository, name, local=own)
            if again is None or again.revision == project.revision:
                raise NotFoundError(f"The bytes of {read.target.filename} are gone.") from None
            return await self._file(read, again)

    async def _file(self, read: Read, project: Project) -> web.StreamResponse:
        filename, repository = read.target.filename, read.repository
        served = repository.dialect.attributes
        file = project.files.get(filename)
        if isinstance(file, RemoteFile):
            return await self._pass_on(read, file.url)
        if file is not None:
            content = repository.content(file)
        elif filename.endswith(PROVENANCE_SUFFIX) and PROVENANCE in served:
            return _provenance(read, project)
        elif CORE_METADATA not in served or read.struck.metadata_missing:
            raise _no_file(read)
        else:
            file = project.files.get(filename.removesuffix(METADATA))
            if isinstance(file, RemoteFile) and file.metadata_url is not None:
                return await self._pass_on(read, file.metadata_url)
            if file is None or isinstance(file, RemoteFile) or file.metadata_blob is None:
                raise _no_file(read)
            content = await repository.metadata(file)
        return await file_response(read.request, content, read.entry, whole=read.struck.spoils_body)

    async def _pass_on(self, read: Read, url: str) -> web.StreamResponse:
        return await self._remote.pass_on(
            read.request, url, read.entry, whole=read.struck.spoils_body
        )

    async def _root(self, read: Read) -> web.Response:
        base, repository = read.target.base, read.repository
        revision = await self._upstreams.listing_revision(repository)
        names = read.struck.root(await self._project_names(repository, revision))
        key = (base, repository.document.id, *(names if read.struck.stale else [revision]))
        return self._page(
            read,
            key,
            lambda: root_html(names, base=base),
            lambda: root_json(names, dialect=repository.dialect),
        )

    async def _project_names(self, repository: Repository, revision: str) -> list[str]:
        key = repository.document.id, revision
        names = self._names.get(key)
        if names is None:
            names = self._names[key] = await self._upstreams.project_names(repository)
        return names

    def _project(self, read: Read, project: Project | None) -> web.Response:
        base, repository, dialect = read.target.base, read.repository, read.repository.dialect
        if project is None:
            raise _no_project(read)
        if not project.files and dialect.empty_project_status != web.HTTPOk.status_code:
            raise NotFoundError(f"The project {project.name} has no files.")
        # PEP 740: the URL of a provenance is absolute, and https.
        origin = origin_of(read.request) if scheme_of(read.request) == "https" else None
        return self._page(
            read,
            (base, repository.document.id, project.name, project.revision, origin or ""),
            lambda: project_html(project, base=base, dialect=dialect, origin=origin),
            lambda: project_json(project, base=base, dialect=dialect, origin=origin),
        )

    def _page(
        self,
        read: Read,
        key: tuple[str, ...],
        html: Callable[[], bytes],
        json: Callable[[], bytes],
    ) -> web.Response:
        request, dialect = read.request, read.repository.dialect
        content_type: str | None = HTML
        if dialect.json_version is not None:
            accept = ", ".join(request.headers.getall("Accept", ()))
            content_type = negotiate(accept, request.query.get("format"))
        if content_type is None:
            return error_response(
                406, f"This index speaks {JSON_V1}, {HTML_V1} and {HTML}.", {"Vary": "Accept"}
            )
        form, render = ("json", json) if content_type == JSON_V1 else ("html", html)
        return page_response(
            request, self._pages.get((dialect.name, form, *key), render), content_type
        )


def _provenance(read: Read, project: Project) -> web.Response:
    attested = project.files.get(read.target.filename.removesuffix(PROVENANCE_SUFFIX))
    if attested is None or attested.attestations is None:
        raise _no_file(read)
    return web.Response(body=provenance_json(attested.attestations), content_type=PROVENANCE_TYPE)


async def _is_file_of_simple(repository: Repository, parts: tuple[str, ...]) -> bool:
    # `/simple/X` is the page of X, unless a project called "simple" has such a file.
    if parts[0] != "simple" or len(parts) != _MAX_PARTS:
        return False
    project = await repository.project("simple")
    filename = parts[1].removesuffix(METADATA).removesuffix(PROVENANCE_SUFFIX)
    return project is not None and filename in project.files


def _no_project(read: Read) -> NotFoundError:
    return read.repository.project_not_found(read.target.project)


def _no_file(read: Read) -> NotFoundError:
    return NotFoundError(
        f"There is no file {read.target.filename} in the project {read.target.project}."
    )
