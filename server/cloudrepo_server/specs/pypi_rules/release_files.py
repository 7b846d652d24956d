"""Checks of files on disk by PyPI's rules, without an upload."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Final

import msgspec
from packaging.utils import canonicalize_name

from cloudrepo_server.errors import InvalidError
from cloudrepo_server.limits import Limits
from cloudrepo_server.specs.archives import find_metadata
from cloudrepo_server.specs.core_metadata import read_form_fields
from cloudrepo_server.specs.pypi_rules import archive, filenames, form, metadata, project_names
from cloudrepo_server.specs.pypi_rules.attestations import check_attestations
from cloudrepo_server.specs.pypi_rules.form import UploadForm
from cloudrepo_server.specs.pypi_rules.metadata_rules import description_broken
from cloudrepo_server.specs.pypi_rules.releases import (
    FILE_SIZE,
    MAX_FILE_SIZE,
    ONE_SDIST,
)
from cloudrepo_server.specs.pypi_rules.rule import Finding, size

Renders = Callable[[str, str], bool]
"""Returns whether a description can be rendered, given its text and its content type."""

_ATTESTATION: Final = ".attestation"
_SIGNATURE: Final = ".asc"
_EXTENSIONS: Final = {".whl": "bdist_wheel", ".tar.gz": "sdist", ".zip": "sdist"}
_WITHOUT_LICENSE_FILES: Final = ("1.0", "1.1", "1.2", "2.1", "2.2", "2.3")
_PLAIN: Final = "text/plain"
_CHUNK: Final = 1 << 20
# An attestation has less than 20 KB. A larger file is cut, and then rejected as invalid JSON.
_MAX_ATTESTATION: Final = 1 << 20


class FileReport(msgspec.Struct, frozen=True):
    """The findings for one file."""

    path: str
    findings: tuple[Finding, ...] = ()
    error: str | None = None
    """Why the file could not be read, if it could not."""


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """The options of a check."""

    is_existing_project: bool = False
    """Whether the project exists, so that the rules for new projects do not apply."""
    max_file_size: int = MAX_FILE_SIZE


def check_files(paths: Iterable[Path], renders: Renders, options: Options) -> list[FileReport]:
    """Return a report for each file; signatures are left out, because PyPI ignores them."""
    reports: list[FileReport] = []
    sdists: set[tuple[str, str]] = set()
    for path in paths:
        if path.name.endswith(_SIGNATURE):
            continue
        try:
            findings = list(_check_path(path, renders, options, sdists))
        except (OSError, InvalidError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            reports.append(FileReport(str(path), error=reason))
        else:
            reports.append(FileReport(str(path), tuple(findings)))
    return reports


def _check_path(
    path: Path, renders: Renders, options: Options, sdists: set[tuple[str, str]]
) -> Iterator[Finding]:
    """Check a file; `sdists` has the releases whose sdist was checked before."""
    if path.name.endswith(_ATTESTATION):
        yield from _check_attestation(path)
        return
    with _open(path) as file:
        uploaded = read_upload(file, path.name)
        yield from _check_file(file, uploaded, renders, options)
    if uploaded.first("filetype") == "sdist":
        release = (canonicalize_name(uploaded.first("name")), uploaded.first("version"))
        if release in sdists:
            yield ONE_SDIST.broken()
        sdists.add(release)


def read_upload(file: IO[bytes], filename: str, *, limits: Limits | None = None) -> UploadForm:
    """Return the form that a client would send with a file, made from the metadata in it.

    The form has only the fields that the rules need, and no metadata if the file has none.
    """
    suffix = next((each for each in _EXTENSIONS if filename.endswith(each)), None)
    found: bytes | None = None
    if suffix is not None:
        try:
            found = find_metadata(filename, file, limits or Limits())
        except InvalidError:
            # The rules of the archive say why.
            found = None
    filetype = _EXTENSIONS[suffix] if suffix is not None else filename.rpartition(".")[2]
    fields = {} if found is None else read_form_fields(found)
    if fields.get("metadata_version", [""])[0] in _WITHOUT_LICENSE_FILES:
        # Clients do not send this field: setuptools wrote it before it was specified.
        fields.pop("license_file", None)
    fields |= {
        "filetype": [filetype],
        "pyversion": ["source" if filetype == "sdist" else "py3"],
        # A placeholder: without an upload, no digest can be wrong.
        "sha256_digest": ["0" * 64],
    }
    return UploadForm.received(fields, filename, "application/octet-stream")


def _check_file(
    file: IO[bytes], uploaded: UploadForm, renders: Renders, options: Options
) -> Iterator[Finding]:
    filename, filetype = uploaded.filename or "", uploaded.first("filetype")
    name = uploaded.first("name")
    has_metadata = bool(name)
    if has_metadata:
        yield from form.check_form(uploaded)
        yield from metadata.check_metadata(uploaded)
        if not options.is_existing_project:
            yield from project_names.check_new_name(name)
        yield from check_description(uploaded, renders)
    elif filetype not in form.FILETYPES:
        yield form.FILETYPE.broken(value=filetype, error="Use a known file type.")
        return
    broken = list(filenames.check_characters(filename, filetype))
    yield from broken
    file_size = file.seek(0, 2)
    if file_size > options.max_file_size:
        limit = size(options.max_file_size)
        yield FILE_SIZE.broken(project=name, limit=limit, size=size(file_size))
    if not broken:
        yield from archive.check_file(file, declared_file(uploaded), Limits())


def check_description(uploaded: UploadForm, renders: Renders) -> Iterator[Finding]:
    """Check that the description can be rendered."""
    text, content_type = uploaded.first("description"), uploaded.first("description_content_type")
    if needs_rendering(text, content_type) and not renders(text, content_type):
        yield description_broken(content_type)


def needs_rendering(text: str, content_type: str) -> bool:
    """Return whether a description has markup, so that it may be invalid."""
    return bool(text) and content_type.partition(";")[0].strip().lower() != _PLAIN


def declared_file(uploaded: UploadForm) -> archive.DeclaredFile:
    """Return the fields of a form that describe its file."""
    return archive.DeclaredFile(
        filename=uploaded.filename or "",
        filetype=uploaded.first("filetype"),
        name=uploaded.first("name"),
        version=uploaded.first("version"),
        license_files=uploaded.fields.get("license_file", ()),
    )


def _check_attestation(path: Path) -> Iterator[Finding]:
    # The name of an attestation is FILE.KIND.attestation.
    attested = path.with_name(path.name.removesuffix(_ATTESTATION).rpartition(".")[0])
    digest = hashlib.sha256()
    with _open(attested) as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    with _open(path) as file:
        text = file.read(_MAX_ATTESTATION).decode("utf-8", errors="replace")
    yield from check_attestations(f"[{text}]", filename=attested.name, sha256=digest.hexdigest())


def _open(path: Path) -> IO[bytes]:
    # Opening a named pipe would wait for ever, and a device may have no end.
    if path.exists() and not path.is_file():
        raise InvalidError("Not a regular file")
    return path.open("rb")
