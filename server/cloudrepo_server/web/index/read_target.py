"""The resource that a path of a repository names: a page, a file, or one of PyPI's own APIs."""

from typing import Literal

import msgspec

from cloudrepo_server.domain.repository import Repository
from cloudrepo_server.errors import InvalidError, NotFoundError
from cloudrepo_server.models import ProjectDocument, SerialsDocument
from cloudrepo_server.specs.filenames import (
    METADATA_SUFFIX,
    check_project_name,
    possible_projects,
)
from cloudrepo_server.web.http.paths import IndexPath

_MAX_PARTS = 2


class ReadTarget(msgspec.Struct, frozen=True):
    """The resource that a read request names, whether it exists or not.

    Attributes:
        base: the path of the repository.
        kind: the kind of the resource; `json` and `provenance` are those of PyPI's APIs.
        project: the project, or an empty string.
        filename: the file, or an empty string.
        version: the version of the project in the path; None if the path has none.
        is_immutable: whether the path contains the file's digest.
        is_canonical: whether the name is normalized and a page's path ends with a slash.
        local_project: the project as it is in the repository itself, without its upstreams.
        serials: the serials, read before the project, if the dialect has serials.
    """

    base: str
    kind: Literal["root", "page", "file", "metadata", "json", "provenance"]
    project: str = ""
    filename: str = ""
    version: str | None = None
    is_immutable: bool = False
    is_canonical: bool = True
    local_project: ProjectDocument | None = None
    serials: SerialsDocument | None = None


async def find_read_target(
    repository: Repository, path: IndexPath, *, pypi_api: bool = False
) -> ReadTarget:
    """Return the resource that a path names.

    Args:
        repository: the repository.
        path: the path.
        pypi_api: whether the request is for an impersonated host, where PyPI's own APIs exist in
            every dialect.

    Raises:
        NotFoundError: no resource can have this path.
    """
    serials = None
    if repository.dialect.has_serials and path.names_page:
        serials = await repository.serials.read()
    parts = path.parts
    if parts and parts[0] in repository.dialect.simple_prefixes:
        # Also if a project is named "simple": its files must not hide pages of the simple API.
        parts = parts[1:]
    elif len(parts) > _MAX_PARTS and (pypi_api or repository.dialect.has_pypi_api):
        target = await _find_in_pypi_api(repository, path, serials)
        if target is not None:
            return target
    if not parts:
        return ReadTarget(
            path.base, "root", is_canonical=path.slash or not path.parts, serials=serials
        )
    if len(parts) > _MAX_PARTS:
        raise _nothing_there(repository)
    name, project = await _find_project(repository, parts[0], serials)
    if len(parts) == 1:
        return ReadTarget(
            path.base,
            "page",
            name,
            is_canonical=path.slash and parts[0] == name,
            local_project=project,
            serials=serials,
        )
    filename = parts[1]
    if path.slash:
        raise NotFoundError(
            f"Not found: remove the slash at the end of the URL of the file {filename}."
        )
    return ReadTarget(path.base, _kind(filename), name, filename, local_project=project)


async def _find_in_pypi_api(
    repository: Repository, path: IndexPath, serials: SerialsDocument | None
) -> ReadTarget | None:
    match path.parts:
        case ("pypi", given, "json"):
            version = None
        case ("pypi", given, version, "json"):
            pass
        case ("integrity", given, version, filename, "provenance") if not path.slash:
            name, project = await _find_project(repository, given)
            return ReadTarget(
                path.base, "provenance", name, filename, version, local_project=project
            )
        case ("packages", *digest, filename) if not path.slash:
            return await _find_by_digest(repository, path.base, "".join(digest), filename)
        case _:
            return None
    name, project = await _find_project(repository, given, serials)
    return ReadTarget(
        path.base,
        "json",
        name,
        version=version,
        is_canonical=given == name,
        local_project=project,
        serials=serials,
    )


async def _find_by_digest(
    repository: Repository, base: str, digest: str, filename: str
) -> ReadTarget:
    described = filename.removesuffix(METADATA_SUFFIX)
    for name in possible_projects(described):
        project = await repository.project(name)
        file = None if project is None else project.files.get(described)
        if file is not None and file.blake2_256 == digest:
            return ReadTarget(
                base, _kind(filename), name, filename, is_immutable=True, local_project=project
            )
    raise _nothing_there(repository)


async def _find_project(
    repository: Repository, given: str, serials: SerialsDocument | None = None
) -> tuple[str, ProjectDocument | None]:
    """Return the normalized name, and the project if it is in the repository itself."""
    project = await repository.project(given)
    if serials is not None and project is not None:
        serial = serials.projects.get(project.name)
        if serial is None or serial.revision != project.revision:
            # Another server may have changed the project between the reads of the project and of
            # the serials. A mirror would then keep the old page with the new serial.
            repository.require_fresh()
            project = await repository.project(given)
    if project is not None:
        return project.name, project
    try:
        # An upstream may have the project, under its normalized name.
        return check_project_name(given), None
    except InvalidError:
        return given, None


def _kind(filename: str) -> Literal["file", "metadata"]:
    return "metadata" if filename.endswith(METADATA_SUFFIX) else "file"


def _nothing_there(repository: Repository) -> NotFoundError:
    return NotFoundError(f"There is nothing at this path in the repository {repository.name}.")
