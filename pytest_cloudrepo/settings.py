"""What a test can say about a repository that it asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypedDict

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_cloudrepo.repository import Repository


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
    upstream: Sequence[Repository | str]
    """Repositories that it falls through to, themselves or by name."""
    upstream_strategy: Literal["first-match", "best-version"]
    """Which of them gives a project's files."""


def unknown_settings(names: Iterable[str]) -> str:
    """What to say about the names that are no settings; empty if all are."""
    known = RepositorySettings.__annotations__
    wrong = [name for name in names if name not in known]
    if not wrong:
        return ""
    return f"unknown setting {', '.join(map(repr, wrong))}; there are {', '.join(sorted(known))}"
