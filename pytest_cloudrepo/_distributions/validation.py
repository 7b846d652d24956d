"""Checks of a project's name, version, requirements and files."""

from __future__ import annotations

import contextlib
import keyword
import ntpath
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any, Final

from packaging.markers import InvalidMarker, Marker
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import InvalidName, canonicalize_name
from packaging.version import InvalidVersion, Version

from pytest_cloudrepo.errors import PackageError

# Line separators, other control characters, and surrogates, which UTF-8 cannot encode.
_NOT_IN_A_LINE: Final = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029\ud800-\udfff]")

# A requirement whose parts can be parsed separately: no extras, URL, parentheses or `===`.
_PLAIN_REQUIREMENT: Final = re.compile(
    r"([A-Z0-9](?:[A-Z0-9._-]*[A-Z0-9])?)"
    r"((?:(?:[<>]=?|[!=~]=)[A-Z0-9.*+!]+(?:,(?!$|;)|(?=$|;)))*)"
    r"(?:; ?([!-~][ -~]*))?",
    re.IGNORECASE | re.ASCII,
)
_CACHED_REQUIREMENTS: Final = 10_000


def project_name(name: object) -> str:
    """Check a project name, and return it unchanged.

    Raises:
        PackageError: the name is invalid.
    """
    try:
        # packaging before version 26 accepts a trailing newline and some non-ASCII letters.
        if isinstance(name, str) and name.isascii() and name == name.strip():
            canonicalize_name(name, validate=True)
            return name
    except InvalidName:
        pass
    raise PackageError(
        f"invalid project name {name!r}: use letters, digits, '.', '_' and '-', and begin and end "
        "with a letter or digit"
    )


def project_version(version: object) -> str:
    """Check a version, and return its normalized form.

    Raises:
        PackageError: the version is invalid.
    """
    try:
        if isinstance(version, str):
            return str(Version(version))
    except InvalidVersion:
        pass
    raise PackageError(f"invalid version {version!r}: use a version such as '1.0' or '2.1rc1'")


def requirement(text: object) -> Requirement:
    """Parse a requirement.

    Raises:
        PackageError: the requirement is invalid.
    """
    try:
        return Requirement(one_line(text, "a requirement"))
    except InvalidRequirement as error:
        # The following lines repeat the requirement and mark the position in it.
        reason = str(error).partition("\n")[0]
        raise PackageError(f"invalid requirement {text!r}: {reason}") from None


def requirements(texts: object, *, what: str = "requires") -> list[Requirement]:
    """Parse the requirements in a list.

    Raises:
        PackageError: `texts` is not a list, or a requirement is invalid.
    """
    return [requirement(text) for text in require_list(texts, what)]


def normalized_requirements(texts: object) -> list[str]:
    """Return the requirements in a list in their normalized form.

    Raises:
        PackageError: `texts` is not a list, or a requirement is invalid.
    """
    return [
        _normalized_requirement(text) if isinstance(text, str) else str(requirement(text))
        for text in require_list(texts, "requires")
    ]


# Releases of a project repeat most requirements.
@lru_cache(_CACHED_REQUIREMENTS)
def _normalized_requirement(text: str) -> str:
    plain = _PLAIN_REQUIREMENT.fullmatch(text)
    if plain is not None:
        name, specifiers, marker = plain.groups("")
        with contextlib.suppress(InvalidSpecifier, InvalidMarker):
            return f"{name}{_normalized_specifiers(specifiers)}{_normalized_marker(marker)}"
    return str(requirement(text))


# In a large graph, thousands of requirements contain the same specifiers and markers. Parsing these
# takes most of the time.
@lru_cache(_CACHED_REQUIREMENTS)
def _normalized_specifiers(text: str) -> str:
    return str(SpecifierSet(text))


@lru_cache(_CACHED_REQUIREMENTS)
def _normalized_marker(text: str) -> str:
    return f"; {Marker(text)}" if text else ""


def extra_name(name: object) -> str:
    """Check the name of an extra, and return it unchanged.

    Raises:
        PackageError: the name is invalid.
    """
    try:
        return project_name(name)
    except PackageError:
        raise PackageError(
            f"invalid name of an extra {name!r}: use a name such as 'test'"
        ) from None


def one_line(text: object, what: str) -> str:
    """Check that a text is a string without line breaks and control characters, and return it.

    Raises:
        PackageError: the text is not such a string.
    """
    if isinstance(text, str) and not _NOT_IN_A_LINE.search(text):
        return text
    raise PackageError(f"{what} must be a string of one line, not {text!r}")


def require_list(texts: object, what: str) -> list[Any]:
    """Check that a value is a list or tuple, not a string, and return its items as a new list.

    Raises:
        PackageError: the value is not a list.
    """
    if isinstance(texts, str | bytes) or not isinstance(texts, Sequence):
        raise PackageError(f"{what} must be a list, such as ['...'], not {texts!r}")
    return list(texts)


def require_mapping(mapping: object, what: str) -> dict[Any, Any]:
    """Check that a value is a mapping, and return a copy of it as a dict.

    Raises:
        PackageError: the value is not a mapping.
    """
    if not isinstance(mapping, Mapping):
        raise PackageError(f"{what} must be a mapping, such as {{'...': ...}}, not {mapping!r}")
    return dict(mapping)


def project_files(files: object) -> dict[PurePosixPath, bytes]:
    """Check the paths and contents of a project's files, and return the contents by path.

    Raises:
        PackageError: a path or a content is invalid.
    """
    if files is None:
        return {}
    return {
        _relative_path(path): _content(path, content)
        for path, content in require_mapping(files, "files").items()
    }


def check_writable(files: Iterable[PurePosixPath]) -> None:
    """Check that files with these paths can be written on this platform.

    Raises:
        PackageError: Windows would write a file to a device, such as `con`, or change its name.
    """
    if sys.platform == "win32":
        for path in files:
            if any(map(_is_reserved, (path, *path.parents))):
                raise PackageError(
                    f"invalid path {str(path)!r}: Windows does not allow such a file name"
                )


def module_name(project: str) -> str:
    """Return the default module name of a project."""
    name = canonicalize_name(project).replace("-", "_")
    importable = name.isidentifier() and not keyword.iskeyword(name)
    # Names that Windows reserves are avoided on every platform, so that the module has one name.
    return name if importable and not _is_reserved(PurePosixPath(name)) else f"_{name}"


def _is_reserved(path: PurePosixPath) -> bool:
    """Return whether Windows reserves a file name."""
    if sys.version_info >= (3, 13):
        return ntpath.isreserved(path)
    else:  # noqa: RET505 - mypy would say that the statement is unreachable
        return PureWindowsPath(path).is_reserved()


def _relative_path(path: object) -> PurePosixPath:
    text = one_line(path, "a file's path")
    relative = PurePosixPath(text)
    if "\\" in text or not relative.name:
        raise PackageError(f"invalid path {path!r}: use slashes, as in 'folder/file.py'")
    if relative.is_absolute() or PureWindowsPath(text).drive or ".." in relative.parts:
        raise PackageError(
            f"invalid path {path!r}: use a path relative to the project's folder, without '..'"
        )
    return relative


def _content(path: object, content: object) -> bytes:
    if isinstance(content, bytes):
        return content
    if not isinstance(content, str):
        raise PackageError(f"the content of {path!r} must be a string or bytes, not {content!r}")
    try:
        # Newlines are not converted: with Windows newlines the distribution would differ.
        return content.encode()
    except UnicodeEncodeError as error:
        raise PackageError(f"the content of {path!r} cannot be encoded as UTF-8: {error}") from None
