"""The admin API's operation on connection settings."""

from aiohttp import web

from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.web.admin import responses
from cloudrepo_server.web.http.responses import json_response


class ConnectionApi:
    """The handler of requests for the connection settings of a repository."""

    def __init__(self, organization: Organization) -> None:
        self._organization = organization

    async def show_connection(self, request: web.Request) -> web.Response:
        """Show the settings of each tool, with a placeholder for the passphrase."""
        # Imported here because few servers receive this request.
        from cloudrepo_server.clients import TOOLS, variables
        from cloudrepo_server.clients.snippets import snippets
        from cloudrepo_server.web.http.connection_settings import connection_settings

        repository = await self._organization.repository(request.match_info["name"])
        connection = await connection_settings(
            request, self._organization, repository, email=request.query.get("user")
        )
        return json_response(
            responses.ConnectionResponse(
                url=connection.url,
                index_url=connection.index_url,
                username=connection.username,
                tools={
                    tool: responses.ToolResponse(
                        variables=variables(tool, connection) if tool in TOOLS else {},
                        snippets=[
                            responses.SnippetResponse(each.title, each.text, each.file)
                            for each in tool_snippets
                        ],
                    )
                    for tool, tool_snippets in snippets(connection).items()
                },
            )
        )
