"""The index below a repository's URL: who asks for what, and the door for uploads."""

from aiohttp import web

from cloudrepo_server.domain.access import RepositoryUser, TokenBearer
from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.domain.repository import Repository
from cloudrepo_server.errors import CloudRepoServerError, RepositoryNotFoundError
from cloudrepo_server.testkit.faults import RequestFacts
from cloudrepo_server.testkit.journal import Entry
from cloudrepo_server.web.http.authentication import authenticate, prefetch
from cloudrepo_server.web.http.paths import IndexPath, parse_index_path
from cloudrepo_server.web.http.request_state import state_of
from cloudrepo_server.web.http.responses import error_response, json_response
from cloudrepo_server.web.index.fault_injection import ActiveFaults
from cloudrepo_server.web.index.reads import Read, Reader, find_read_target
from cloudrepo_server.web.index.remote_index import Remote

_READS = ("GET", "HEAD")


class Index:
    """Answers every request below `/repositories` and `/public/repositories`."""

    def __init__(self, organization: Organization, remote: Remote) -> None:
        self._organization = organization
        self._reader = Reader(organization.upstreams, remote)

    async def private(self, request: web.Request, path: str | None = None) -> web.StreamResponse:
        """What repository users and tokens read and upload; `path` may stand for the request's."""
        if request.method not in (*_READS, "POST"):
            return _method_not_allowed("GET, HEAD, POST")
        target = parse_index_path(path or request.rel_url.raw_path)
        repository, entry = await self._begin(request, target)
        state = state_of(request)
        state.is_upload = request.method == "POST"
        principal = self._organization.access.require_repository_user(
            state.principal or await authenticate(request, self._organization)
        )
        entry.user = principal.name or None
        if not target.repository:
            if request.method == "POST":
                return _method_not_allowed("GET, HEAD")
            return json_response({"organization": self._organization.name})
        if repository is None:
            raise RepositoryNotFoundError(target.repository)
        if request.method != "POST":
            self._organization.access.require_permission(principal, repository, write=False)
            return await self._read(request, repository, target, entry)
        if target.parts:
            return _method_not_allowed("GET, HEAD")
        return await self._upload(request, repository, principal, entry)

    async def public(self, request: web.Request, path: str | None = None) -> web.StreamResponse:
        """What anybody reads of a public repository; `path` may stand for the request's."""
        if request.method not in _READS:
            return _method_not_allowed("GET, HEAD", "Only Reads are allowed")
        target = parse_index_path(path or request.rel_url.raw_path)
        repository, entry = await self._begin(request, target)
        if repository is None or not repository.document.public:
            raise RepositoryNotFoundError(target.repository)
        return await self._read(request, repository, target, entry)

    async def _begin(
        self, request: web.Request, target: IndexPath
    ) -> tuple[Repository | None, Entry]:
        if self._organization.shared:
            prefetch(request, self._organization, target)
        entry = Entry(
            method=request.method,
            path=target.path,
            user_agent=_text(request.headers.get("User-Agent", "")),
        )
        repository = await self._organization.find(target.repository)
        state = state_of(request)
        if repository is not None:
            self._organization.testkit.record(repository.document.id, entry)
            state.dialect = repository.dialect
        state.journal_entry = entry
        return repository, entry

    async def _read(
        self, request: web.Request, repository: Repository, target: IndexPath, entry: Entry
    ) -> web.StreamResponse:
        wanted = await find_read_target(repository, target)
        entry.project, entry.filename = wanted.project or None, wanted.filename or None
        path = target.path.removeprefix(target.base)
        facts = RequestFacts(request.method, path, wanted.aim, entry.project, entry.user)
        struck = self._strike(repository, facts, entry)
        early = await struck.before(request)
        if early is not None:
            return early
        answer = await self._reader.answer(Read(request, repository, wanted, struck, entry))
        return await struck.after(request, answer)

    async def _upload(
        self,
        request: web.Request,
        repository: Repository,
        principal: RepositoryUser | TokenBearer,
        entry: Entry,
    ) -> web.StreamResponse:
        self._organization.access.require_permission(principal, repository, write=True)
        facts = RequestFacts("POST", "/", "upload", None, principal.name)
        struck = self._strike(repository, facts, entry)
        early = await struck.before(request)
        if early is not None:
            return early
        # Imported for the first upload, so that the server starts sooner.
        from cloudrepo_server.web.index.upload_form import receive_upload

        upload = await receive_upload(request, repository, entry)
        if upload is None:
            return web.Response()
        try:
            if not struck:
                # Those for one project are known to strike when the form was read.
                facts = RequestFacts("POST", "/", "upload", entry.project, principal.name)
                struck = self._strike(repository, facts, entry, by_project=True)
                early = await struck.before(request)
                if early is not None:
                    return early
            try:
                await upload.publish(principal.name)
            except CloudRepoServerError:
                struck.refused()
                raise
        finally:
            upload.discard()
        return await struck.after(request, web.Response())

    def _strike(
        self, repository: Repository, facts: RequestFacts, entry: Entry, *, by_project: bool = False
    ) -> ActiveFaults:
        testkit = self._organization.testkit
        return ActiveFaults(
            testkit.fire_faults(repository.document.id, facts, with_project_only=by_project), entry
        )


def _text(header: str) -> str:
    # A header may hold any bytes; those that are no UTF-8 cannot be told in JSON.
    return header.encode(errors="surrogateescape").decode(errors="replace")


def _method_not_allowed(allowed: str, message: str | None = None) -> web.Response:
    return error_response(405, message or f"Only {allowed} are allowed here", {"Allow": allowed})
