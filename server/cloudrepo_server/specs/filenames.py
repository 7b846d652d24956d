"""The file names of distributions."""

import contextlib
import re
from functools import lru_cache
from typing import Literal

import msgspec
from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion, Version

from cloudrepo_server.errors import InvalidError, truncate
from cloudrepo_server.limits import MAX_PROJECT_NAME, MAX_VERSION

FileType = Literal["bdist_wheel", "sdist"]

_MAX_FILENAME = 255

METADATA_SUFFIX = ".metadata"
"""The end of the URL of a file's core metadata (PEP 658)."""

# https://packaging.python.org/specifications/name-normalization/
_NAME = re.compile(r"[A-Z0-9]|[A-Z0-9][A-Z0-9._-]*[A-Z0-9]", re.IGNORECASE | re.ASCII)
# The characters that CloudRepo's own client allows.
_FILENAME = re.compile(r"[A-Za-z0-9+._!-]+", re.ASCII)
_CACHED_NAMES = 1024
_EXTENSIONS = (".whl", ".tar.gz", ".zip")


class DistributionName(msgspec.Struct, frozen=True):
    """The parts of a file name: the normalized project name, the version and the file type."""

    filename: str
    project: str
    version: str
    filetype: FileType
    ambiguous: bool = False
    """Whether files of several projects could have this name, such as `a-1-2.zip`."""


class ArchiveMetadata(msgspec.Struct, frozen=True):
    """The metadata in an archive.

    `metadata` is None if the archive has no core metadata, or only unreliable core metadata
    (PEP 643).
    """

    metadata: bytes | None
    requires_python: str | None


@lru_cache(_CACHED_NAMES)
def check_project_name(name: str) -> str:
    """Return the normalized form of a project name.

    Raises:
        InvalidError: the name is not valid according to the packaging specifications.
    """
    if len(name) > MAX_PROJECT_NAME or _NAME.fullmatch(name) is None:
        raise InvalidError(
            f"{quote(name)} is not a valid project name: use at most {MAX_PROJECT_NAME} ASCII "
            "letters, digits and . _ -, with a letter or digit at both ends."
        )
    return canonicalize_name(name)


def check_filename(filename: str) -> None:
    """Check the length and the characters of a file name.

    Raises:
        InvalidError: it is too long, or has characters that are not allowed.
    """
    if len(filename) > _MAX_FILENAME:
        raise InvalidError(f"The file name is longer than {_MAX_FILENAME} characters.")
    if _FILENAME.fullmatch(filename) is None or filename.startswith("."):
        raise InvalidError(
            f"{quote(filename)} is not a valid file name: "
            "use ASCII letters, digits and . _ - + ! only."
        )


def parse_filename(filename: str, *, project: str | None = None) -> DistributionName:
    """Return the parts of the file name of a wheel or an sdist.

    The name of an old sdist may contain several hyphens. `project`, if known, decides which of
    them ends the project's name.
    Whether there is a result, and whether it is ambiguous, depends on the file name alone.

    Raises:
        InvalidError: the name is not that of a wheel or an sdist.
    """
    check_filename(filename)
    if not filename.endswith(_EXTENSIONS):
        raise InvalidError(
            f"{filename} has no known file extension: use one of {', '.join(_EXTENSIONS)}."
        )
    try:
        if filename.endswith(".whl"):
            wheel = parse_wheel_filename(filename)
            return DistributionName(filename, wheel[0], str(wheel[1]), "bdist_wheel")
        splits = _sdist_splits(filename)
        if not splits:
            # This raises an error with the reason, unless only the project's name is invalid.
            parse_sdist_filename(filename)
    except (InvalidWheelFilename, InvalidSdistFilename, InvalidVersion) as error:
        raise InvalidError(f"{filename} is not a valid file name: {error}") from None
    if not splits:
        raise InvalidError(
            f"{filename} is not a valid file name: it does not begin with a project name."
        )
    name, version = next((split for split in splits if split[0] == project), splits[-1])
    ambiguous = len({split[0] for split in splits}) > 1
    return DistributionName(filename, name, version, "sdist", ambiguous=ambiguous)


def possible_projects(filename: str) -> tuple[str, ...]:
    """Return the normalized names of the projects that can have a file with this name."""
    try:
        name = parse_filename(filename)
    except InvalidError:
        return ()
    if not name.ambiguous:
        return (name.project,)
    return tuple(project for project, _ in reversed(_sdist_splits(filename)))


def same_version(first: str, second: str) -> bool:
    """Return whether two spellings denote the same version (PEP 440)."""
    if max(len(first), len(second)) > MAX_VERSION:
        # Python converts no integer of thousands of digits, and parsing a long text takes long.
        return False
    if first == second:
        return True
    try:
        return Version(first) == Version(second)
    except InvalidVersion:
        return False


def quote(text: str) -> str:
    """Return text from a client, quoted, truncated and escaped for use in an error message."""
    return repr(truncate(text, _MAX_FILENAME))


@lru_cache(_CACHED_NAMES)
def _sdist_splits(filename: str) -> tuple[tuple[str, str], ...]:
    """Return the projects and versions that the name of an sdist can mean, one for each hyphen."""
    stem = filename.removesuffix(".tar.gz").removesuffix(".zip")
    splits = []
    for separator in re.finditer("-", stem):
        name, version = stem[: separator.start()], stem[separator.end() :]
        if _NAME.fullmatch(name) is not None:
            with contextlib.suppress(InvalidVersion):
                splits.append((canonicalize_name(name), str(Version(version))))
    return tuple(splits)
