"""CloudRepo's own client: what it checks of CloudRepo it finds here too."""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_cloudrepo._programs import command
from pytest_cloudrepo._programs.secret import Secret
from tests.support.clients import catalogue
from tests.support.clients.sections import MIGRATE
from tests.support.clients.uploaders import Tree
from tests.support.clients.uploads import FILES, FIRST, OTHER, held

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_cloudrepo._programs.result import CommandResult
    from pytest_cloudrepo.client import Server
    from pytest_cloudrepo.factories import RepositoryFactory
    from pytest_cloudrepo.package import PackageFactory
    from pytest_cloudrepo.repository import Repository
    from tests.support.clients.client import Client, Installed
    from tests.support.clients.table import Note

DRIVER = Path(__file__).parents[1] / "support" / "clients" / "migrate_driver.py"
ACCEPTED = "check_token: accepted"
FOUND = "ensure_repository: it is there, and is a PyPI repository"
TIMEOUT = 120.0

dialects = pytest.mark.parametrize("dialect", ["modern", "cloudrepo"])


class Migration:
    """CloudRepo's client, which moves demo 1.0 from one repository to others."""

    def __init__(
        self,
        installed: Installed,
        server: Server,
        make: RepositoryFactory,
        package: PackageFactory,
        folder: Path,
        note: Note,
    ) -> None:
        self._installed = installed
        self._server = server
        self._make = make
        self._package = package
        self._folder = folder
        self._note = note

    def source(self, module: str) -> tuple[Repository, dict[str, bytes]]:
        """A repository that holds demo 1.0 with this module, and the files."""
        repository = self._make()
        tree = Tree.write(self._folder / repository.name, self._package, module=module)
        repository.publish(*(tree.folder / "dist" / name for name in FILES))
        return repository, tree.files

    def token(self, repository: Repository, *, read_only: bool = False) -> str:
        """A new token."""
        call = self._server._api.call  # noqa: SLF001 - the plugin's own interface has no tokens
        told = {"repository": repository.name, "read_only": read_only}
        return Secret(call("POST", "tokens", json=told)["token"])

    def run(self, token: str, repository: str, source: Repository) -> CommandResult:
        """Let it check the repository, and move demo 1.0 to it from the source."""
        login = b64encode(f"{source.username}:{source.password}".encode()).decode()
        told = {
            "url": self._server.url,
            "token": token,
            "repository": repository,
            "source": source.name,
            "source_authorization": f"Basic {login}",
            "paths": [f"demo/{name}" for name in FILES],
        }
        path = self._folder / f"told-{repository}.json"
        path.touch(mode=0o600)
        path.write_text(json.dumps(told), "utf-8")
        return command.run(
            [self._installed.python, DRIVER, path],
            environ=source.environ_for("pip"),
            timeout=TIMEOUT,
            secrets=[token, login],
        )

    def note(self, asked: str, result: CommandResult, then: str) -> None:
        """Add a row to the table: the last line is what it said."""
        self._note(MIGRATE, self._installed, asked, result, then)


@pytest.fixture
def migration(
    installed: Callable[[Client], Installed],
    cloudrepo_server: Server,
    cloudrepo_factory: RepositoryFactory,
    cloudrepo_package: PackageFactory,
    tmp_path: Path,
    note: Note,
) -> Migration:
    return Migration(
        installed(catalogue.CLOUDREPO_MIGRATE),
        cloudrepo_server,
        cloudrepo_factory,
        cloudrepo_package,
        tmp_path,
        note,
    )


def moved(result: str) -> list[str]:
    """What it prints of files that all end so."""
    return [f"move_python_file: demo/{name}: {result}" for name in FILES]


@dialects
def test_it_moves_files_and_reads_them_back(
    migration: Migration, cloudrepo_factory: RepositoryFactory, dialect: str
) -> None:
    repository = cloudrepo_factory(dialect=dialect)
    source, files = migration.source(FIRST)
    token = migration.token(repository)
    result = migration.run(token, repository.name, source)
    assert result.output.splitlines() == [ACCEPTED, FOUND, *moved("moved")]
    assert held(repository) == files
    migration.note(f"move files, dialect {dialect}", result, "stored, listed, read back")
    again = migration.run(token, repository.name, source)
    assert again.output.splitlines() == [ACCEPTED, FOUND, *moved("present")]
    migration.note(f"move them again, dialect {dialect}", again, "they are there already")


@dialects
def test_it_is_refused_under_protection(
    migration: Migration, cloudrepo_factory: RepositoryFactory, dialect: str
) -> None:
    repository = cloudrepo_factory(dialect=dialect, overwrite_protection=True)
    token = migration.token(repository)
    source, files = migration.source(FIRST)
    migration.run(token, repository.name, source)
    other, _ = migration.source(OTHER)
    result = migration.run(token, repository.name, other)
    refused = "CloudRepo already holds different bytes for this path and refuses overwrites"
    assert result.output.splitlines() == [ACCEPTED, FOUND, *moved(f"failed: {refused}")]
    assert held(repository) == files
    migration.note(f"other bytes, protection on, dialect {dialect}", result, "unchanged")


def test_a_read_only_token_cannot_publish(migration: Migration, cloudrepo: Repository) -> None:
    source, _ = migration.source(FIRST)
    token = migration.token(cloudrepo, read_only=True)
    result = migration.run(token, cloudrepo.name, source)
    refused = f"the token cannot publish to CloudRepo repository {cloudrepo.name}"
    assert result.output.splitlines() == [ACCEPTED, FOUND, *moved(f"failed: {refused}")]
    assert held(cloudrepo) == {}
    migration.note("with a read-only token", result, "refused")


def test_a_token_reaches_its_own_repository_alone(
    migration: Migration, cloudrepo: Repository
) -> None:
    source, _ = migration.source(FIRST)
    result = migration.run(migration.token(source), cloudrepo.name, source)
    refused = f"the token cannot reach CloudRepo repository {cloudrepo.name}"
    assert result.output.startswith(f"{ACCEPTED}\nensure_repository: {refused}")
    migration.note("with another repository's token", result, "refused")


def test_a_repository_that_is_not_there(migration: Migration) -> None:
    source, _ = migration.source(FIRST)
    result = migration.run(migration.token(source), "absent", source)
    assert result.output.startswith(
        f"{ACCEPTED}\nensure_repository: CloudRepo has no repository absent"
    )
    migration.note("a repository that is not there", result, "refused")


def test_a_wrong_token_is_refused(migration: Migration) -> None:
    source, _ = migration.source(FIRST)
    result = migration.run("cloudrepo.0123456789.wrong", source.name, source)
    assert result.output.startswith("check_token: CloudRepo refused the token")
    assert "answered 401" in result.output
    migration.note("with a wrong token", result, "refused")
