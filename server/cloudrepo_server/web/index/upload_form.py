"""The legacy upload form, parsed as it arrives.

No specification has it; PyPI's and what six publishers send is the reference.
"""

from collections.abc import AsyncIterator, Callable

import msgspec
from aiohttp import web
from multipart import MultipartError, MultipartSegment, PushMultipartParser, parse_options_header
from packaging.utils import canonicalize_name

from cloudrepo_server.domain.declared_metadata import DeclaredMetadata
from cloudrepo_server.domain.repository import Repository
from cloudrepo_server.domain.staged_file import DIGEST_FIELDS, StagedFile
from cloudrepo_server.errors import InvalidError, TooLargeError
from cloudrepo_server.models import File
from cloudrepo_server.specs.provenance import read_attestations
from cloudrepo_server.testkit.journal import encode_form
from cloudrepo_server.web.http.request_body import body_chunks
from cloudrepo_server.web.http.request_state import LIMITS, state_of

_UNKNOWN = ("", "UNKNOWN")


class Form(msgspec.Struct):
    """The fields of a form, and its file as it was received."""

    fields: dict[str, list[str]] = msgspec.field(default_factory=dict)
    content: StagedFile | None = None

    _field_bytes: int = 0

    def add(self, name: str, value: str) -> None:
        """Add a field."""
        self.fields.setdefault(name, []).append(value)

    def take(self, size: int, *, limit: int) -> None:
        """Count bytes that fields have.

        Raises:
            TooLargeError: they are more than any form needs.
        """
        self._field_bytes += size
        if self._field_bytes > limit:
            raise TooLargeError(f"The form's fields have more than {limit} bytes.")

    def one(self, name: str) -> str | None:
        """A field's only value, or None where it is absent or says that nothing is known.

        Raises:
            InvalidError: it came with several values.
        """
        values = {value for value in self.fields.get(name, ()) if value not in _UNKNOWN}
        if len(values) > 1:
            raise InvalidError(f"The form has several values for {name}.")
        return values.pop() if values else None

    @property
    def digests(self) -> dict[str, str]:
        """The digests that the form claims so far, by the form's names."""
        claimed = {name: self.one(name) for name in DIGEST_FIELDS}
        return {name: value for name, value in claimed.items() if value is not None}


class Upload(msgspec.Struct):
    """A form that was read whole, its file not published yet."""

    content: StagedFile
    claims: DeclaredMetadata
    _repository: Repository
    _published: bool = False

    async def publish(self, by: str) -> File:
        """Make the file visible.

        Raises:
            CloudRepoServerError: the upload is refused; nothing was changed.
        """
        self._published = True
        return await self._repository.publish(self.content, self.claims, uploader=by)

    def discard(self) -> None:
        """Leave nothing behind of a file that was not published."""
        if not self._published:
            self.content.discard()


async def receive_upload(request: web.Request, repository: Repository) -> Upload | None:
    """Read an upload's form; None where it asks for nothing to be stored.

    Raises:
        CloudRepoServerError: the upload is refused; nothing was changed.
    """
    form = Form()
    upload: Upload | None = None
    try:
        await read_form(request, form, lambda part: _begin_file(part, repository, form))
        details = state_of(request).details
        details.form = encode_form(form.fields)
        action = form.one(":action")
        if action == "submit":
            # `twine register` and distutils' `register`: there is nothing to do before an upload.
            return None
        if action not in (None, "file_upload"):
            raise InvalidError(f"The form's :action is {action!r}; only file_upload is known.")
        if form.one("protocol_version") not in (None, "1"):
            raise InvalidError("The form's protocol_version is not 1.")
        claims = _claims(form, repository)
        if form.content is None:
            raise InvalidError("The form has no file: it needs a part named content.")
        upload = Upload(form.content, claims, repository)
        details.filename = form.content.filename
        details.project = canonicalize_name(claims.name or "")
        return upload
    finally:
        if form.content is not None and upload is None:
            form.content.discard()


def _claims(form: Form, repository: Repository) -> DeclaredMetadata:
    name = form.one("name")
    if name is None:
        raise InvalidError("The form has no name.")
    digests = form.digests
    wanted = repository.dialect.required_digests
    if form.content is not None and not wanted & set(digests):
        raise InvalidError(f"The form has no digest: it needs one of {', '.join(sorted(wanted))}.")
    return DeclaredMetadata(
        name=name,
        version=form.one("version"),
        filetype=form.one("filetype"),
        digests=digests,
        attestations=read_attestations(form.one("attestations")),
    )


async def read_form(
    request: web.Request, form: Form, begin_file: Callable[[MultipartSegment], StagedFile | None]
) -> None:
    """Read a multipart form as it arrives; `begin_file` says where each of its files goes.

    A file for which it says None goes by.

    Raises:
        InvalidError: it is no such form, or cannot be read.
        TooLargeError: its fields are larger than any form needs.
    """
    content_type, options = parse_options_header(request.headers.get("Content-Type", ""))
    if content_type != "multipart/form-data" or not options.get("boundary"):
        raise InvalidError("An upload is a multipart/form-data form with a boundary.")
    try:
        parser = PushMultipartParser(
            options["boundary"], max_segment_count=request.app[LIMITS].form_fields
        )
        await _read_parts(request, parser, form, begin_file)
    except MultipartError as error:
        raise InvalidError(f"The form cannot be read: {error}.") from error


async def _read_parts(
    request: web.Request,
    parser: PushMultipartParser,
    form: Form,
    begin_file: Callable[[MultipartSegment], StagedFile | None],
) -> None:
    limit = request.app[LIMITS].form_bytes
    value = bytearray()
    receiving: StagedFile | None = None
    field_name: str | None = None
    async for chunk in read_body(request):
        for event in parser.parse(chunk):
            if isinstance(event, MultipartSegment):
                is_file = event.filename is not None
                receiving = begin_file(event) if is_file else None
                field_name = None if is_file else event.name
            elif event is None:
                if field_name is not None:
                    form.add(field_name, value.decode(errors="replace"))
                    value.clear()
            elif receiving is not None:
                await receiving.write(event)
            elif field_name is not None:
                form.take(len(event), limit=limit)
                value += event
        if parser.closed:
            return
    parser.close()


def _begin_file(part: MultipartSegment, repository: Repository, form: Form) -> StagedFile | None:
    if part.name != "content":
        # A signature, or what no index reads: it goes by.
        return None
    if form.content is not None:
        raise InvalidError("The form has several files; send one a form.")
    form.content = repository.stage(part.filename, digests=form.digests)
    return form.content


async def read_body(request: web.Request) -> AsyncIterator[bytes]:
    """The body as it arrives."""
    bare: bool | None = None
    async for chunk in body_chunks(request):
        # distutils' `register` ends its lines with LF alone. It sends no file for this to spoil.
        bare = chunk.startswith(b"\n") if bare is None else bare
        yield chunk.replace(b"\n", b"\r\n") if bare else chunk
