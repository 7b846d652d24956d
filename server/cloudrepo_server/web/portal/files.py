"""A repository's files: download, yank, delete."""

from aiohttp import web

from cloudrepo_server.domain.repository import Repository
from cloudrepo_server.errors import NotFoundError
from cloudrepo_server.models import File, ProjectDocument
from cloudrepo_server.testkit.journal import Entry
from cloudrepo_server.web.http.file_response import file_response
from cloudrepo_server.web.portal.paths import REPOSITORY, repository_path
from cloudrepo_server.web.portal.visit import Route, Visit

_FILE = REPOSITORY + "/files/{filename}"


async def download(visit: Visit) -> web.StreamResponse:
    """The bytes; the admin user's login is of no use at the repository's own URL."""
    repository, _, file = await _find(visit)
    request = visit.request
    # What is done here is in no journal: it tells what the repository's clients did.
    unnoted = Entry(method=request.method, path=request.path, user_agent="")
    headers = {
        "Content-Disposition": f'attachment; filename="{file.filename}"',
        "X-Content-Type-Options": "nosniff",
    }
    try:
        return await file_response(request, repository.content(file), unnoted, further=headers)
    except FileNotFoundError:
        raise NotFoundError(f"{file.filename} was replaced a moment ago: try again.") from None


async def yank(visit: Visit) -> web.Response:
    """A file yanked, with a reason or without (PEP 592)."""
    repository, project, file = await _find(visit)
    await repository.yank(file.filename, visit.form.get("reason", "").strip())
    visit.notify(f"{file.filename} was yanked: only who asks for its version exactly gets it.")
    return visit.go(repository_path(repository.name, "projects", project.name))


async def unyank(visit: Visit) -> web.Response:
    """The yank, taken back."""
    repository, project, file = await _find(visit)
    await repository.yank(file.filename, None)
    visit.notify(f"{file.filename} is offered again.")
    return visit.go(repository_path(repository.name, "projects", project.name))


async def show_delete(visit: Visit) -> web.Response:
    """The question whether to."""
    repository, project, file = await _find(visit)
    return visit.page(
        "delete_file.html", repository=repository, project=project, file=file, current="projects"
    )


async def delete(visit: Visit) -> web.Response:
    """A file, deleted at once."""
    repository, project, file = await _find(visit)
    await repository.delete(file.filename)
    visit.notify(f"{file.filename} was deleted.")
    if await repository.project(project.name) is None:
        return visit.go(repository_path(repository.name))
    return visit.go(repository_path(repository.name, "projects", project.name))


async def _find(visit: Visit) -> tuple[Repository, ProjectDocument, File]:
    repository = await visit.repository()
    project, file = await repository.find(visit.below["filename"])
    return repository, project, file


ROUTES = (
    Route("GET", _FILE, download),
    Route("POST", _FILE + "/yank", yank),
    Route("POST", _FILE + "/unyank", unyank),
    Route("GET", _FILE + "/delete", show_delete),
    Route("POST", _FILE + "/delete", delete),
)
