"""What a read request sees of a repository."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cloudrepo_server.domain.repository import Repository
from cloudrepo_server.domain.stored_file import StoredFile
from cloudrepo_server.domain.upstream import Upstreams
from cloudrepo_server.domain.visibility import PrivateProjects
from cloudrepo_server.errors import NotFoundError
from cloudrepo_server.models import File, Project, ProjectDocument, SerialsDocument
from cloudrepo_server.specs.dialect import Dialect
from cloudrepo_server.specs.file_urls import REDIRECT

if TYPE_CHECKING:
    from packaging.metadata import RawMetadata


class RepositoryView:
    """A repository together with its upstreams, as one request reads it.

    Readers get everything from a view. A test's faults change what it returns (`FaultyView`).
    """

    __slots__ = (
        "_repository",
        "_upstreams",
        "_via",
        "has_login",
        "private",
        "queried_upstreams",
    )

    def __init__(
        self, repository: Repository, upstreams: Upstreams, via: tuple[str, ...] = ()
    ) -> None:
        self._repository = repository
        self._upstreams = upstreams
        self._via = via
        self.private: PrivateProjects | None = None
        """The projects that the sender of the request cannot see, or None."""
        self.has_login = True
        """Whether the request has a valid login. Other clients must not learn the upstreams."""
        self.queried_upstreams: list[str] = []
        """The upstreams that were queried for the request so far, without passwords."""

    @property
    def id(self) -> str:
        """The repository's id, which no other repository ever has."""
        return self._repository.document.id

    @property
    def settings_revision(self) -> str:
        """A string that changes whenever the repository's settings change."""
        return self._repository.document.revision

    @property
    def via(self) -> tuple[str, ...]:
        """The ids of the repositories that the request passed, this one included."""
        return (*self._via, self.id)

    @property
    def name(self) -> str:
        """The repository's name."""
        return self._repository.name

    @property
    def dialect(self) -> Dialect:
        """The registry that the repository imitates."""
        return self._repository.dialect

    @property
    def digests(self) -> tuple[str, ...] | None:
        """The algorithms of the digests that pages list; None for the dialect's default."""
        return self._repository.document.digests

    @property
    def page_seconds(self) -> int:
        """How many seconds clients may cache a page."""
        chosen = self._repository.document.page_max_age
        return self.dialect.page_seconds if chosen is None else chosen

    @property
    def redirects_to_files(self) -> bool:
        """Whether requests for files are redirected to another host."""
        return self._repository.place_of_files == REDIRECT

    @property
    def file_url_seconds(self) -> float:
        """How many seconds the signed URL of a file on another host is valid."""
        return self._repository.document.file_url_seconds

    async def project(self, name: str, local_project: ProjectDocument | None) -> Project | None:
        """Return a project with the files of the upstreams, or None.

        Args:
            name: the project's name.
            local_project: the project as it is in the repository itself.
        """
        return await self._upstreams.project(
            self._repository,
            name,
            local=local_project,
            via=self._via,
            queried=self.queried_upstreams,
        )

    async def read_project_again(self, name: str) -> Project | None:
        """Return a project with changes that were made during this request."""
        return await self.project(name, await self._repository.project(name))

    def not_found(self, what: str) -> NotFoundError:
        """Return the error for what is neither in the repository nor in its queried upstreams.

        Args:
            what: the beginning of the message, such as "The project demo".
        """
        message = f"{what} was not found in the repository {self.name}"
        complete = f"{message}{_nor_in(self.queried_upstreams)}."
        error = NotFoundError(complete if self.has_login else f"{message}.")
        error.explanation = complete
        return error

    async def project_names(self) -> list[str]:
        """Return the normalized names of all projects, sorted."""
        return await self._upstreams.project_names(self._repository)

    def visible(self, names: Sequence[str]) -> list[str]:
        """Return the projects among these that the sender of the request can see."""
        private = self.private
        return list(names) if private is None else [each for each in names if each not in private]

    async def listing_revision(self) -> str:
        """Return a string that changes whenever `project_names` changes."""
        return await self._upstreams.listing_revision(self._repository)

    def require_fresh(self) -> None:
        """Require that the current task reads nothing older than this moment."""
        self._repository.require_fresh()

    async def serial(self, known: SerialsDocument, project: ProjectDocument | None) -> int:
        """Return the serial of the last change of a project.

        Args:
            known: the serials, read before the project.
            project: the project as it is in the repository itself; None if it is an upstream's.
        """
        if project is None:
            return 0
        return await self._repository.serials.of_project(project, known)

    async def serials(self, known: SerialsDocument) -> SerialsDocument:
        """Return the serials of all projects, after assigning those that `known` lacks."""
        names = await self._repository.project_names()
        return await self._repository.serials.of_all(names, known)

    async def core_metadata(self, file: File) -> "RawMetadata":
        """Return the fields of the core metadata of a file.

        Raises:
            FileNotFoundError: the file has none.
        """
        return await self._repository.core_metadata(file)

    def file(self, file: File) -> StoredFile:
        """Return the content of a file."""
        return self._repository.content(file)

    async def metadata(self, file: File) -> StoredFile:
        """Return the core metadata of a file."""
        return await self._repository.metadata(file)


def _nor_in(upstreams: Sequence[str]) -> str:
    if not upstreams:
        return ""
    return f", nor in its upstream{'s' if len(upstreams) > 1 else ''} {', '.join(upstreams)}"
