"""The forms that yank or delete a file, a release or a project, each on a page of its own."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

from cloudrepo_server.domain.repository import Repository
from cloudrepo_server.errors import InvalidError
from cloudrepo_server.models import ProjectDocument
from cloudrepo_server.specs.dialect import YANKED
from cloudrepo_server.web.portal.form_errors import FormErrors
from cloudrepo_server.web.portal.paths import (
    FILE,
    PROJECT,
    RELEASE,
    file_path,
    project_path,
    release_path,
    repository_path,
)
from cloudrepo_server.web.portal.portal_request import PortalRequest, Route
from cloudrepo_server.web.portal.releases import Release, releases_of

_SHOWN_FILES = 20


@dataclass(frozen=True, slots=True)
class _Target:
    """What a form yanks or deletes.

    Attributes:
        kind: file, release or project.
        title: its name at the start of a sentence.
        name: its name inside of a sentence.
        path: the path of its forms, without the action.
        back: the page that follows a yank or its undoing.
        files: its files.
        yank: yanks it with a reason, or undoes its yank if the reason is None.
        delete: deletes it.
    """

    kind: str
    title: str
    name: str
    path: str
    back: str
    repository: Repository
    project: ProjectDocument
    files: Release
    yank: Callable[[str | None], Awaitable[object]]
    delete: Callable[[], Awaitable[None]]


async def show_yank(request: PortalRequest) -> web.Response:
    """Show the form that yanks files, with an optional reason."""
    return _render(request, "yank.html", await _target(request))


async def yank(request: PortalRequest) -> web.Response:
    """Yank files (PEP 592)."""
    target = await _target(request)
    errors = FormErrors()
    with errors.at("reason"):
        await target.yank(request.form.get("reason", "").strip())
    if errors:
        return _render(request, "yank.html", target, errors=errors)
    effect = ": installers use it only for a pinned version (== or ===)"
    request.add_notice(f"{target.title} was yanked{effect if _has_yanks(target) else ''}.")
    return request.redirect(target.back)


async def show_unyank(request: PortalRequest) -> web.Response:
    """Show the form that undoes yanks."""
    return _render(request, "yank.html", await _target(request), undo=True)


async def unyank(request: PortalRequest) -> web.Response:
    """Undo the yanks of files."""
    target = await _target(request)
    await target.yank(None)
    request.add_notice(f"{target.title} is no longer yanked.")
    return request.redirect(target.back)


async def show_delete(request: PortalRequest) -> web.Response:
    """Show the form that deletes files."""
    return _render(request, "delete.html", await _target(request))


async def delete(request: PortalRequest) -> web.Response:
    """Delete files. To delete a project, the user has to type its name."""
    target = await _target(request)
    if target.kind == "project" and request.form.get("name", "").strip() != target.project.name:
        errors = FormErrors()
        errors.add("name", InvalidError("The name does not match: type the project's name."))
        return _render(request, "delete.html", target, errors=errors)
    await target.delete()
    request.add_notice(f"{target.title} was deleted.")
    left = await target.repository.project(target.project.name)
    if left is None or target.kind == "project":
        return request.redirect(repository_path(target.repository.name))
    return request.redirect(project_path(target.repository.name, target.project.name))


async def _target(request: PortalRequest) -> _Target:
    repository = await request.repository()
    if "filename" in request.path_parameters:
        return await _file(request, repository)
    project = await request.project(repository)
    page = project_path(repository.name, project.name)
    if "version" not in request.path_parameters:
        files = Release(None, sorted(project.files.values(), key=lambda file: file.filename))
        return _Target(
            kind="project",
            title=f"The project {project.name}",
            name=f"the project {project.name}",
            path=page,
            back=page,
            repository=repository,
            project=project,
            files=files,
            yank=lambda reason: repository.yank_project(project.name, reason),
            delete=lambda: repository.delete_project(project.name),
        )
    version = request.path_parameters["version"]
    releases = releases_of(project, [version])
    if not releases:
        raise repository.release_not_found(project.name, version)
    return _Target(
        kind="release",
        title=f"{project.name} {version}",
        name=f"{project.name} {version}",
        path=release_path(repository.name, project.name, version),
        back=page,
        repository=repository,
        project=project,
        files=releases[0],
        yank=lambda reason: repository.yank_release(project.name, version, reason),
        delete=lambda: repository.delete_release(project.name, version),
    )


async def _file(request: PortalRequest, repository: Repository) -> _Target:
    project, file = await request.file(repository)
    return _Target(
        kind="file",
        title=file.filename,
        name=file.filename,
        path=file_path(repository.name, file.filename),
        back=project_path(repository.name, project.name),
        repository=repository,
        project=project,
        files=Release(file.version, [file]),
        yank=lambda reason: repository.yank(file.filename, reason),
        delete=lambda: repository.delete(file.filename),
    )


def _render(
    request: PortalRequest,
    template: str,
    target: _Target,
    *,
    undo: bool = False,
    errors: FormErrors | None = None,
) -> web.Response:
    return request.render(
        template,
        errors=errors,
        repository=target.repository,
        project=target.project,
        target=target,
        shown=target.files.files[:_SHOWN_FILES],
        undo=undo,
        has_yanks=_has_yanks(target),
        current_tab="projects",
    )


def _has_yanks(target: _Target) -> bool:
    """Return whether installers see yanks in the dialect of the repository."""
    return YANKED in target.repository.dialect.attributes


ROUTES = tuple(
    Route(method, path + action, handler)
    for path in (FILE, RELEASE, PROJECT)
    for action, form, handle in (
        ("/yank", show_yank, yank),
        ("/unyank", show_unyank, unyank),
        ("/delete", show_delete, delete),
    )
    for method, handler in (("GET", form), ("POST", handle))
)
