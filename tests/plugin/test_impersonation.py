"""Programs reach a repository at the URLs of other hosts: by name, on loopback, in any spelling."""

from __future__ import annotations

import itertools
import sys
from typing import TYPE_CHECKING, Any

import pytest

from cloudrepo_server.clients import public_index
from pytest_cloudrepo._programs.network import NetworkGuard
from pytest_cloudrepo.errors import ServerError
from tests.support.platforms import NEEDS_CERTIFICATES_OF_IP_ADDRESSES
from tests.support.real_client import INSTALLERS
from tests.support.real_host import running_host

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pytest_cloudrepo import PackageFactory, Repository

REQUEST_URLS = """
import sys, requests
for url in sys.argv[1:]:
    print(requests.get(url, timeout=30).status_code)
"""
# The same host name in both spellings. A client may use either one, and the test the other.
UNICODE, ENCODED = "bücher.example", "xn--bcher-kva.example"


def statuses(repository: Repository, *urls: str, environ: Mapping[str, str]) -> list[int]:
    """Return the statuses with which a program that uses requests gets these URLs."""
    result = repository.run(sys.executable, "-c", REQUEST_URLS, *urls, environ=environ)
    return [*map(int, result.stdout.split())]


def install(
    repository: Repository,
    installer: str,
    folder: Path,
    *arguments: str,
    environ: Mapping[str, str],
) -> None:
    """Install demo into a folder."""
    target: tuple[str | Path, ...] = ("--target", folder / installer, *arguments, "demo")
    repository.run(*INSTALLERS[installer], "install", *target, environ=environ)
    assert (folder / installer / "demo.py").is_file()


# By name


@pytest.mark.parametrize("installer", ["pip", "uv"])
def test_unchanged_tools_publish_to_pypi_and_install_from_it(
    cloudrepo: Repository, cloudrepo_package: PackageFactory, tmp_path: Path, installer: str
) -> None:
    environ = cloudrepo.impersonate("pypi")
    wheel = cloudrepo_package("demo", "1.0", files={"demo.py": ""})
    cloudrepo.run("twine", "upload", wheel, environ=environ)
    install(cloudrepo, installer, tmp_path, environ=environ)
    assert cloudrepo.files("demo") == [wheel.name]


def test_uv_publishes_to_pypi(cloudrepo: Repository, cloudrepo_package: PackageFactory) -> None:
    environ = cloudrepo.impersonate("pypi")
    wheel = cloudrepo_package("demo", "1.0")
    publish = ("uv", "publish", "--trusted-publishing", "never", wheel)
    cloudrepo.run(*publish, environ=environ)
    assert cloudrepo.files("demo") == [wheel.name]


@pytest.mark.cloudrepo(dialect="pypi")
def test_twine_says_that_the_upload_url_lacks_its_slash(
    cloudrepo: Repository, cloudrepo_package: PackageFactory
) -> None:
    url = public_index("pypi").upload.rstrip("/")
    upload = ("twine", "upload", "--repository-url", url, cloudrepo_package("demo", "1.0"))
    result = cloudrepo.run(*upload, environ=cloudrepo.impersonate("pypi"), check=False)
    assert "Your repository URL is missing a trailing slash" in result.output
    assert cloudrepo.versions("demo") == []


def test_unchanged_tools_publish_to_the_test_instance_of_pypi(
    cloudrepo: Repository, cloudrepo_package: PackageFactory, tmp_path: Path
) -> None:
    environ = cloudrepo.impersonate("testpypi")
    wheel = cloudrepo_package("demo", "1.0", files={"demo.py": ""})
    cloudrepo.run("twine", "upload", "--repository", "testpypi", wheel, environ=environ)
    index = public_index("testpypi").simple
    install(cloudrepo, "pip", tmp_path, "--index-url", index, environ=environ)
    # The public index itself stays blocked.
    assert statuses(cloudrepo, public_index("pypi").simple, environ=environ) == [403]


def test_all_urls_of_both_indexes_can_be_impersonated_at_once(
    cloudrepo: Repository, cloudrepo_package: PackageFactory
) -> None:
    cloudrepo.publish(cloudrepo_package("demo", "1.0"))
    environ = cloudrepo.impersonate("pypi", "testpypi", "http://other.example/")
    indexes = [public_index(name) for name in ("pypi", "testpypi")]
    urls = [
        f"{index.web}{path}" for index in indexes for path in ("/simple/demo/", "/pypi/demo/json")
    ]
    urls.append("http://other.example/demo/")
    assert statuses(cloudrepo, *urls, environ=environ) == [200] * 5
    elsewhere = [f"{indexes[0].web}/search", f"{indexes[0].files}/simple/demo/"]
    assert statuses(cloudrepo, *elsewhere, environ=environ) == [404, 404]


# Loopback


@pytest.mark.parametrize(
    ("scheme", "host"),
    [
        *itertools.product(["http", "https"], ["localhost", "index.localhost"]),
        *itertools.product(["http"], ["127.0.0.1", "[::1]"]),
        pytest.param("https", "127.0.0.1", marks=NEEDS_CERTIFICATES_OF_IP_ADDRESSES),
        pytest.param("https", "[::1]", marks=NEEDS_CERTIFICATES_OF_IP_ADDRESSES),
    ],
)
def test_a_loopback_url_is_impersonated_and_other_local_servers_stay_reachable(
    cloudrepo: Repository,
    cloudrepo_package: PackageFactory,
    tmp_path: Path,
    scheme: str,
    host: str,
) -> None:
    wheel = cloudrepo_package("demo", "1.0", files={"demo.py": ""})
    # A port on which no server listens: the discard protocol's (RFC 863).
    url = f"{scheme}://{host}:9/simple/"
    environ = cloudrepo.impersonate(url)
    cloudrepo.run("twine", "upload", "--repository-url", url, wheel, environ=environ)
    trusted = ("--trusted-host", host) if scheme == "http" else ()
    install(cloudrepo, "pip", tmp_path, "--index-url", url, *trusted, environ=environ)
    if (scheme, host) != ("https", "[::1]"):  # uv cannot: "Invalid Server Name"
        install(cloudrepo, "uv", tmp_path, "--index-url", url, environ=environ)
    with running_host() as other:
        urls = [cloudrepo.url, f"http://localhost:{other.port}/", f"http://127.0.0.1:{other.port}/"]
        assert statuses(cloudrepo, *urls, environ=environ) == [401, 200, 200]


def test_a_loopback_url_is_rejected_if_the_server_is_on_another_machine(tmp_path: Path) -> None:
    def call(*_: str, json: Mapping[str, Any]) -> dict[str, Any]:
        assert json["allow"] == ["localhost"]
        return {"id": "1", "proxy": "http://1:secret@index.example:9", "ca": None}

    guard = NetworkGuard(call, "http://index.example/repositories/x", tmp_path)
    with pytest.raises(ServerError, match=r"localhost cannot be impersonated: .* another machine"):
        guard.impersonate("http://localhost:3141/simple/")


def test_the_host_of_the_server_itself_can_be_impersonated(tmp_path: Path) -> None:
    sent: dict[str, Any] = {}
    with running_host() as proxy:

        def call(*_: str, json: Mapping[str, Any]) -> dict[str, Any]:
            sent.update(json)
            return {"id": "1", "proxy": f"http://1:secret@127.0.0.1:{proxy.port}", "ca": None}

        guard = NetworkGuard(call, "http://index.example/repositories/x", tmp_path)
        variables = guard.impersonate("http://index.example:8080/simple/")
    assert sent["allow"] == ["index.example"]
    assert variables["NO_PROXY"] == variables["no_proxy"] == "127.0.0.1,localhost,::1"


# International host names


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("impersonated", [UNICODE, ENCODED, "BÜCHER.example", "bücher。example"])
def test_a_client_reaches_an_international_host_in_both_spellings(
    cloudrepo: Repository,
    cloudrepo_package: PackageFactory,
    tmp_path: Path,
    scheme: str,
    impersonated: str,
) -> None:
    cloudrepo.publish(cloudrepo_package("demo", "1.0", files={"demo.py": ""}))
    environ = cloudrepo.impersonate(f"{scheme}://{impersonated}/simple/")
    for spelling in (UNICODE, ENCODED):
        url = f"{scheme}://{spelling}/simple/"
        assert statuses(cloudrepo, f"{url}demo/", environ=environ) == [200]
        trusted = ("--trusted-host", spelling) if scheme == "http" else ()
        folder = tmp_path / spelling
        install(cloudrepo, "pip", folder, "--index-url", url, *trusted, environ=environ)
        install(cloudrepo, "uv", folder, "--index-url", url, environ=environ)


@pytest.mark.parametrize("allowed", [UNICODE, ENCODED])
def test_an_allowed_international_host_is_not_blocked_in_either_spelling(
    cloudrepo: Repository, allowed: str
) -> None:
    cloudrepo.allow_hosts(allowed)
    urls = [f"http://{spelling}/" for spelling in (UNICODE, ENCODED)]
    # 502: the proxy would connect to the host, which does not exist.
    assert statuses(cloudrepo, *urls, environ=cloudrepo.environ) == [502, 502]
