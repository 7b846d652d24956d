"""The admin API: repositories, users, tokens, what was published, and the journal."""

from typing import Any, TypeVar

import msgspec
from aiohttp import web
from msgspec import UNSET, UnsetType

from cloudrepo_server.clock import read_time
from cloudrepo_server.documents import File, ProjectDocument, TokenDocument, UserDocument
from cloudrepo_server.errors import InvalidError, NotFoundError, TooLargeError
from cloudrepo_server.organization import Organization
from cloudrepo_server.repository import Claims, Repository
from cloudrepo_server.simple import file_path
from cloudrepo_server.web.answers import json_answer
from cloudrepo_server.web.authentication import authenticate
from cloudrepo_server.web.target import PRIVATE

MAX_BODY = 1 << 20


class _Body(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A request's body; a field that is not known is refused by name."""


class _Settings(_Body):
    overwrite_protection: bool | UnsetType = UNSET
    public: bool | UnsetType = UNSET
    dialect: str | UnsetType = UNSET
    max_file_size: int | UnsetType | None = UNSET

    def given(self) -> dict[str, Any]:
        """The settings that the body names."""
        values = {
            "overwrite_protection": self.overwrite_protection,
            "public": self.public,
            "dialect": self.dialect,
            "max_file_size": self.max_file_size,
        }
        return {name: value for name, value in values.items() if value is not UNSET}


class _NewRepository(_Settings, kw_only=True):
    name: str


class _NewUser(_Body):
    email: str
    passphrase: str | None = None
    read_only: bool = False


class _UserChange(_Body):
    passphrase: str | None = None
    read_only: bool | None = None


class _NewToken(_Body):
    repository: str
    read_only: bool = False


class _FileChange(_Body):
    yanked: bool | str | UnsetType = UNSET
    upload_time: str | UnsetType = UNSET


class _ProjectChange(_Body):
    status: str
    reason: str | None = None


B = TypeVar("B", bound=_Body)


class Api:
    """Answers every request below `/api`."""

    def __init__(self, organization: Organization) -> None:
        self._organization = organization

    def routes(self) -> list[web.RouteDef]:
        """The admin API's routes."""
        repository = "/api/repositories/{name}"
        return [
            web.get("/api/repositories", self.list_repositories),
            web.post("/api/repositories", self.create_repository),
            web.get(repository, self.show_repository),
            web.patch(repository, self.change_repository),
            web.delete(repository, self.delete_repository),
            web.get(repository + "/projects", self.list_projects),
            web.get(repository + "/projects/{project}", self.show_project),
            web.patch(repository + "/projects/{project}", self.change_project),
            web.put(repository + "/files/{filename}", self.put_file),
            web.patch(repository + "/files/{filename}", self.change_file),
            web.delete(repository + "/files/{filename}", self.delete_file),
            web.get(repository + "/requests", self.list_requests),
            web.delete(repository + "/requests", self.clear_requests),
            web.get("/api/users", self.list_users),
            web.post("/api/users", self.create_user),
            web.patch("/api/users/{email}", self.change_user),
            web.delete("/api/users/{email}", self.delete_user),
            web.get("/api/tokens", self.list_tokens),
            web.post("/api/tokens", self.create_token),
            web.delete("/api/tokens/{id}", self.delete_token),
        ]

    async def require_admin(self, request: web.Request) -> None:
        """Let the request pass.

        Raises:
            UnauthenticatedError: nobody asks.
            ForbiddenError: somebody else asks.
        """
        self._organization.require_admin(await authenticate(request, self._organization))

    async def list_repositories(self, request: web.Request) -> web.Response:
        """Every repository with its settings."""
        found = await self._organization.repositories()
        return json_answer({"repositories": [_repository(request, each) for each in found]})

    async def create_repository(self, request: web.Request) -> web.Response:
        """A new, empty repository."""
        body = await _read_body(request, _NewRepository)
        repository = await self._organization.create_repository(body.name, **body.given())
        return json_answer(_repository(request, repository), status=201)

    async def show_repository(self, request: web.Request) -> web.Response:
        """A repository's settings."""
        return json_answer(_repository(request, await self._repository(request)))

    async def change_repository(self, request: web.Request) -> web.Response:
        """Settings, from the next request on."""
        body = await _read_body(request, _Settings)
        name = request.match_info["name"]
        changed = await self._organization.update_repository(name, **body.given())
        return json_answer(_repository(request, changed))

    async def delete_repository(self, request: web.Request) -> web.Response:
        """A repository, deleted with all that is in it."""
        await self._organization.delete_repository(request.match_info["name"])
        return web.Response(status=204)

    async def list_projects(self, request: web.Request) -> web.Response:
        """The projects of a repository."""
        names = await (await self._repository(request)).project_names()
        return json_answer({"projects": [{"name": name} for name in names]})

    async def show_project(self, request: web.Request) -> web.Response:
        """A project with its files."""
        repository = await self._repository(request)
        name = request.match_info["project"]
        project = await repository.project(name)
        if project is None:
            raise NotFoundError(f"There is no project {name} in the repository {repository.name}.")
        return json_answer(_project(request, repository, project))

    async def change_project(self, request: web.Request) -> web.Response:
        """A project's status marker."""
        repository = await self._repository(request)
        body = await _read_body(request, _ProjectChange)
        changed = await repository.set_status(
            request.match_info["project"], body.status, body.reason
        )
        return json_answer(_project(request, repository, changed))

    async def put_file(self, request: web.Request) -> web.Response:
        """The portal's own upload: the file as the body."""
        repository = await self._repository(request)
        time = request.query.get("upload_time")
        upload_time = None if time is None else read_time(time)
        incoming = repository.receive(request.match_info["filename"], digests={})
        try:
            async for chunk in request.content.iter_any():
                await incoming.write(chunk)
        except BaseException:
            incoming.discard()
            raise
        file = await repository.publish(incoming, Claims(), by="admin", upload_time=upload_time)
        return json_answer(_file(file))

    async def change_file(self, request: web.Request) -> web.Response:
        """A file's yank or upload time."""
        repository = await self._repository(request)
        filename = request.match_info["filename"]
        body = await _read_body(request, _FileChange)
        _, file = await repository.find(filename)
        if body.upload_time is not UNSET:
            file = await repository.set_upload_time(filename, read_time(body.upload_time))
        if body.yanked is not UNSET:
            file = await repository.yank(filename, _yank_reason(body.yanked))
        return json_answer(_file(file))

    async def delete_file(self, request: web.Request) -> web.Response:
        """A file, deleted at once."""
        await (await self._repository(request)).delete(request.match_info["filename"])
        return web.Response(status=204)

    async def list_requests(self, request: web.Request) -> web.Response:
        """What the repository received, oldest first."""
        journal = self._organization.journal(await self._repository(request))
        return json_answer({"requests": journal.answered()})

    async def clear_requests(self, request: web.Request) -> web.Response:
        """The journal, emptied."""
        self._organization.journal(await self._repository(request)).clear()
        return web.Response(status=204)

    async def list_users(self, _: web.Request) -> web.Response:
        """Every repository user."""
        return json_answer(
            {"users": [_user(user) for user in await self._organization.users.all()]}
        )

    async def create_user(self, request: web.Request) -> web.Response:
        """A new user; without a passphrase the answer holds a generated one, this once."""
        body = await _read_body(request, _NewUser)
        user, generated = await self._organization.users.create(
            body.email, passphrase=body.passphrase, read_only=body.read_only
        )
        shown = _user(user) if generated is None else {**_user(user), "passphrase": generated}
        return json_answer(shown, status=201)

    async def change_user(self, request: web.Request) -> web.Response:
        """A user's passphrase or rights, from the next request on."""
        body = await _read_body(request, _UserChange)
        user = await self._organization.users.update(
            request.match_info["email"], passphrase=body.passphrase, read_only=body.read_only
        )
        return json_answer(_user(user))

    async def delete_user(self, request: web.Request) -> web.Response:
        """A user, whose next request is answered 401."""
        await self._organization.users.delete(request.match_info["email"])
        return web.Response(status=204)

    async def list_tokens(self, _: web.Request) -> web.Response:
        """Every token, without what makes it one."""
        tokens = await self._organization.tokens.all()
        return json_answer({"tokens": [_token(token) for token in tokens]})

    async def create_token(self, request: web.Request) -> web.Response:
        """A new token for a repository; the answer holds it, this once."""
        body = await _read_body(request, _NewToken)
        repository = await self._organization.repository(body.repository)
        document, token = await self._organization.tokens.create(
            repository.document, read_only=body.read_only
        )
        return json_answer({**_token(document), "token": token}, status=201)

    async def delete_token(self, request: web.Request) -> web.Response:
        """A token, whose next request is answered 401."""
        await self._organization.tokens.delete(request.match_info["id"])
        return web.Response(status=204)

    async def _repository(self, request: web.Request) -> Repository:
        return await self._organization.repository(request.match_info["name"])


async def _read_body(request: web.Request, type_: type[B]) -> B:
    body = bytearray()
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) > MAX_BODY:
            raise TooLargeError(f"The body has more than {MAX_BODY} bytes.")
    try:
        return msgspec.json.decode(body, type=type_)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidError(f"The body cannot be used: {error}.") from error


def _yank_reason(yanked: bool | str) -> str | None:  # noqa: FBT001 (the API's own value)
    if yanked is False:
        return None
    return "" if yanked is True else yanked


def _repository(request: web.Request, repository: Repository) -> dict[str, Any]:
    document = repository.document
    return {
        "name": document.name,
        "url": f"{request.url.origin()}{PRIVATE}/{document.name}",
        "overwrite_protection": document.overwrite_protection,
        "public": document.public,
        "dialect": document.dialect,
        "max_file_size": document.max_file_size,
        "created": document.created,
    }


def _project(
    request: web.Request, repository: Repository, project: ProjectDocument
) -> dict[str, Any]:
    base = f"{request.url.origin()}{PRIVATE}/{repository.name}"
    return {
        "name": project.name,
        "status": project.status,
        "reason": project.status_reason,
        "files": [
            {**_file(project.files[name]), "url": file_path(base, project.name, name)}
            for name in sorted(project.files)
        ],
    }


def _file(file: File) -> dict[str, Any]:
    return {
        "filename": file.filename,
        "version": file.version,
        "size": file.size,
        "sha256": file.sha256,
        "upload_time": file.upload_time,
        "uploader": file.uploader,
        "requires_python": file.requires_python,
        "yanked": False if file.yanked is None else file.yanked,
    }


def _user(user: UserDocument) -> dict[str, Any]:
    return {"email": user.email, "read_only": user.read_only, "created": user.created}


def _token(token: TokenDocument) -> dict[str, Any]:
    return {
        "id": token.id,
        "repository": token.repository,
        "read_only": token.read_only,
        "created": token.created,
    }
