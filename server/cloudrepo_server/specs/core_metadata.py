"""Reads core metadata in bounded time and memory, whatever they contain.

The `email` package needs time that grows with the square of the number of headers, and Python code
for each line of a README. So only headers of known names reach it, and never the README.
"""

import itertools
import re
from typing import NamedTuple

from packaging.metadata import RawMetadata, parse_email

from cloudrepo_server.limits import (
    METADATA_HEADER_BLOCK,
    METADATA_HEADER_BYTES,
    METADATA_HEADER_LINES,
    METADATA_HEADERS,
)

# The headers, as the email package separates them from the body.
_HEADERS = re.compile(rb"(?:[!-9;-~]*:.*\n?|[ \t].*\n?)*+")
_CONTINUED = rb"[ \t]*:.*(?:\n[ \t].*)*+"
_IDENTITY = ("Metadata-Version", "Name", "Version", "Requires-Python")
_IDENTITY_FIELDS = ("metadata_version", "name", "version", "requires_python")
_KNOWN = (
    *_IDENTITY,
    *("Summary", "Description-Content-Type", "Keywords", "Home-page", "Download-URL"),
    *("Author", "Author-email", "Maintainer", "Maintainer-email"),
    *("License", "License-Expression", "License-File", "Classifier"),
    *("Requires-Dist", "Requires-External", "Provides-Extra", "Project-URL", "Dynamic"),
    *("Provides-Dist", "Obsoletes-Dist", "Requires", "Provides", "Obsoletes"),
    *("Platform", "Supported-Platform", "Import-Name", "Import-Namespace"),
)


FORM_NAMES = {
    "platforms": "platform",
    "supported_platforms": "supported_platform",
    "license_files": "license_file",
    "import_names": "import_name",
    "import_namespaces": "import_namespace",
}
"""The fields that have another name in an upload form than in `RawMetadata`."""

_FORM_NAMES_OF_HEADERS = {"classifier": "classifiers", "project_url": "project_urls"}


def _pattern(*names: str) -> re.Pattern[bytes]:
    either = b"|".join(re.escape(name.encode()) for name in names)
    # Most lines of other headers are skipped by their first character alone.
    initials = b"".join(sorted({name[:1].encode() for name in names}))
    return re.compile(
        rb"^(?=[" + initials + rb"])(?:" + either + rb")" + _CONTINUED,
        re.IGNORECASE | re.MULTILINE,
    )


_IDENTITY_HEADER = _pattern(*_IDENTITY)
_DEPENDENCY_HEADER = _pattern("Requires-Dist", "Requires-Python", "Provides-Extra")
_KNOWN_HEADER = _pattern(*_KNOWN)
_DESCRIPTION_HEADER = _pattern("Description")
# A header that the email package would return as it is.
_PLAIN_HEADER = re.compile(rb"([A-Za-z-]+):[ \t]*([!-~](?:[ -~]*[!-~])?)")
# Valid metadata have each of these four fields at most once. Invalid metadata may repeat them.
_MAX_IDENTITY_HEADERS = 16


def read_identity(metadata: bytes) -> dict[str, str]:
    """Return the name, version, metadata version and Requires-Python, if they are valid."""
    headers = _select(metadata, _header_block(metadata), _IDENTITY_HEADER, _MAX_IDENTITY_HEADERS)
    plain = _read_plain(headers)
    if plain is None or any(len(values) > 1 for values in plain.values()):
        raw, _ = parse_email(b"\n".join(headers))
        found = {key: raw.get(key) for key in _IDENTITY_FIELDS}
    else:
        found = {key: values[0] for key, values in plain.items()}
    return {key: " ".join(value.split()) for key, value in found.items() if isinstance(value, str)}


class Dependencies(NamedTuple):
    """The fields of core metadata that determine the dependencies."""

    requires_dist: list[str]
    requires_python: str | None
    provides_extra: list[str]


def read_dependencies(metadata: bytes) -> Dependencies:
    """Return the fields that determine the dependencies, as `read_core_metadata` returns them."""
    headers = _select(metadata, _header_block(metadata), _DEPENDENCY_HEADER, METADATA_HEADERS)
    plain = _read_plain(headers)
    if plain is None or len(plain.get("requires_python", ())) > 1:
        raw, _ = parse_email(b"\n".join(headers))
        return Dependencies(
            raw.get("requires_dist", []), raw.get("requires_python"), raw.get("provides_extra", [])
        )
    return Dependencies(
        plain.get("requires_dist", []),
        next(iter(plain.get("requires_python", ())), None),
        plain.get("provides_extra", []),
    )


def read_core_metadata(metadata: bytes) -> RawMetadata:
    """Return all valid fields; the description is the body, if there is one.

    A description that is not valid UTF-8 contains replacement characters.
    """
    return _read_all(metadata)[0]


def read_form_fields(metadata: bytes) -> dict[str, list[str]]:
    """Return all fields by the names that they have in an upload form, as clients copy them.

    A field that is not valid has its values unchanged.
    """
    raw, invalid = _read_all(metadata)
    fields: dict[str, list[str]] = {}
    for name, value in raw.items():
        form_name = FORM_NAMES.get(name, name)
        if isinstance(value, str):
            fields[form_name] = [value]
        elif isinstance(value, dict):
            fields[form_name] = [f"{label}, {url}" for label, url in value.items()]
        elif isinstance(value, list):
            fields[form_name] = [",".join(value)] if name == "keywords" else list(value)
    for header, values in invalid.items():
        name = header.replace("-", "_")
        fields[_FORM_NAMES_OF_HEADERS.get(name, name)] = values
    return fields


def _read_all(metadata: bytes) -> tuple[RawMetadata, dict[str, list[str]]]:
    block = _header_block(metadata)
    raw, invalid = parse_email(
        b"\n".join(_select(metadata, block, _KNOWN_HEADER, METADATA_HEADERS))
    )
    # If the block of headers was cut, more headers may follow, and not the body.
    body = b"" if block.is_cut else metadata[block.end :]
    body = body.removeprefix(b"\r").removeprefix(b"\n")
    if body.strip():
        raw["description"] = body.decode(errors="replace")
    elif (
        header := _DESCRIPTION_HEADER.search(metadata, 0, block.end)
    ) is not None and block.contains(header):
        value = header[0].partition(b":")[2].strip().decode(errors="replace")
        # Before metadata 2.1 the README was a header, whose continuation lines are indented.
        raw["description"] = (
            value.replace("\r\n", "\n").replace("\n       |", "\n").replace("\n        ", "\n")
        )
    return raw, invalid


class _HeaderBlock(NamedTuple):
    """The part of core metadata in which headers are searched."""

    end: int
    is_cut: bool
    """Whether the headers reach the size limit, so that further ones are ignored."""
    cuts_header: bool
    """Whether the last header in this part is incomplete."""

    def contains(self, header: re.Match[bytes]) -> bool:
        """Return whether the whole header is in this part."""
        return not self.cuts_header or header.end() < self.end - 1


def _header_block(metadata: bytes) -> _HeaderBlock:
    limit = len(metadata)
    if limit > METADATA_HEADER_BLOCK:
        limit = metadata.rfind(b"\n", 0, METADATA_HEADER_BLOCK) + 1
    headers = _HEADERS.match(metadata, 0, limit)
    end = headers.end() if headers else 0
    is_cut = end == limit < len(metadata)
    return _HeaderBlock(end, is_cut, cuts_header=is_cut and metadata[end] in b" \t")


def _select(
    metadata: bytes, block: _HeaderBlock, pattern: re.Pattern[bytes], maximum: int
) -> list[bytes]:
    """Return the headers that match a pattern, up to the limits."""
    selected: list[bytes] = []
    bytes_left, lines_left = METADATA_HEADER_BYTES, METADATA_HEADER_LINES
    for found in itertools.islice(pattern.finditer(metadata, 0, block.end), maximum):
        header = found[0]
        size, lines = len(header), header.count(b"\n") + 1
        if size <= bytes_left and lines <= lines_left and block.contains(found):
            bytes_left -= size
            lines_left -= lines
            selected.append(header)
    return selected


def _read_plain(headers: list[bytes]) -> dict[str, list[str]] | None:
    """Return the values of headers by the names of their fields.

    Return None unless each header has one line of printable ASCII characters. The email package
    would return the same values, but takes many times as long.
    """
    fields: dict[str, list[str]] = {}
    for header in headers:
        match = _PLAIN_HEADER.fullmatch(header)
        if match is None:
            return None
        name, value = match.groups()
        fields.setdefault(name.decode().lower().replace("-", "_"), []).append(value.decode())
    return fields
