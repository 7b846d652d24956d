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


def prefix_of(request: web.BaseRequest) -> str:
    """Return the path at which a trusted proxy serves this server, or an empty string."""
    return state_of(request).prefix


def base_url_of(request: web.BaseRequest) -> str:
    """Return the URL of this server that the client used, without a slash at its end.

    Raises:
        InvalidError: the Host header is not valid.
    """
    return origin_of(request) + prefix_of(request)


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
    """Return a repository's URL, with the scheme, host and prefix that the client used.

    Raises:
        InvalidError: the Host header is not valid.
    """
    return f"{base_url_of(request)}{below}/{repository.name}"
