"""The admin API's part for connection settings."""

from aiohttp import web

from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.web.admin import schemas
from cloudrepo_server.web.admin.openapi import Operation
from cloudrepo_server.web.http.responses import json_response


class ConnectionApi:
    """Answers every request for a repository's connection settings."""

    def __init__(self, organization: Organization) -> None:
        self._organization = organization

    def operations(self) -> list[Operation]:
        """The operations on connection settings."""
        return [
            Operation(
                "GET",
                "/api/repositories/{name}/connection",
                self.show_connection,
                schemas.ConnectionAnswer,
                query={"user": {"type": "string"}},
            )
        ]

    async def show_connection(self, request: web.Request) -> web.Response:
        """What each client must be told, with a placeholder for the passphrase."""
        # Imported for this answer alone, so that the server starts sooner.
        from cloudrepo_server.clients import TOOLS, variables
        from cloudrepo_server.clients.snippets import snippets
        from cloudrepo_server.web.http.connection_settings import connection_settings

        repository = await self._organization.repository(request.match_info["name"])
        to = await connection_settings(
            request, self._organization, repository, request.query.get("user")
        )
        answer = schemas.ConnectionAnswer(
            url=to.url,
            index_url=to.index_url,
            username=to.username,
            tools={
                tool: schemas.ToolAnswer(
                    variables=variables(tool, to) if tool in TOOLS else {},
                    snippets=[
                        schemas.SnippetAnswer(each.title, each.text, each.file) for each in told
                    ],
                )
                for tool, told in snippets(to).items()
            },
        )
        return json_response(answer)
