"""The index below a repository's URL: pages, files, and the door for uploads."""

from collections.abc import Callable

from aiohttp import web

from cloudrepo_server.documents import File, ProjectDocument
from cloudrepo_server.errors import NotFoundError
from cloudrepo_server.journal import Entry
from cloudrepo_server.organization import (
    Organization,
    RepositoryUser,
    TokenBearer,
    repository_not_found,
)
from cloudrepo_server.provenance import PROVENANCE, PROVENANCE_TYPE, provenance_json
from cloudrepo_server.repository import Repository
from cloudrepo_server.simple import (
    HTML,
    HTML_V1,
    JSON_V1,
    project_html,
    project_json,
    root_html,
    root_json,
)
from cloudrepo_server.web.answers import json_answer, refusal_answer
from cloudrepo_server.web.authentication import authenticate
from cloudrepo_server.web.files import content_answer
from cloudrepo_server.web.pages import Pages, negotiate, page_answer
from cloudrepo_server.web.target import Target, read_target
from cloudrepo_server.web.upload import receive_upload

ENTRY = "entry"
DIALECT = "dialect"

_READS = ("GET", "HEAD")
_MAX_PARTS = 2


class Index:
    """Answers every request below `/repositories` and `/public/repositories`."""

    def __init__(self, organization: Organization) -> None:
        self._organization = organization
        self._pages = Pages()

    async def private(self, request: web.Request) -> web.StreamResponse:
        """What repository users and tokens read and upload."""
        if request.method not in (*_READS, "POST"):
            return _method_not_allowed("GET, HEAD, POST")
        target = read_target(request.rel_url.raw_path)
        repository, entry = await self._begin(request, target)
        principal = self._organization.require_repository_user(
            await authenticate(request, self._organization)
        )
        entry.user = principal.name
        if not target.repository:
            return json_answer({"organization": self._organization.name})
        if repository is None:
            raise repository_not_found(target.repository)
        if request.method != "POST":
            self._organization.require_right(principal, repository, write=False)
            return await self._read(request, repository, target, entry)
        if target.parts:
            return _method_not_allowed("GET, HEAD")
        return await self._upload(request, repository, principal, entry)

    async def public(self, request: web.Request) -> web.StreamResponse:
        """What anybody reads of a public repository."""
        if request.method not in _READS:
            return _method_not_allowed("GET, HEAD", "Only Reads are allowed")
        target = read_target(request.rel_url.raw_path)
        repository, entry = await self._begin(request, target)
        if repository is None or not repository.document.public:
            raise repository_not_found(target.repository)
        return await self._read(request, repository, target, entry)

    async def _begin(self, request: web.Request, target: Target) -> tuple[Repository | None, Entry]:
        entry = Entry(
            method=request.method,
            path=request.rel_url.raw_path,
            user_agent=request.headers.get("User-Agent", ""),
        )
        repository = await self._organization.find(target.repository)
        if repository is not None:
            self._organization.journal(repository).add(entry)
            request[DIALECT] = repository.dialect
        request[ENTRY] = entry
        return repository, entry

    async def _upload(
        self,
        request: web.Request,
        repository: Repository,
        principal: RepositoryUser | TokenBearer,
        entry: Entry,
    ) -> web.Response:
        self._organization.require_right(principal, repository, write=True)
        await receive_upload(request, repository, principal.name, entry)
        return web.Response(status=200)

    async def _read(
        self, request: web.Request, repository: Repository, target: Target, entry: Entry
    ) -> web.StreamResponse:
        parts = target.parts
        if parts[:1] == ("simple",) and not await self._is_file_of_simple(repository, parts):
            parts = parts[1:]
        if not parts:
            return await self._root(request, repository, target)
        project = await repository.project(parts[0])
        entry.project = parts[0] if project is None else project.name
        if project is None or len(parts) > _MAX_PARTS:
            raise NotFoundError(
                f"There is no project {parts[0]} in the repository {repository.name}."
            )
        if len(parts) == 1:
            return self._project(request, repository, project, target.base)
        entry.filename = parts[1]
        if target.slash:
            raise NotFoundError(f"A file's URL does not end in a slash: {parts[1]}")
        return await self._file(request, repository, project, entry)

    @staticmethod
    async def _is_file_of_simple(repository: Repository, parts: tuple[str, ...]) -> bool:
        # `/simple/X` is the page of X, unless a project called "simple" has such a file.
        if len(parts) != _MAX_PARTS:
            return False
        project = await repository.project("simple")
        return project is not None and parts[1].removesuffix(".metadata") in project.files

    async def _root(
        self, request: web.Request, repository: Repository, target: Target
    ) -> web.Response:
        names = await repository.project_names()

        def html() -> bytes:
            return root_html(names, base=target.base)

        return self._page(
            request, repository, (target.base, *names), html, lambda: root_json(names)
        )

    def _project(
        self, request: web.Request, repository: Repository, project: ProjectDocument, base: str
    ) -> web.Response:
        dialect = repository.dialect
        if not project.files and dialect.empty_project_status != web.HTTPOk.status_code:
            raise NotFoundError(f"The project {project.name} has no files.")
        # PEP 740: the URL of a provenance is absolute, and https.
        origin = str(request.url.origin()) if request.secure else None
        key = (base, repository.document.id, project.name, project.revision, origin or "")
        return self._page(
            request,
            repository,
            key,
            lambda: project_html(project, base=base, dialect=dialect, origin=origin),
            lambda: project_json(project, base=base, dialect=dialect, origin=origin),
        )

    def _page(
        self,
        request: web.Request,
        repository: Repository,
        key: tuple[str, ...],
        html: Callable[[], bytes],
        json: Callable[[], bytes],
    ) -> web.Response:
        content_type: str | None = HTML
        if repository.dialect.json:
            content_type = negotiate(request.headers.get("Accept", ""), request.query.get("format"))
        if content_type is None:
            return refusal_answer(
                406, f"This index speaks {JSON_V1}, {HTML_V1} and {HTML}.", {"Vary": "Accept"}
            )
        is_json = content_type == JSON_V1
        page = self._pages.get(
            (repository.dialect.name, "json" if is_json else "html", *key),
            json if is_json else html,
        )
        return page_answer(request, page, content_type)

    async def _file(
        self, request: web.Request, repository: Repository, project: ProjectDocument, entry: Entry
    ) -> web.StreamResponse:
        try:
            return await self._content(request, repository, project, entry)
        except FileNotFoundError:
            # It was replaced between the document and the blob: the document now names another.
            again = await repository.project(project.name)
            if again is None or again.revision == project.revision:
                raise NotFoundError(f"The bytes of {entry.filename} are gone.") from None
            return await self._content(request, repository, again, entry)

    @staticmethod
    async def _content(
        request: web.Request, repository: Repository, project: ProjectDocument, entry: Entry
    ) -> web.StreamResponse:
        filename = entry.filename or ""
        if repository.dialect.attributes and filename.endswith(PROVENANCE):
            attested = project.files.get(filename.removesuffix(PROVENANCE))
            if attested is not None and attested.attestations is not None:
                return web.Response(
                    body=provenance_json(attested.attestations), content_type=PROVENANCE_TYPE
                )
        file: File | None = project.files.get(filename)
        content = None if file is None else repository.content(file)
        if file is None and repository.dialect.attributes:
            described = project.files.get(filename.removesuffix(".metadata"))
            content = None if described is None else await repository.metadata(described)
        if content is None:
            raise NotFoundError(f"There is no file {filename} in the project {project.name}.")
        return await content_answer(request, content, entry)


def _method_not_allowed(allowed: str, message: str | None = None) -> web.Response:
    return refusal_answer(405, message or f"Only {allowed} are allowed here", {"Allow": allowed})
