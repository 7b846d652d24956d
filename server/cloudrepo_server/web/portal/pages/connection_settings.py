"""Connection Settings: the configuration of each client for a repository, ready to copy."""

import dataclasses
import secrets
from dataclasses import dataclass

from aiohttp import web

from cloudrepo_server.clients import Connection
from cloudrepo_server.clients.snippets import PACKAGE, PASSPHRASE, Snippet, snippets
from cloudrepo_server.clients.systems import LINUX, SYSTEMS
from cloudrepo_server.errors import NotFoundError
from cloudrepo_server.web.http.connection_settings import connection_settings
from cloudrepo_server.web.portal.paths import REPOSITORY
from cloudrepo_server.web.portal.portal_request import PortalRequest, Route

_TITLES = {"pypirc": ".pypirc", "github-actions": "GitHub Actions", "pdm": "PDM"}
"""The tools whose title differs from their name."""
_IN_USER_AGENT = {"Windows": "powershell", "Macintosh": "macos"}
_IN_URL = "url"


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of a snippet: text or, with a `quoting`, a place for the passphrase."""

    text: str
    quoting: str = ""


@dataclass(frozen=True, slots=True)
class _ShownSnippet:
    title: str
    file: str | None
    parts: list[_Part]


async def show(request: PortalRequest) -> web.Response:
    """Show the settings for the user and the system that the query names, or for defaults."""
    repository = await request.repository()
    users = await request.organization.users.all()
    error = None
    try:
        connection = await connection_settings(
            request.http, request.organization, repository, email=request.query.get("user")
        )
    except NotFoundError as missing:
        error = str(missing)
        connection = await connection_settings(request.http, request.organization, repository)
    system = browser_system(request)
    return request.render(
        "connection_settings.html",
        status=200 if error is None else 404,
        error=error,
        repository=repository,
        connection=connection,
        users={user.email: user.email for user in users},
        system=system,
        systems={name: each.title for name, each in SYSTEMS.items()},
        tools=[
            (tool, _TITLES.get(tool, tool), shown)
            for tool, shown in _shown_snippets(connection, system).items()
        ],
        passphrase_placeholder=PASSPHRASE,
        package_placeholder=PACKAGE,
        current_tab="connection",
    )


def browser_system(request: PortalRequest) -> str:
    """Return the system that the query names or, by default, that of the browser."""
    named = request.query.get("system", "")
    if named in SYSTEMS:
        return named
    user_agent = request.http.headers.get("User-Agent", "")
    return next((name for text, name in _IN_USER_AGENT.items() if text in user_agent), LINUX)


def _shown_snippets(connection: Connection, system: str) -> dict[str, list[_ShownSnippet]]:
    # A random passphrase marks its places, because other values may contain the placeholder. It is
    # quoted as the placeholder is: it consists of letters and digits.
    mark = secrets.token_hex(16)
    marked = snippets(dataclasses.replace(connection, password=mark), system)
    return {
        tool: [
            _ShownSnippet(each.title, each.file, _parts(each, mark)) for each in snippets_of_tool
        ]
        for tool, snippets_of_tool in marked.items()
    }


def _parts(snippet: Snippet, mark: str) -> list[_Part]:
    texts = snippet.text.split(mark)
    parts = [_Part(texts[0])]
    for text in texts[1:]:
        # In a URL, an @ sign follows the passphrase. No other format has one there.
        quoting = _IN_URL if text.startswith("@") else snippet.quoting
        parts += (_Part(PASSPHRASE, quoting), _Part(text))
    return parts


ROUTES = (Route("GET", REPOSITORY + "/connection", show),)
