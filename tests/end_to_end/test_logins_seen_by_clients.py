"""Logins that fail or differ from a user name and passphrase, with real clients."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_cloudrepo import PackageFactory, Repository, RepositoryFactory
from pytest_cloudrepo.client import Server
from tests.support.real_client import Client


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
