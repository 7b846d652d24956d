"""Real distributions from PyPI: uploaded with twine, and installed from the repository only."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from packaging.utils import canonicalize_name, parse_sdist_filename, parse_wheel_filename

from pytest_cloudrepo import Repository, VirtualEnv
from pytest_cloudrepo._programs import command

if TYPE_CHECKING:
    from collections.abc import Sequence

TIMEOUT = 600.0

# Pure and platform wheels, and names with dots, underscores and capitals. Dependencies are added.
WHEELS = (
    "requests==2.32.3",
    "Jinja2==3.1.4",
    "ruamel.yaml==0.18.6",
    "zope.interface==7.1.0",
    "numpy==2.1.2",
    "PyYAML==6.0.2",
    "typing_extensions==4.12.2",
    "jaraco.text==4.0.0",
    "backports.tarfile==1.2.0",
    "Flask==3.0.3",
)
# Old and new sdists: with only a setup.py, with capitals in the name, with metadata older than 2.2,
# and built by hatchling and flit.
SDISTS = (
    "six==1.16.0",
    "MarkupSafe==1.1.1",
    "zope.event==4.5.0",
    "docopt==0.6.2",
    "Werkzeug==0.16.1",
    "itsdangerous==2.2.0",
    "tomli==2.0.2",
    "requests==2.31.0",
)
# The build backends of the sdists.
BUILD_BACKENDS = ("setuptools<81", "wheel", "flit-core<4")


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The downloaded files. PYTEST_CLOUDREPO_DISTRIBUTIONS can name a folder that keeps them."""
    chosen = os.environ.get("PYTEST_CLOUDREPO_DISTRIBUTIONS")
    folder = Path(chosen) if chosen else tmp_path_factory.mktemp("distributions")
    download(folder, *WHEELS, "--only-binary=:all:")
    # pip builds the metadata of each sdist, for which it installs the sdist's build requirements.
    download(folder, *SDISTS, "--no-binary=" + ",".join(map(name_of, SDISTS)), "--no-deps")
    return sorted(folder.iterdir())


def name_of(requirement: str) -> str:
    return requirement.partition("==")[0]


def download(folder: Path, *arguments: str) -> None:
    # With the pip configuration of this machine, because the files come from the public index.
    command.run(
        [sys.executable, "-m", "pip", "download", "--quiet", "--dest", folder, *arguments],
        environ=os.environ,
        timeout=TIMEOUT,
    )


def project_names(files: Sequence[Path]) -> set[str]:
    return {
        parse_wheel_filename(file.name)[0]
        if file.suffix == ".whl"
        else parse_sdist_filename(file.name)[0]
        for file in files
    }


def test_pip_installs_real_distributions_that_twine_uploaded(
    cloudrepo: Repository, cloudrepo_venv: VirtualEnv, distributions: list[Path]
) -> None:
    assert len(distributions) >= 20

    cloudrepo.upload(*distributions)

    for name in project_names(distributions):
        expected = {file.name for file in distributions if name in project_names([file])}
        assert set(cloudrepo.files(name)) == expected
    names = [name_of(requirement) for requirement in WHEELS]
    cloudrepo_venv.install(*names, index=cloudrepo)
    for requirement in WHEELS:
        name, _, version = requirement.partition("==")
        assert cloudrepo_venv.version(name) == version
    check = cloudrepo_venv.run("-m", "pip", "check")
    assert "No broken requirements found" in check.output
    downloaded = {request.project for request in cloudrepo.requests.downloads()}
    assert downloaded >= {canonicalize_name(name) for name in names}


def test_pip_builds_and_installs_real_sdists(
    cloudrepo: Repository, cloudrepo_venv: VirtualEnv, distributions: list[Path]
) -> None:
    sdists = [file for file in distributions if file.name.startswith(("six-", "tomli-"))]
    folder = sdists[0].parent.parent / "build-backends"
    download(folder, *BUILD_BACKENDS, "--only-binary=:all:")
    cloudrepo.upload(*sdists, *folder.iterdir())

    cloudrepo_venv.install("six", "tomli", "--no-binary=six,tomli", index=cloudrepo)

    assert cloudrepo_venv.version("six") == "1.16.0"
    assert cloudrepo_venv.version("tomli") == "2.0.2"
