"""Real clients with repositories that imitate other registries: installs, and rejected uploads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cloudrepo_server.specs.dialects import DIALECTS
from tests.support.clients import catalogue
from tests.support.clients.installs import install
from tests.support.clients.releases import GRAPH
from tests.support.clients.sections import INSTALLS_FROM_DIALECTS, REGISTRIES
from tests.support.clients.upload_runner import (
    DIFFERENT_CONTENT,
    SUCCESS,
    served_files,
    upload_statuses,
)
from tests.support.clients.uploaders import PDM, POETRY, TWINE_6_1

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_cloudrepo.factories import RepositoryFactory
    from pytest_cloudrepo.repository import Repository
    from tests.support.clients.client import Client
    from tests.support.clients.installer import Installer
    from tests.support.clients.upload_runner import UploadRunner

# The status with which each dialect rejects an existing file.
STATUSES = {
    "modern": 409,
    "cloudrepo": 409,
    "pypi": 400,
    "devpi": 409,
    "pypiserver": 409,
    "gitlab": 400,
    "nexus": 400,
    "artifactory": 403,
    "gitea": 409,
    "pulp": 400,
    "azure": 409,
    "codeartifact": 409,
    "google": 400,
}
# This dialect accepts the upload, and discards the file.
DISCARDS = "cloudsmith"
NO_REGISTRY = "no-registry"
# twine does not recognize the text of Nexus since version 3.70:
# https://github.com/pypa/twine/issues/1044
NOT_RECOGNIZED = {("twine", "nexus")}
EACH_UPLOADER = pytest.mark.parametrize("uploader", [TWINE_6_1, POETRY, PDM], ids=str)
EACH_INSTALLER = pytest.mark.parametrize("client", catalogue.INSTALLERS, ids=str)


def test_every_dialect_is_tested() -> None:
    assert DIALECTS.keys() == {*STATUSES, DISCARDS, NO_REGISTRY}


@EACH_UPLOADER
@pytest.mark.parametrize("dialect", STATUSES)
def test_the_skip_existing_option_skips_existing_files_in_each_dialect_that_the_client_knows(
    uploads: UploadRunner, cloudrepo_factory: RepositoryFactory, dialect: str
) -> None:
    repository = cloudrepo_factory(dialect=dialect, overwrite_protection=True)
    published = uploads.publish(repository)
    result, _ = uploads.run(repository, "--skip-existing", module=DIFFERENT_CONTENT)
    recognized = (uploads.uploader.client.name, dialect) not in NOT_RECOGNIZED
    assert result.ok == recognized, result.output
    assert served_files(repository) == published
    assert upload_statuses(repository) == [STATUSES[dialect]] * (2 if recognized else 1)
    outcome, shows = ("skipped", "(?i)skip") if recognized else ("rejected", "cannot be updated")
    uploads.record(REGISTRIES, f"dialect {dialect}", result, f"{outcome}, unchanged", shows=shows)


@EACH_UPLOADER
def test_an_upload_succeeds_although_the_registry_discards_the_file(
    uploads: UploadRunner, cloudrepo_factory: RepositoryFactory
) -> None:
    repository = cloudrepo_factory(dialect=DISCARDS, overwrite_protection=True)
    published = uploads.publish(repository)
    result, _ = uploads.run(repository, "--skip-existing", module=DIFFERENT_CONTENT)
    assert result.ok, result.output
    assert served_files(repository) == published
    assert upload_statuses(repository) == [200, 200]
    outcome = "accepted and discarded, unchanged"
    uploads.record(REGISTRIES, f"dialect {DISCARDS}", result, outcome, shows=SUCCESS)


@EACH_UPLOADER
def test_an_upload_to_a_host_without_a_registry_fails(
    uploads: UploadRunner, cloudrepo_factory: RepositoryFactory
) -> None:
    repository = cloudrepo_factory(dialect=NO_REGISTRY)
    result, _ = uploads.run(repository, "--skip-existing")
    assert not result.ok
    assert upload_statuses(repository) == [404]
    uploads.record(REGISTRIES, f"dialect {NO_REGISTRY}", result, "rejected", shows="404")


@EACH_INSTALLER
@pytest.mark.parametrize("dialect", [*STATUSES, DISCARDS])
def test_an_installer_installs_from_each_dialect(
    client: Client,
    dialect: str,
    cloudrepo_factory: RepositoryFactory,
    create_installer: Callable[[Client, Repository], Installer],
) -> None:
    repository = cloudrepo_factory(dialect=dialect)
    repository.publish_all(GRAPH)
    installer = create_installer(client, repository)
    result = install(installer)
    assert result.ok, result.output
    assert repository.requests.downloads()
    installer.record(INSTALLS_FROM_DIALECTS, f"dialect {dialect}", result, "installed")


@EACH_INSTALLER
def test_an_installer_finds_nothing_at_a_host_without_a_registry(
    client: Client,
    cloudrepo_factory: RepositoryFactory,
    create_installer: Callable[[Client, Repository], Installer],
) -> None:
    repository = cloudrepo_factory(dialect=NO_REGISTRY)
    installer = create_installer(client, repository)
    result = install(installer)
    assert not result.ok
    assert {request.status for request in repository.requests} == {404}
    installer.record(INSTALLS_FROM_DIALECTS, f"dialect {NO_REGISTRY}", result, "not found")
