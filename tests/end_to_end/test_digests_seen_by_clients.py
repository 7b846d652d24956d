"""Digests other than sha256, as pip and uv check and lock them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from pytest_cloudrepo import PackageFactory, Repository
from pytest_cloudrepo.factories import RepositoryFactory

INSTALLERS = {"pip": ("pip", "install"), "uv": ("uv", "pip", "install")}


@pytest.fixture
def repository(cloudrepo_factory: RepositoryFactory) -> Repository:
    return cloudrepo_factory(digests=["sha512", "md5"])


@pytest.mark.parametrize("installer", INSTALLERS)
@pytest.mark.parametrize("is_right", [True, False])
def test_installers_compare_a_required_hash_of_the_listed_algorithm(
    repository: Repository,
    cloudrepo_package: PackageFactory,
    tmp_path: Path,
    installer: str,
    *,
    is_right: bool,
) -> None:
    package = cloudrepo_package("demo", "1.0")
    repository.publish(package)
    digest = hashlib.sha512(package.read_bytes() if is_right else b"").hexdigest()
    requirements = tmp_path / "requirements.txt"
    requirements.write_text(f"demo==1.0 --hash=sha512:{digest}\n")
    target = ("--target", tmp_path / "target")
    result = repository.run(
        *INSTALLERS[installer], *target, "--require-hashes", "-r", requirements, check=False
    )
    assert result.ok == is_right, result.output


def test_uv_locks_the_listed_digest(
    repository: Repository, cloudrepo_package: PackageFactory, tmp_path: Path
) -> None:
    package = cloudrepo_package("demo", "1.0")
    repository.publish(package)
    (tmp_path / "requirements.in").write_text("demo\n")
    command = ("uv", "pip", "compile", "--generate-hashes", tmp_path / "requirements.in")
    locked = repository.run(*command).stdout
    digest = hashlib.sha512(package.read_bytes()).hexdigest()
    assert f"--hash=sha512:{digest}" in locked
