"""The rules for the name of a file."""

import re
from collections.abc import Iterator
from typing import Final

from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion, Version

from cloudrepo_server.specs.pypi_rules import platform_tags
from cloudrepo_server.specs.pypi_rules.rule import Finding, Rule, source

_SECTION: Final = "The name of the file"
# PyPI checks these rules together with the archive.
_ARCHIVE: Final = "The archive"
_EXTENSION = re.compile(r".+?(\.(?:tar\.gz|zip|whl))", re.IGNORECASE | re.DOTALL)
_EXTENSIONS = {"sdist": (".tar.gz", ".zip"), "bdist_wheel": (".whl",)}
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
# PyPI stores the core metadata of a wheel under its name and ".metadata".
_MAX_BYTES = 255 - len(".metadata")
_NORMALIZED_ADVICE = "build it with a current build backend, which normalizes the name"

FILENAME_CHARACTERS = Rule(
    name="filename-characters",
    section=_SECTION,
    requires="The file's name has no control characters, no `/` and no backslash.",
    message="Cannot upload a file with {what} in the name.",
    problem="the file name {filename!r} has {what}",
    advice="rebuild the file, and keep the name that the build gives it",
    source=source("forklift/legacy.py#L243"),
)
FILE_EXTENSION = Rule(
    name="file-extension",
    section=_SECTION,
    requires="The file's name ends in `.tar.gz` or `.zip` for an sdist, in `.whl` for a wheel.",
    message="Invalid file extension: {text}",
    problem="{filename!r} does not have the extension of a {kind}",
    advice="build a wheel and an sdist (python -m build)",
    source=source("forklift/legacy.py#L268"),
)
CONTENT_TYPE = Rule(
    name="file-content-type",
    section=_SECTION,
    requires="If the file's part has a content type, it is neither empty nor an image type.",
    message="Invalid distribution file.",
    problem="the file was sent as {content_type!r}",
    advice="send the file as application/octet-stream",
    source=source("forklift/legacy.py#L1119"),
)
SDIST_NAME = Rule(
    name="sdist-name",
    section=_ARCHIVE,
    requires="The file name of an sdist contains a project name and a version.",
    message="Invalid source distribution filename: {filename}",
    problem="{filename!r} is not NAME-VERSION.tar.gz",
    advice=_NORMALIZED_ADVICE,
    source=source("forklift/legacy.py#L1314"),
)
FILENAME_PROJECT = Rule(
    name="filename-project",
    section=_ARCHIVE,
    requires="The file's name begins with the name of the project.",
    message="Start filename for {project!r} with {expected!r}.",
    problem="{filename!r} does not begin with the project's name {expected!r}",
    advice="rebuild the file instead of renaming it",
    source=source("forklift/legacy.py#L1358"),
)
SDIST_NORMALIZED = Rule(
    name="sdist-normalized",
    section=_ARCHIVE,
    requires="An sdist is named `NAME-VERSION.tar.gz`, with both parts normalized (PEP 625).",
    message="Filename {filename!r} is invalid, should be {expected!r}.",
    problem="{filename!r} should be {expected!r}",
    advice=_NORMALIZED_ADVICE,
    source=source("forklift/legacy.py#L1378"),
)
WHEEL_NAME = Rule(
    name="wheel-name",
    section=_ARCHIVE,
    requires="The name of a wheel has the five or six parts that PEP 427 requires.",
    message="{text}",
    problem="{text}",
    advice="rebuild the wheel, and keep the name that the build gives it",
    source=source("forklift/legacy.py#L1427"),
)
PLATFORM_TAG = Rule(
    name="platform-tag",
    section=_ARCHIVE,
    requires=(
        "PyPI accepts the platform tags of a wheel: `manylinux`, `musllinux`, and those of "
        "Windows, macOS, iOS, Android and Emscripten, but not `linux_x86_64`."
    ),
    message="Binary wheel '{filename}' has an unsupported platform tag '{tag}'.",
    problem="platform tag {tag!r} is not accepted",
    advice="{advice}",
    source=source("forklift/legacy.py#L177"),
)
WHEEL_NORMALIZED = Rule(
    name="wheel-normalized",
    section=_ARCHIVE,
    requires="The name of a wheel begins with the normalized name of the project.",
    message=(
        "Filename {filename!r} should contain the normalized project name {expected!r}, "
        "not {found!r}."
    ),
    problem="{filename!r} should begin with {expected!r}",
    advice=_NORMALIZED_ADVICE,
    source=source("forklift/legacy.py#L1471"),
)
FILENAME_VERSION = Rule(
    name="filename-version",
    section=_ARCHIVE,
    requires="The name of a wheel has the same version as its metadata.",
    message="Version in filename should be {expected!r} not {found!r}.",
    problem="the file name has the version {found!r}, but the metadata have {expected!r}",
    advice="rebuild the wheel instead of renaming it",
    source=source("forklift/legacy.py#L1491"),
)
FILENAME_LENGTH = Rule(
    name="filename-length",
    section=_ARCHIVE,
    requires="The name of a wheel has at most 246 bytes.",
    message="Filename is too long: '{filename}'",
    problem="the file name has {length} bytes",
    advice="compress the tags, or shorten the name of the project",
    source=source("forklift/legacy.py#L1601"),
)

RULES = (FILENAME_CHARACTERS, FILE_EXTENSION, CONTENT_TYPE)
RULES_AFTER_ARCHIVE = (
    SDIST_NAME,
    WHEEL_NAME,
    PLATFORM_TAG,
    FILENAME_PROJECT,
    SDIST_NORMALIZED,
    WHEEL_NORMALIZED,
    FILENAME_VERSION,
    FILENAME_LENGTH,
)


def check_characters(filename: str, filetype: str) -> Iterator[Finding]:
    """Check the characters and the extension of a file's name."""
    if _CONTROL.search(filename):
        what = "non-printable characters (ordinals 0-31) or the DEL character (ordinal 127)"
        yield FILENAME_CHARACTERS.broken(what=what, filename=filename)
    if "/" in filename or "\\" in filename:
        yield FILENAME_CHARACTERS.broken(what="'/' or '\\'", filename=filename)
    found = _EXTENSION.fullmatch(filename)
    kind = "wheel" if filetype == "bdist_wheel" else "sdist"
    if found is None:
        text = "Use .tar.gz, .whl or .zip extension."
        yield FILE_EXTENSION.broken(text=text, filename=filename, kind=kind)
    elif found[1] not in _EXTENSIONS.get(filetype, ()):
        text = f"Extension {found[1]} is invalid for filetype {filetype}."
        yield FILE_EXTENSION.broken(text=text, filename=filename, kind=kind)


def check_content_type(content_type: str | None) -> Iterator[Finding]:
    """Check the content type of the file's part; None if the part has no such header."""
    if content_type is not None and (not content_type or content_type.startswith("image/")):
        yield CONTENT_TYPE.broken(content_type=content_type)


def check_sdist_name(filename: str, *, name: str, version: str) -> Iterator[Finding]:
    """Check that an sdist's name is the normalized name and version of the metadata."""
    try:
        stem, _ = parse_sdist_filename(filename)
    except (InvalidSdistFilename, ValueError):
        yield SDIST_NAME.broken(filename=filename)
        return
    normalized, parsed, found = canonicalize_name(name), Version(version), str(stem)
    if found != normalized and parsed.is_postrelease:
        # A version such as 1.0-1 has a hyphen too.
        found = _without_post_release(filename) or found
    if canonicalize_name(found) != normalized:
        expected = normalized.replace("-", "_")
        yield FILENAME_PROJECT.broken(project=name, expected=expected, filename=filename)
    expected = f"{normalized.replace('-', '_')}-{parsed}.tar.gz"
    if filename != expected:
        yield SDIST_NORMALIZED.broken(filename=filename, expected=expected)


def check_wheel_name(filename: str, *, name: str, version: str) -> Iterator[Finding]:
    """Check a wheel's name: its tags, and that it has the name and version of the metadata."""
    try:
        found, found_version, _, tags = parse_wheel_filename(filename)
    except (InvalidWheelFilename, ValueError) as error:
        yield WHEEL_NAME.broken(text=str(error))
        return
    for tag in sorted({tag.platform for tag in tags}):
        if not platform_tags.is_accepted(tag):
            advice = platform_tags.advice(tag)
            yield PLATFORM_TAG.broken(filename=filename, tag=tag, advice=advice)
    normalized = canonicalize_name(name)
    expected = normalized.replace("-", "_")
    stem = filename.partition("-")[0]
    if found != normalized:
        yield FILENAME_PROJECT.broken(project=name, expected=expected, filename=filename)
    elif stem != expected:
        yield WHEEL_NORMALIZED.broken(filename=filename, expected=expected, found=stem)
    if found_version != Version(version):
        yield FILENAME_VERSION.broken(expected=str(Version(version)), found=str(found_version))


def check_wheel_length(filename: str) -> Iterator[Finding]:
    """Check the length of a wheel's name."""
    length = len(filename.encode(errors="surrogateescape"))
    if length > _MAX_BYTES:
        yield FILENAME_LENGTH.broken(filename=filename, length=length)


def _without_post_release(filename: str) -> str | None:
    stem = filename.removesuffix(".tar.gz").removesuffix(".zip")
    name, _, version = stem.rpartition("-")[0].rpartition("-")
    try:
        Version(stem[len(name) + 1 :])
    except InvalidVersion:
        return None
    return name if version else None
