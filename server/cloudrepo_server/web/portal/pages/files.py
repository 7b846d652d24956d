"""A repository's files: download, yank and delete."""

from aiohttp import web

from cloudrepo_server.domain.repository import Repository
from cloudrepo_server.errors import NotFoundError
from cloudrepo_server.models import File, ProjectDocument
from cloudrepo_server.web.http.file_response import file_response
from cloudrepo_server.web.http.streamed_response import send_if_streamed
from cloudrepo_server.web.portal.paths import REPOSITORY, repository_path
from cloudrepo_server.web.portal.portal_request import PortalRequest, Route

_FILE = REPOSITORY + "/files/{filename}"


async def download(request: PortalRequest) -> web.StreamResponse:
    """Return a file's content, since the admin user cannot download from the repository itself."""
    repository, _, file = await _find(request)
    http = request.http
    headers = {
        "Content-Disposition": f'attachment; filename="{file.filename}"',
        "X-Content-Type-Options": "nosniff",
    }
    try:
        response = await file_response(http, repository.content(file), headers=headers)
    except FileNotFoundError:
        raise NotFoundError(
            f"{file.filename} was not found: it has just been replaced. Try again."
        ) from None
    return await send_if_streamed(http, response)


async def yank(request: PortalRequest) -> web.Response:
    """Yank a file, with an optional reason (PEP 592)."""
    repository, project, file = await _find(request)
    await repository.yank(file.filename, request.form.get("reason", "").strip())
    request.add_notice(
        f"{file.filename} was yanked: installers use it only for a pinned version (== or ===)."
    )
    return _redirect_to_project(request, repository, project)


async def unyank(request: PortalRequest) -> web.Response:
    """Undo the yank of a file."""
    repository, project, file = await _find(request)
    await repository.yank(file.filename, None)
    request.add_notice(f"{file.filename} is no longer yanked.")
    return _redirect_to_project(request, repository, project)


async def show_delete(request: PortalRequest) -> web.Response:
    """Show the confirmation page for deleting a file."""
    repository, project, file = await _find(request)
    return request.render(
        "delete_file.html",
        repository=repository,
        project=project,
        file=file,
        current_tab="projects",
    )


async def delete(request: PortalRequest) -> web.Response:
    """Delete a file, without a further confirmation."""
    repository, project, file = await _find(request)
    await repository.delete(file.filename)
    request.add_notice(f"{file.filename} was deleted.")
    if await repository.project(project.name) is None:
        return request.redirect(repository_path(repository.name))
    return _redirect_to_project(request, repository, project)


async def _find(request: PortalRequest) -> tuple[Repository, ProjectDocument, File]:
    repository = await request.repository()
    project, file = await repository.find(request.path_parameters["filename"])
    return repository, project, file


def _redirect_to_project(
    request: PortalRequest, repository: Repository, project: ProjectDocument
) -> web.Response:
    return request.redirect(repository_path(repository.name, "projects", project.name))


ROUTES = (
    Route("GET", _FILE, download),
    Route("POST", _FILE + "/yank", yank),
    Route("POST", _FILE + "/unyank", unyank),
    Route("GET", _FILE + "/delete", show_delete),
    Route("POST", _FILE + "/delete", delete),
)
