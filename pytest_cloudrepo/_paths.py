"""Paths as people write them: relative ones, `~`, patterns, and any object with a path."""

from __future__ import annotations

import glob
import os
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from pytest_cloudrepo._arguments import require_single

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

StrPath: TypeAlias = "str | os.PathLike[str]"
"""A path: a string, a `pathlib.Path`, or another object with a path."""

DISTRIBUTION_SUFFIXES = (".whl", ".tar.gz", ".zip")


def one_path(path: StrPath) -> Path:
    """Return a path as a `Path`, with the user's home folder in place of `~`."""
    __tracebackhide__ = True
    require_single(path, "a path")
    return Path(_expand_home(path))


def files(paths: Sequence[StrPath]) -> list[Path]:
    """Return the paths, with the matches of each pattern in its place, sorted.

    A relative path or pattern is relative to the current folder, and `~` means the user's home
    folder. The path of an existing file is not a pattern.

    Raises:
        TypeError: an argument is not a path.
        ValueError: there are no arguments, or a pattern matches no file.
    """
    __tracebackhide__ = True
    if not paths:
        raise ValueError("no file was given; if you used a pattern, it matched no file")
    for path in paths:
        if hasattr(path, "build"):
            raise TypeError(f"{path!r} is not a file; pass the files it builds: *project.build()")
        require_single(path, "a file")
    return [found for path in paths for found in _matches(_expand_home(path))]


def requirement_arguments(arguments: Sequence[StrPath]) -> Iterator[str]:
    """Yield the arguments of an installer, with `~` and patterns expanded as by a shell.

    Requirements such as `demo==1.*`, URLs and options are unchanged.

    Raises:
        TypeError: an argument is a list or another collection.
        ValueError: a pattern matches no file.
    """
    __tracebackhide__ = True
    for argument in arguments:
        require_single(argument, "a requirement or a file")
        word = _expand_home(argument)
        # Absolute, because an installer reads a file name without a folder as a requirement.
        if not isinstance(argument, str) or _may_be_path_pattern(word):
            yield from (str(path.absolute()) for path in _matches(word))
        else:
            yield word


def absolute_argument(value: StrPath) -> str:
    """Return an argument of a program that runs in another folder, with an absolute path.

    Strings are unchanged, because not every string is a path.
    """
    return value if isinstance(value, str) else str(one_path(value).absolute())


def interpreter(python: StrPath) -> str:
    """Return the absolute path of an interpreter, or its version or name unchanged."""
    word = _expand_home(python)
    return os.path.abspath(word) if _has_any(word, "/" + os.sep) else word  # noqa: PTH100 - keeps links


def _expand_home(path: StrPath) -> str:
    return os.path.expanduser(os.fspath(path))  # noqa: PTH111 - Path.expanduser fails for other users


def _matches(path: str) -> list[Path]:
    __tracebackhide__ = True
    if os.path.lexists(path) or not _has_any(path, "*?["):
        return [Path(path)]
    found = _glob(path)
    if not found:
        where = "" if os.path.isabs(path) else f" in the folder {Path.cwd()}"  # noqa: PTH117 - a pattern
        raise ValueError(f"the pattern {path!r} matches no file{where}")
    return found


def _glob(pattern: str) -> list[Path]:
    return sorted(map(Path, glob.glob(pattern, recursive=True)))  # noqa: PTH207 - may be absolute


def _may_be_path_pattern(word: str) -> bool:
    """Return whether a word is a pattern for paths, and not a requirement, a URL or an option.

    A word without a folder is a pattern if it ends like a distribution, such as `*.whl`, or matches
    a file.
    """
    if not _has_any(word, "*?") or word.startswith("-") or ":/" in word:
        return False
    return _has_any(word, "/" + os.sep) or word.endswith(DISTRIBUTION_SUFFIXES) or bool(_glob(word))


def _has_any(text: str, characters: str) -> bool:
    return any(character in text for character in characters)
