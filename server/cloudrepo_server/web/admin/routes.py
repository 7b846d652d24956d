"""The admin API: repositories, users, tokens, what was published, and the journal."""

from http import HTTPStatus

from aiohttp import web
from msgspec import UNSET

from cloudrepo_server.domain.declared_metadata import DeclaredMetadata
from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.domain.repository import Repository
from cloudrepo_server.errors import InvalidError
from cloudrepo_server.specs.timestamps import parse_upload_time
from cloudrepo_server.web.admin import schemas
from cloudrepo_server.web.admin.access import require_admin
from cloudrepo_server.web.admin.connection import ConnectionApi
from cloudrepo_server.web.admin.faults import FaultApi
from cloudrepo_server.web.admin.impersonations import ImpersonationApi
from cloudrepo_server.web.admin.openapi import Operation, openapi_document
from cloudrepo_server.web.admin.sweep import SweepApi
from cloudrepo_server.web.http.request_body import body_chunks, read_json
from cloudrepo_server.web.http.request_state import state_of
from cloudrepo_server.web.http.responses import json_response
from cloudrepo_server.web.http.urls import repository_url
from cloudrepo_server.web.impersonation.proxy import Proxy

OPENAPI_PATH = "/api/openapi.json"

_REPOSITORY = "/api/repositories/{name}"
_CONFLICT = (HTTPStatus.CONFLICT,)
_LARGEST_COUNT = 2**53 - 1  # the largest integer that every JSON library can represent
_COUNT = {"type": "integer", "minimum": 0, "maximum": _LARGEST_COUNT}


class AdminApi:
    """Answers every request below `/api`."""

    def __init__(self, organization: Organization, proxy: Proxy) -> None:
        self._organization = organization
        self._operations = [
            *self._repository_operations(),
            *ConnectionApi(organization).operations(),
            *FaultApi(organization).operations(),
            *ImpersonationApi(organization, proxy).operations(),
            *self._user_operations(),
            *SweepApi(organization).operations(),
        ]

    def routes(self) -> list[web.RouteDef]:
        """Return the admin API's routes. All require the admin, except for the OpenAPI document."""
        admin_only = require_admin(self._organization)
        return [
            web.get(OPENAPI_PATH, self.describe),
            *(operation.route(admin_only) for operation in self._operations),
        ]

    def _repository_operations(self) -> list[Operation]:
        s, file, project = schemas, _REPOSITORY + "/files/{filename}", _REPOSITORY + "/projects"
        one_project = project + "/{project}"
        newer = {"after": _COUNT, "limit": _COUNT}
        time = {"upload_time": {"type": "string", "format": "date-time"}}
        return [
            Operation("GET", "/api/repositories", self.list_repositories, s.RepositoriesAnswer),
            Operation(
                "POST",
                "/api/repositories",
                self.create_repository,
                s.RepositoryAnswer,
                body=s.NewRepository,
                status=HTTPStatus.CREATED,
                refusals=_CONFLICT,
            ),
            Operation("GET", _REPOSITORY, self.show_repository, s.RepositoryAnswer),
            Operation(
                "PATCH",
                _REPOSITORY,
                self.change_repository,
                s.RepositoryAnswer,
                body=s.RepositorySettings,
            ),
            Operation(
                "DELETE", _REPOSITORY, self.delete_repository, None, status=HTTPStatus.NO_CONTENT
            ),
            Operation("GET", project, self.list_projects, s.ProjectsAnswer),
            Operation("GET", one_project, self.show_project, s.ProjectAnswer),
            Operation(
                "PATCH", one_project, self.change_project, s.ProjectAnswer, body=s.ProjectChange
            ),
            Operation(
                "PUT",
                file,
                self.put_file,
                s.FileAnswer,
                takes_file=True,
                refusals=_CONFLICT,
                query=time,
            ),
            Operation("PATCH", file, self.change_file, s.FileAnswer, body=s.FileChange),
            Operation("DELETE", file, self.delete_file, None, status=HTTPStatus.NO_CONTENT),
            Operation(
                "GET",
                _REPOSITORY + "/requests",
                self.list_requests,
                s.RequestsAnswer,
                refusals=_CONFLICT,
                query=newer,
            ),
            Operation(
                "DELETE",
                _REPOSITORY + "/requests",
                self.clear_requests,
                None,
                status=HTTPStatus.NO_CONTENT,
                refusals=_CONFLICT,
            ),
        ]

    def _user_operations(self) -> list[Operation]:
        s, user = schemas, "/api/users/{email}"
        gone = HTTPStatus.NO_CONTENT
        return [
            Operation("GET", "/api/users", self.list_users, s.UsersAnswer),
            Operation(
                "POST",
                "/api/users",
                self.create_user,
                s.UserAnswer,
                body=s.NewUser,
                status=HTTPStatus.CREATED,
                refusals=_CONFLICT,
            ),
            Operation("PATCH", user, self.change_user, s.UserAnswer, body=s.UserChange),
            Operation("DELETE", user, self.delete_user, None, status=gone),
            Operation("GET", "/api/tokens", self.list_tokens, s.TokensAnswer),
            Operation(
                "POST",
                "/api/tokens",
                self.create_token,
                s.TokenAnswer,
                body=s.NewToken,
                status=HTTPStatus.CREATED,
                refusals=(HTTPStatus.NOT_FOUND,),
            ),
            Operation("DELETE", "/api/tokens/{id}", self.delete_token, None, status=gone),
        ]

    async def describe(self, _: web.Request) -> web.Response:
        """The API's OpenAPI document."""
        # Imported for this answer alone, so that the server starts sooner.
        from importlib.metadata import version

        return json_response(
            openapi_document(self._operations, version=version("pytest-cloudrepo"))
        )

    async def list_repositories(self, request: web.Request) -> web.Response:
        """Every repository with its settings."""
        found = [_repository(request, each) for each in await self._organization.repositories()]
        return json_response(schemas.RepositoriesAnswer(found))

    async def create_repository(self, request: web.Request) -> web.Response:
        """Make a new, empty repository."""
        body = await read_json(request, schemas.NewRepository)
        repository = await self._organization.create_repository(body.name, **body.given())
        return json_response(_repository(request, repository), status=HTTPStatus.CREATED)

    async def show_repository(self, request: web.Request) -> web.Response:
        """A repository's settings."""
        return json_response(_repository(request, await self._repository(request)))

    async def change_repository(self, request: web.Request) -> web.Response:
        """Change settings, from the next request on."""
        body = await read_json(request, schemas.RepositorySettings)
        name = request.match_info["name"]
        changed = await self._organization.update_repository(name, **body.given())
        return json_response(_repository(request, changed))

    async def delete_repository(self, request: web.Request) -> web.Response:
        """Delete a repository and all that is in it."""
        await self._organization.delete_repository(request.match_info["name"])
        return web.Response(status=HTTPStatus.NO_CONTENT)

    async def list_projects(self, request: web.Request) -> web.Response:
        """The projects of a repository."""
        names = await (await self._repository(request)).project_names()
        return json_response(schemas.ProjectsAnswer([schemas.ProjectName(name) for name in names]))

    async def show_project(self, request: web.Request) -> web.Response:
        """A project with its files."""
        repository = await self._repository(request)
        name = request.match_info["project"]
        project = await repository.project(name)
        if project is None:
            raise repository.project_not_found(name)
        return json_response(schemas.ProjectAnswer.of(project, repository_url(request, repository)))

    async def change_project(self, request: web.Request) -> web.Response:
        """Set a project's status marker."""
        repository = await self._repository(request)
        body = await read_json(request, schemas.ProjectChange)
        changed = await repository.set_status(
            request.match_info["project"], body.status, body.reason
        )
        return json_response(schemas.ProjectAnswer.of(changed, repository_url(request, repository)))

    async def put_file(self, request: web.Request) -> web.Response:
        """Upload a file as the portal does, under the same rules as any upload."""
        state_of(request).is_upload = True
        repository = await self._repository(request)
        time = request.query.get("upload_time")
        upload_time = None if time is None else parse_upload_time(time)
        incoming = repository.stage(request.match_info["filename"], digests={})
        try:
            async for chunk in body_chunks(request):
                await incoming.write(chunk)
        except BaseException:
            incoming.discard()
            raise
        file = await repository.publish(
            incoming, DeclaredMetadata(), uploader="admin", upload_time=upload_time
        )
        return json_response(schemas.FileAnswer.of(file))

    async def change_file(self, request: web.Request) -> web.Response:
        """Yank a file, take the yank back, or set its upload time."""
        repository = await self._repository(request)
        filename = request.match_info["filename"]
        body = await read_json(request, schemas.FileChange)
        _, file = await repository.find(filename)
        time = body.time
        if time is not None:
            file = await repository.set_upload_time(filename, time)
        if body.yanked is not UNSET:
            file = await repository.yank(filename, body.yank_reason)
        return json_response(schemas.FileAnswer.of(file))

    async def delete_file(self, request: web.Request) -> web.Response:
        """Delete a file at once."""
        await (await self._repository(request)).delete(request.match_info["filename"])
        return web.Response(status=HTTPStatus.NO_CONTENT)

    async def list_requests(self, request: web.Request) -> web.Response:
        """List the newest `limit` requests that arrived after request number `after`."""
        repository = await self._repository(request)
        journal = self._organization.testkit.journal(repository.document.id)
        after, limit = _count(request, "after"), _count(request, "limit")
        requests = journal.completed(after=after or 0, limit=limit)
        return json_response({"requests": requests, "last": journal.last})

    async def clear_requests(self, request: web.Request) -> web.Response:
        """Empty the journal."""
        repository = await self._repository(request)
        self._organization.testkit.journal(repository.document.id).clear()
        return web.Response(status=HTTPStatus.NO_CONTENT)

    async def list_users(self, _: web.Request) -> web.Response:
        """Every repository user."""
        users = await self._organization.users.all()
        return json_response(schemas.UsersAnswer([schemas.UserAnswer.of(user) for user in users]))

    async def create_user(self, request: web.Request) -> web.Response:
        """Make a user; without a passphrase the answer holds a generated one, this once."""
        body = await read_json(request, schemas.NewUser)
        user, generated = await self._organization.users.create(
            body.email,
            passphrase=body.passphrase,
            read_only=body.read_only,
            run=body.run,
        )
        return json_response(schemas.UserAnswer.of(user, generated), status=HTTPStatus.CREATED)

    async def change_user(self, request: web.Request) -> web.Response:
        """Change a user's passphrase or rights, from the next request on."""
        body = await read_json(request, schemas.UserChange)
        user = await self._organization.users.update(
            request.match_info["email"],
            passphrase=None if body.passphrase is UNSET else body.passphrase,
            read_only=None if body.read_only is UNSET else body.read_only,
        )
        return json_response(schemas.UserAnswer.of(user))

    async def delete_user(self, request: web.Request) -> web.Response:
        """Revoke a user's access, from the next request on."""
        await self._organization.users.delete(request.match_info["email"])
        return web.Response(status=HTTPStatus.NO_CONTENT)

    async def list_tokens(self, _: web.Request) -> web.Response:
        """Every token, without what makes it one."""
        tokens = await self._organization.tokens.all()
        return json_response(
            schemas.TokensAnswer([schemas.TokenAnswer.of(token) for token in tokens])
        )

    async def create_token(self, request: web.Request) -> web.Response:
        """Make a token for a repository; the answer holds it, this once."""
        body = await read_json(request, schemas.NewToken)
        repository = await self._organization.repository(body.repository)
        document, token = await self._organization.tokens.create(
            repository.document, read_only=body.read_only
        )
        return json_response(schemas.TokenAnswer.of(document, token), status=HTTPStatus.CREATED)

    async def delete_token(self, request: web.Request) -> web.Response:
        """Revoke a token, from the next request on."""
        await self._organization.tokens.delete(request.match_info["id"])
        return web.Response(status=HTTPStatus.NO_CONTENT)

    async def _repository(self, request: web.Request) -> Repository:
        return await self._organization.repository(request.match_info["name"])


def _repository(request: web.Request, repository: Repository) -> schemas.RepositoryAnswer:
    return schemas.RepositoryAnswer.of(repository, repository_url(request, repository))


def _count(request: web.Request, name: str) -> int | None:
    """Return a query parameter that is a count, or None if the request does not have it."""
    text = request.query.get(name)
    if text is None:
        return None
    if text.isascii() and text.isdecimal() and len(text) <= len(str(_LARGEST_COUNT)):
        count = int(text)
        if count <= _LARGEST_COUNT:
            return count
    raise InvalidError(f"{name} must be an integer from 0 to {_LARGEST_COUNT}, not {text[:64]!r}.")
