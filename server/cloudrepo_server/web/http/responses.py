"""JSON responses and error responses."""

from http import HTTPStatus

import msgspec
from aiohttp import web

from cloudrepo_server.errors import (
    MAX_MESSAGE,
    AccessDeniedError,
    BrokenRuleError,
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
    UnsupportedTypeError,
    UpstreamError,
    UpstreamLoopError,
    truncate,
)
from cloudrepo_server.specs.dialect import DEFAULT_CHALLENGE, Dialect

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
    (UpstreamLoopError, 508),
    (UnsupportedTypeError, 415),
    (UpstreamError, 502),
    (BusyError, 503),
    (StorageFullError, 507),
    (StorageError, 503),
)
_MAX_REASON = 400

NO_REGISTRY = "Not Found"
"""The response of a host without a Python registry."""


def json_response(value: object, *, status: int = 200) -> web.Response:
    """Return a response with a value as JSON.

    The content type has no parameters, because uv compares the whole header.
    """
    return web.Response(
        body=msgspec.json.encode(value), status=status, content_type="application/json"
    )


def error_response(
    status: int,
    message: str,
    *,
    headers: dict[str, str] | None = None,
    details: dict[str, str] | None = None,
) -> web.Response:
    """Return an error response whose message every client shows to its user.

    twine, pdm, hatch and flit show only the reason phrase, uv shows the body's `code`, and
    CloudRepo's own client its `error`. `details` are further fields of the body.
    """
    message = truncate(message, MAX_MESSAGE)
    body = {"error": message, "message": message, "code": f"{status} {message}"}
    response = json_response({**body, **(details or {})}, status=status)
    response.set_status(status, reason_phrase(message))
    if headers:
        response.headers.update(headers)
    return response


def status_of(error: CloudRepoServerError) -> int:
    """Return the status code of an error."""
    if isinstance(error, BrokenRuleError):
        return error.status
    return next((code for kind, code in _STATUSES if isinstance(error, kind)), 500)


def exception_response(
    error: CloudRepoServerError,
    *,
    realm: str,
    dialect: Dialect | None = None,
    is_upload: bool = False,
    has_login: bool = False,
) -> web.Response:
    """Return the response to an error of the domain.

    Args:
        error: the error.
        realm: the realm of `WWW-Authenticate`.
        dialect: the dialect of the repository, if the request is for one.
        is_upload: whether the request is an upload.
        has_login: whether the request has credentials, right or wrong.
    """
    if dialect is not None and not dialect.has_registry:
        return web.Response(status=HTTPStatus.NOT_FOUND, text=NO_REGISTRY)
    status, message = _status_in(dialect, error), str(error)
    if status < HTTPStatus.MULTIPLE_CHOICES:
        return web.Response(status=status)
    headers = {}
    rejected_text = dialect.unauthenticated_upload if dialect is not None and is_upload else None
    if _is_wrong_login(error) and rejected_text is not None:
        status, message = HTTPStatus.FORBIDDEN, f"{rejected_text} {message}"
    elif _is_wrong_login(error) and dialect is not None and has_login:
        status = dialect.wrong_login_status
    if status == HTTPStatus.UNAUTHORIZED:
        challenge = DEFAULT_CHALLENGE if dialect is None else dialect.challenge
        headers["WWW-Authenticate"] = challenge.format(realm=_quoted(realm))
        message = (dialect and dialect.login_text) or message
    if isinstance(error, BusyError | StorageError) and not isinstance(error, StorageFullError):
        headers["Retry-After"] = "1"
    details = {"rule": error.rule, "advice": error.advice}
    response = error_response(
        status,
        message,
        headers=headers,
        details={name: value for name, value in details.items() if value is not None},
    )
    if dialect is not None and not _is_in_reason(error, dialect):
        response.set_status(status)
    return response


def _status_in(dialect: Dialect | None, error: CloudRepoServerError) -> int:
    if dialect is not None and isinstance(error, FileExistsInRepositoryError):
        return dialect.exists_status
    if dialect is not None and isinstance(error, TooLargeError):
        return dialect.too_large_status
    return status_of(error)


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _is_wrong_login(error: CloudRepoServerError) -> bool:
    # A missing login counts as a wrong one.
    return isinstance(error, UnauthenticatedError) and not isinstance(error, AccessDeniedError)


def _is_in_reason(error: CloudRepoServerError, dialect: Dialect) -> bool:
    if isinstance(error, FileExistsInRepositoryError):
        return dialect.exists_in_reason
    return dialect.login_text_in_reason or not isinstance(error, UnauthenticatedError)


def reason_phrase(message: str) -> str:
    """Return the message as a short line of ASCII: reason phrases have no encoding (RFC 9112)."""
    return "".join(
        char if char.isascii() and char.isprintable() else "?"
        for char in truncate(message, _MAX_REASON)
    )
