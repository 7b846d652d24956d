"""Overwrite protection: the rule that decides whether an upload may use a file name."""

from cloudrepo_server.errors import FileExistsInRepositoryError, ForbiddenError
from cloudrepo_server.models import File, ProjectDocument, RepositoryDocument
from cloudrepo_server.specs.dialect import get_dialect

_CLOSED_STATUSES = ("archived", "quarantined")


def check_overwrite_protection(
    repository: RepositoryDocument,
    project: ProjectDocument | None,
    *,
    filename: str,
    sha256: str,
    uploader: str,
) -> File | None:
    """Decide whether a file with this name and content may be published.

    Returns:
        The existing file, if it is identical and the dialect accepts identical uploads. Otherwise
        None: the upload may be published, and replaces a file with the same name.

    Raises:
        FileExistsInRepositoryError: an existing or a deleted file has this name, and the name may
            not be used again.
        ForbiddenError: the project's status does not allow uploads.
    """
    if project is None:
        return None
    if project.status in _CLOSED_STATUSES:
        raise ForbiddenError(
            f"The project {project.name} is {project.status} and does not accept uploads."
        )
    dialect = get_dialect(repository.dialect)
    if filename in project.deleted and dialect.deleted_text is not None:
        raise FileExistsInRepositoryError(dialect.deleted_text)
    existing = project.files.get(filename)
    if existing is None:
        return None
    if existing.sha256 == sha256 and dialect.identical_accepted:
        return existing
    if repository.overwrite_protection or dialect.always_protected:
        raise FileExistsInRepositoryError(
            dialect.exists_text.format(
                filename=filename,
                repository=repository.name,
                user=uploader,
                blake2_256=existing.blake2_256 or "unknown",
            )
        )
    return None
