"""Project pages of the dialect `pypi` may be cached for ten minutes, and real tools do this.

The environments of the fixtures disable the caches of pip, uv and PDM, so a published file can be
installed at once. A test that enables the caches gets the behaviour of these tools towards PyPI.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Literal

import pytest

from cloudrepo_server.clients import public_index

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pytest_cloudrepo import PackageFactory, Repository, RepositoryFactory, VirtualEnv

Installer = Literal["pip", "uv"]

PIP = "from pip._internal.cli.main import main; raise SystemExit(main())"
LATER = "import time; real = time.time; time.time = lambda: real() + {seconds}; " + PIP


@pytest.fixture
def pypi(cloudrepo_factory: RepositoryFactory) -> Repository:
    return cloudrepo_factory(dialect="pypi")


def cached(environ: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Return an environment in which pip and uv have a cache."""
    disabled = ("PIP_NO_CACHE_DIR", "UV_NO_CACHE")
    kept = {name: value for name, value in environ.items() if name not in disabled}
    return kept | {"PIP_CACHE_DIR": str(folder / "pip"), "UV_CACHE_DIR": str(folder / "uv")}


def latest(
    repository: Repository, environ: Mapping[str, str], *arguments: str, seconds: int = 0
) -> str:
    """Return the version of demo that pip would install that many seconds from now."""
    program = (sys.executable, "-c", LATER.format(seconds=seconds))
    dry_run = ("install", "--dry-run", "--ignore-installed", "--no-deps", *arguments, "demo")
    output = repository.run(*program, *dry_run, environ=environ).stdout
    return output.rpartition("Would install demo-")[2].strip()


def resolved(
    installer: Installer,
    repository: Repository,
    environ: Mapping[str, str],
    folder: Path,
    *arguments: str,
) -> str:
    """Return the version of demo that an installer would install now."""
    if installer == "pip":
        return latest(repository, environ, *arguments)
    requirements = folder / "requirements.in"
    requirements.write_text("demo\n", "utf-8")
    options = ("--quiet", "--no-header", "--no-annotate", *arguments)
    compiled = repository.run("uv", "pip", "compile", *options, requirements, environ=environ)
    return compiled.stdout.strip().removeprefix("demo==")


def page_requests(repository: Repository) -> list[int | None]:
    return [request.status for request in repository.requests if request.path.endswith("/demo/")]


def test_pip_keeps_a_page_for_ten_minutes_and_refreshes_it_on_demand(
    pypi: Repository, cloudrepo_package: PackageFactory, tmp_path: Path
) -> None:
    environ = cached(pypi.impersonate("pypi"), tmp_path)
    pypi.publish(cloudrepo_package("demo", "1.0"))
    assert latest(pypi, environ) == "1.0"
    pypi.publish(cloudrepo_package("demo", "2.0"))
    assert latest(pypi, environ) == "1.0"
    assert latest(pypi, environ, seconds=480) == "1.0"
    assert page_requests(pypi) == [200]
    assert latest(pypi, environ, "--refresh-package", "demo") == "2.0"
    assert page_requests(pypi) == [200, 200]


def test_pip_reads_a_page_again_after_ten_minutes(
    pypi: Repository, cloudrepo_package: PackageFactory, tmp_path: Path
) -> None:
    environ = cached(pypi.impersonate("pypi"), tmp_path)
    pypi.publish(cloudrepo_package("demo", "1.0"))
    assert latest(pypi, environ) == "1.0"
    assert latest(pypi, environ, seconds=610) == "1.0"
    assert page_requests(pypi) == [200, 304]
    pypi.publish(cloudrepo_package("demo", "2.0"))
    assert latest(pypi, environ, seconds=1220) == "2.0"


def test_pip_with_a_cache_reads_pages_of_other_dialects_each_time(
    cloudrepo: Repository, cloudrepo_package: PackageFactory, tmp_path: Path
) -> None:
    environ = cached(cloudrepo.impersonate("pypi"), tmp_path)
    for version in ("1.0", "2.0"):
        cloudrepo.publish(cloudrepo_package("demo", version))
        assert latest(cloudrepo, environ) == version


@pytest.mark.parametrize("installer", ["pip", "uv"])
def test_installers_keep_a_page_as_long_as_the_setting_says_and_refresh_it_on_demand(
    cloudrepo_factory: RepositoryFactory,
    cloudrepo_package: PackageFactory,
    installer: Installer,
    tmp_path: Path,
) -> None:
    repository = cloudrepo_factory(page_max_age=600)
    environ = cached(repository.impersonate("pypi"), tmp_path)
    repository.publish(cloudrepo_package("demo", "1.0"))
    assert resolved(installer, repository, environ, tmp_path) == "1.0"
    repository.publish(cloudrepo_package("demo", "2.0"))
    assert resolved(installer, repository, environ, tmp_path) == "1.0"
    refresh = ("--refresh-package", "demo")
    assert resolved(installer, repository, environ, tmp_path, *refresh) == "2.0"
    assert page_requests(repository) == [200, 200]


@pytest.mark.parametrize(("kind", "status"), [(None, 304), ("missing-etag", 200)])
@pytest.mark.parametrize("installer", ["pip", "uv"])
def test_installers_can_revalidate_only_a_page_with_an_entity_tag(
    cloudrepo: Repository,
    cloudrepo_package: PackageFactory,
    installer: Installer,
    kind: str | None,
    status: int,
    tmp_path: Path,
) -> None:
    environ = cached(cloudrepo.impersonate("pypi"), tmp_path)
    cloudrepo.publish(cloudrepo_package("demo", "1.0"))
    if kind is not None:
        cloudrepo.fault(kind)
    for _ in range(2):
        assert resolved(installer, cloudrepo, environ, tmp_path) == "1.0"
    assert page_requests(cloudrepo) == [200, status]
    last = [request for request in cloudrepo.requests if request.kind == "page"][-1]
    assert ("If-None-Match" in last.headers) == (status == 304)


@pytest.mark.parametrize("installer", ["pip", "uv"])
def test_a_stale_page_hides_an_upload_even_from_an_installer_that_refreshes_it(
    cloudrepo: Repository,
    cloudrepo_package: PackageFactory,
    installer: Installer,
    tmp_path: Path,
) -> None:
    environ = cached(cloudrepo.impersonate("pypi"), tmp_path)
    cloudrepo.publish(cloudrepo_package("demo", "1.0"))
    with cloudrepo.fault("stale-page"):
        cloudrepo.publish(cloudrepo_package("demo", "2.0"))
        refresh = ("--refresh-package", "demo")
        assert resolved(installer, cloudrepo, environ, tmp_path, *refresh) == "1.0"
    assert resolved(installer, cloudrepo, environ, tmp_path) == "2.0"


@pytest.mark.parametrize("installer", ["pip", "uv"])
def test_a_published_file_can_be_installed_at_once_by_the_programs_of_fixtures(
    pypi: Repository,
    cloudrepo_package: PackageFactory,
    cloudrepo_venv: VirtualEnv,
    installer: Installer,
) -> None:
    environ = pypi.impersonate("pypi")
    index = public_index("pypi").simple
    for version in ("1.0", "2.0", "3.0"):
        pypi.publish(cloudrepo_package("demo", version))
        cloudrepo_venv.install("--upgrade", "demo", index=pypi, installer=installer)
        assert cloudrepo_venv.version("demo") == version
        assert latest(pypi, environ, "--index-url", index) == version
