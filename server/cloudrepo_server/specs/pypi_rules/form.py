"""The rules for the fields of the upload form that are not metadata."""

import re
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Final

import msgspec

from cloudrepo_server.specs.pypi_rules.rule import CORE_METADATA, Finding, Rule, source

FILETYPES: Final = ("sdist", "bdist_wheel")

# https://packaging.python.org/specifications/name-normalization/
_NAME = re.compile(r"[A-Z0-9]|[A-Z0-9][A-Z0-9._-]*[A-Z0-9]", re.IGNORECASE | re.ASCII)
_DIGEST = re.compile(r"[A-F0-9]{64}", re.IGNORECASE | re.ASCII)
_UNKNOWN = "UNKNOWN"
_SHOWN = 60
_SHOWN_END = 30
_SECTION: Final = "The form"


class UploadForm(msgspec.Struct, frozen=True):
    """The fields of an upload form by name, and the file's name and content type."""

    fields: Mapping[str, Sequence[str]]
    filename: str | None = None
    content_type: str | None = None

    @classmethod
    def received(
        cls, fields: Mapping[str, Sequence[str]], filename: str | None, content_type: str | None
    ) -> "UploadForm":
        """Return a form as PyPI reads it: without the value `UNKNOWN`, and with NUL escaped."""
        # distutils sends the text UNKNOWN for missing fields.
        kept = {
            name: tuple(value.replace("\0", "\\x00") for value in values)
            for name, values in fields.items()
            if values and values[-1].strip() != _UNKNOWN
        }
        return cls(kept, filename, content_type)

    def first(self, name: str) -> str:
        """Return the first value of a field, or an empty string."""
        return next(iter(self.fields.get(name, ())), "")


PROTOCOL_VERSION = Rule(
    name="protocol-version",
    section=_SECTION,
    requires="The field `protocol_version` is 1, or missing.",
    message="Unknown protocol version.",
    problem="protocol_version is {value!r}",
    advice="send protocol_version 1",
    source=source("forklift/legacy.py#L651"),
)
PROJECT_NAME = Rule(
    name="project-name",
    section=_SECTION,
    requires=(
        "The name of the project has only ASCII letters, digits, `.`, `_` and `-`, "
        "and begins and ends with a letter or digit."
    ),
    message=(
        "{shown!r} is an invalid value for Name. Error: {error} "
        f"See {CORE_METADATA} for more information."
    ),
    problem="the project name {shown!r} is invalid",
    advice="begin and end it with a letter or digit, and use only letters, digits, '.', '_', '-'",
    source=source("forklift/forms.py#L31"),
)
FILETYPE = Rule(
    name="filetype",
    section=_SECTION,
    requires=(
        "The field `filetype` is `sdist` or `bdist_wheel`: "
        "PyPI accepts neither eggs nor installers."
    ),
    message="Invalid value for filetype. Error: {error}",
    problem="the file type {value!r} is not accepted",
    advice="build a wheel and an sdist (python -m build)",
    source=source("forklift/forms.py#L49"),
)
PYTHON_VERSION = Rule(
    name="python-version",
    section=_SECTION,
    requires="The field `pyversion` is given for a wheel; for an sdist it is `source`, or missing.",
    message="Invalid value for pyversion. Error: {error}",
    problem="pyversion is {value!r}",
    advice="send the wheel's Python tag for a wheel, and 'source' for an sdist",
    source=source("forklift/forms.py#L88"),
)
DIGEST_FORMAT = Rule(
    name="digest-format",
    section=_SECTION,
    requires="The fields `sha256_digest` and `blake2_256_digest` have 64 hexadecimal digits.",
    message=(
        "Invalid value for {field}. Error: Use a valid, hex-encoded, {algorithm} message digest."
    ),
    problem="{field} is not a digest of 64 hexadecimal digits",
    advice="send the digest in hexadecimal digits",
    source=source("forklift/forms.py#L58"),
)
DIGEST_PRESENT = Rule(
    name="digest-present",
    section=_SECTION,
    requires=(
        "The form has at least one of `md5_digest`, `sha256_digest` and `blake2_256_digest`."
    ),
    message="Error: Include at least one message digest.",
    problem="the form has no digest of the file",
    advice="send sha256_digest",
    source=source("forklift/forms.py#L112"),
)
REGISTRATION = Rule(
    name="registration",
    section=_SECTION,
    requires="The field `:action` is not `submit` or `submit_pkg_info`.",
    message=(
        "Project pre-registration is no longer required or supported, upload your files instead."
    ),
    problem="a project cannot be registered without a file",
    advice="upload a file: that creates the project",
    source=source("forklift/legacy.py#L1868"),
    status=HTTPStatus.GONE,
)
DOCUMENTATION = Rule(
    name="documentation",
    section=_SECTION,
    requires="The field `:action` is not `doc_upload`.",
    message=(
        "Uploading documentation is no longer supported, we recommend using "
        "https://readthedocs.org/."
    ),
    problem="documentation cannot be uploaded",
    advice="publish the documentation elsewhere, such as on Read the Docs",
    source=source("forklift/legacy.py#L1888"),
    status=HTTPStatus.GONE,
)
FILE_PRESENT = Rule(
    name="file-present",
    section=_SECTION,
    requires="The form has a file, in the field `content`. PyPI checks this after the metadata.",
    message="Upload payload does not have a file.",
    problem="the form has no file",
    advice="send the file in a part named content",
    source=source("forklift/legacy.py#L741"),
)

UPLOAD_URL = Rule(
    name="upload-url",
    section=_SECTION,
    requires=(
        "The upload URL ends with a slash. This server checks only the URLs of indexes that are "
        "impersonated by name."
    ),
    message=(
        "An upload was attempted to /legacy but the expected upload URL is /legacy/ "
        "(with a trailing slash)"
    ),
    problem="the upload URL has no slash at its end",
    advice="add a slash to the end of the upload URL",
    source=source("forklift/legacy.py#L1904"),
    status=HTTPStatus.PERMANENT_REDIRECT,
)

RULES = (
    UPLOAD_URL,
    REGISTRATION,
    DOCUMENTATION,
    PROTOCOL_VERSION,
    PROJECT_NAME,
    DIGEST_FORMAT,
    FILETYPE,
    PYTHON_VERSION,
    DIGEST_PRESENT,
)

_RETIRED_ACTIONS = {
    "submit": REGISTRATION,
    "submit_pkg_info": REGISTRATION,
    "doc_upload": DOCUMENTATION,
}
_DIGESTS = (("blake2_256_digest", "BLAKE2"), ("sha256_digest", "SHA256"))
_REQUIRED = "This field is required."


def check_form(form: UploadForm) -> Iterator[Finding]:
    """Check the fields of a form that are not metadata, in PyPI's order."""
    if (rule := _RETIRED_ACTIONS.get(form.first(":action"))) is not None:
        yield rule.broken()
    version = form.first("protocol_version")
    if "protocol_version" in form.fields and version != "1":
        yield PROTOCOL_VERSION.broken(value=version)
    yield from check_name(form.first("name"))
    blake2, sha256 = _DIGESTS
    yield from _check_digest(form, *blake2)
    filetype = form.first("filetype")
    if filetype not in FILETYPES:
        error = "Use a known file type." if filetype else _REQUIRED
        yield FILETYPE.broken(value=filetype, error=error)
    yield from _check_digest(form, *sha256)
    pyversion = form.first("pyversion")
    if filetype == "sdist" and pyversion not in ("", "source"):
        error = "Use 'source' as Python version for an sdist."
        yield PYTHON_VERSION.broken(value=pyversion, error=error)
    elif filetype != "sdist" and not pyversion:
        error = "Python version is required for binary distribution uploads."
        yield PYTHON_VERSION.broken(value=pyversion, error=error)
    if not any(form.first(name) for name in ("md5_digest", "sha256_digest", "blake2_256_digest")):
        yield DIGEST_PRESENT.broken()


def check_name(name: str) -> Iterator[Finding]:
    """Check the name of a project."""
    if _NAME.fullmatch(name) is None:
        long = len(name) > _SHOWN
        shown = name[:_SHOWN_END] + "..." + name[-_SHOWN_END:] if long else name
        characters = (
            "Start and end with a letter or numeral containing only ASCII numeric "
            "and '.', '_' and '-'."
        )
        yield PROJECT_NAME.broken(shown=shown, error=characters if name else _REQUIRED)


def _check_digest(form: UploadForm, field: str, algorithm: str) -> Iterator[Finding]:
    if form.first(field) and _DIGEST.fullmatch(form.first(field)) is None:
        yield DIGEST_FORMAT.broken(field=field, algorithm=algorithm)
