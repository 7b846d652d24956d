"""The exceptions of this plugin. `CloudRepoError` is the base class of all of them."""

from __future__ import annotations

import importlib
from typing import Any


class CloudRepoError(Exception):
    """The base class of all exceptions that this plugin raises deliberately."""


class ServerError(CloudRepoError):
    """The server rejected a request of the plugin, or could not be reached.

    Attributes:
        status: the HTTP status code; None if there was no response.
    """

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class UncheckedRulesWarning(UserWarning):
    """Some of PyPI's rules are not checked, because the extra `pypi` is not installed."""


class PackageError(CloudRepoError, ValueError):
    """The description of a project, a package or a dependency graph is invalid."""


class ScenarioError(PackageError):
    """The file of a scenario or a snapshot cannot be read, or is invalid."""


def __getattr__(name: str) -> Any:  # noqa: ANN401 - the type of either exception class
    # These two need the module of subprocesses, which in turn needs this module.
    if name in {"CommandError", "CommandTimeout"}:
        return getattr(importlib.import_module("pytest_cloudrepo._programs.result"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
