"""A repository's connection settings: as whom they are told, and where to."""

from aiohttp import web

from cloudrepo_server.clients import Connection
from cloudrepo_server.errors import InvalidError
from cloudrepo_server.organization import Organization
from cloudrepo_server.repository import Repository
from cloudrepo_server.snippets import PASSPHRASE
from cloudrepo_server.web.notes import SCHEME
from cloudrepo_server.web.target import PRIVATE

SOMEBODY = "you@example.com"
"""Stands where there is no user yet."""


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
    scheme: str = request.get(SCHEME, request.scheme)
    return scheme


def repository_url(
    request: web.BaseRequest, repository: Repository, *, below: str = PRIVATE
) -> str:
    """The URL that clients are given: on the host by which this server was reached.

    Raises:
        InvalidError: the request says no host.
    """
    return f"{origin_of(request)}{below}/{repository.name}"


async def connection_of(
    request: web.BaseRequest,
    organization: Organization,
    repository: Repository,
    email: str | None = None,
) -> Connection:
    """The connection of a user, or else of the first who may publish.

    A placeholder stands for the passphrase, which nobody can read back.

    Raises:
        InvalidError: the request says no host.
        NotFoundError: there is no such user.
    """
    if email:
        username = (await organization.users.get(email)).email
    else:
        users = sorted(await organization.users.all(), key=lambda user: user.read_only)
        username = users[0].email if users else SOMEBODY
    return Connection(
        url=repository_url(request, repository),
        name=repository.name,
        username=username,
        password=PASSPHRASE,
    )
