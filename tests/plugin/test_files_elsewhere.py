"""What real installers request from an index and from another host with its files.

Only the requests to the index carry the login.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal
from urllib.parse import quote

import pytest

from cloudrepo_server.clients import public_index
from tests.support.real_client import INSTALLERS

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_cloudrepo import (
        PackageFactory,
        Repository,
        RepositoryFactory,
        Request,
        Server,
        VirtualEnv,
    )

Installer = Literal["pip", "uv"]
Place = Literal["other-host", "redirect"]


def from_index(repository: Repository) -> list[Request]:
    """Return the requests to the index, without those that were rejected for lack of a login."""
    return [
        each
        for each in repository.requests
        if not each.path.startswith("/files/") and each.status != 401
    ]


def from_file_host(repository: Repository) -> list[Request]:
    return [each for each in repository.requests if each.path.startswith("/files/")]


@pytest.mark.parametrize("installer", ["pip", "uv"])
@pytest.mark.parametrize("files", ["other-host", "redirect"])
def test_installers_send_the_login_to_the_index_only(
    cloudrepo_factory: RepositoryFactory,
    cloudrepo_venv: VirtualEnv,
    installer: Installer,
    files: Place,
) -> None:
    cloudrepo = cloudrepo_factory(files=files)
    cloudrepo.publish_all({"demo": {"1.0": ["lib"]}, "lib": {"1.0": []}})
    cloudrepo_venv.install("demo", index=cloudrepo, installer=installer)
    assert cloudrepo_venv.version("lib") == "1.0"
    assert all(request.authorized for request in from_index(cloudrepo))
    assert not any(request.authorized for request in from_file_host(cloudrepo))
    kinds = sorted(str(request.kind) for request in from_file_host(cloudrepo))
    assert kinds == ["file", "file", "metadata", "metadata"]
    redirects = [request for request in from_index(cloudrepo) if request.status == 302]
    assert len(redirects) == (4 if files == "redirect" else 0)


@pytest.mark.parametrize("installer", ["pip", "uv"])
def test_an_expired_url_makes_the_installation_fail(
    cloudrepo_factory: RepositoryFactory, cloudrepo_venv: VirtualEnv, installer: Installer
) -> None:
    cloudrepo = cloudrepo_factory(files="redirect", file_url_seconds=0)
    cloudrepo.publish_all({"demo": {"1.0": []}})
    assert not cloudrepo_venv.install("demo", index=cloudrepo, installer=installer, check=False).ok
    assert {request.status for request in from_file_host(cloudrepo)} == {403}


def test_uv_follows_no_redirect_of_a_range_request_and_downloads_the_wheel_twice(
    cloudrepo_factory: RepositoryFactory, cloudrepo_venv: VirtualEnv
) -> None:
    cloudrepo = cloudrepo_factory(files="redirect", dialect="cloudrepo")
    cloudrepo.publish_all({"demo": {"1.0": []}})
    cloudrepo_venv.install("demo", index=cloudrepo, installer="uv")
    ranges = [request.status for request in from_index(cloudrepo) if "Range" in request.headers]
    assert ranges == [302]
    assert [
        (request.method, request.status, request.authorized)
        for request in from_file_host(cloudrepo)
    ] == [("HEAD", 200, False), ("GET", 200, False), ("GET", 200, False)]


@pytest.mark.parametrize("files", ["other-host", "redirect"])
@pytest.mark.parametrize("installer", ["pip", "uv"])
def test_the_files_of_an_impersonated_index_are_on_another_impersonated_host(
    cloudrepo_factory: RepositoryFactory, installer: Installer, files: Place, tmp_path: Path
) -> None:
    cloudrepo = cloudrepo_factory(files=files)
    cloudrepo.publish_all({"demo": {"1.0": []}})
    environ = cloudrepo.impersonate("https://index.example/simple")
    options = ("demo", "--index-url", "https://index.example/simple", "--target", tmp_path / "to")
    cloudrepo.run(*INSTALLERS[installer], "install", *options, environ=environ)
    assert (tmp_path / "to" / "demo-1.0.dist-info").is_dir()
    hosts = {request.headers["Host"] for request in from_file_host(cloudrepo)}
    assert hosts == {"files.index.example"}
    assert not [request for request in cloudrepo.requests if request.kind == "blocked"]


@pytest.mark.parametrize("dialect", ["modern", "pypi"])
@pytest.mark.parametrize("files", ["other-host", "redirect"])
def test_the_files_of_an_impersonated_public_index_are_on_its_host_for_files(
    cloudrepo_factory: RepositoryFactory,
    cloudrepo_package: PackageFactory,
    files: Place,
    dialect: str,
    tmp_path: Path,
) -> None:
    cloudrepo = cloudrepo_factory(files=files, dialect=dialect, rules="none")
    cloudrepo.publish(cloudrepo_package("demo", "1.0"))
    environ = cloudrepo.impersonate("pypi")
    cloudrepo.run("uv", "pip", "install", "demo", "--target", tmp_path / "to", environ=environ)
    *_, last = cloudrepo.requests
    assert (last.kind, last.status) == ("file", 200)
    assert "https://" + last.headers["Host"] == public_index("pypi").files


@pytest.mark.parametrize("files", ["other-host", "redirect"])
def test_the_other_host_has_a_certificate_of_the_same_authority(
    cloudrepo_factory: RepositoryFactory, cloudrepo_server: Server, files: Place, tmp_path: Path
) -> None:
    cloudrepo = cloudrepo_factory(files=files)
    cloudrepo.publish_all({"demo": {"1.0": []}})
    login = f"://{quote(cloudrepo.username)}:{cloudrepo.password}@"
    index_url = cloudrepo.https_url.replace("://", login)
    environ = cloudrepo.environ_for("uv") | {"SSL_CERT_FILE": str(cloudrepo_server.ca)}
    options = ("--index-url", index_url, "--target", tmp_path / "to", "demo")
    cloudrepo.run("uv", "pip", "install", *options, environ=environ)
    *_, last = cloudrepo.requests
    assert (last.kind, last.status, last.authorized) == ("file", 200, False)
