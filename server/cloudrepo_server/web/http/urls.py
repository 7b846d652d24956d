"""The URLs of this server, as its clients see them."""

from aiohttp import web
from yarl import URL

from cloudrepo_server.domain.repository import Repository
from cloudrepo_server.errors import InvalidError
from cloudrepo_server.web.http.paths import PRIVATE
from cloudrepo_server.web.http.request_state import state_of


def origin_of(request: web.BaseRequest) -> str:
    """Return the scheme and host that the client used.

    Raises:
        InvalidError: the Host header is not valid.
    """
    try:
        return str(request.url.origin().with_scheme(scheme_of(request)))
    except ValueError:
        raise InvalidError("The Host header is not a valid host name.") from None


def host_of(request: web.BaseRequest) -> str:
    """Return the host that the client used, without the port.

    Raises:
        InvalidError: the Host header is not valid.
    """
    return URL(origin_of(request)).raw_host or ""


def scheme_of(request: web.BaseRequest) -> str:
    """Return the scheme that the client used, also through a trusted proxy."""
    return state_of(request).scheme or request.scheme


def repository_url(
    request: web.BaseRequest, repository: Repository, *, below: str = PRIVATE
) -> str:
    """Return a repository's URL, with the scheme and host that the client used.

    Raises:
        InvalidError: the Host header is not valid.
    """
    return f"{origin_of(request)}{below}/{repository.name}"
