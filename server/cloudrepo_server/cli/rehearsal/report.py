"""The report of a rehearsal as data: which files were uploaded, rejected and installed."""

from typing import Literal

import msgspec

InstallationStatus = Literal["installed", "failed", "skipped"]


class Installation(msgspec.Struct, frozen=True):
    """Whether pip could install a file in a new virtual environment."""

    status: InstallationStatus
    reason: str | None = None
    """Why the file was not installed, or None."""
    output: str | None = None
    """The end of pip's output, if the installation failed."""


class Difference(msgspec.Struct, frozen=True):
    """A field of the metadata that has another value on the index than in the file."""

    field: str
    source: Literal["simple API", "JSON API", "upload form"]
    """Where the value on the index comes from."""
    shown: str | None
    """The value on the index, or None if it has none."""
    archive: str | None
    """The value in the file, or None if it has none."""


class UploadedFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file that was uploaded."""

    filename: str
    project: str
    version: str
    size: int
    sha256: str
    attestations: tuple[str, ...] = ()
    """The type of each attestation."""
    installation: Installation
    differences: tuple[Difference, ...] | None
    """The differences between the metadata in the file and on the index; None if unknown."""


class Rejection(msgspec.Struct, frozen=True, kw_only=True):
    """A rejected upload, or a rejected exchange of an identity token."""

    filename: str | None
    """The file, unless the request was rejected before its form was read."""
    project: str | None
    status: int
    message: str
    """PyPI's message, which publishing tools show."""
    rule: str | None
    advice: str | None
    program: str
    """The program that sent the request, such as `twine/7.0.0`."""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A request of the command."""

    method: str
    url: str
    status: int
    reason: str
    program: str


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The report of a rehearsal."""

    index: str
    """The title of the public index, such as `PyPI`."""
    command: tuple[str, ...]
    command_status: int
    """The exit status of the command."""
    publisher: str | None = None
    """The trusted publisher in whose CI job the command ran, or None."""
    signal: str | None = None
    """The signal that interrupted the rehearsal, or None."""
    with_dependencies: bool = False
    """Whether files were installed with their dependencies."""
    files: tuple[UploadedFile, ...] = ()
    rejections: tuple[Rejection, ...] = ()
    blocked: tuple[Request, ...] = ()
    """The requests to other hosts, which the rehearsal blocks."""
    requests: tuple[Request, ...] = ()
    """All other requests of the command, if it uploaded nothing."""
    exit_status: int

    @property
    def uploaded_nothing(self) -> bool:
        """Whether the command attempted no upload at all."""
        return not self.files and not self.rejections
