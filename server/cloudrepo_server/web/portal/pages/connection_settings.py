"""Connection Settings: what each client must be told, ready to copy."""

from aiohttp import web

from cloudrepo_server.clients.snippets import PACKAGE, PASSPHRASE, snippets
from cloudrepo_server.errors import NotFoundError
from cloudrepo_server.web.http.connection_settings import connection_settings
from cloudrepo_server.web.portal.paths import REPOSITORY
from cloudrepo_server.web.portal.portal_request import PortalRequest, Route

_TITLES = {"pypirc": ".pypirc", "github-actions": "GitHub Actions", "pdm": "PDM"}


async def show(request: PortalRequest) -> web.Response:
    """What a user's clients must be told."""
    repository = await request.repository()
    users = await request.organization.users.all()
    error = None
    try:
        to = await connection_settings(
            request.http, request.organization, repository, request.query.get("user")
        )
    except NotFoundError as missing:
        error = str(missing)
        to = await connection_settings(request.http, request.organization, repository)
    return request.render(
        "connection.html",
        status=200 if error is None else 404,
        error=error,
        repository=repository,
        connection=to,
        users=[user.email for user in users],
        tools=[(tool, _TITLES.get(tool, tool), told) for tool, told in snippets(to).items()],
        passphrase=PASSPHRASE,
        package=PACKAGE,
        current="connection",
    )


ROUTES = (Route("GET", REPOSITORY + "/connection", show),)
