"""What a path below a repository's URL names: the root page, a project's page, or a file."""

from typing import Literal

import msgspec

from cloudrepo_server.domain.repository import Repository
from cloudrepo_server.errors import NotFoundError
from cloudrepo_server.models import ProjectDocument
from cloudrepo_server.web.http.paths import IndexPath

METADATA_SUFFIX = ".metadata"

_MAX_PARTS = 2


class ReadTarget(msgspec.Struct, frozen=True):
    """The resource that a read request names, whether it exists or not.

    `local_project` is the project as it is in the repository itself, without its upstreams.
    """

    base: str
    kind: Literal["root", "page", "file", "metadata"]
    project: str = ""
    filename: str = ""
    local_project: ProjectDocument | None = None


async def find_read_target(repository: Repository, path: IndexPath) -> ReadTarget:
    """Return the resource that a path names.

    Raises:
        NotFoundError: no resource can have this path.
    """
    parts = path.parts
    if parts and parts[0] in repository.dialect.simple_prefixes:
        # Also if a project is named "simple": its files must not hide pages of the simple API.
        parts = parts[1:]
    if not parts:
        return ReadTarget(path.base, "root")
    if len(parts) > _MAX_PARTS:
        raise NotFoundError(f"There is nothing at this path in the repository {repository.name}.")
    project = await repository.project(parts[0])
    name = parts[0] if project is None else project.name
    if len(parts) == 1:
        return ReadTarget(path.base, "page", name, local_project=project)
    filename = parts[1]
    if path.slash:
        raise NotFoundError(
            f"Not found: remove the slash at the end of the URL of the file {filename}."
        )
    kind: Literal["file", "metadata"] = "metadata" if filename.endswith(METADATA_SUFFIX) else "file"
    return ReadTarget(path.base, kind, name, filename, project)
