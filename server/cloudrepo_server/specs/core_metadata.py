"""Reads core metadata in bounded time and memory, whatever they contain.

The `email` package needs time that grows with the square of the number of headers, and Python code
for each line of a README. So only headers of known names reach it, and never the README.
"""

import itertools
import re

from packaging.metadata import RawMetadata, parse_email

MAX_HEADERS = 4096
"""How many headers of known names are read; further ones are ignored."""

MAX_HEADER_BYTES = 1 << 20
"""The total size of the headers that are read; headers that exceed it are ignored."""

# The headers, as the email package separates them from the body.
_HEADERS = re.compile(rb"(?:[!-9;-~]*:.*\n?|[ \t].*\n?)*+")
_CONTINUED = rb"[ \t]*:.*(?:\n[ \t].*)*+"
_IDENTITY = ("Metadata-Version", "Name", "Version", "Requires-Python")
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
    return re.compile(rb"^(?:" + either + rb")" + _CONTINUED, re.IGNORECASE | re.MULTILINE)


_IDENTITY_HEADER = _pattern(*_IDENTITY)
_KNOWN_HEADER = _pattern(*_KNOWN)
_DESCRIPTION_HEADER = _pattern("Description")
# Valid metadata have each of these four fields at most once. Invalid metadata may repeat them.
_MAX_IDENTITY_HEADERS = 16


def read_identity(metadata: bytes) -> dict[str, str]:
    """Return the name, version, metadata version and Requires-Python, if they are valid."""
    raw, _ = _parse(metadata, _headers_end(metadata), _IDENTITY_HEADER, _MAX_IDENTITY_HEADERS)
    return {
        key: " ".join(value.split())
        for key in ("metadata_version", "name", "version", "requires_python")
        if isinstance(value := raw.get(key), str)
    }


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
    end = _headers_end(metadata)
    raw, invalid = _parse(metadata, end, _KNOWN_HEADER, MAX_HEADERS)
    body = metadata[end:].removeprefix(b"\r").removeprefix(b"\n")
    if body.strip():
        raw["description"] = body.decode(errors="replace")
    elif (header := _DESCRIPTION_HEADER.search(metadata, 0, end)) is not None:
        value = header[0].partition(b":")[2].strip().decode(errors="replace")
        # Before metadata 2.1 the README was a header, whose continuation lines are indented.
        raw["description"] = (
            value.replace("\r\n", "\n").replace("\n       |", "\n").replace("\n        ", "\n")
        )
    return raw, invalid


def _headers_end(metadata: bytes) -> int:
    headers = _HEADERS.match(metadata)
    return headers.end() if headers else 0


def _parse(
    metadata: bytes, end: int, pattern: re.Pattern[bytes], maximum: int
) -> tuple[RawMetadata, dict[str, list[str]]]:
    selected: list[bytes] = []
    left = MAX_HEADER_BYTES
    for found in itertools.islice(pattern.finditer(metadata, 0, end), maximum):
        size = found.end() - found.start()
        if size <= left:
            left -= size
            selected.append(found[0])
    return parse_email(b"\n".join(selected))
