"""The environment variables of a subprocess: without the user's own configuration of tools."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cloudrepo_server import clients
from pytest_cloudrepo._own_files import write_private

if TYPE_CHECKING:
    from pathlib import Path

    from cloudrepo_server.clients import Connection


class Environment:
    """The environment of one test's subprocesses, with a home folder and caches of their own."""

    def __init__(self, folder: Path) -> None:
        """Describe the environment.

        Args:
            folder: the folder for the home folder, the caches and the configuration files.
        """
        self._home = clients.IsolatedHome(folder)

    def __repr__(self) -> str:
        return f"<Environment {self.folder}>"

    @property
    def folder(self) -> Path:
        """The folder for all files of the environment."""
        return self._home.folder

    def scrubbed(self) -> dict[str, str]:
        """Return a complete environment in which no tool has an index or credentials."""
        return clients.without_index(self._isolated(), self._home)

    def with_credentials(self, connection: Connection) -> dict[str, str]:
        """Return a complete environment with the credentials and each tool's default index.

        The caller must redirect requests to that index, as `Repository.impersonate` does.
        """
        return self._isolated() | clients.publish_credentials(connection)

    def without_credentials(self) -> dict[str, str]:
        """Return a complete environment with each tool's default index, and no credentials.

        It has no variables of a CI service either, since they may be credentials.
        """
        return clients.without_ci(self._isolated())

    def for_tool(
        self, tool: str, connection: Connection, *, retries: int | None = None
    ) -> dict[str, str]:
        """Return a complete environment in which only this tool uses the repository.

        Raises:
            ValueError: the tool is unknown, or has no setting for retries.
        """
        settings = clients.variables(tool, connection, retries=retries)
        return clients.configured(self.scrubbed(), settings)

    def for_all_tools(self, connection: Connection) -> dict[str, str]:
        """Return a complete environment in which every tool uses the repository."""
        return clients.configured(self.scrubbed(), clients.all_variables(connection))

    def write_config(self, tool: str, connection: Connection, directory: Path) -> Path:
        """Write a tool's configuration file for the repository, and return its path.

        The file has the name that the tool expects, and only its owner can read it. `netrc` can be
        given instead of a tool.

        Raises:
            ValueError: the tool is unknown, or its file cannot contain these credentials.
        """
        directory.mkdir(parents=True, exist_ok=True)
        file = clients.config_file(tool, connection)
        return write_private(directory / file.name, file.text)

    def _isolated(self) -> dict[str, str]:
        for folder in self._home.folders:
            folder.mkdir(parents=True, exist_ok=True)
        for file in self._home.empty_files:
            file.touch()
        return clients.isolated(os.environ, self._home)
