"""The legacy upload form, encoded as bytes, which a test may corrupt."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.support.archives import Archive

BOUNDARY = "boundary-of-a-test"


@dataclass(frozen=True, slots=True)
class File:
    """A part with a file name; `content_type` is None for a part without that header."""

    filename: str
    data: bytes
    content_type: str | None = "application/octet-stream"


Field = tuple[str, str | File]


@dataclass(frozen=True, slots=True)
class Form:
    """A request body and its Content-Type."""

    content_type: str
    body: bytes


def encode(fields: Iterable[Field], *, boundary: str = BOUNDARY) -> Form:
    parts = []
    for name, value in fields:
        head = f'Content-Disposition: form-data; name="{name}"'
        if isinstance(value, File):
            head += f'; filename="{value.filename}"'
            if value.content_type is not None:
                head += f"\r\nContent-Type: {value.content_type}"
        data = value.data if isinstance(value, File) else value.encode()
        parts.append(f"--{boundary}\r\n{head}\r\n\r\n".encode() + data + b"\r\n")
    body = b"".join(parts) + f"--{boundary}--\r\n".encode()
    return Form(f"multipart/form-data; boundary={boundary}", body)


def fields(archive: Archive, *, name: str | None = None, **changes: str | None) -> list[Field]:
    """Return the fields that a publisher sends; a change to None leaves a field out."""
    project = archive.filename.partition("-")[0] if name is None else name
    version = archive.filename.removesuffix(".tar.gz").removesuffix(".zip").split("-")[1]
    values: dict[str, str | None] = {
        ":action": "file_upload",
        "protocol_version": "1",
        "name": project,
        "version": version,
        "filetype": archive.filetype,
        "pyversion": "py3" if archive.filetype == "bdist_wheel" else "source",
        "metadata_version": "2.1",
        "sha256_digest": archive.sha256,
    }
    values |= changes
    return [
        *((key, value) for key, value in values.items() if value is not None),
        ("content", File(archive.filename, archive.data)),
    ]


def recorded(path: Path) -> Form:
    """Return a recorded form of a real client."""
    head, _, body = path.read_bytes().partition(b"\r\n\r\n")
    return Form(head.decode().removeprefix("Content-Type: "), body)
