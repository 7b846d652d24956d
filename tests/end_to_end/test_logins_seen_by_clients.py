"""Logins that fail or differ from a user name and passphrase, with real clients."""

from __future__ import annotations

from pathlib import Path
from typing import Literal
from urllib.parse import quote

import pytest

from pytest_cloudrepo import (
    PackageFactory,
    Repository,
    RepositoryFactory,
    RepositoryUser,
    Secret,
    VirtualEnv,
    VirtualEnvFactory,
)
from pytest_cloudrepo.client import Server
from tests.support.real_client import INSTALLERS, NO_RETRIES, Client


@pytest.mark.parametrize("tool", ["pip", "uv"])
def test_an_install_fails_after_its_token_expired(
    tool: str,
    cloudrepo: Repository,
    cloudrepo_server: Server,
    cloudrepo_package: PackageFactory,
    tmp_path: Path,
) -> None:
    cloudrepo.publish(cloudrepo_package("demo", "1.0"), cloudrepo_package("other", "1.0"))
    token = cloudrepo_server.create_token(cloudrepo, read_only=True, expires_in=3600)
    installer = Client(tool, cloudrepo.as_user(token), tmp_path)
    assert installer.install("demo").ok
    cloudrepo_server.expire_token(token)
    failed = installer.install("other")
    assert not failed.ok
    assert cloudrepo.requests[-1].status == 401
    assert "expired at" in str(cloudrepo.requests[-1].error)


@pytest.mark.parametrize("tool", ["twine", "uv"])
@pytest.mark.parametrize(("dialect", "status"), [("modern", 401), ("pypi", 403)])
def test_an_upload_with_an_expired_token_shows_the_rejection(
    tool: str,
    dialect: str,
    status: int,
    cloudrepo_factory: RepositoryFactory,
    cloudrepo_server: Server,
    cloudrepo_package: PackageFactory,
    tmp_path: Path,
) -> None:
    repository = cloudrepo_factory(dialect=dialect)
    token = cloudrepo_server.create_token(repository, expires_in=-1)
    publisher = Client(tool, repository.as_user(token), tmp_path)
    rejected = publisher.publish(cloudrepo_package("demo", "1.0"))
    assert not rejected.ok
    assert str(status) in rejected.output
    assert repository.files("demo") == []


@pytest.mark.parametrize("password", ["", "x"], ids=["without-password", "with-any-password"])
@pytest.mark.parametrize(("installer", "publisher"), [("pip", "twine"), ("uv", "uv")])
def test_a_token_is_sent_as_the_user_name(
    installer: str,
    publisher: str,
    password: str,
    cloudrepo: Repository,
    cloudrepo_server: Server,
    cloudrepo_package: PackageFactory,
    tmp_path: Path,
) -> None:
    token = cloudrepo_server.create_token(cloudrepo)
    repository = cloudrepo.as_user(token.as_username(password))
    published = Client(publisher, repository, tmp_path).publish(cloudrepo_package("demo", "1.0"))
    assert published.ok, published.output
    installed = Client(installer, repository, tmp_path).install("demo")
    assert installed.ok, installed.output
    assert {request.user for request in cloudrepo.requests if request.status == 200} == {
        f"token {token.id}"
    }


def test_any_login_is_accepted_by_a_setting(
    cloudrepo_factory: RepositoryFactory, cloudrepo_package: PackageFactory, tmp_path: Path
) -> None:
    repository = cloudrepo_factory(logins="any")
    anybody = repository.as_user(RepositoryUser("ci", Secret("any-password")))
    for publisher, version in (("twine", "1.0"), ("uv", "2.0")):
        published = Client(publisher, anybody, tmp_path).publish(cloudrepo_package("demo", version))
        assert published.ok, published.output
    for installer in ("pip", "uv"):
        folder = tmp_path / installer
        folder.mkdir()
        installed = Client(installer, anybody, folder).install("demo")
        assert installed.ok, installed.output
    assert {request.user for request in repository.requests if request.status == 200} == {"ci"}


@pytest.mark.cloudrepo(anonymous="upload")
def test_twine_publishes_and_pip_and_uv_install_without_a_login(
    cloudrepo: Repository, cloudrepo_package: PackageFactory, cloudrepo_venv: VirtualEnv
) -> None:
    upload = ("twine", "upload", "--repository-url", cloudrepo.url, "-u", "", "-p", "")
    cloudrepo.run(*upload, cloudrepo_package("demo", "1.0"), cloudrepo_package("other", "1.0"))
    cloudrepo_venv.install("demo", index=cloudrepo.url)
    cloudrepo_venv.install("other", index=cloudrepo.url, installer="uv")
    assert {request.user for request in cloudrepo.requests} == {None}


@pytest.mark.parametrize("installer", ["pip", "uv"])
def test_a_private_project_is_not_installed_without_a_login(
    installer: Literal["pip", "uv"],
    cloudrepo_factory: RepositoryFactory,
    cloudrepo_package: PackageFactory,
    cloudrepo_venv_factory: VirtualEnvFactory,
) -> None:
    repository = cloudrepo_factory(public=True, anonymous="read", private_projects=["acme-*"])
    repository.publish(
        *(cloudrepo_package(name, "1.0") for name in ("demo", "other", "acme-tools"))
    )
    venv = cloudrepo_venv_factory(pip=installer == "pip")
    for name, url in (("demo", repository.url), ("other", repository.public_url)):
        index = url if installer == "uv" else f"{url}/"
        assert venv.install(name, index=index, installer=installer).ok
        rejected = venv.install("acme-tools", index=index, installer=installer, check=False)
        assert not rejected.ok
        assert repository.requests[-1].status == 401
    assert venv.install("acme-tools", index=repository, installer=installer).ok


@pytest.mark.parametrize("installer", ["pip", "uv"])
def test_an_impersonated_private_index_needs_the_credentials(
    installer: str, cloudrepo: Repository, cloudrepo_package: PackageFactory, tmp_path: Path
) -> None:
    cloudrepo.publish(cloudrepo_package("demo", "1.0"))
    host = "index.example/simple/"
    login = f"{quote(cloudrepo.username, safe='')}:{quote(cloudrepo.password, safe='')}"
    environ = cloudrepo.impersonate(f"https://{host}", requires_login=True)
    install = (*INSTALLERS[installer], "install", "--target", tmp_path / "target", "demo")
    for url, succeeds in ((f"https://{host}", False), (f"https://{login}@{host}", True)):
        result = cloudrepo.run(*install, "--index-url", url, environ=environ, check=False)
        assert result.ok == succeeds, result.output
    assert {request.status for request in cloudrepo.requests} == {200, 401}


@pytest.mark.parametrize("installer", ["pip", "uv"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_an_installer_needs_the_login_of_the_proxy(
    installer: str,
    scheme: str,
    cloudrepo: Repository,
    cloudrepo_package: PackageFactory,
    tmp_path: Path,
) -> None:
    cloudrepo.publish(cloudrepo_package("demo", "1.0"))
    url, password = f"{scheme}://index.example/simple/", "proxy:p@ssword"
    environ = {**cloudrepo.impersonate(url, proxy_login=("corp user", password)), **NO_RETRIES}
    install = (*INSTALLERS[installer], "install", "--target", tmp_path / "target", "demo")
    install += ("--index-url", url)
    if installer == "pip":
        install += ("--trusted-host", "index.example")
    right = f"corp%20user:{quote(password, safe='')}@"
    for login in ("", "corp%20user:wrong@"):
        wrong = {name: value.replace(right, login) for name, value in environ.items()}
        rejected = cloudrepo.run(*install, environ=wrong, check=False)
        assert not rejected.ok
        assert {request.status for request in cloudrepo.requests} == {407}
        cloudrepo.requests.clear()
    cloudrepo.run(*install, environ=environ)
    assert {request.status for request in cloudrepo.requests} == {200}
