"""A distribution's file name, read and checked."""

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

from cloudrepo_server.errors import InvalidError

FileType = Literal["bdist_wheel", "sdist"]

MAX_FILENAME = 255

# https://packaging.python.org/specifications/name-normalization/
_NAME = re.compile(r"[A-Z0-9]|[A-Z0-9][A-Z0-9._-]*[A-Z0-9]", re.IGNORECASE | re.ASCII)
# The characters that CloudRepo's own client says the service takes.
_FILENAME = re.compile(r"[A-Za-z0-9+._!-]+", re.ASCII)
_REMEMBERED = 1024
_ENDINGS = (".whl", ".tar.gz", ".zip")


class DistributionName(msgspec.Struct, frozen=True):
    """What a file name says: a normalized project, a version and a kind."""

    filename: str
    project: str
    version: str
    filetype: FileType


class ArchiveMetadata(msgspec.Struct, frozen=True):
    """What an archive says; `metadata` are its core metadata where they can be relied on."""

    metadata: bytes | None
    requires_python: str | None


@lru_cache(_REMEMBERED)
def check_project_name(name: str) -> str:
    """The normalized form of a project's name.

    Raises:
        InvalidError: it is not a name as the packaging specifications have it.
    """
    if len(name) > MAX_FILENAME or _NAME.fullmatch(name) is None:
        raise InvalidError(f"{shown(name)} is not a valid project name.")
    return canonicalize_name(name)


def check_filename(filename: str) -> None:
    """Refuse a file name that no distribution has.

    Raises:
        InvalidError: it is too long or has other characters.
    """
    if len(filename) > MAX_FILENAME:
        raise InvalidError(f"The file name is longer than {MAX_FILENAME} characters.")
    if _FILENAME.fullmatch(filename) is None or filename.startswith("."):
        raise InvalidError(
            f"{shown(filename)} is not a valid file name: "
            "use ASCII letters, digits and . _ - + ! only."
        )


def parse_filename(filename: str, *, project: str | None = None) -> DistributionName:
    """What the file name says; `project`, where known, settles where an old sdist's version begins.

    Raises:
        InvalidError: it is not the name of a wheel or an sdist.
    """
    check_filename(filename)
    if not filename.endswith(_ENDINGS):
        raise InvalidError(
            f"{filename} has no known file extension: use one of {', '.join(_ENDINGS)}."
        )
    try:
        if filename.endswith(".whl"):
            name, version, _, _ = parse_wheel_filename(filename)
            return DistributionName(filename, name, str(version), "bdist_wheel")
        if project is not None:
            settled = _split_sdist(filename, project)
            if settled is not None:
                return settled
        name, version = parse_sdist_filename(filename)
    except (InvalidWheelFilename, InvalidSdistFilename, InvalidVersion) as error:
        raise InvalidError(f"{filename} is not a valid file name: {error}") from None
    return DistributionName(filename, check_project_name(name), str(version), "sdist")


def same_version(one: str, other: str) -> bool:
    """Whether two spellings mean one version (PEP 440)."""
    try:
        return Version(one) == Version(other)
    except InvalidVersion:
        return one == other


def _split_sdist(filename: str, project: str) -> DistributionName | None:
    stem = filename.removesuffix(".tar.gz").removesuffix(".zip")
    for separator in re.finditer("-", stem):
        name, version = stem[: separator.start()], stem[separator.end() :]
        if canonicalize_name(name) == project:
            try:
                return DistributionName(filename, project, str(Version(version)), "sdist")
            except InvalidVersion:
                continue
    return None


def shown(text: str) -> str:
    """What somebody sent, short enough for an answer and clear of all that does not print."""
    return repr(text if len(text) <= MAX_FILENAME else text[:MAX_FILENAME] + "...")
