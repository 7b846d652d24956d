"""What a project's name, version, requirements and files have to be."""

from __future__ import annotations

import keyword
import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any, Final

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import InvalidName, canonicalize_name
from packaging.version import InvalidVersion, Version

from pytest_cloudrepo.errors import PackageError

# What is one line to the one program is two to another, and what UTF-8 has no bytes for.
_NOT_IN_A_LINE: Final = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029\ud800-\udfff]")


def project_name(name: object) -> str:
    """Give the name, as it is spelled, where it is one."""
    try:
        # A check of packaging's before 26 lets a line's end and some letters beyond ASCII pass.
        if isinstance(name, str) and name.isascii() and name == name.strip():
            canonicalize_name(name, validate=True)
            return name
    except InvalidName:
        pass
    raise PackageError(
        f"{name!r} is no project name: letters, digits, '.', '_' and '-', the first and last "
        "of them a letter or digit"
    )


def project_version(version: object) -> str:
    """Give the version in its normalized spelling."""
    try:
        if isinstance(version, str):
            return str(Version(version))
    except InvalidVersion:
        pass
    raise PackageError(f"{version!r} is no version, such as '1.0' or '2.1rc1'")


def requirement(text: object) -> Requirement:
    """Give the requirement."""
    try:
        return Requirement(one_line(text, "a requirement"))
    except InvalidRequirement as error:
        # Below the first line stands a drawing of the place.
        reason = str(error).partition("\n")[0]
        raise PackageError(f"{text!r} is no requirement: {reason}") from None


def requirements(texts: object, what: str = "requires") -> list[Requirement]:
    """Give the requirements of a list."""
    return [requirement(text) for text in listed(texts, what)]


def extra_name(name: object) -> str:
    """Give the extra's name, as it is spelled, where it is one."""
    try:
        return project_name(name)
    except PackageError:
        raise PackageError(f"{name!r} is no name of an extra, such as 'test'") from None


def one_line(text: object, what: str) -> str:
    """Give a text that metadata can hold in one line."""
    if isinstance(text, str) and not _NOT_IN_A_LINE.search(text):
        return text
    raise PackageError(f"{what} is a text of one line, unlike {text!r}")


def listed(texts: object, what: str) -> list[Any]:
    """Give a list's members; a text is not taken for the list of its characters."""
    if isinstance(texts, str | bytes) or not isinstance(texts, Sequence):
        raise PackageError(f"{what} is a list, such as ['...'], not {texts!r}")
    return list(texts)


def mapped(mapping: object, what: str) -> dict[Any, Any]:
    """Give a mapping's members."""
    if not isinstance(mapping, Mapping):
        raise PackageError(f"{what} is a mapping, such as {{'...': ...}}, not {mapping!r}")
    return dict(mapping)


def project_files(files: object) -> dict[PurePosixPath, bytes]:
    """Give a project's files, by their paths."""
    if files is None:
        return {}
    return {
        _relative_path(path): _content(path, content)
        for path, content in mapped(files, "files").items()
    }


def module_name(project: str) -> str:
    """Give the name of the module that a project has unless it says otherwise."""
    name = canonicalize_name(project).replace("-", "_")
    return name if name.isidentifier() and not keyword.iskeyword(name) else f"_{name}"


def _relative_path(path: object) -> PurePosixPath:
    named = one_line(path, "a file's path")
    if "\\" in named or not PurePosixPath(named).name:
        raise PackageError(f"a project's files are named as 'folder/file.py' is, unlike {path!r}")
    checked = PurePosixPath(named)
    if checked.is_absolute() or PureWindowsPath(named).drive or ".." in checked.parts:
        raise PackageError(f"a project's files are named relative to it, unlike {path!r}")
    return checked


def _content(path: object, content: object) -> bytes:
    if isinstance(content, bytes):
        return content
    if not isinstance(content, str):
        raise PackageError(f"a file's content is text or bytes; that of {path!r} is {content!r}")
    try:
        # Text goes out as it is: Windows' line ends would make another distribution of it.
        return content.encode()
    except UnicodeEncodeError as error:
        raise PackageError(f"the text of {path!r} is not UTF-8: {error}") from None
