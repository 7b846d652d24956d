"""Answers that are not pages or files: JSON, and what is refused."""

import msgspec
from aiohttp import web

from cloudrepo_server.errors import (
    BusyError,
    CloudRepoServerError,
    ConflictError,
    ExclusiveStorageRequiredError,
    FileExistsInRepositoryError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    StalledError,
    StorageError,
    StorageFullError,
    TooLargeError,
    UnauthenticatedError,
    UpstreamError,
)
from cloudrepo_server.specs.dialect import Dialect

_STATUSES: tuple[tuple[type[CloudRepoServerError], int], ...] = (
    (InvalidError, 400),
    (UnauthenticatedError, 401),
    (ForbiddenError, 403),
    (NotFoundError, 404),
    (ConflictError, 409),
    (FileExistsInRepositoryError, 409),
    (ExclusiveStorageRequiredError, 409),
    (StalledError, 408),
    (TooLargeError, 413),
    (UpstreamError, 502),
    (BusyError, 503),
    (StorageFullError, 507),
    (StorageError, 503),
)
_MAX_REASON = 400


def json_response(value: object, *, status: int = 200) -> web.Response:
    """A value as JSON; the content type is exactly what uv compares with."""
    return web.Response(
        body=msgspec.json.encode(value), status=status, content_type="application/json"
    )


def error_response(
    status: int, message: str, headers: dict[str, str] | None = None
) -> web.Response:
    """A refusal that every client shows its user.

    twine, pdm, hatch and flit show the reason phrase alone, uv the body's `code`, CloudRepo's own
    client its `error`.
    """
    answer = json_response(
        {"error": message, "message": message, "code": f"{status} {message}"}, status=status
    )
    answer.set_status(status, reason_phrase(message))
    if headers:
        answer.headers.update(headers)
    return answer


def status_of(error: CloudRepoServerError) -> int:
    """The status that says of which kind a refusal is."""
    return next((code for kind, code in _STATUSES if isinstance(error, kind)), 500)


def exception_response(
    error: CloudRepoServerError, *, realm: str, dialect: Dialect | None = None
) -> web.Response:
    """The answer to what the domain refused."""
    status = status_of(error)
    if dialect is not None and isinstance(error, FileExistsInRepositoryError):
        status = dialect.exists_status
    if dialect is not None and isinstance(error, TooLargeError):
        status = dialect.too_large_status
    headers = {}
    if isinstance(error, UnauthenticatedError):
        quoted = realm.replace("\\", "\\\\").replace('"', '\\"')
        headers["WWW-Authenticate"] = f'Basic realm="{quoted}", charset="UTF-8"'
    if isinstance(error, BusyError | StorageError) and not isinstance(error, StorageFullError):
        headers["Retry-After"] = "1"
    answer = error_response(status, str(error), headers)
    if (
        dialect is not None
        and isinstance(error, FileExistsInRepositoryError)
        and not dialect.exists_in_reason
    ):
        answer.set_status(status)
    return answer


def reason_phrase(message: str) -> str:
    """The message as one short line of ASCII, since a reason phrase has no encoding (RFC 9112)."""
    line = "".join(sign if sign.isascii() and sign.isprintable() else "?" for sign in message)
    return line if len(line) <= _MAX_REASON else line[: _MAX_REASON - 3] + "..."
