"""Checks of variadic arguments, with messages that explain the usual mistakes."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def check_command(arguments: Sequence[object]) -> None:
    """Check a program and its arguments.

    Raises:
        TypeError: an argument is a list or another collection.
        ValueError: there are no arguments.
    """
    __tracebackhide__ = True
    if not arguments:
        raise ValueError("no program was given")
    for argument in arguments:
        require_single(argument, "an argument")


def check_host(name: str) -> str:
    """Check that a name is a host name, and return it unchanged.

    Raises:
        ValueError: the name is a URL, or has a port.
    """
    __tracebackhide__ = True
    if "/" in name or name.count(":") == 1:
        raise ValueError(
            f"{name!r} is not a host name; use one like 'index.example.com', "
            "without scheme and port"
        )
    return name


def require_single(argument: object, expected: str) -> None:
    """Check that an argument is not a list or another collection.

    Raises:
        TypeError: the argument is a collection.
    """
    __tracebackhide__ = True
    if isinstance(argument, Iterable) and not isinstance(argument, str | bytes | os.PathLike):
        raise TypeError(
            f"{argument!r} is not {expected}, but a collection: unpack it with a star, as in *paths"
        )
