"""The errors of the server. Users see their texts; the web layer maps each class to a status."""

from collections.abc import Mapping

MAX_MESSAGE = 2000


class CloudRepoServerError(Exception):
    """The base class of all errors of this server; a message that is too long is truncated."""

    rule: str | None = None
    """The name of PyPI's rule that an upload breaks, if that is the reason of the error."""
    advice: str | None = None
    """How to correct a release that breaks this rule."""
    explanation: str | None = None
    """What the journal says instead of the message, because the client must not receive it."""

    def __init__(self, message: str = "") -> None:
        super().__init__(truncate(message, MAX_MESSAGE))


def truncate(text: str, length: int) -> str:
    """Return the text, or its beginning and three dots if it has more than `length` characters."""
    return text if len(text) <= length else text[: length - 3] + "..."


class InvalidError(CloudRepoServerError):
    """A request or a setting is not valid."""


class InvalidFieldsError(InvalidError):
    """Fields of a form are not valid; `by_field` has the messages by the names of the fields."""

    def __init__(self, by_field: Mapping[str, str]) -> None:
        super().__init__(" ".join(by_field.values()))
        self.by_field = {name: truncate(text, MAX_MESSAGE) for name, text in by_field.items()}


class UnsupportedTypeError(CloudRepoServerError):
    """The body of a request does not have the content type that the operation requires."""


class NotFoundError(CloudRepoServerError):
    """A repository, project, file, user or token does not exist."""


class RepositoryNotFoundError(NotFoundError):
    """A repository does not exist; CloudRepo's own client recognizes the text of this error."""

    def __init__(self, name: str) -> None:
        super().__init__(f"The repository could not be found: {name[:64]}")


class ForbiddenError(CloudRepoServerError):
    """The user is known but does not have the permission."""


class UnauthenticatedError(CloudRepoServerError):
    """The credentials are missing, wrong, or not valid for this URL."""


class AccessDeniedError(UnauthenticatedError):
    """A valid login may not see the repository, and the settings require the status 401."""


class ExpiredTokenError(UnauthenticatedError):
    """A token has expired. The client gets the same response as for a wrong token."""

    def __init__(self, message: str, *, explanation: str) -> None:
        super().__init__(message)
        self.explanation = explanation


class TokenRequestError(CloudRepoServerError):
    """An identity token cannot be exchanged for an upload token; `code` is PyPI's code for that."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class TooManyTokensError(TokenRequestError):
    """A repository has its maximum of minted tokens or of used identity tokens."""

    def __init__(self, message: str) -> None:
        super().__init__("too-many-tokens", message)


class ConflictError(CloudRepoServerError):
    """A name is already in use, or a limit is reached, such as the number of faults."""


class FileExistsInRepositoryError(CloudRepoServerError):
    """The file name is or was in use, and overwrite protection or the dialect forbids its reuse."""


class BrokenRuleError(CloudRepoServerError):
    """An upload breaks one of PyPI's rules, which determines the status of the response."""

    def __init__(self, message: str, *, status: int, rule: str, advice: str) -> None:
        super().__init__(message)
        self.status = status
        self.rule = rule
        self.advice = advice


class TooLargeError(CloudRepoServerError):
    """A request or a part of it is larger than a limit."""


class StalledError(CloudRepoServerError):
    """The client stopped sending before the end of its request."""


class BusyError(CloudRepoServerError):
    """The server already has its maximum of requests, or of tasks of the kind that is needed."""


class StorageError(CloudRepoServerError):
    """The store failed. Unless the error is an `UncertainError`, nothing was changed."""


class DamagedDocumentError(StorageError):
    """A stored document is damaged, or has the format of another version of this program."""


class StorageLostError(StorageError):
    """The stored data were deleted or replaced since the server started."""


class StorageFullError(StorageError):
    """The store has no space left; nothing was changed."""


class UncertainError(StorageError):
    """The store did not respond to a change. The change may or may not have been applied."""


class StagedFileLostError(StorageError):
    """The content of an upload was deleted before the file became visible."""


class UpstreamError(CloudRepoServerError):
    """Another index, which is an upstream of a repository, did not respond or is not an index."""


class UpstreamLoopError(UpstreamError):
    """The upstreams of a repository lead back to it, or through too many repositories."""


class ListenError(CloudRepoServerError):
    """The server cannot listen on an address or port."""


class ExclusiveStorageRequiredError(CloudRepoServerError):
    """An operation needs a server that does not share its store."""


class StorageInUseError(CloudRepoServerError):
    """Another server uses the data folder."""
