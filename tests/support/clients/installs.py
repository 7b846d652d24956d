"""Installing with a client, and what it asked for."""

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
    from tests.support.clients.client import Installed
    from tests.support.clients.table import Note

TIMEOUT: Final = 300.0
WANTED: Final = frozenset({"app", "base", "extra"})


class Installs:
    """An installer at work."""

    def __init__(
        self, installed: Installed, repository: Repository, folder: Path, note: Note
    ) -> None:
        self.installed = installed
        self.repository = repository
        self.folder = folder
        self._note = note

    def run(
        self,
        *arguments: str | Path,
        tool: str = "pip",
        environ: Mapping[str, str] | None = None,
        whole: bool = False,
        check: bool = True,
    ) -> CommandResult:
        """Run a program in the folder.

        Args:
            arguments: the program, one of the client's unless it is a path, and its arguments.
            tool: what of the plugin's tools is pointed at the repository.
            environ: what else it is told.
            whole: whether that is all that it is told.
            check: whether a failure raises.
        """
        first, *rest = arguments
        if isinstance(first, str):
            first = self.installed.program(first)
        return command.run(
            [first, *rest],
            environ={**({} if whole else self.repository.environ_for(tool)), **(environ or {})},
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

    def copy(self) -> Path:
        """Copy the client's own environment, to be installed into."""
        copy = self.folder / "copy"
        shutil.copytree(self.installed.folder, copy, symlinks=True, copy_function=os.link)
        return copy

    def note(
        self, section: str, asked: str, result: CommandResult, then: str, **shows: str
    ) -> None:
        """Add a row to the table, as `Note` does."""
        self._note(section, self.installed, asked, result, then, **shows)


def versions(environment: Path) -> dict[str, str]:
    """What of the graph is installed in a virtual environment."""
    libraries = [
        str(path)
        for pattern in ("lib/*/site-packages", "Lib/site-packages")
        for path in environment.glob(pattern)
    ]
    found = {one.metadata["Name"]: one.version for one in distributions(path=libraries)}
    return {name: found[name] for name in sorted(WANTED & found.keys())}
