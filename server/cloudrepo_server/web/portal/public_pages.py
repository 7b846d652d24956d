"""The pages of public repositories that anonymous visitors see in a browser."""

from dataclasses import dataclass
from http import HTTPStatus

from aiohttp import web

from cloudrepo_server.clients.snippets import PACKAGE
from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.domain.repository import Repository
from cloudrepo_server.domain.visibility import PrivateProjects
from cloudrepo_server.errors import DamagedDocumentError, NotFoundError
from cloudrepo_server.models import ProjectDocument
from cloudrepo_server.specs.dialect import STATUS
from cloudrepo_server.specs.links import file_path, project_path
from cloudrepo_server.web.http.paths import PUBLIC, IndexPath
from cloudrepo_server.web.http.request_state import state_of
from cloudrepo_server.web.http.responses import reason_phrase
from cloudrepo_server.web.http.urls import prefix_of, repository_url
from cloudrepo_server.web.index.read_target import find_read_target
from cloudrepo_server.web.portal.paging import paginate, search_names
from cloudrepo_server.web.portal.readme import Readmes
from cloudrepo_server.web.portal.releases import (
    ReleaseOrders,
    distribution_type,
    files_newest_first,
    group_by_release,
)
from cloudrepo_server.web.portal.rendering import Templates

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    # The simple API has the same URLs, for other values of Accept.
    "Vary": "Accept, Accept-Encoding, Authorization",
    "Cache-Control": "no-cache",
}


@dataclass(frozen=True, slots=True)
class _Row:
    path: str
    name: str
    status: str
    latest_version: str | None
    last_upload_time: str


class PublicPages:
    """Renders the pages of public repositories."""

    def __init__(
        self,
        organization: Organization,
        templates: Templates,
        readmes: Readmes,
        release_orders: ReleaseOrders,
    ) -> None:
        self._organization = organization
        self._templates = templates
        self._readmes = readmes
        self._release_orders = release_orders

    async def show(
        self, request: web.Request, repository: Repository, path: IndexPath
    ) -> web.Response | None:
        """Return the page at a path, or None if the simple API has to respond.

        The simple API responds for files, for private projects, and for projects that the
        repository itself lacks.
        """
        try:
            target = await find_read_target(repository, path)
        except NotFoundError:
            return None
        details = state_of(request).details
        if target.kind == "root":
            details.kind = target.kind
            return await self._list(request, repository)
        project = target.local_project
        if target.kind != "page" or project is None or not project.files:
            return None
        if project.name in PrivateProjects.of(repository.document):
            return None
        details.kind, details.project = target.kind, target.project
        return await self._project(request, repository, project)

    def not_found(
        self, request: web.Request, repository: Repository, error: NotFoundError
    ) -> web.Response:
        """Return a page for browsers with the status and the message of a 404 of the simple API."""
        response = self._render("public_not_found.html", request, repository, message=str(error))
        response.set_status(HTTPStatus.NOT_FOUND, reason_phrase(str(error)))
        return response

    async def _list(self, request: web.Request, repository: Repository) -> web.Response:
        private = PrivateProjects.of(repository.document)
        names = [name for name in await repository.project_names() if name not in private]
        base = _base(request, repository)
        search = request.query.get("q", "")
        pagination = paginate(search_names(names, search), request.query, keep=["q"])
        rows = [
            row
            for name in pagination.items
            if (row := await self._row(repository, name, project_path(base, name)))
        ]
        return self._render(
            "public_repository.html",
            request,
            repository,
            rows=rows,
            pagination=pagination,
            search=search,
            project_count=len(names),
            package=PACKAGE,
        )

    async def _row(self, repository: Repository, name: str, path: str) -> _Row | None:
        try:
            project = await repository.project(name)
        except DamagedDocumentError:
            return _Row(path, name, "damaged", None, "")
        if project is None or not project.files:
            return None
        order = await self._release_orders.of(repository, project)
        return _Row(
            path,
            project.name,
            project.status,
            None if _is_quarantined(repository, project) else order.latest,
            max(file.upload_time for file in project.files.values()),
        )

    async def _project(
        self,
        request: web.Request,
        repository: Repository,
        project: ProjectDocument,
    ) -> web.Response:
        base = _base(request, repository)
        is_quarantined = _is_quarantined(repository, project)
        order = await self._release_orders.of(repository, project)
        latest = None if is_quarantined else order.latest
        files = [] if is_quarantined else files_newest_first(project, order)
        pagination = paginate(files, request.query)
        return self._render(
            "public_project.html",
            request,
            repository,
            project=project,
            latest_version=latest,
            releases=group_by_release(pagination.items),
            pagination=pagination,
            distribution_type=distribution_type,
            download_path=lambda file: file_path(base, project.name, file.filename),
            readme=None
            if latest is None
            else await self._readmes.load(repository, project, latest),
            package=project.name,
        )

    def _render(
        self, template: str, request: web.Request, repository: Repository, **context: object
    ) -> web.Response:
        common = {
            "organization": self._organization.name,
            "repository": repository,
            "url": repository_url(request, repository, below=PUBLIC),
            "path": f"{_base(request, repository)}/",
        }
        return web.Response(
            text=self._templates.render(template, {**common, **context}, prefix=prefix_of(request)),
            status=HTTPStatus.OK,
            content_type="text/html",
            headers=_HEADERS,
        )


def _base(request: web.Request, repository: Repository) -> str:
    """Return the path of a repository, as the browser reaches it."""
    return f"{prefix_of(request)}{PUBLIC}/{repository.name}"


def _is_quarantined(repository: Repository, project: ProjectDocument) -> bool:
    """Return whether a project offers no files (PEP 792). Some dialects have no statuses."""
    return STATUS in repository.dialect.attributes and project.status == "quarantined"
