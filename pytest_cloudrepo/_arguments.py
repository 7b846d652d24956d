"""What methods that take any number of arguments are given by mistake, and what to say of it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def files(paths: Sequence[str | Path]) -> list[Path]:
    """Give files' paths.

    Raises:
        TypeError: one is something else.
        ValueError: there are none, as where a pattern matched nothing.
    """
    __tracebackhide__ = True
    if not paths:
        raise ValueError("no file was given; if a pattern was to find them, it found none")
    for path in paths:
        if hasattr(path, "build"):
            raise TypeError(f"{path!r} is no file; give what it builds: *project.build()")
        _one_by_one(path, "a file")
    return list(map(Path, paths))


def program(arguments: Sequence[object]) -> None:
    """Refuse what is no program with its arguments.

    Raises:
        TypeError: one is something else.
        ValueError: there is none.
    """
    __tracebackhide__ = True
    if not arguments:
        raise ValueError("no program was given")
    for one in arguments:
        _one_by_one(one, "an argument")


def host(name: str) -> str:
    """Give a host's name where it is one.

    Raises:
        ValueError: it is a URL, or has a port.
    """
    __tracebackhide__ = True
    if "/" in name or name.count(":") == 1:
        raise ValueError(
            f"{name!r} is no host, such as 'index.example.com', without scheme or port"
        )
    return name


def _one_by_one(argument: object, what: str) -> None:
    __tracebackhide__ = True
    many = isinstance(argument, Iterable) and not isinstance(argument, str | bytes | os.PathLike)
    if many:
        raise TypeError(
            f"{argument!r} is not {what}, but several: put a star before it, as in *paths"
        )
