"""A repository's files: download, yank, delete."""

from aiohttp import web

from cloudrepo_server.domain.repository import Repository
from cloudrepo_server.errors import NotFoundError
from cloudrepo_server.models import File, ProjectDocument
from cloudrepo_server.testkit.journal import Entry
from cloudrepo_server.web.http.file_response import file_response
from cloudrepo_server.web.portal.paths import REPOSITORY, repository_path
from cloudrepo_server.web.portal.portal_request import PortalRequest, Route

_FILE = REPOSITORY + "/files/{filename}"


async def download(request: PortalRequest) -> web.StreamResponse:
    """The bytes; the admin user's login is of no use at the repository's own URL."""
    repository, _, file = await _find(request)
    http = request.http
    # What is done here is in no journal: it tells what the repository's clients did.
    unnoted = Entry(method=http.method, path=http.path, user_agent="")
    headers = {
        "Content-Disposition": f'attachment; filename="{file.filename}"',
        "X-Content-Type-Options": "nosniff",
    }
    try:
        return await file_response(http, repository.content(file), unnoted, further=headers)
    except FileNotFoundError:
        raise NotFoundError(f"{file.filename} was replaced a moment ago: try again.") from None


async def yank(request: PortalRequest) -> web.Response:
    """A file yanked, with a reason or without (PEP 592)."""
    repository, project, file = await _find(request)
    await repository.yank(file.filename, request.form.get("reason", "").strip())
    request.add_notice(
        f"{file.filename} was yanked: only who asks for its version exactly gets it."
    )
    return request.redirect(repository_path(repository.name, "projects", project.name))


async def unyank(request: PortalRequest) -> web.Response:
    """The yank, taken back."""
    repository, project, file = await _find(request)
    await repository.yank(file.filename, None)
    request.add_notice(f"{file.filename} is offered again.")
    return request.redirect(repository_path(repository.name, "projects", project.name))


async def show_delete(request: PortalRequest) -> web.Response:
    """The question whether to."""
    repository, project, file = await _find(request)
    return request.render(
        "delete_file.html", repository=repository, project=project, file=file, current="projects"
    )


async def delete(request: PortalRequest) -> web.Response:
    """A file, deleted at once."""
    repository, project, file = await _find(request)
    await repository.delete(file.filename)
    request.add_notice(f"{file.filename} was deleted.")
    if await repository.project(project.name) is None:
        return request.redirect(repository_path(repository.name))
    return request.redirect(repository_path(repository.name, "projects", project.name))


async def _find(request: PortalRequest) -> tuple[Repository, ProjectDocument, File]:
    repository = await request.repository()
    project, file = await repository.find(request.path_parameters["filename"])
    return repository, project, file


ROUTES = (
    Route("GET", _FILE, download),
    Route("POST", _FILE + "/yank", yank),
    Route("POST", _FILE + "/unyank", unyank),
    Route("GET", _FILE + "/delete", show_delete),
    Route("POST", _FILE + "/delete", delete),
)
