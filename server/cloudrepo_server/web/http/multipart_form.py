"""Reads multipart forms while they arrive, so that no file is held in memory."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Protocol

import msgspec
from aiohttp import web
from multipart import MultipartError, MultipartSegment, PushMultipartParser, parse_options_header

from cloudrepo_server.errors import InvalidError, TooLargeError
from cloudrepo_server.web.http.request_body import body_chunks
from cloudrepo_server.web.http.request_state import LIMITS

# The maximum length of a field that is checked: a name, a version or a digest.
_MAX_VALUE = 1024

_UNKNOWN = ("", "UNKNOWN")


class FileWriter(Protocol):
    """Receives the content of a file in a form."""

    async def write(self, data: bytes, /) -> None:
        """Add content."""


OpenFile = Callable[[MultipartSegment], FileWriter | None]
EndFile = Callable[[], Awaitable[None]]


class Form(msgspec.Struct):
    """The fields of a form, as far as it was read."""

    fields: dict[str, list[str]] = msgspec.field(default_factory=dict)

    def add(self, name: str, value: str) -> None:
        """Add a field."""
        self.fields.setdefault(name, []).append(value)

    def one(self, name: str, *, max_length: int | None = _MAX_VALUE) -> str | None:
        """Return a field's only value, or None if it is missing, empty or `UNKNOWN`.

        Raises:
            InvalidError: the field has several values, or a value that is too long.
        """
        values = {value for value in self.fields.get(name, ()) if value not in _UNKNOWN}
        if len(values) > 1:
            raise InvalidError(f"The form has several values for {name}: send only one.")
        value = values.pop() if values else None
        if value is not None and max_length is not None and len(value) > max_length:
            raise InvalidError(
                f"The field {name} of the form has {len(value)} characters: "
                f"at most {max_length} are allowed."
            )
        return value


async def read_form(
    request: web.Request,
    form: Form,
    open_file: OpenFile,
    *,
    body: AsyncIterator[bytes] | None = None,
    end_file: EndFile | None = None,
) -> None:
    """Read a request's form.

    Args:
        request: the request.
        form: receives the fields, one by one.
        open_file: called for each file; returns a writer for its content, or None to skip it.
        body: the chunks to parse instead of the request's own body.
        end_file: called when a file that was not skipped is complete.

    Raises:
        InvalidError: the body is not a valid form.
        TooLargeError: its fields are too large.
    """
    content_type, options = parse_options_header(request.headers.get("Content-Type", ""))
    boundary = options.get("boundary")
    if content_type != "multipart/form-data" or not boundary or not boundary.isascii():
        raise InvalidError(
            "The content type of an upload must be multipart/form-data with a boundary."
        )
    limits = request.app[LIMITS]
    try:
        parser = PushMultipartParser(boundary, max_segment_count=limits.form_fields)
        chunks = body_chunks(request) if body is None else body
        await _read_parts(
            chunks, parser, form, open_file, end_file=end_file, max_bytes=limits.form_bytes
        )
    except MultipartError as error:
        raise InvalidError(f"The form is invalid: {error}.") from error


async def _read_parts(
    body: AsyncIterator[bytes],
    parser: PushMultipartParser,
    form: Form,
    open_file: OpenFile,
    *,
    end_file: EndFile | None,
    max_bytes: int,
) -> None:
    value = _FieldValue(max_bytes)
    file: FileWriter | None = None
    field_name: str | None = None
    async for chunk in body:
        for event in parser.parse(chunk):
            # The parser reports the start of a part, then its content in pieces, then None.
            if isinstance(event, MultipartSegment):
                is_file = event.filename is not None
                file = open_file(event) if is_file else None
                field_name = None if is_file else event.name
            elif event is None:
                if field_name is not None:
                    form.add(field_name, value.take())
                elif file is not None and end_file is not None:
                    await end_file()
            elif file is not None:
                await file.write(event)
            elif field_name is not None:
                value.add(event)
        if parser.closed:
            return
    parser.close()


class _FieldValue:
    """The value of the field that is being read, with a limit on the size of all fields."""

    def __init__(self, max_bytes: int) -> None:
        self._value = bytearray()
        self._size = 0
        self._max_bytes = max_bytes

    def add(self, piece: bytes | bytearray) -> None:
        """Add a piece of the value.

        Raises:
            TooLargeError: the fields are too large.
        """
        self._size += len(piece)
        if self._size > self._max_bytes:
            raise TooLargeError(
                f"The form's fields are too large: the limit is {self._max_bytes} bytes."
            )
        self._value += piece

    def take(self) -> str:
        """Return the value, and begin an empty one."""
        value = self._value.decode(errors="replace")
        self._value.clear()
        return value
