"""What the fixtures that make more than one of a thing give, for annotations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import Unpack

    from pytest_cloudrepo.project import Project
    from pytest_cloudrepo.repository import Repository
    from pytest_cloudrepo.settings import RepositorySettings
    from pytest_cloudrepo.venv import VirtualEnv


class RepositoryFactory(Protocol):
    """What `cloudrepo_factory` gives."""

    def __call__(self, **settings: Unpack[RepositorySettings]) -> Repository:
        """A new and empty repository with a user of its own."""


class ProjectFactory(Protocol):
    """What `cloudrepo_project` gives."""

    def __call__(
        self,
        name: str,
        version: str,
        *,
        files: Mapping[str, str | bytes] | None = None,
        requires: Sequence[str] = (),
        setup_py: bool = False,
    ) -> Project:
        """A new source tree."""


class VirtualEnvFactory(Protocol):
    """What `cloudrepo_venv_factory` gives."""

    def __call__(self, *, python: str | Path | None = None, pip: bool = True) -> VirtualEnv:
        """A new virtual environment."""
