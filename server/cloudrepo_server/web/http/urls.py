"""The URLs by which a client reached this server, and those that it is given."""

from aiohttp import web

from cloudrepo_server.domain.repository import Repository
from cloudrepo_server.errors import InvalidError
from cloudrepo_server.web.http.paths import PRIVATE
from cloudrepo_server.web.http.request_state import state_of


def origin_of(request: web.BaseRequest) -> str:
    """The scheme and the host by which this server was reached.

    Raises:
        InvalidError: the request says no host.
    """
    try:
        return str(request.url.origin().with_scheme(scheme_of(request)))
    except ValueError:
        raise InvalidError("The Host header is not a host.") from None


def scheme_of(request: web.BaseRequest) -> str:
    """The scheme by which this server, or the proxy in front of it, was reached."""
    return state_of(request).scheme or request.scheme


def repository_url(
    request: web.BaseRequest, repository: Repository, *, below: str = PRIVATE
) -> str:
    """The URL that clients are given: on the host by which this server was reached.

    Raises:
        InvalidError: the request says no host.
    """
    return f"{origin_of(request)}{below}/{repository.name}"
