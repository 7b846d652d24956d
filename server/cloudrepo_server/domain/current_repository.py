"""The repository of an upload, whose settings may change while the upload is in progress."""

from cloudrepo_server.domain.overwrite import (
    Candidate,
    check_file_count,
    check_overwrite_protection,
)
from cloudrepo_server.domain.release_rules import check_project_size, check_release
from cloudrepo_server.errors import RepositoryNotFoundError
from cloudrepo_server.keys import project_key, repository_key
from cloudrepo_server.models import File, ProjectDocument, RepositoryDocument
from cloudrepo_server.specs.dialect import Dialect
from cloudrepo_server.specs.dialects import applies_pypi_rules, upload_dialect
from cloudrepo_server.specs.filenames import DistributionName
from cloudrepo_server.storage import Storage


class CurrentRepository:
    """A repository with its settings as they were read last."""

    def __init__(self, storage: Storage, document: RepositoryDocument) -> None:
        self.document = document
        self._storage = storage

    @property
    def id(self) -> str:
        """The identifier of the repository."""
        return self.document.id

    @property
    def dialect(self) -> Dialect:
        """The dialect of uploads: `pypi` if PyPI's rules apply, else the repository's own."""
        return upload_dialect(self.document.dialect, self.document.rules)

    @property
    def applies_rules(self) -> bool:
        """Whether PyPI's rules apply to uploads."""
        return applies_pypi_rules(self.document.dialect, self.document.rules)

    async def refresh(self) -> None:
        """Read the settings again.

        Raises:
            RepositoryNotFoundError: the repository was deleted.
            StorageError: the store did not respond.
        """
        key = repository_key(self.document.name)
        current = await self._storage.read(key, RepositoryDocument)
        if current is None or current.id != self.document.id:
            raise RepositoryNotFoundError(self.document.name)
        self.document = current

    async def refresh_all(self, name: DistributionName) -> None:
        """Require fresh reads, read the settings again, and prefetch the project of a file.

        Raises:
            RepositoryNotFoundError: the repository was deleted.
            StorageError: the store did not respond.
        """
        self._storage.require_fresh()
        self._storage.prefetch((self.project_key(name), ProjectDocument))
        await self.refresh()

    async def project(self, name: DistributionName) -> ProjectDocument | None:
        """Return the project of a file, or None.

        Raises:
            StorageError: the store did not respond.
        """
        return await self._storage.read(self.project_key(name), ProjectDocument)

    def project_key(self, name: DistributionName) -> str:
        """Return the key of the project of a file."""
        return project_key(self.document.id, name.project)

    def check_existing(self, project: ProjectDocument | None, candidate: Candidate) -> File | None:
        """Check a file against the files of its project.

        Returns:
            The existing file, if it is identical and the dialect accepts identical uploads.

        Raises:
            CloudRepoServerError: the file may not be published.
        """
        identical = check_overwrite_protection(self.document, project, candidate)
        if identical is None:
            check_file_count(project, candidate)
        if identical is None and candidate.follows_rules:
            # The files of concurrent uploads may have become visible since the size was checked.
            check_project_size(self.document, project, candidate)
            check_release(self.document, project, candidate)
        return identical
