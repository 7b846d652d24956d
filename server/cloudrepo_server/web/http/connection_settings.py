"""A repository's connection settings: as whom they are told, and where to."""

from aiohttp import web

from cloudrepo_server.clients import Connection
from cloudrepo_server.clients.snippets import PASSPHRASE
from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.domain.repository import Repository
from cloudrepo_server.web.http.urls import repository_url

SOMEBODY = "you@example.com"
"""Stands where there is no user yet."""


async def connection_settings(
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
