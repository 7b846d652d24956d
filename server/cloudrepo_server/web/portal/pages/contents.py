"""What is in a repository: the list of its projects, and the list of its files."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from cloudrepo_server.domain.catalogue import ProjectSummary, RepositorySummary
from cloudrepo_server.domain.repository import Repository
from cloudrepo_server.errors import DamagedDocumentError
from cloudrepo_server.models import ProjectDocument
from cloudrepo_server.pools import PAGES
from cloudrepo_server.web.portal.paging import search_names
from cloudrepo_server.web.portal.paths import REPOSITORY
from cloudrepo_server.web.portal.plot import read_activity
from cloudrepo_server.web.portal.portal_request import PortalRequest, Route
from cloudrepo_server.web.portal.repositories_of_tests import repository_context
from cloudrepo_server.web.portal.sorting import Column, Sorting, read_sorting

_PROJECT_COLUMNS = (
    Column("name", "Project"),
    Column("files", "Files", largest_first=True, is_number=True),
    Column("size", "Size", largest_first=True, is_number=True),
    Column("upload", "Last upload", largest_first=True, is_number=True),
)
_FILE_COLUMNS = (
    Column("name", "File"),
    Column("size", "Size", largest_first=True, is_number=True),
    Column("upload", "Uploaded", largest_first=True, is_number=True),
)
_UNREAD = ProjectSummary("")


@dataclass(frozen=True, slots=True)
class _Project:
    name: str
    summary: ProjectSummary
    document: ProjectDocument | None
    """The document, or None if it is damaged."""
    latest_version: str | None


class _Files:
    """The files of several projects, as one list for each property.

    Python sorts lists of plain values ten times as fast as lists of objects.
    """

    def __init__(self, projects: Iterable[ProjectSummary]) -> None:
        self.names: list[str] = []
        self.projects: list[str] = []
        self.sizes: list[int] = []
        self.upload_times: list[float] = []
        for project in projects:
            self.names += project.filenames
            self.projects += [project.name] * len(project.filenames)
            self.sizes += project.sizes
            self.upload_times += project.upload_times

    def find(self, search: str, sorting: Sorting) -> list[int]:
        """Return the positions of the files that contain a text, in the chosen order."""
        folded = search.strip().casefold()
        positions: Iterable[int] = range(len(self.names))
        if folded:
            positions = [at for at in positions if folded in self.names[at].casefold()]
        keys: Mapping[str, Callable[[int], Any]] = {
            "name": self.names.__getitem__,
            "size": self.sizes.__getitem__,
            "upload": self.upload_times.__getitem__,
        }
        return sorting.sort(positions, keys)


def _find_files(
    projects: Iterable[ProjectSummary], search: str, sorting: Sorting
) -> tuple[_Files, list[int]]:
    # Sorting is fast if the files are nearly in order.
    files = _Files(sorted(projects, key=lambda each: each.name))
    return files, files.find(search, sorting)


async def show_projects(request: PortalRequest) -> web.Response:
    """Show a repository's projects."""
    repository = await request.repository()
    summary = await _summary(request, repository)
    names = await repository.project_names()
    search = request.query.get("q", "")
    sorting = read_sorting(_PROJECT_COLUMNS, request.query, keep=["q"])
    known = summary.projects
    keys: Mapping[str, Callable[[str], Any]] = {
        "name": str,
        "files": lambda name: known.get(name, _UNREAD).file_count,
        "size": lambda name: known.get(name, _UNREAD).size,
        "upload": lambda name: known.get(name, _UNREAD).last_upload,
    }
    found = sorting.sort(search_names(names, search), keys)
    pagination = sorting.paginate(found, request.query)
    # With a shared store, each project is a request, so they are read concurrently.
    repository.prefetch(*pagination.items)
    rows: list[_Project] = []
    for name in pagination.items:
        project_summary = known.get(name, _UNREAD)
        try:
            project = await repository.project(name)
        except DamagedDocumentError:
            rows.append(_Project(name, project_summary, None, None))
            continue
        # It may have been deleted meanwhile.
        if project is not None:
            order = await request.release_orders.of(repository, project)
            rows.append(_Project(name, project_summary, project, order.latest))
    return _render(
        request,
        "repository.html",
        repository,
        summary,
        sorting,
        rows=rows,
        pagination=pagination,
        search=search,
        project_count=len(names),
        url=request.repository_url(repository),
        **await repository_context(request.organization, repository),
        activity=await read_activity(request.organization.activity, repository.document.id),
    )


async def show_files(request: PortalRequest) -> web.Response:
    """Show the files of all projects of a repository."""
    repository = await request.repository()
    summary = await _summary(request, repository)
    search = request.query.get("q", "")
    sorting = read_sorting(_FILE_COLUMNS, request.query, keep=["q"])
    projects = list(summary.projects.values())
    files, found = await PAGES.run(_find_files, projects, search, sorting)
    pagination = sorting.paginate(found, request.query)
    return _render(
        request,
        "repository_files.html",
        repository,
        summary,
        sorting,
        rows=[
            (files.names[at], files.projects[at], files.sizes[at], files.upload_times[at])
            for at in pagination.items
        ],
        pagination=pagination,
        search=search,
    )


async def _summary(request: PortalRequest, repository: Repository) -> RepositorySummary:
    summaries = await request.organization.catalogue.read([repository.document])
    return summaries[repository.document.id]


def _render(
    request: PortalRequest,
    template: str,
    repository: Repository,
    summary: RepositorySummary,
    sorting: Sorting,
    **context: Any,  # noqa: ANN401 (the context of a template)
) -> web.Response:
    return request.render(
        template,
        repository=repository,
        totals=summary.totals,
        unread_count=len(summary.unread),
        unlisted_count=summary.totals.files - summary.kept_files,
        sorting=sorting,
        current_tab="projects",
        **context,
    )


ROUTES = (
    Route("GET", REPOSITORY, show_projects),
    Route("GET", REPOSITORY + "/files", show_files),
)
