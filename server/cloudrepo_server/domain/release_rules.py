"""PyPI's rules about the files that a project has already: their size, age and sdists."""

from datetime import datetime

from packaging.utils import canonicalize_version

from cloudrepo_server.domain.overwrite import Candidate
from cloudrepo_server.models import File, ProjectDocument, RepositoryDocument
from cloudrepo_server.specs.pypi_rules.releases import (
    MAX_FILE_SIZE,
    MAX_PROJECT_SIZE,
    MAX_RELEASE_AGE,
    ONE_SDIST,
    PROJECT_SIZE,
    RELEASE_AGE,
)
from cloudrepo_server.specs.pypi_rules.rule import GIB, size

_DAY = 86_400.0


def max_file_size(repository: RepositoryDocument) -> int:
    """Return the limit on the size of a file if PyPI's rules apply."""
    limit = repository.max_file_size
    return MAX_FILE_SIZE if limit is None else limit


def check_project_size(
    repository: RepositoryDocument, project: ProjectDocument | None, candidate: Candidate
) -> None:
    """Check the size of all files of a project together.

    Raises:
        BrokenRuleError: the files would be too large.
    """
    limit = repository.max_project_size
    limit = MAX_PROJECT_SIZE if limit is None else limit
    files = () if project is None else project.files.values()
    if sum(file.size for file in files) + candidate.size > limit:
        shown = f"{limit // GIB} GB" if limit and limit % GIB == 0 else size(limit)
        raise PROJECT_SIZE.broken(project=candidate.name.project, limit=shown).error()


def check_release(
    repository: RepositoryDocument, project: ProjectDocument | None, candidate: Candidate
) -> None:
    """Check the age of a release, and that it has at most one sdist.

    Raises:
        BrokenRuleError: the release is too old, or has an sdist already.
    """
    version = canonicalize_version(candidate.name.version)
    files: list[File] = [
        file
        for file in (() if project is None else project.files.values())
        if file.version is not None and canonicalize_version(file.version) == version
    ]
    if not files:
        return
    limit = repository.max_release_age
    limit = MAX_RELEASE_AGE if limit is None else limit
    created = min(datetime.fromisoformat(file.upload_time) for file in files)
    age = datetime.fromisoformat(candidate.upload_time) - created
    if age.total_seconds() > limit:
        raise RELEASE_AGE.broken(days=f"{limit / _DAY:g}").error()
    if candidate.name.filetype == "sdist" and any(
        not file.filename.endswith(".whl") for file in files
    ):
        raise ONE_SDIST.broken().error()
