"""Running an installer, and reading which versions it installed."""

from __future__ import annotations

import os
import shutil
from importlib.metadata import distributions
from typing import TYPE_CHECKING, Final

from pytest_cloudrepo._programs import command

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pytest_cloudrepo._programs.result import CommandResult
    from pytest_cloudrepo.repository import Repository
    from tests.support.clients.client import InstalledClient
    from tests.support.clients.table import RecordRow

TIMEOUT: Final = 300.0
PROJECTS: Final = frozenset({"app", "base", "extra"})


class Installer:
    """An installed client that reads from one repository and works in one folder."""

    def __init__(
        self,
        installed: InstalledClient,
        repository: Repository,
        folder: Path,
        record_row: RecordRow,
    ) -> None:
        self.installed = installed
        self.repository = repository
        self.folder = folder
        self._record_row = record_row

    def run(
        self,
        *arguments: str | Path,
        tool: str = "pip",
        environ: Mapping[str, str] | None = None,
        complete: bool = False,
        check: bool = True,
    ) -> CommandResult:
        """Run a program in the folder.

        Args:
            arguments: The program and its arguments. A name means one of the client's programs.
            tool: The plugin's name of the tool to configure.
            environ: Environment variables to add.
            complete: Whether `environ` is the complete environment.
            check: Whether to raise an exception if the program fails.
        """
        first, *rest = arguments
        if isinstance(first, str):
            first = self.installed.program(first)
        return command.run(
            [first, *rest],
            environ={**({} if complete else self.repository.environ_for(tool)), **(environ or {})},
            cwd=self.folder,
            timeout=TIMEOUT,
            check=check,
            secrets=[self.repository.password],
        )

    def write(self, name: str, text: str) -> Path:
        """Write a file into the folder."""
        path = self.folder / name
        path.write_text(text, "utf-8")
        return path

    def copy_environment(self) -> Path:
        """Copy the client's virtual environment, so that a test can install into the copy."""
        copy = self.folder / "copy"
        shutil.copytree(self.installed.folder, copy, symlinks=True, copy_function=os.link)
        return copy

    def record(
        self, section: str, action: str, result: CommandResult, outcome: str, **shows: str
    ) -> None:
        """Add a row to the table, as `RecordRow` describes."""
        self._record_row(section, self.installed, action, result, outcome, **shows)


def installed_versions(environment: Path) -> dict[str, str]:
    """Return the versions of the test's projects that a virtual environment contains."""
    libraries = [
        str(path)
        for pattern in ("lib/*/site-packages", "Lib/site-packages")
        for path in environment.glob(pattern)
    ]
    versions = {each.metadata["Name"]: each.version for each in distributions(path=libraries)}
    return {name: versions[name] for name in sorted(PROJECTS & versions.keys())}
