"""Whether a file may come under a name: here overwrite protection is decided."""

import msgspec

from cloudrepo_server.errors import FileExistsInRepositoryError, ForbiddenError
from cloudrepo_server.models import File, ProjectDocument, RepositoryDocument
from cloudrepo_server.specs.dialect import get_dialect

_CLOSED = ("archived", "quarantined")


class UploadTarget(msgspec.Struct, frozen=True):
    """A file that is to be published, and by whom."""

    filename: str
    sha256: str
    by: str


def decide(
    repository: RepositoryDocument, project: ProjectDocument | None, target: UploadTarget
) -> File | None:
    """The file that is there already, where that is the answer; None where this one may come.

    Raises:
        FileExistsInRepositoryError: the name is taken and stays so.
        ForbiddenError: the project takes no files.
    """
    if project is None:
        return None
    if project.status in _CLOSED:
        raise ForbiddenError(f"The project {project.name} is {project.status}: it takes no files.")
    dialect = get_dialect(repository.dialect)
    if target.filename in project.deleted and dialect.deleted_text is not None:
        raise FileExistsInRepositoryError(dialect.deleted_text)
    existing = project.files.get(target.filename)
    if existing is None:
        return None
    if existing.sha256 == target.sha256 and dialect.identical_accepted:
        return existing
    if repository.overwrite_protection or dialect.always_protected:
        raise FileExistsInRepositoryError(
            dialect.exists_text.format(
                filename=target.filename,
                repository=repository.name,
                user=target.by,
                blake2_256=existing.blake2_256 or "unknown",
            )
        )
    return None
