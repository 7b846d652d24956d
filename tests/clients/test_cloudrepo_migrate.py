"""CloudRepo's own client, whose checks of a CloudRepo repository succeed here too."""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_cloudrepo._programs import command
from tests.support.clients import catalogue
from tests.support.clients.sections import MIGRATE
from tests.support.clients.upload_runner import CONTENT, DIFFERENT_CONTENT, FILENAMES, served_files
from tests.support.clients.uploaders import ProjectTree

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_cloudrepo._programs.result import CommandResult
    from pytest_cloudrepo.client import Server
    from pytest_cloudrepo.factories import RepositoryFactory
    from pytest_cloudrepo.package import PackageFactory
    from pytest_cloudrepo.repository import Repository
    from tests.support.clients.client import Client, InstalledClient
    from tests.support.clients.table import RecordRow

DRIVER = Path(__file__).parents[1] / "support" / "clients" / "migrate_driver.py"
ACCEPTED = "check_token: accepted"
EXISTS = "ensure_repository: exists and is a PyPI repository"
TIMEOUT = 120.0

dialects = pytest.mark.parametrize("dialect", ["modern", "cloudrepo"])


class Migration:
    """CloudRepo's client, which moves demo 1.0 from one repository to another."""

    def __init__(
        self,
        installed: InstalledClient,
        server: Server,
        create_repository: RepositoryFactory,
        package: PackageFactory,
        folder: Path,
        record_row: RecordRow,
    ) -> None:
        self._installed = installed
        self._server = server
        self._create_repository = create_repository
        self._package = package
        self._folder = folder
        self._record_row = record_row

    def source(self, module: str) -> tuple[Repository, dict[str, bytes]]:
        """Return a new repository with demo 1.0, and the content of its files by name."""
        repository = self._create_repository()
        tree = ProjectTree.write(self._folder / repository.name, self._package, module=module)
        repository.publish(*(tree.folder / "dist" / name for name in FILENAMES))
        return repository, tree.files

    def token(self, repository: Repository, *, read_only: bool = False) -> str:
        """Create a token for a repository."""
        return self._server.create_token(repository, read_only=read_only).token

    def run(self, token: str, repository: str, source: Repository) -> CommandResult:
        """Check a repository, and move demo 1.0 to it from the source."""
        login = b64encode(f"{source.username}:{source.password}".encode()).decode()
        task = {
            "url": self._server.url,
            "token": token,
            "repository": repository,
            "source": source.name,
            "source_authorization": f"Basic {login}",
            "paths": [f"demo/{name}" for name in FILENAMES],
        }
        path = self._folder / f"task-{repository}.json"
        path.touch(mode=0o600)
        path.write_text(json.dumps(task), "utf-8")
        return command.run(
            [self._installed.python, DRIVER, path],
            environ=source.environ_for("pip"),
            timeout=TIMEOUT,
            secrets=[token, login],
        )

    def record(self, action: str, result: CommandResult, outcome: str) -> None:
        """Add a row to the table, with the last line of the output."""
        self._record_row(MIGRATE, self._installed, action, result, outcome)


@pytest.fixture
def migration(
    install_client: Callable[[Client], InstalledClient],
    cloudrepo_server: Server,
    cloudrepo_factory: RepositoryFactory,
    cloudrepo_package: PackageFactory,
    tmp_path: Path,
    record_row: RecordRow,
) -> Migration:
    return Migration(
        install_client(catalogue.CLOUDREPO_MIGRATE),
        cloudrepo_server,
        cloudrepo_factory,
        cloudrepo_package,
        tmp_path,
        record_row,
    )


def move_lines(outcome: str) -> list[str]:
    """Return the expected output if every file has this outcome."""
    return [f"move_python_file: demo/{name}: {outcome}" for name in FILENAMES]


@dialects
def test_cloudrepo_migrate_moves_files_and_verifies_them(
    migration: Migration, cloudrepo_factory: RepositoryFactory, dialect: str
) -> None:
    repository = cloudrepo_factory(dialect=dialect)
    source, files = migration.source(CONTENT)
    token = migration.token(repository)
    result = migration.run(token, repository.name, source)
    assert result.output.splitlines() == [ACCEPTED, EXISTS, *move_lines("moved")]
    assert served_files(repository) == files
    migration.record(f"move files, dialect {dialect}", result, "stored, listed, downloaded again")
    again = migration.run(token, repository.name, source)
    assert again.output.splitlines() == [ACCEPTED, EXISTS, *move_lines("present")]
    migration.record(f"move the same files again, dialect {dialect}", again, "already present")


@dialects
def test_cloudrepo_migrate_cannot_replace_files_under_overwrite_protection(
    migration: Migration, cloudrepo_factory: RepositoryFactory, dialect: str
) -> None:
    repository = cloudrepo_factory(dialect=dialect, overwrite_protection=True)
    token = migration.token(repository)
    source, files = migration.source(CONTENT)
    migration.run(token, repository.name, source)
    changed, _ = migration.source(DIFFERENT_CONTENT)
    result = migration.run(token, repository.name, changed)
    reason = "CloudRepo already holds different bytes for this path and refuses overwrites"
    assert result.output.splitlines() == [ACCEPTED, EXISTS, *move_lines(f"failed: {reason}")]
    assert served_files(repository) == files
    migration.record(
        f"move different content, protection on, dialect {dialect}", result, "unchanged"
    )


def test_a_read_only_token_cannot_publish(migration: Migration, cloudrepo: Repository) -> None:
    source, _ = migration.source(CONTENT)
    token = migration.token(cloudrepo, read_only=True)
    result = migration.run(token, cloudrepo.name, source)
    reason = f"the token cannot publish to CloudRepo repository {cloudrepo.name}"
    assert result.output.splitlines() == [ACCEPTED, EXISTS, *move_lines(f"failed: {reason}")]
    assert served_files(cloudrepo) == {}
    migration.record("with a read-only token", result, "rejected")


def test_a_token_is_rejected_by_other_repositories(
    migration: Migration, cloudrepo: Repository
) -> None:
    source, _ = migration.source(CONTENT)
    result = migration.run(migration.token(source), cloudrepo.name, source)
    reason = f"the token cannot reach CloudRepo repository {cloudrepo.name}"
    assert result.output.startswith(f"{ACCEPTED}\nensure_repository: {reason}")
    migration.record("with another repository's token", result, "rejected")


def test_a_missing_repository_is_reported(migration: Migration) -> None:
    source, _ = migration.source(CONTENT)
    result = migration.run(migration.token(source), "absent", source)
    assert result.output.startswith(
        f"{ACCEPTED}\nensure_repository: CloudRepo has no repository absent"
    )
    migration.record("to a repository that does not exist", result, "rejected")


def test_a_wrong_token_is_rejected(migration: Migration) -> None:
    source, _ = migration.source(CONTENT)
    result = migration.run("cloudrepo.0123456789.wrong", source.name, source)
    assert result.output.startswith("check_token: CloudRepo refused the token")
    assert "answered 401" in result.output
    migration.record("with a wrong token", result, "rejected")
