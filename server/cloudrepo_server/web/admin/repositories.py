"""The admin API's operations on repositories, their projects and their files."""

from http import HTTPStatus

from aiohttp import web
from msgspec import UNSET

from cloudrepo_server.domain.declared_metadata import DeclaredMetadata
from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.domain.repository import Repository
from cloudrepo_server.models import ProjectDocument
from cloudrepo_server.specs.filenames import possible_projects
from cloudrepo_server.specs.timestamps import parse_upload_time
from cloudrepo_server.testkit.results import ResultOfTest
from cloudrepo_server.web.admin import bodies, responses
from cloudrepo_server.web.http.paths import PUBLIC
from cloudrepo_server.web.http.request_body import body_chunks, read_json
from cloudrepo_server.web.http.request_state import state_of
from cloudrepo_server.web.http.responses import json_response
from cloudrepo_server.web.http.urls import repository_url


class RepositoryApi:
    """The handlers of requests for repositories, their projects and their files."""

    def __init__(self, organization: Organization) -> None:
        self._organization = organization

    async def list_repositories(self, request: web.Request) -> web.Response:
        """List the repositories with their settings."""
        repositories = await self._organization.repositories()
        return json_response(
            responses.RepositoriesResponse([_response(request, each) for each in repositories])
        )

    async def create_repository(self, request: web.Request) -> web.Response:
        """Create an empty repository."""
        body = await read_json(request, bodies.NewRepository)
        state_of(request).details.repository = body.name
        repository = await self._organization.create_repository(body.name, **body.given())
        return json_response(_response(request, repository), status=HTTPStatus.CREATED)

    async def show_repository(self, request: web.Request) -> web.Response:
        """Show the settings of a repository."""
        return json_response(_response(request, await self._repository(request)))

    async def change_repository(self, request: web.Request) -> web.Response:
        """Change the settings of a repository, from the next request on."""
        body = await read_json(request, bodies.RepositorySettings)
        name = request.match_info["name"]
        repository = await self._organization.update_repository(name, **body.given())
        return json_response(_response(request, repository))

    async def delete_repository(self, request: web.Request) -> web.Response:
        """Delete a repository and everything in it."""
        await self._organization.delete_repository(request.match_info["name"])
        return web.Response(status=HTTPStatus.NO_CONTENT)

    async def put_test(self, request: web.Request) -> web.Response:
        """Set the result of the test that used a repository."""
        result = await read_json(request, ResultOfTest)
        repository = await self._repository(request)
        self._organization.testkit.record_test(repository.document.id, result)
        return web.Response(status=HTTPStatus.NO_CONTENT)

    async def list_projects(self, request: web.Request) -> web.Response:
        """List the projects of a repository."""
        names = await (await self._repository(request)).project_names()
        return json_response(
            responses.ProjectsResponse([responses.ProjectName(name) for name in names])
        )

    async def show_project(self, request: web.Request) -> web.Response:
        """Show a project with its files."""
        repository = await self._repository(request)
        name = request.match_info["project"]
        project = await repository.project(name)
        if project is None:
            raise repository.project_not_found(name)
        return json_response(_project_response(request, repository, project))

    async def change_project(self, request: web.Request) -> web.Response:
        """Set the status marker of a project."""
        repository = await self._repository(request)
        body = await read_json(request, bodies.ProjectChange)
        project = await repository.set_status(
            request.match_info["project"], body.status, body.reason
        )
        return json_response(_project_response(request, repository, project))

    async def put_file(self, request: web.Request) -> web.Response:
        """Add a file, for which overwrite protection applies, but not PyPI's rules."""
        state = state_of(request)
        state.is_upload = True
        repository = await self._repository(request)
        time = request.query.get("upload_time")
        upload_time = None if time is None else parse_upload_time(time)
        filename = request.match_info["filename"]
        state.details.project = next(iter(possible_projects(filename)), None)
        staged = repository.stage(filename, digests={}, follows_rules=False)
        try:
            async for chunk in body_chunks(request):
                await staged.write(chunk)
        except BaseException:
            staged.discard()
            raise
        file = await repository.publish(
            staged,
            DeclaredMetadata(),
            uploader="admin",
            upload_time=upload_time,
            follows_rules=False,
        )
        return json_response(responses.FileResponse.of(file))

    async def change_file(self, request: web.Request) -> web.Response:
        """Yank a file, undo a yank, or set the upload time."""
        repository = await self._repository(request)
        filename = request.match_info["filename"]
        body = await read_json(request, bodies.FileChange)
        _, file = await repository.find(filename)
        time = body.time
        if time is not None:
            file = await repository.set_upload_time(filename, time)
        if body.yanked is not UNSET:
            file = await repository.yank(filename, body.yank_reason)
        return json_response(responses.FileResponse.of(file))

    async def delete_file(self, request: web.Request) -> web.Response:
        """Delete a file."""
        await (await self._repository(request)).delete(request.match_info["filename"])
        return web.Response(status=HTTPStatus.NO_CONTENT)

    async def _repository(self, request: web.Request) -> Repository:
        return await self._organization.repository(request.match_info["name"])


def _response(request: web.Request, repository: Repository) -> responses.RepositoryResponse:
    public_url = repository_url(request, repository, below=PUBLIC)
    return responses.RepositoryResponse.of(
        repository, repository_url(request, repository), public_url
    )


def _project_response(
    request: web.Request, repository: Repository, project: ProjectDocument
) -> responses.ProjectResponse:
    return responses.ProjectResponse.of(project, repository_url(request, repository))
