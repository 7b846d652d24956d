"""What a test can say about a repository that it asks for."""

from __future__ import annotations

from types import NoneType
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, TypedDict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class NamedRepository(Protocol):
    """An object that names a repository, such as a `Repository`."""

    @property
    def name(self) -> str:
        """The repository's name on the server."""


class RepositorySettings(TypedDict, total=False):
    """The settings of a new repository; what is left out keeps the server's default."""

    overwrite_protection: bool
    """Whether other bytes under an existing file name are refused."""
    public: bool
    """Whether anybody may read it, below `/public/repositories`."""
    dialect: str
    """How it answers where registries differ."""
    max_file_size: int | None
    """The largest file that it takes, in bytes."""
    upstream: Sequence[NamedRepository | str]
    """Repositories that it falls through to, themselves or by name."""
    upstream_strategy: Literal["first-match", "best-version"]
    """Which of them gives a project's files."""


_TYPES: Final[Mapping[str, tuple[tuple[type, ...], str]]] = {
    "overwrite_protection": ((bool,), "True or False"),
    "public": ((bool,), "True or False"),
    "dialect": ((str,), "a text, such as 'pypi'"),
    "max_file_size": ((int, NoneType), "a number of bytes, or None"),
    "upstream": ((list, tuple), "a list of repositories and URLs, such as [repository]"),
    "upstream_strategy": ((str,), "'first-match' or 'best-version'"),
}


def checked(settings: Mapping[str, object]) -> dict[str, Any]:
    """Give the settings.

    Raises:
        TypeError: one is none, or not of its type.
    """
    __tracebackhide__ = True
    unknown = [name for name in settings if name not in _TYPES]
    if unknown:
        known = ", ".join(sorted(_TYPES))
        raise TypeError(f"unknown setting {', '.join(map(repr, unknown))}; there are {known}")
    for name, value in settings.items():
        types, words = _TYPES[name]
        if not isinstance(value, types):
            raise TypeError(f"{name} is {words}, not {value!r}")
    return dict(settings)
