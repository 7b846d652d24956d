"""The connection settings of a repository, for the portal and the admin API."""

from aiohttp import web

from cloudrepo_server.clients import Connection
from cloudrepo_server.clients.snippets import PASSPHRASE
from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.domain.repository import Repository
from cloudrepo_server.web.http.urls import repository_url

_EXAMPLE_USER = "you@example.com"


async def connection_settings(
    request: web.BaseRequest,
    organization: Organization,
    repository: Repository,
    *,
    email: str | None = None,
) -> Connection:
    """Return a user's connection settings, with a placeholder for the passphrase.

    Without `email`, the user is the one whose name before the @ sign is that of the repository, as
    pytest's fixtures name users. Otherwise it is the first one who may publish, or else the first.

    Raises:
        InvalidError: the Host header is not valid.
        NotFoundError: there is no such user.
    """
    if email:
        username = (await organization.users.get(email)).email
    else:
        users = sorted(
            await organization.users.all(),
            key=lambda user: (user.email.partition("@")[0] != repository.name, user.read_only),
        )
        username = users[0].email if users else _EXAMPLE_USER
    return Connection(
        url=repository_url(request, repository),
        name=repository.name,
        username=username,
        password=PASSPHRASE,
    )
