"""Uploads in the browser, with the same checks as every other upload."""

from dataclasses import dataclass

from aiohttp import web
from multipart import MultipartSegment

from cloudrepo_server.domain.declared_metadata import DeclaredMetadata
from cloudrepo_server.domain.repository import Repository
from cloudrepo_server.domain.staged_file import StagedFile
from cloudrepo_server.errors import CloudRepoServerError, InvalidError, TooLargeError
from cloudrepo_server.web.http.multipart_form import Form, read_form
from cloudrepo_server.web.http.request_state import state_of
from cloudrepo_server.web.http.responses import reason_phrase, status_of
from cloudrepo_server.web.portal.form_errors import FormErrors
from cloudrepo_server.web.portal.forms import TOKEN_FIELD
from cloudrepo_server.web.portal.paths import REPOSITORY, repository_path
from cloudrepo_server.web.portal.portal_request import PortalRequest, Route

# The limit of files in one form: small files stay in memory until they are published.
_MAX_FILES = 20


@dataclass(frozen=True, slots=True)
class _Outcome:
    filename: str
    error: CloudRepoServerError | None = None


async def show(request: PortalRequest) -> web.Response:
    """Show the form."""
    return _render(request, await request.repository())


async def upload(request: PortalRequest) -> web.Response:
    """Publish the files of a form.

    A file that is rejected while it is published does not affect the others. A file that is too
    large, or has an invalid name, rejects the whole form.
    """
    repository = await request.repository()
    staged: list[StagedFile] = []
    outcomes: list[_Outcome] = []
    try:
        await _receive(request, repository, staged)
        while staged:
            outcomes.append(await _publish(request, repository, staged.pop(0)))
    except (InvalidError, TooLargeError) as error:
        return _render_error(request, repository, error)
    finally:
        for file in staged:
            file.discard()
    if not outcomes:
        missing = InvalidError("No file selected: choose a file.")
        return _render_error(request, repository, missing)
    return await _respond(request, repository, outcomes)


async def _receive(
    request: PortalRequest, repository: Repository, staged: list[StagedFile]
) -> None:
    form = Form()

    def start_file(part: MultipartSegment) -> StagedFile | None:
        # The token comes before the files, so that a forged form cannot store anything.
        request.require_form_token(form.one(TOKEN_FIELD))
        if not part.filename:
            # Browsers send an empty part if no file was selected.
            return None
        if len(staged) == _MAX_FILES:
            raise InvalidError(f"Too many files: upload at most {_MAX_FILES} at once.")
        staged.append(repository.stage(part.filename, digests={}))
        return staged[-1]

    await read_form(request.http, form, start_file)
    request.require_form_token(form.one(TOKEN_FIELD))


async def _publish(request: PortalRequest, repository: Repository, file: StagedFile) -> _Outcome:
    uploader = request.username or "admin"
    try:
        await repository.publish(file, DeclaredMetadata(), uploader=uploader)
    except CloudRepoServerError as error:
        return _Outcome(file.filename, error)
    return _Outcome(file.filename)


async def _respond(
    request: PortalRequest, repository: Repository, outcomes: list[_Outcome]
) -> web.Response:
    state_of(request.http).details.filename = outcomes[0].filename
    errors = [each.error for each in outcomes if each.error is not None]
    if errors:
        response = _render(request, repository, status=status_of(errors[0]), outcomes=outcomes)
        response.set_status(response.status, reason_phrase(str(errors[0])))
        return response
    names = [each.filename for each in outcomes]
    request.add_notice(
        f"{names[0]} was uploaded." if len(names) == 1 else f"{len(names)} files were uploaded."
    )
    projects = {(await repository.find(name))[0].name for name in names}
    if len(projects) == 1:
        return request.redirect(repository_path(repository.name, "projects", projects.pop()))
    return request.redirect(repository_path(repository.name))


def _render_error(
    request: PortalRequest, repository: Repository, error: CloudRepoServerError
) -> web.Response:
    errors = FormErrors()
    errors.add("content", error)
    return _render(request, repository, errors=errors)


def _render(
    request: PortalRequest,
    repository: Repository,
    *,
    status: int = 200,
    errors: FormErrors | None = None,
    outcomes: list[_Outcome] | None = None,
) -> web.Response:
    return request.render(
        "upload.html",
        status=status,
        repository=repository,
        protected=repository.document.overwrite_protection
        or repository.upload_dialect.always_protected,
        errors=errors,
        outcomes=outcomes or [],
        current_tab="upload",
    )


ROUTES = (
    Route("GET", REPOSITORY + "/upload", show),
    Route("POST", REPOSITORY + "/upload", upload, multipart=True),
)
