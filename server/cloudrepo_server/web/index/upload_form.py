"""The legacy upload form, which twine and all other publishers send.

No specification describes it. PyPI's behaviour and the forms of six publishers are the reference.
"""

from collections.abc import AsyncIterator

import msgspec
from aiohttp import web
from multipart import MultipartSegment
from packaging.utils import canonicalize_name

from cloudrepo_server.domain.declared_metadata import DeclaredMetadata
from cloudrepo_server.domain.repository import Repository
from cloudrepo_server.domain.staged_file import DIGEST_FIELDS, StagedFile
from cloudrepo_server.errors import InvalidError
from cloudrepo_server.models import File
from cloudrepo_server.specs.provenance import Publisher, read_attestations
from cloudrepo_server.specs.pypi_rules.form import UploadForm
from cloudrepo_server.testkit.journal import encode_form
from cloudrepo_server.web.http.multipart_form import Form, read_form
from cloudrepo_server.web.http.request_body import body_chunks
from cloudrepo_server.web.http.request_state import state_of


class Upload(msgspec.Struct):
    """An upload that was received completely; its file is not published yet."""

    file: StagedFile
    metadata: DeclaredMetadata
    project: str
    """The normalized name of the project that the form states."""
    _repository: Repository
    _publish_called: bool = False

    async def publish(self, uploader: str, publisher: Publisher | None) -> File:
        """Publish the file.

        Args:
            uploader: the user or token that uploads it.
            publisher: the trusted publisher that uploads it, or None.

        Raises:
            CloudRepoServerError: the upload failed. Unless the error is an `UncertainError`,
                nothing was changed.
        """
        self._publish_called = True
        return await self._repository.publish(
            self.file, self.metadata, uploader=uploader, publisher=publisher
        )

    def discard(self) -> None:
        """Delete the staged file, unless `publish` was called, which deletes it on failure."""
        if not self._publish_called:
            self.file.discard()


class _ArrivingForm(Form):
    """An upload form and its file, while they arrive."""

    file: StagedFile | None = None
    content_type: str | None = None
    """The content type of the file's part, if it has one."""

    def first(self, name: str) -> str:
        """Return the first value of a field, or an empty string."""
        return next(iter(self.fields.get(name, ())), "")

    @property
    def declared_digests(self) -> dict[str, str]:
        """The first digest of each field that arrived so far, by the names of the fields."""
        return {name: value for name in DIGEST_FIELDS if (value := self.first(name))}

    @property
    def digests(self) -> dict[str, str]:
        """The digests by the names of the fields, of which each may have only one value."""
        digests = {name: self.one(name) for name in DIGEST_FIELDS}
        return {name: value for name, value in digests.items() if value is not None}


async def receive_upload(request: web.Request, repository: Repository) -> Upload | None:
    """Return the upload of a request, or None if its form only registers a project.

    Raises:
        CloudRepoServerError: the upload was rejected; nothing was changed.
    """
    form = _ArrivingForm()
    details = state_of(request).details

    def open_file(part: MultipartSegment) -> StagedFile | None:
        if part.name != "content":
            # A signature, or a file that no index reads.
            return None
        if form.file is not None:
            raise InvalidError("The form has several files: send each file in its own form.")
        form.content_type = part.content_type
        project = form.first("name")
        form.file = repository.stage(part.filename, digests=form.declared_digests, project=project)
        # The journal names the file even if the rest of the form is rejected.
        details.filename, details.project = part.filename, canonicalize_name(project) or None
        return form.file

    upload: Upload | None = None
    try:
        await read_form(request, form, open_file, body=_with_crlf(body_chunks(request)))
        details.form = encode_form(form.fields)
        if repository.applies_rules:
            details.project = canonicalize_name(form.first("name")) or None
            details.filename = None if form.file is None else form.file.filename
            metadata = await _checked_metadata(form, repository)
        elif _is_registration(form):
            return None
        else:
            metadata = _declared_metadata(form, repository)
        if form.file is None:
            raise InvalidError("The form has no file: add a part named content.")
        details.filename = form.file.filename
        details.project = canonicalize_name(metadata.name or "")
        upload = Upload(form.file, metadata, details.project, repository)
        return upload
    finally:
        if form.file is not None and upload is None:
            form.file.discard()


def _is_registration(form: Form) -> bool:
    # `twine register`, and the `register` of distutils: a project needs no registration.
    action = form.one(":action")
    if action == "submit":
        return True
    if action not in (None, "file_upload"):
        raise InvalidError(f"The form has an unknown :action {action!r}: use file_upload.")
    if form.one("protocol_version") not in (None, "1"):
        raise InvalidError("The form has an unknown protocol_version: use 1.")
    return False


def _declared_metadata(form: _ArrivingForm, repository: Repository) -> DeclaredMetadata:
    name = form.one("name")
    if name is None:
        raise InvalidError("The form has no name: add a field named name.")
    digests = form.digests
    required = repository.upload_dialect.required_digests
    if form.file is not None and required and not required & set(digests):
        raise InvalidError(
            f"The form has no digest: it needs one of {', '.join(sorted(required))}."
        )
    return DeclaredMetadata(
        name=name,
        version=form.one("version"),
        filetype=form.one("filetype"),
        digests=digests,
        attestations=read_attestations(form.one("attestations", max_length=None)),
    )


async def _checked_metadata(form: _ArrivingForm, repository: Repository) -> DeclaredMetadata:
    # By PyPI's rules, whose messages clients recognize.
    filename = None if form.file is None else form.file.filename
    received = UploadForm.received(form.fields, filename, form.content_type)
    await repository.check_form(received)
    return DeclaredMetadata(
        name=received.first("name"),
        version=received.first("version"),
        filetype=received.first("filetype"),
        attestations=read_attestations(received.first("attestations") or None),
        form=received,
    )


async def _with_crlf(body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    # The `register` of distutils ends lines with LF instead of CRLF. Such a form begins with a line
    # break. It never has a file, so replacing LF changes no content.
    ends_with_lf: bool | None = None
    async for chunk in body:
        if ends_with_lf is None:
            ends_with_lf = chunk.startswith(b"\n")
        yield chunk.replace(b"\n", b"\r\n") if ends_with_lf else chunk
