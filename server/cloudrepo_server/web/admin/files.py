"""The admin API's operation that adds many files with one request."""

import msgspec
from aiohttp import web
from multipart import MultipartSegment

from cloudrepo_server.domain.declared_metadata import DeclaredMetadata
from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.domain.repository import Repository
from cloudrepo_server.domain.staged_file import StagedFile
from cloudrepo_server.errors import CloudRepoServerError, InvalidError
from cloudrepo_server.web.admin import bodies, responses
from cloudrepo_server.web.http.multipart_form import Form, read_form
from cloudrepo_server.web.http.responses import json_response

_DETAILS = "details"
_CONTENT = "content"
_NO_DETAILS = bodies.FileDetails()


class FileApi:
    """The handler of requests that add many files."""

    def __init__(self, organization: Organization) -> None:
        self._organization = organization

    async def put_files(self, request: web.Request) -> web.Response:
        """Add the files of a form one by one, as if each were sent alone; stop at an error."""
        repository = await self._organization.repository(request.match_info["name"])
        arriving = _ArrivingFiles(repository)
        try:
            await read_form(request, arriving.form, arriving.open_file, end_file=arriving.publish)
        finally:
            arriving.discard()
        if arriving.error is not None:
            raise arriving.error
        arriving.check_details()
        for name in arriving.form.fields:
            if name != _DETAILS:
                raise InvalidError(
                    f"The form has an unknown field {name[:64]!r}: send each file in a part named "
                    f"{_CONTENT} that has a file name."
                )
        return json_response(responses.AddedFilesResponse(files=arriving.count))


class _ArrivingFiles:
    """The files of a form, each of which is published as soon as it is complete.

    After the first error, the rest of the form is skipped. It is read nevertheless, because most
    clients do not read a response that arrives before they have sent their request.
    """

    def __init__(self, repository: Repository) -> None:
        self.form = Form()
        self.count = 0
        self.error: CloudRepoServerError | None = None
        self._repository = repository
        self._details: bodies.FilesDetails | None = None
        self._file: StagedFile | None = None
        self._added: set[str] = set()

    def open_file(self, part: MultipartSegment) -> "_Writer | None":
        """Return the writer of a file, or None if an error occurred earlier.

        Raises:
            InvalidError: the part is not a file to add.
        """
        if part.name != _CONTENT:
            raise InvalidError(f"The form has an unknown file {part.name!r}: use {_CONTENT}.")
        if self._details is None:
            self._details = _read_details(self.form)
        if self.error is not None:
            return None
        try:
            self._file = self._repository.stage(part.filename, digests={}, follows_rules=False)
        except CloudRepoServerError as error:
            self.error = error
            return None
        return _Writer(self, self._file)

    async def publish(self) -> None:
        """Publish the file that has arrived, unless an error occurred."""
        file = self._file
        if file is None or self.error is not None:
            return
        try:
            await self._publish(file, (self._details or {}).get(file.filename, _NO_DETAILS))
        except CloudRepoServerError as error:
            self.error = error
        else:
            self.count += 1
            self._added.add(file.filename)

    def check_details(self) -> None:
        """Check that the form has each file that its details describe.

        Raises:
            InvalidError: a file is missing, or the details are not valid.
        """
        # They were not read if the form has no file.
        details = _read_details(self.form) if self._details is None else self._details
        missing = sorted(details.keys() - self._added)
        if missing:
            raise InvalidError(
                f"The field {_DETAILS} describes {missing[0][:128]!r}, but the form has no such "
                f"file. The form's files were added: {self.count}."
            )

    async def _publish(self, staged: StagedFile, details: bodies.FileDetails) -> None:
        upload_time = details.time
        # From here on, the repository discards the file if it is not published.
        self._file = None
        file = await self._repository.publish(
            staged,
            DeclaredMetadata(),
            uploader="admin",
            upload_time=upload_time,
            follows_rules=False,
        )
        if details.yanked is not msgspec.UNSET and details.yank_reason != file.yanked:
            await self._repository.yank(file.filename, details.yank_reason)

    def discard(self) -> None:
        """Delete the staged file whose content did not arrive completely."""
        if self._file is not None:
            self._file.discard()


class _Writer:
    """Receives the content of a file, up to the first error."""

    def __init__(self, files: _ArrivingFiles, file: StagedFile) -> None:
        self._files = files
        self._file = file

    async def write(self, data: bytes, /) -> None:
        """Add content, unless an error occurred."""
        if self._files.error is not None:
            return
        try:
            await self._file.write(data)
        except CloudRepoServerError as error:
            self._files.error = error


def _read_details(form: Form) -> bodies.FilesDetails:
    text = form.one(_DETAILS, max_length=None)
    if text is None:
        return {}
    try:
        return msgspec.json.decode(text, type=bodies.FilesDetails)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise InvalidError(f"The field {_DETAILS} of the form is invalid: {error}.") from error
