"""Handles the requests to repositories: reads by installers, uploads by publishers."""

from aiohttp import web

from cloudrepo_server.domain.access import RepositoryUser, TokenBearer
from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.domain.repository import Repository
from cloudrepo_server.domain.upstream import check_loop
from cloudrepo_server.domain.visibility import PrivateProjects
from cloudrepo_server.errors import (
    CloudRepoServerError,
    NotFoundError,
    RepositoryNotFoundError,
)
from cloudrepo_server.specs.file_urls import INDEX
from cloudrepo_server.testkit.faults import RequestFacts
from cloudrepo_server.web.http.methods import READS, method_not_allowed
from cloudrepo_server.web.http.paths import FILES, IndexPath
from cloudrepo_server.web.http.request_state import RequestState, state_of
from cloudrepo_server.web.http.responses import NO_REGISTRY, json_response
from cloudrepo_server.web.http.streamed_response import send_if_streamed
from cloudrepo_server.web.index.downloads import is_download
from cloudrepo_server.web.index.fault_injection import ActiveFaults
from cloudrepo_server.web.index.file_host_urls import FileHostUrls
from cloudrepo_server.web.index.login import (
    check_visible,
    optional_login,
    private_projects,
    require_login,
)
from cloudrepo_server.web.index.read_target import ReadTarget, find_read_target
from cloudrepo_server.web.index.reads import Read, Reader
from cloudrepo_server.web.index.redirects import redirect_to_upload_url
from cloudrepo_server.web.index.remote_index import UpstreamClient, read_via
from cloudrepo_server.web.index.resolve import resolved
from cloudrepo_server.web.index.xml_rpc import XML_RPC, xml_rpc_fault

# The uploader of a file that was uploaded without a login.
_ANONYMOUS_UPLOADER = "anonymous"


class IndexHandler:
    """The handlers of `/repositories` and `/public/repositories` and everything below them."""

    def __init__(
        self,
        organization: Organization,
        upstream_client: UpstreamClient,
        file_host_urls: FileHostUrls,
    ) -> None:
        self._organization = organization
        self._file_host_urls = file_host_urls
        self._reader = Reader(upstream_client, organization.name)

    async def handle_private(self, request: web.Request) -> web.StreamResponse:
        """Handle a read or an upload by a repository user or with a token."""
        state = state_of(request)
        path, repository = resolved(state)
        is_upload = state.is_upload = request.method == "POST"
        _require_registry(repository)
        if is_upload:
            response = _response_without_login(request, state, path)
            if response is not None:
                return response
        principal = await require_login(
            request, self._organization, repository, is_upload=is_upload
        )
        state.details.user = principal.name or None
        if not path.repository:
            if is_upload:
                return method_not_allowed(*READS)
            return json_response({"organization": self._organization.name})
        if repository is None:
            raise RepositoryNotFoundError(path.repository)
        if not is_upload:
            self._organization.access.require_permission(principal, repository, write=False)
            private = private_projects(repository, principal)
            # A token may expire before the next request.
            state.is_repeatable = isinstance(principal, RepositoryUser)
            return await self.read(request, repository, path, private)
        if path.parts:
            return method_not_allowed(*READS)
        return await self._upload(request, repository, principal)

    async def handle_public(self, request: web.Request) -> web.StreamResponse:
        """Handle an anonymous read of a public repository."""
        state = state_of(request)
        path, repository = resolved(state)
        if repository is None or not repository.document.public:
            raise RepositoryNotFoundError(path.repository)
        _require_registry(repository)
        principal = await optional_login(request, self._organization, repository)
        state.details.user = None if principal is None else principal.name or None
        private = private_projects(repository, principal)
        state.is_repeatable = not isinstance(principal, TokenBearer)
        return await self.read(request, repository, path, private)

    async def read(
        self,
        request: web.Request,
        repository: Repository,
        path: IndexPath,
        private: PrivateProjects | None = None,
    ) -> web.StreamResponse:
        """Return what a path names, to a client that may read the repository.

        Args:
            request: the request.
            repository: the repository.
            path: the path.
            private: the projects that the client cannot see, or None if it can see all.

        Raises:
            CloudRepoServerError: there is nothing at this path, or it cannot be read.
        """
        state = state_of(request)
        details = state.details
        via = read_via(request)
        if via:
            check_loop(repository.document, via)
        impersonated = state.impersonated_path is not None
        target = await find_read_target(repository, path, pypi_api=impersonated)
        details.kind = target.kind
        details.project, details.filename = target.project or None, target.filename or None
        check_visible(repository, target.project, private)
        facts = RequestFacts(
            request.method,
            path.path.removeprefix(path.base),
            target.kind,
            details.project,
            details.user,
        )
        faults = self._activate_faults(repository, facts)
        details.faults = faults.fired
        if faults or repository.document.upstream or repository.place_of_files != INDEX:
            state.is_repeatable = False
        return await self._read_with_faults(request, repository, path, target, faults, private)

    async def _read_with_faults(
        self,
        request: web.Request,
        repository: Repository,
        path: IndexPath,
        target: ReadTarget,
        faults: ActiveFaults,
        private: PrivateProjects | None,
    ) -> web.StreamResponse:
        """Return the response to a read; repeat the read if the next fault replaces a fault."""
        details = state_of(request).details
        via = read_via(request)
        while True:
            fault_response = await faults.before(request)
            if fault_response is not None:
                return fault_response
            view = faults.view(repository, self._organization.upstreams, via)
            view.private, view.has_login = private, details.user is not None
            details.upstreams = view.queried_upstreams
            try:
                file_urls = None
                if repository.place_of_files != INDEX and path.mount != FILES:
                    file_urls = await self._file_host_urls.file_urls(request, repository, target)
                read = Read(faults.request(request), view, target, file_urls)
                response = await self._reader.read(read)
            except CloudRepoServerError:
                if faults.read_rejected():
                    continue
                raise
            status = repository.dialect.file_redirect_status
            if file_urls is not None and target.filename and response.status == status:
                # The faults change the response of the other host instead.
                faults.read_redirected()
                return response
            if not await faults.replace_ineffective(request, response):
                break
        response = await faults.after(request, response)
        if is_download(request, details, response):
            # Counted before it is sent, so that a client that has the file finds it counted.
            self._organization.activity.count_download(
                repository.document.id, details.project or ""
            )
        return await send_if_streamed(request, response)

    async def _upload(
        self,
        request: web.Request,
        repository: Repository,
        principal: RepositoryUser | TokenBearer,
    ) -> web.StreamResponse:
        self._organization.access.require_permission(principal, repository, write=True)
        facts = RequestFacts("POST", "/", "upload", None, principal.name)
        faults = self._activate_faults(repository, facts)
        details = state_of(request).details
        details.faults = faults.fired
        fault_response = await faults.before(request)
        if fault_response is not None:
            return fault_response
        try:
            response = await self._publish(request, repository, principal, faults)
        except CloudRepoServerError:
            replacement = await _replace_rejection(faults, request)
            if replacement is None:
                raise
            return replacement
        if response is None:
            return await _replace_rejection(faults, request) or web.Response()
        return response

    async def _publish(
        self,
        request: web.Request,
        repository: Repository,
        principal: RepositoryUser | TokenBearer,
        faults: ActiveFaults,
    ) -> web.StreamResponse | None:
        """Return the response to an upload, or None if its form only registers a project."""
        # Imported at the first upload, so that the server starts sooner.
        from cloudrepo_server.web.index.upload_form import receive_upload

        upload = await receive_upload(request, repository)
        if upload is None:
            return None
        try:
            await self._organization.access.require_project(principal, repository, upload.project)
            faults.match_project(state_of(request).details.project)
            fault_response = await faults.before(request)
            if fault_response is not None:
                return fault_response
            publisher = principal.publisher if isinstance(principal, TokenBearer) else None
            await upload.publish(principal.name or _ANONYMOUS_UPLOADER, publisher)
        finally:
            upload.discard()
        return await faults.after(request, web.Response())

    def _activate_faults(self, repository: Repository, facts: RequestFacts) -> ActiveFaults:
        return ActiveFaults(self._organization.testkit, repository.document.id, facts)


async def _replace_rejection(faults: ActiveFaults, request: web.Request) -> web.Response | None:
    """Return the response of a fault to an upload that was not stored, or None."""
    while faults.upload_rejected():
        response = await faults.before(request)
        if response is not None:
            return response
    return None


def _require_registry(repository: Repository | None) -> None:
    if repository is not None and not repository.dialect.has_registry:
        error = NotFoundError(NO_REGISTRY)
        error.explanation = (
            f"The repository {repository.name} has the dialect {repository.dialect.name}, in which "
            "every request gets this response."
        )
        raise error


def _response_without_login(
    request: web.Request, state: RequestState, path: IndexPath
) -> web.Response | None:
    """Return the response to a POST request for a URL of PyPI that accepts no uploads, or None."""
    if state.impersonated_index is None or state.impersonated_path is None:
        return None
    if path.parts == XML_RPC:
        state.is_upload = False
        return xml_rpc_fault()
    follows_rules = state.repository is not None and state.repository.applies_rules
    # An upload to the repository's own URL needs no slash.
    if follows_rules and not path.parts and not path.slash:
        return redirect_to_upload_url(request)
    return None
