"""Running an uploader, and reading what the repository stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import requests

from pytest_cloudrepo._programs import command
from tests.support.archives import Archive
from tests.support.clients.uploaders import ProjectTree

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from pytest_cloudrepo._programs.result import CommandResult
    from pytest_cloudrepo.package import PackageFactory
    from pytest_cloudrepo.repository import Repository
    from tests.support.clients.client import InstalledClient
    from tests.support.clients.table import RecordRow
    from tests.support.clients.uploaders import Uploader

CONTENT: Final = "x = 1\n"
DIFFERENT_CONTENT: Final = "x = 2\n"
FILENAMES: Final = ("demo-1.0-py2.py3-none-any.whl", "demo-1.0.tar.gz")
SUCCESS: Final = r"(?i)uploading.*demo|success"
TIMEOUT: Final = 300.0


class UploadRunner:
    """An uploader that works in one folder."""

    def __init__(
        self,
        uploader: Uploader,
        installed: InstalledClient,
        folder: Path,
        package: PackageFactory,
        record_row: RecordRow,
    ) -> None:
        self.uploader = uploader
        self.installed = installed
        self._folder = folder
        self._package = package
        self._record_row = record_row

    def run(
        self,
        repository: Repository,
        *options: str | Path,
        module: str = CONTENT,
        environ: Mapping[str, str] | None = None,
        attest: Callable[[Archive], str] | None = None,
    ) -> tuple[CommandResult, dict[str, bytes]]:
        """Upload demo 1.0; return the finished program and the files.

        Args:
            repository: The repository and its user.
            options: Additional options of the uploader.
            module: The source of the project's only module.
            environ: The complete environment. Default: the repository's environment for the tool.
            attest: Returns the attestation of a file, which is written beside it.
        """
        number = sum(1 for _ in self._folder.glob("tree-*"))
        folder = self._folder / f"tree-{number}"
        package = None if self.uploader.builds else self._package
        tree = ProjectTree.write(folder, package, module=module)
        if attest is not None:
            for name, data in tree.files.items():
                path = folder / "dist" / f"{name}.publish.attestation"
                path.write_text(attest(Archive(name, data)), "utf-8")
        if environ is None:
            environ = repository.environ_for(self.uploader.tool)
        result = command.run(
            [*self.uploader.command(self.installed, tree), *options],
            environ={**environ, **self.uploader.environ},
            cwd=folder,
            timeout=TIMEOUT,
            check=False,
            secrets=[repository.password],
        )
        return result, tree.files

    def publish(self, repository: Repository) -> dict[str, bytes]:
        """Publish demo 1.0 without the uploader; return its files."""
        tree = ProjectTree.write(self._folder / "published", self._package, module=CONTENT)
        repository.publish(*(tree.folder / "dist" / name for name in FILENAMES))
        return tree.files

    def record(
        self, section: str, action: str, result: CommandResult, outcome: str, *, shows: str
    ) -> None:
        """Add a row to the table, as `RecordRow` describes."""
        client = self.uploader.title(self.installed)
        self._record_row(section, client, action, result, outcome, shows=shows)


def served_files(repository: Repository) -> dict[str, bytes]:
    """Return the files that the repository serves for the project demo."""
    login = (repository.username, repository.password)
    urls = {name: f"{repository.url}/demo/{name}" for name in repository.files("demo")}
    return {name: requests.get(url, auth=login, timeout=10).content for name, url in urls.items()}


def upload_statuses(repository: Repository) -> list[int]:
    """Return the response status of each upload."""
    return [request.status for request in repository.requests.uploads()]
