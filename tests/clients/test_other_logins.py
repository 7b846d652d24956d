"""Real clients with an expired token, with a client certificate, and without a login."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.support.clients import catalogue, uploaders
from tests.support.clients.installs import install, tls_variables
from tests.support.clients.releases import GRAPH
from tests.support.clients.sections import OTHER_LOGINS
from tests.support.clients.upload_runner import SUCCESS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_cloudrepo.client import Server
    from pytest_cloudrepo.factories import RepositoryFactory
    from pytest_cloudrepo.repository import Repository
    from tests.support.clients.client import Client
    from tests.support.clients.installer import Installer
    from tests.support.clients.upload_runner import UploadRunner

UPLOADERS = (
    *(uploaders.TWINE_6_1, uploaders.TWINE, uploaders.UV),
    *(uploaders.POETRY, uploaders.PDM, uploaders.HATCH, uploaders.FLIT),
)


@pytest.mark.parametrize("client", catalogue.INSTALLERS, ids=str)
def test_an_installer_with_an_expired_token_is_rejected(
    client: Client,
    cloudrepo: Repository,
    cloudrepo_server: Server,
    create_installer: Callable[[Client, Repository], Installer],
) -> None:
    cloudrepo.publish_all(GRAPH)
    token = cloudrepo_server.create_token(cloudrepo, read_only=True, expires_in=-1)
    installer = create_installer(client, cloudrepo.as_user(token))
    result = install(installer)
    assert not result.ok
    assert {request.status for request in cloudrepo.requests} == {401}
    installer.record(OTHER_LOGINS, "install with an expired token", result, "rejected")


@pytest.mark.parametrize("uploader", UPLOADERS, ids=str)
def test_an_upload_with_an_expired_token_is_rejected(
    uploads: UploadRunner, cloudrepo: Repository, cloudrepo_server: Server
) -> None:
    token = cloudrepo_server.create_token(cloudrepo, expires_in=-1)
    result, _ = uploads.run(cloudrepo.as_user(token))
    assert not result.ok
    assert cloudrepo.files("demo") == []
    uploads.record(
        OTHER_LOGINS, "upload with an expired token", result, "rejected", shows="(?i)401|expired"
    )


@pytest.mark.parametrize("client", catalogue.INSTALLERS, ids=str)
def test_an_installer_reads_without_a_login(
    client: Client,
    cloudrepo_factory: RepositoryFactory,
    create_installer: Callable[[Client, Repository], Installer],
) -> None:
    repository = cloudrepo_factory(anonymous="read")
    repository.publish_all(GRAPH)
    installer = create_installer(client, repository)
    result = install(installer, anonymous=True)
    assert result.ok, result.output
    assert not any(request.authorized for request in repository.requests)
    installer.record(OTHER_LOGINS, "install without a login", result, "installed")


@pytest.mark.parametrize("client", catalogue.INSTALLERS, ids=str)
@pytest.mark.parametrize("has_certificate", [True, False])
def test_an_installer_needs_a_client_certificate(
    client: Client,
    cloudrepo: Repository,
    cloudrepo_server: Server,
    create_installer: Callable[[Client, Repository], Installer],
    *,
    has_certificate: bool,
) -> None:
    cloudrepo.publish_all(GRAPH)
    connection = replace(cloudrepo.connection, url=cloudrepo.mutual_tls_url)
    installer = create_installer(client, cloudrepo)
    environ = tls_variables(cloudrepo_server, installer.folder, has_certificate=has_certificate)
    result = install(installer, connection, environ=environ)
    succeeds = has_certificate and client.name != "pdm"
    assert result.ok == succeeds, result.output
    assert bool(cloudrepo.requests) == succeeds
    action = f"install {'with' if has_certificate else 'without'} a client certificate"
    if has_certificate and not succeeds:
        outcome = "fails: this version cannot use a client certificate and a CA file together"
        installer.record(OTHER_LOGINS, action, result, outcome, shows="cannot be combined")
    else:
        outcome = "installed" if succeeds else "rejected"
        installer.record(OTHER_LOGINS, action, result, outcome)


@pytest.mark.parametrize("uploader", [uploaders.TWINE_6_1, uploaders.TWINE], ids=str)
def test_twine_uploads_with_a_client_certificate(
    uploads: UploadRunner, cloudrepo: Repository, cloudrepo_server: Server, tmp_path: Path
) -> None:
    environ = {
        **cloudrepo.environ_for("twine"),
        **tls_variables(cloudrepo_server, tmp_path, has_certificate=True),
        "TWINE_REPOSITORY_URL": cloudrepo.mutual_tls_url,
    }
    option = ("--client-cert", cloudrepo_server.client_certificate.path)
    result, files = uploads.run(cloudrepo, *option, environ=environ)
    assert result.ok, result.output
    assert sorted(cloudrepo.files("demo")) == sorted(files)
    uploads.record(
        OTHER_LOGINS, "upload with a client certificate", result, "stored", shows=SUCCESS
    )
