"""What can be refused, in words for people; the web floor gives each its status."""


class CloudRepoServerError(Exception):
    """The base of all that this server says no to; its text is one sentence for a person."""


class InvalidError(CloudRepoServerError):
    """Something that was sent is wrong."""


class NotFoundError(CloudRepoServerError):
    """A repository, project, file, user or token that is not there."""


class RepositoryNotFoundError(NotFoundError):
    """There is no repository with this name; CloudRepo's own client looks for these words."""

    def __init__(self, name: str) -> None:
        super().__init__(f"The repository could not be found: {name[:64]}")


class ForbiddenError(CloudRepoServerError):
    """A known user without the right."""


class UnauthenticatedError(CloudRepoServerError):
    """Nobody, a wrong passphrase, or a login that is of no use here."""


class ConflictError(CloudRepoServerError):
    """A name that is taken."""


class FileExistsInRepositoryError(CloudRepoServerError):
    """A file name that is taken, where the repository or its dialect lets it stay so."""


class TooLargeError(CloudRepoServerError):
    """More bytes than a stated limit."""


class StalledError(CloudRepoServerError):
    """A client that stopped sending in the middle."""


class BusyError(CloudRepoServerError):
    """More requests at once than are served."""


class StorageError(CloudRepoServerError):
    """The storage failed; what was there is still there."""


class StorageFullError(StorageError):
    """The storage has no room left; what was there is still there."""


class UncertainError(StorageError):
    """The storage did not say whether it took a change; what was there may be as it was, or not."""


class StagedFileLostError(StorageError):
    """What was stored was removed before anything referred to it."""


class UpstreamError(CloudRepoServerError):
    """Another index, to which a repository falls through, did not answer as an index does."""


class ListenError(CloudRepoServerError):
    """An address or port that cannot be listened on."""


class ExclusiveStorageRequiredError(CloudRepoServerError):
    """What only a server can do that has its store for itself."""


class StorageInUseError(CloudRepoServerError):
    """Another server owns the folder."""
