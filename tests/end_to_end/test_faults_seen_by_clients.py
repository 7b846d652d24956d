"""The effect of each fault on installs with pip and uv, and on uploads with twine and uv."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pytest_cloudrepo import PackageFactory, Repository
from tests.support.real_client import Client

METADATA = "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\nRequires-Dist: missing\n"


@pytest.fixture(params=["pip", "uv"])
def installer(request: pytest.FixtureRequest, cloudrepo: Repository, tmp_path: Path) -> Client:
    return Client(request.param, cloudrepo, tmp_path)


@pytest.fixture(params=["twine", "uv"])
def publisher(request: pytest.FixtureRequest, cloudrepo: Repository, tmp_path: Path) -> Client:
    return Client(request.param, cloudrepo, tmp_path)


@pytest.mark.parametrize(
    ("kind", "details"),
    [
        ("status", {"status": 403, "reason": "Not today"}),
        ("status", {"status": 503, "reason": "Sorry"}),
        ("reset", {"when": "before"}),
        ("reset", {"when": "during", "path": "*.whl"}),
        ("truncate", {"keep": 100, "path": "*.whl"}),
        ("corrupt", {"path": "*.whl"}),
        ("wrong-hash", {}),
        ("wrong-metadata-hash", {}),
        ("missing-metadata", {}),
        ("redirect", {"location": "http://127.0.0.1:1/"}),
        ("html-error-page", {}),
        ("wrong-content-type", {}),
        ("other-metadata", {"content": METADATA}),
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(map(str, value.values())),
)
def test_an_install_fails_with_the_fault_and_succeeds_without_it(
    installer: Client, cloudrepo_package: PackageFactory, kind: str, details: dict[str, Any]
) -> None:
    repository = installer.repository
    repository.publish(cloudrepo_package("demo", "1.0"))

    with repository.fault(kind, **details) as fault:
        failed = installer.install("demo")
        affected_requests = fault.struck

    assert not failed.ok, failed.output
    assert affected_requests >= 1
    assert installer.install("demo").ok


@pytest.mark.parametrize(
    ("kind", "details"),
    [("latency", {"seconds": 0.05}), ("drip", {"bytes_per_second": 20_000})],
    ids=["latency", "drip"],
)
def test_an_install_from_a_slow_repository_succeeds(
    installer: Client, cloudrepo_package: PackageFactory, kind: str, details: dict[str, Any]
) -> None:
    repository = installer.repository
    repository.publish(cloudrepo_package("demo", "1.0"))

    with repository.fault(kind, **details) as fault:
        installed = installer.install("demo")

    assert installed.ok, installed.output
    assert fault.struck >= 2


def test_a_stale_page_hides_a_new_release(
    installer: Client, cloudrepo_package: PackageFactory
) -> None:
    repository = installer.repository
    repository.publish(cloudrepo_package("demo", "1.0"))

    with repository.fault("stale-page"):
        repository.publish(cloudrepo_package("demo", "2.0"))
        assert not installer.install("demo==2.0").ok

    assert installer.install("demo==2.0").ok


def test_a_single_401_response_does_not_break_later_installs(
    installer: Client, cloudrepo_package: PackageFactory
) -> None:
    repository = installer.repository
    repository.publish(cloudrepo_package("demo", "1.0"))

    with repository.fault("status", status=401, path="*.whl", times=1) as fault:
        installer.install("demo")

    assert fault.struck == 1
    assert installer.install("demo").ok


@pytest.mark.parametrize(
    ("kind", "details", "stored"),
    [
        ("status", {"status": 403, "reason": "Not today"}, False),
        ("status", {"status": 503, "reason": "Sorry"}, False),
        ("reset", {"when": "before"}, False),
        ("reset", {"when": "during"}, False),
        ("reset", {"when": "after"}, True),
        ("stored-then-error", {"status": 502}, True),
    ],
    ids=["403", "503", "reset-before", "reset-during", "reset-after", "stored-then-error"],
)
def test_an_upload_fails_whether_or_not_the_file_was_stored(
    publisher: Client,
    cloudrepo_package: PackageFactory,
    kind: str,
    details: dict[str, Any],
    *,
    stored: bool,
) -> None:
    repository, package = publisher.repository, cloudrepo_package("demo", "1.0")

    with repository.fault(kind, **details) as fault:
        failed = publisher.publish(package)

    assert not failed.ok, failed.output
    assert fault.struck >= 1
    assert repository.files("demo") == ([package.name] if stored else [])


def test_twine_recovers_from_temporary_errors(
    cloudrepo: Repository, cloudrepo_package: PackageFactory
) -> None:
    with cloudrepo.fault("status", status=503, times=4) as fault:
        cloudrepo.upload(cloudrepo_package("demo", "1.0"))

    assert fault.struck == 4
    assert [request.status for request in cloudrepo.requests.uploads()] == [503] * 4 + [200]
