"""Real distributions: taken from PyPI, uploaded with twine, installed with this index alone."""

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

# Pure and platform wheels, names with dots, underscores and capitals; with all that they need.
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
# Old and new: setup.py alone, a name with capitals, no metadata of 2.2, and hatchling's and flit's.
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
# What the sdists are built with.
TOOLS = ("setuptools<81", "wheel", "flit-core<4")


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The files, kept for later runs where PYTEST_CLOUDREPO_DISTRIBUTIONS names a folder."""
    kept = os.environ.get("PYTEST_CLOUDREPO_DISTRIBUTIONS")
    folder = Path(kept) if kept else tmp_path_factory.mktemp("distributions")
    download(folder, *WHEELS, "--only-binary=:all:")
    # pip builds an sdist's metadata before it keeps it, with the tools that the sdist asks for.
    download(folder, *SDISTS, "--no-binary=" + ",".join(map(name_of, SDISTS)), "--no-deps")
    return sorted(folder.iterdir())


def name_of(requirement: str) -> str:
    return requirement.partition("==")[0]


def download(folder: Path, *arguments: str) -> None:
    # With the machine's own pip configuration: this is an install of ours, not of a user's test.
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


def test_real_distributions_go_in_with_twine_and_come_out_with_pip(
    cloudrepo: Repository, cloudrepo_venv: VirtualEnv, distributions: list[Path]
) -> None:
    assert len(distributions) >= 20

    cloudrepo.upload(*distributions)

    for name in project_names(distributions):
        expected = {file.name for file in distributions if name in project_names([file])}
        assert set(cloudrepo.files(name)) == expected
    wanted = [name_of(requirement) for requirement in WHEELS]
    cloudrepo_venv.install(*wanted, index=cloudrepo)
    for requirement in WHEELS:
        name, _, version = requirement.partition("==")
        assert cloudrepo_venv.version(name) == version
    check = cloudrepo_venv.run("-m", "pip", "check")
    assert "No broken requirements found" in check.output
    downloaded = {request.project for request in cloudrepo.requests.downloads()}
    assert downloaded >= {canonicalize_name(name) for name in wanted}


def test_an_sdist_is_installed_as_it_came(
    cloudrepo: Repository, cloudrepo_venv: VirtualEnv, distributions: list[Path]
) -> None:
    sdists = [file for file in distributions if file.name.startswith(("six-", "tomli-"))]
    folder = sdists[0].parent.parent / "tools"
    download(folder, *TOOLS, "--only-binary=:all:")
    cloudrepo.upload(*sdists, *folder.iterdir())

    cloudrepo_venv.install("six", "tomli", "--no-binary=six,tomli", index=cloudrepo)

    assert cloudrepo_venv.version("six") == "1.16.0"
    assert cloudrepo_venv.version("tomli") == "2.0.2"
