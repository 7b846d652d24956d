"""Overwrite protection: the rule that decides whether an upload may use a file name."""

import msgspec

from cloudrepo_server.errors import FileExistsInRepositoryError, ForbiddenError, TooLargeError
from cloudrepo_server.limits import MAX_PROJECT_FILES
from cloudrepo_server.models import File, ProjectDocument, RepositoryDocument
from cloudrepo_server.specs.dialects import upload_dialect
from cloudrepo_server.specs.filenames import DistributionName
from cloudrepo_server.specs.pypi_rules.releases import FILE_EXISTS, FILENAME_REUSED
from cloudrepo_server.specs.pypi_rules.rule import Rule

_CLOSED_STATUSES = ("archived", "quarantined")


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A file that is about to be published."""

    name: DistributionName
    size: int
    sha256: str
    blake2_256: str | None
    uploader: str
    upload_time: str
    follows_rules: bool
    """Whether PyPI's rules apply to it."""


def check_status(project: ProjectDocument | None) -> None:
    """Check that a project accepts uploads.

    Raises:
        ForbiddenError: the project's status does not allow uploads.
    """
    if project is not None and project.status in _CLOSED_STATUSES:
        raise ForbiddenError(
            f"The project {project.name} is {project.status} and does not accept uploads."
        )


def check_file_count(project: ProjectDocument | None, candidate: Candidate) -> None:
    """Check that a new file does not exceed the maximum number of files of a project.

    Raises:
        TooLargeError: the file is new, and the project already has the maximum number of files.
    """
    if project is None or candidate.name.filename in project.files:
        return
    if len(project.files) >= MAX_PROJECT_FILES:
        raise TooLargeError(
            f"{candidate.name.filename} was rejected, because the project {project.name} already "
            f"has {len(project.files)} files: the limit is {MAX_PROJECT_FILES}. "
            "Delete files first."
        )


def check_overwrite_protection(
    repository: RepositoryDocument, project: ProjectDocument | None, candidate: Candidate
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
    check_status(project)
    dialect = upload_dialect(repository.dialect, repository.rules)
    filename = candidate.name.filename
    existing = project.files.get(filename)
    if existing is None:
        if candidate.follows_rules and any(
            file.sha256 == candidate.sha256 for file in project.files.values()
        ):
            raise file_exists(repository, candidate)
        if filename in project.deleted and dialect.deleted_text is not None:
            raise _with_rule(FileExistsInRepositoryError(dialect.deleted_text), FILENAME_REUSED)
        return None
    if existing.sha256 == candidate.sha256 and dialect.identical_accepted:
        return existing
    if repository.overwrite_protection or dialect.always_protected:
        raise file_exists(repository, candidate)
    return None


def file_exists(
    repository: RepositoryDocument, candidate: Candidate
) -> FileExistsInRepositoryError:
    """Return the error that rejects an upload because of an existing file."""
    text = upload_dialect(repository.dialect, repository.rules).exists_text.format(
        filename=candidate.name.filename,
        project=candidate.name.project,
        version=candidate.name.version,
        repository=repository.name,
        user=candidate.uploader,
        blake2_256=candidate.blake2_256 or "unknown",
    )
    return _with_rule(FileExistsInRepositoryError(text), FILE_EXISTS)


def _with_rule(error: FileExistsInRepositoryError, rule: Rule) -> FileExistsInRepositoryError:
    error.rule, error.advice = rule.name, rule.advice
    return error
