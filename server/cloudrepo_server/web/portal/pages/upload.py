"""Files uploaded in the browser, by the rules that hold for every upload."""

from dataclasses import dataclass

from aiohttp import web
from multipart import MultipartSegment

from cloudrepo_server.domain.declared_metadata import DeclaredMetadata
from cloudrepo_server.domain.repository import Repository
from cloudrepo_server.domain.staged_file import StagedFile
from cloudrepo_server.errors import CloudRepoServerError, InvalidError, TooLargeError
from cloudrepo_server.web.http.responses import status_of
from cloudrepo_server.web.index.upload_form import Form, read_form
from cloudrepo_server.web.portal.forms import TOKEN_FIELD
from cloudrepo_server.web.portal.paths import REPOSITORY, repository_path
from cloudrepo_server.web.portal.portal_request import PortalRequest, Route

MAX_FILES = 20
"""A small file stays in memory until it is published, so there is an end to their number."""


@dataclass(frozen=True, slots=True)
class _Outcome:
    filename: str
    refusal: CloudRepoServerError | None


async def show(request: PortalRequest) -> web.Response:
    """The form."""
    return _form(request, await request.repository())


async def upload(request: PortalRequest) -> web.Response:
    """Each file published or refused on its own, once all have arrived."""
    repository = await request.repository()
    received: list[StagedFile] = []
    outcomes: list[_Outcome] = []
    try:
        await _receive(request, repository, received)
        while received:
            outcomes.append(await _publish(request, repository, received.pop(0)))
    except (InvalidError, TooLargeError) as error:
        return _form(request, repository, status=status_of(error), error=str(error))
    finally:
        for incoming in received:
            incoming.discard()
    if not outcomes:
        return _form(request, repository, status=400, error="Choose a file first.")
    return await _tell(request, repository, outcomes)


async def _receive(
    request: PortalRequest, repository: Repository, received: list[StagedFile]
) -> None:
    form = Form()

    def begin_file(part: MultipartSegment) -> StagedFile | None:
        # The token stands before the files, so that nothing of a stranger's form is stored.
        request.require_form_token(form.one(TOKEN_FIELD))
        if not part.filename:
            # What a browser sends where no file was chosen.
            return None
        if len(received) == MAX_FILES:
            raise InvalidError(f"Upload at most {MAX_FILES} files at once.")
        received.append(repository.receive(part.filename, digests={}))
        return received[-1]

    await read_form(request.http, form, begin_file)
    request.require_form_token(form.one(TOKEN_FIELD))


async def _publish(
    request: PortalRequest, repository: Repository, incoming: StagedFile
) -> _Outcome:
    by = request.username or "admin"
    try:
        await repository.publish(incoming, DeclaredMetadata(), by=by)
    except CloudRepoServerError as error:
        return _Outcome(incoming.filename, error)
    return _Outcome(incoming.filename, None)


async def _tell(
    request: PortalRequest, repository: Repository, outcomes: list[_Outcome]
) -> web.Response:
    refusals = [each.refusal for each in outcomes if each.refusal is not None]
    if refusals:
        return _form(request, repository, status=status_of(refusals[0]), outcomes=outcomes)
    names = [each.filename for each in outcomes]
    request.add_notice(
        f"{names[0]} was uploaded." if len(names) == 1 else f"{len(names)} files were uploaded."
    )
    projects = {(await repository.find(name))[0].name for name in names}
    if len(projects) == 1:
        return request.redirect(repository_path(repository.name, "projects", projects.pop()))
    return request.redirect(repository_path(repository.name))


def _form(
    request: PortalRequest,
    repository: Repository,
    *,
    status: int = 200,
    error: str | None = None,
    outcomes: list[_Outcome] | None = None,
) -> web.Response:
    return request.render(
        "upload.html",
        status=status,
        repository=repository,
        protected=repository.document.overwrite_protection or repository.dialect.always_protected,
        error=error,
        outcomes=outcomes or [],
        current="upload",
    )


ROUTES = (
    Route("GET", REPOSITORY + "/upload", show),
    Route("POST", REPOSITORY + "/upload", upload, multipart=True),
)
