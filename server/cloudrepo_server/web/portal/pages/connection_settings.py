"""Connection Settings: the configuration of each client for a repository, ready to copy."""

from aiohttp import web

from cloudrepo_server.clients.snippets import PACKAGE, PASSPHRASE, snippets
from cloudrepo_server.errors import NotFoundError
from cloudrepo_server.web.http.connection_settings import connection_settings
from cloudrepo_server.web.portal.paths import REPOSITORY
from cloudrepo_server.web.portal.portal_request import PortalRequest, Route

_TITLES = {"pypirc": ".pypirc", "github-actions": "GitHub Actions", "pdm": "PDM"}
"""The tools whose title differs from their name."""


async def show(request: PortalRequest) -> web.Response:
    """Show the settings for the user that the query names, or for the first user."""
    repository = await request.repository()
    users = await request.organization.users.all()
    error = None
    try:
        connection = await connection_settings(
            request.http, request.organization, repository, request.query.get("user")
        )
    except NotFoundError as missing:
        error = str(missing)
        connection = await connection_settings(request.http, request.organization, repository)
    return request.render(
        "connection_settings.html",
        status=200 if error is None else 404,
        error=error,
        repository=repository,
        connection=connection,
        users=[user.email for user in users],
        tools=[
            (tool, _TITLES.get(tool, tool), of_tool)
            for tool, of_tool in snippets(connection).items()
        ],
        passphrase_placeholder=PASSPHRASE,
        package_placeholder=PACKAGE,
        current_tab="connection",
    )


ROUTES = (Route("GET", REPOSITORY + "/connection", show),)
