"""What can go wrong, in words for people."""

from __future__ import annotations


class CloudRepoError(Exception):
    """The base of everything that this plugin raises on purpose."""


class ServerError(CloudRepoError):
    """The server refused what was asked of it, or could not be reached."""

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class PackageError(CloudRepoError, ValueError):
    """A project, a package or a graph of them was described in a way that none can be."""


class ScenarioError(PackageError):
    """A scenario's file cannot be read, or does not describe one."""
