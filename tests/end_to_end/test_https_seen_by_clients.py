"""HTTPS from the fixtures, and mutual TLS, with pip, uv, twine, Poetry and requests."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
import requests
import trustme

from pytest_cloudrepo import CommandResult, PackageFactory, Repository
from pytest_cloudrepo.client import Server
from tests.support.platforms import needs_posix
from tests.support.real_client import INSTALLERS, NO_RETRIES


def with_credentials(repository: Repository, url: str) -> str:
    login = repository.index_url.partition("://")[2].rpartition("@")[0]
    return url.replace("://", f"://{login}@", 1)


def install(
    installer: str, repository: Repository, url: str, target: Path, certificate: Path | None = None
) -> CommandResult:
    """Install demo from a URL of the repository, with the environment of `Repository.run`."""
    index, client_certificate = {
        "pip": ("PIP_INDEX_URL", "PIP_CLIENT_CERT"),
        "uv": ("UV_DEFAULT_INDEX", "SSL_CLIENT_CERT"),
    }[installer]
    environ = {**repository.environ, **NO_RETRIES, index: with_credentials(repository, url)}
    if certificate is not None:
        environ[client_certificate] = str(certificate)
    command = (*INSTALLERS[installer], "install", "--target", target, "demo")
    return repository.run(*command, environ=environ, check=False)


@pytest.mark.parametrize("installer", ["pip", "uv"])
def test_an_installer_uses_https(
    installer: str, cloudrepo: Repository, cloudrepo_package: PackageFactory, tmp_path: Path
) -> None:
    cloudrepo.publish(cloudrepo_package("demo", "1.0"))
    installed = install(installer, cloudrepo, cloudrepo.https_url, tmp_path / "target")
    assert installed.ok, installed.output
    assert {request.status for request in cloudrepo.requests} <= {200, 401}


def test_twine_and_requests_trust_the_ca_file(
    cloudrepo: Repository, cloudrepo_server: Server, cloudrepo_package: PackageFactory
) -> None:
    url, ca = cloudrepo.https_url, cloudrepo_server.ca
    assert url.startswith("https://127.0.0.1:")
    assert cloudrepo_server.ca == ca
    environ = {**cloudrepo.environ, "TWINE_REPOSITORY_URL": url, "TWINE_CERT": str(ca)}
    # requests prefers these variables to the CA file that twine passes to it.
    del environ["REQUESTS_CA_BUNDLE"], environ["CURL_CA_BUNDLE"]
    cloudrepo.run("twine", "upload", cloudrepo_package("demo", "1.0"), environ=environ)
    login = (cloudrepo.username, cloudrepo.password)
    assert requests.get(url, auth=login, verify=str(ca), timeout=30).status_code == 200
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(url, auth=login, timeout=30)


@pytest.mark.parametrize("installer", ["pip", "uv"])
def test_an_installer_needs_the_client_certificate(
    installer: str,
    cloudrepo: Repository,
    cloudrepo_server: Server,
    cloudrepo_package: PackageFactory,
    tmp_path: Path,
) -> None:
    cloudrepo.publish(cloudrepo_package("demo", "1.0"))
    url, certificate = cloudrepo.mutual_tls_url, cloudrepo_server.client_certificate.path
    rejected = install(installer, cloudrepo, url, tmp_path / "target")
    assert not rejected.ok
    assert cloudrepo.requests == []
    accepted = install(installer, cloudrepo, url, tmp_path / "target", certificate)
    assert accepted.ok, accepted.output


def test_twine_needs_the_client_certificate(
    cloudrepo: Repository, cloudrepo_server: Server, cloudrepo_package: PackageFactory
) -> None:
    environ = {**cloudrepo.environ, "TWINE_REPOSITORY_URL": cloudrepo.mutual_tls_url}
    upload = ("twine", "upload", cloudrepo_package("demo", "1.0"))
    assert not cloudrepo.run(*upload, environ=environ, check=False).ok
    assert cloudrepo.requests == []
    certificate = cloudrepo_server.client_certificate.path
    cloudrepo.run(*upload, "--client-cert", certificate, environ=environ)
    assert cloudrepo.versions("demo") == ["1.0"]


def test_requests_needs_the_client_certificate(
    cloudrepo: Repository, cloudrepo_server: Server
) -> None:
    url, certificate = cloudrepo.mutual_tls_url, cloudrepo_server.client_certificate
    assert url != cloudrepo.https_url
    login, ca = (cloudrepo.username, cloudrepo.password), str(cloudrepo_server.ca)
    for cert in (str(certificate.path), (str(certificate.certificate), str(certificate.key))):
        response = requests.get(url, auth=login, verify=ca, cert=cert, timeout=30)
        assert response.status_code == 200
        # The certificate does not replace the login.
        assert requests.get(url, verify=ca, cert=cert, timeout=30).status_code == 401
    with pytest.raises(requests.exceptions.ConnectionError):
        requests.get(url, auth=login, verify=ca, timeout=30)


def test_a_certificate_of_another_authority_is_rejected(
    cloudrepo: Repository, cloudrepo_server: Server, tmp_path: Path
) -> None:
    other = tmp_path / "other.pem"
    issued = trustme.CA().issue_cert("client@example.com")
    issued.private_key_and_cert_chain_pem.write_to_path(str(other))
    with pytest.raises(requests.exceptions.ConnectionError):
        requests.get(
            cloudrepo.mutual_tls_url, verify=str(cloudrepo_server.ca), cert=str(other), timeout=30
        )


@needs_posix("POSIX permissions")
def test_only_the_owner_can_read_the_key(cloudrepo_server: Server) -> None:
    certificate = cloudrepo_server.client_certificate
    for path in (certificate.path, certificate.key):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "PRIVATE KEY" not in cloudrepo_server.ca.read_text()
    assert "PRIVATE KEY" not in certificate.certificate.read_text()
