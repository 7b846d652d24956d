"""Adds many files to a repository with few requests."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

# With these limits, no request runs into a timeout. The server accepts 4096 parts in a form.
_MAX_FILES: Final = 1000
_MAX_BYTES: Final = 16 << 20


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file to add to a repository, and its properties there."""

    filename: str
    content: bytes = field(repr=False)
    yanked: bool | str = False
    """Whether it is yanked; a string is the reason."""
    upload_time: str | None = None
    """The upload time in ISO 8601. By default the current time."""

    @property
    def details(self) -> dict[str, bool | str]:
        """The properties that differ from the defaults, as the admin API expects them."""
        details: dict[str, bool | str] = {}
        if self.yanked is not False:
            details["yanked"] = self.yanked
        if self.upload_time is not None:
            details["upload_time"] = self.upload_time
        return details


def put_files(call: Callable[..., Any], files: Iterable[NewFile]) -> None:
    """Add files one by one, in the given order.

    Args:
        call: sends a request about the repository to the admin API.
        files: the files. Few of them are in memory at a time.

    Raises:
        ServerError: the server rejected a file. The files before it were added.
    """
    for batch in _batches(files):
        boundary = secrets.token_hex(16)
        content_type = f"multipart/form-data; boundary={boundary}"
        body = _form(batch, boundary)
        call("PUT", "files", body=body, content_type=content_type)


def _batches(files: Iterable[NewFile]) -> Iterator[list[NewFile]]:
    batch: list[NewFile] = []
    size = 0
    for file in files:
        if batch and (len(batch) == _MAX_FILES or size + len(file.content) > _MAX_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(file)
        size += len(file.content)
    if batch:
        yield batch


def _form(files: list[NewFile], boundary: str) -> bytes:
    """Return the form of a request, in which the details precede the files."""
    details = {file.filename: file.details for file in files if file.details}
    parts = [_part(boundary, 'name="details"', json.dumps(details).encode())] if details else []
    contents = (
        _part(boundary, f'name="content"; filename="{_quoted(file.filename)}"', file.content)
        for file in files
    )
    return b"".join([*chain(parts, contents), f"--{boundary}--\r\n".encode()])


def _part(boundary: str, parameters: str, content: bytes) -> bytes:
    disposition = f"--{boundary}\r\nContent-Disposition: form-data; {parameters}\r\n\r\n"
    return b"%b%b\r\n" % (disposition.encode(), content)


def _quoted(filename: str) -> str:
    """Return a file name for the header, with the escapes that HTML specifies for forms."""
    return filename.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
