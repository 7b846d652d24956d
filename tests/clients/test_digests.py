"""Which digests real installers compare: pages list one digest, and it is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.clients import catalogue
from tests.support.clients.installs import install
from tests.support.clients.releases import GRAPH
from tests.support.clients.sections import DIGESTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_cloudrepo.factories import RepositoryFactory
    from pytest_cloudrepo.repository import Repository
    from tests.support.clients.client import Client
    from tests.support.clients.installer import Installer

ALGORITHMS = ("sha256", "sha384", "sha512", "md5", "blake2b")
# The digests that a client does not compare.
NOT_COMPARED = {("pdm", "md5"), ("pdm", "blake2b")}
# The digest with which a client rejects the page, and requests no file.
NOT_READ = {("uv", "blake2b")}


@pytest.mark.parametrize("client", catalogue.INSTALLERS, ids=str)
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_file_with_a_wrong_digest_is_not_installed(
    client: Client,
    algorithm: str,
    cloudrepo_factory: RepositoryFactory,
    create_installer: Callable[[Client, Repository], Installer],
) -> None:
    repository = cloudrepo_factory(digests=[algorithm])
    repository.publish_all(GRAPH)
    repository.fault("wrong-hash")
    installer = create_installer(client, repository)
    result = install(installer)
    is_ignored = (client.name, algorithm) in NOT_COMPARED
    assert result.ok == is_ignored, result.output
    assert {request.status for request in repository.requests} <= {200, 206}
    # Otherwise the client has failed before it could compare the digest of the file.
    assert bool(repository.requests.downloads()) == ((client.name, algorithm) not in NOT_READ)
    outcome = "installed: this client does not compare the digest" if is_ignored else "rejected"
    installer.record(DIGESTS, f'`digests=["{algorithm}"]`', result, outcome)
