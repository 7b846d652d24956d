"""Uploading with a client, and what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import requests

from pytest_cloudrepo._programs import command
from tests.support.clients.uploaders import Tree

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pytest_cloudrepo._programs.result import CommandResult
    from pytest_cloudrepo.package import PackageFactory
    from pytest_cloudrepo.repository import Repository
    from tests.support.clients.client import Installed
    from tests.support.clients.table import Note
    from tests.support.clients.uploaders import Uploader

FIRST: Final = "x = 1\n"
OTHER: Final = "x = 2\n"
FILES: Final = ("demo-1.0-py2.py3-none-any.whl", "demo-1.0.tar.gz")
SUCCESS: Final = r"(?i)uploading.*demo|success"
TIMEOUT: Final = 300.0


class Uploads:
    """An uploader at work."""

    def __init__(
        self,
        uploader: Uploader,
        installed: Installed,
        folder: Path,
        package: PackageFactory,
        note: Note,
    ) -> None:
        self.uploader = uploader
        self.installed = installed
        self._folder = folder
        self._package = package
        self._note = note

    def run(
        self,
        repository: Repository,
        *flags: str | Path,
        module: str = FIRST,
        environ: Mapping[str, str] | None = None,
    ) -> tuple[CommandResult, dict[str, bytes]]:
        """Upload demo 1.0; give how that ended, and the files.

        Args:
            repository: where to, and as whom.
            flags: what else the uploader is asked.
            module: what the project's one module holds.
            environ: the complete environment, if not the repository's for this tool.
        """
        number = sum(1 for _ in self._folder.glob("tree-*"))
        folder = self._folder / f"tree-{number}"
        package = None if self.uploader.builds else self._package
        tree = Tree.write(folder, package, module=module)
        if environ is None:
            environ = repository.environ_for(self.uploader.tool)
        result = command.run(
            [*self.uploader.command(self.installed, tree), *flags],
            environ={**environ, **self.uploader.environ},
            cwd=folder,
            timeout=TIMEOUT,
            check=False,
            secrets=[repository.password],
        )
        return result, tree.files

    def publish(self, repository: Repository) -> dict[str, bytes]:
        """Put demo 1.0 there without an upload; give its files."""
        tree = Tree.write(self._folder / "published", self._package, module=FIRST)
        repository.publish(*(tree.folder / "dist" / name for name in FILES))
        return tree.files

    def note(
        self, section: str, asked: str, result: CommandResult, then: str, *, shows: str
    ) -> None:
        """Add a row to the table, as `Note` does."""
        self._note(section, self.installed, asked, result, then, shows=shows)


def held(repository: Repository) -> dict[str, bytes]:
    """The files of the project demo, as they are served."""
    login = (repository.username, repository.password)
    urls = {name: f"{repository.url}/demo/{name}" for name in repository.files("demo")}
    return {name: requests.get(url, auth=login, timeout=10).content for name, url in urls.items()}


def answers(repository: Repository) -> list[int]:
    """The answers to the uploads."""
    return [request.status for request in repository.requests.uploads()]
