"""The sdist and the wheel contain the right files, metadata and entry points."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from configparser import ConfigParser
from email.parser import HeaderParser
from pathlib import Path, PurePosixPath
from sysconfig import get_path
from tomllib import loads

import pytest

from pytest_cloudrepo import check

PROJECT = Path(__file__).parents[2]
PACKAGES = {"pytest_cloudrepo": "pytest_cloudrepo", "server/cloudrepo_server": "cloudrepo_server"}
STEM = "pytest_cloudrepo-" + loads((PROJECT / "pyproject.toml").read_text())["project"]["version"]

pytestmark = pytest.mark.skipif(
    not (PROJECT / ".git").exists(), reason="git lists the files of the project"
)


@pytest.fixture(scope="module")
def tracked() -> set[str]:
    """The paths of the project's files."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"],  # noqa: S607 (wherever git is)
        cwd=PROJECT,
        check=True,
        capture_output=True,
        text=True,
    )
    # git also lists a deleted file whose deletion is not committed yet.
    return {name for name in listed.stdout.split("\0") if name and (PROJECT / name).exists()}


def build(source: Path, dist: Path, tracked: set[str], *, mode: int) -> Path:
    """Build the sdist and the wheel from a copy of the tracked files, and return their folder."""
    for name in tracked:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(PROJECT / name, source / name)
        (source / name).chmod(mode)
    build = [sys.executable, "-m", "build", "--no-isolation", "--sdist", "--wheel"]
    done = subprocess.run(
        [*build, "--outdir", dist, source], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return dist


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, tracked: set[str]) -> Path:
    """A folder with the sdist and the wheel."""
    source, dist = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    return build(source, dist, tracked, mode=0o644)


@pytest.fixture
def wheel(built: Path) -> Iterator[zipfile.ZipFile]:
    with zipfile.ZipFile(built / f"{STEM}-py3-none-any.whl") as archive:
        yield archive


def test_an_sdist_and_a_wheel_are_built(built: Path) -> None:
    names = {path.name for path in built.iterdir()}
    assert names == {f"{STEM}.tar.gz", f"{STEM}-py3-none-any.whl"}


def test_the_same_pythons_are_declared_and_tested() -> None:
    classifiers = loads((PROJECT / "pyproject.toml").read_text())["project"]["classifiers"]
    declared = {
        line.rpartition(" ")[2] for line in classifiers if re.fullmatch(r".* :: 3\.\d+", line)
    }
    tox = (PROJECT / "tox.ini").read_text()
    assert declared == {f"3.{minor}" for minor in re.findall(r"\bpy3(\d+)\b", tox)}
    workflow = (PROJECT / ".github/workflows/tests.yml").read_text()
    assert declared == set(re.findall(r'"(3\.\d+)"', workflow))


def test_a_second_build_of_the_same_files_is_identical(
    built: Path, tracked: set[str], tmp_path: Path
) -> None:
    again = build(tmp_path / "elsewhere", tmp_path / "dist", tracked, mode=0o600)
    assert {path.name: path.read_bytes() for path in again.iterdir()} == {
        path.name: path.read_bytes() for path in built.iterdir()
    }


def test_pypi_would_accept_the_release(built: Path) -> None:
    assert [finding for path in built.iterdir() for finding in check(path)] == []


def test_the_sdist_contains_every_tracked_file(built: Path, tracked: set[str]) -> None:
    with tarfile.open(built / f"{STEM}.tar.gz") as archive:
        names = {member.name for member in archive.getmembers() if not member.isdir()}
    assert names == {f"{STEM}/{name}" for name in tracked | {"PKG-INFO"}}


def test_the_wheel_contains_the_two_packages_and_nothing_else(
    wheel: zipfile.ZipFile, tracked: set[str]
) -> None:
    packaged = {
        name.replace(folder, package, 1)
        for name in tracked
        for folder, package in PACKAGES.items()
        if name.startswith(f"{folder}/")
    }
    about = {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE"}
    assert set(wheel.namelist()) == packaged | {f"{STEM}.dist-info/{name}" for name in about}


def test_the_wheel_installs_two_top_level_packages(wheel: zipfile.ZipFile) -> None:
    top = {PurePosixPath(name).parts[0] for name in wheel.namelist()}
    assert top == {"pytest_cloudrepo", "cloudrepo_server", f"{STEM}.dist-info"}


@pytest.mark.parametrize("package", PACKAGES.values())
def test_each_package_is_marked_as_typed(wheel: zipfile.ZipFile, package: str) -> None:
    assert f"{package}/py.typed" in wheel.namelist()


def test_the_entry_points_are_the_command_and_the_plugin(wheel: zipfile.ZipFile) -> None:
    parser = ConfigParser(delimiters=["="])
    parser.read_string(wheel.read(f"{STEM}.dist-info/entry_points.txt").decode())
    assert {name: dict(parser[name]) for name in parser.sections()} == {
        "console_scripts": {"cloudrepo-server": "cloudrepo_server.cli:main"},
        "pytest11": {"cloudrepo": "pytest_cloudrepo.plugin"},
    }


def test_the_metadata_names_the_license_and_a_lower_bound_of_each_requirement(
    wheel: zipfile.ZipFile,
) -> None:
    about = HeaderParser().parsestr(wheel.read(f"{STEM}.dist-info/METADATA").decode())
    assert about["Name"] == "pytest-cloudrepo"
    assert about["Requires-Python"] == ">=3.11"
    assert about["License-Expression"] == "MIT"
    assert "Framework :: Pytest" in about.get_all("Classifier", [])
    # Every requirement has a lower bound, so that the environment `lowest` has a meaning.
    requirements = about.get_all("Requires-Dist", [])
    assert [requirement for requirement in requirements if ">=" not in requirement] == []


def test_the_description_is_the_readme_with_absolute_links(wheel: zipfile.ZipFile) -> None:
    about = HeaderParser().parsestr(wheel.read(f"{STEM}.dist-info/METADATA").decode())
    urls = dict(url.split(", ") for url in about.get_all("Project-URL", []))
    description = str(about.get_payload())
    readme = (PROJECT / "README.md").read_text("utf-8")
    links = re.findall(r"\]\(([^)#]*)", description)
    assert links
    assert [link for link in links if not link.startswith("https://")] == []
    prefix = re.escape(urls["Repository"]) + "/(?:blob|raw)/main/"
    assert re.sub(rf"\]\({prefix}", "](", description) == readme


def test_no_page_of_a_released_version_says_that_it_is_not_released(tracked: set[str]) -> None:
    changelog = (PROJECT / "CHANGELOG.md").read_text("utf-8")
    phrase = "until the first release"
    pages = {
        name
        for name in tracked
        if name.endswith(".md") and phrase in (PROJECT / name).read_text("utf-8").lower()
    }
    # The README is the description of the project on PyPI.
    is_released = re.search(r"^## \[\d", changelog, re.MULTILINE) is not None
    assert ("README.md" in pages) is not is_released
    assert pages == set() or not is_released


def test_the_release_can_be_rehearsed_with_the_documented_command(built: Path) -> None:
    contributing = (PROJECT / "CONTRIBUTING.md").read_text("utf-8")
    [command] = re.findall(r"cloudrepo-server (rehearse .*)", contributing)
    workflow = " ".join((PROJECT / ".github/workflows/release.yml").read_text("utf-8").split())
    assert f"cloudrepo-server {command}" in workflow
    arguments = [word for word in command.split() if word != "dist/*"]
    rehearsed = subprocess.run(
        [sys.executable, "-m", "cloudrepo_server", *arguments, *sorted(built.iterdir())],
        check=False,
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**os.environ, "PATH": os.pathsep.join([get_path("scripts"), os.environ["PATH"]])},
    )
    assert rehearsed.returncode == 0, rehearsed.stdout + rehearsed.stderr
    assert "2 files uploaded" in rehearsed.stdout
    assert "✓ pip installs it" in rehearsed.stdout
    # The release has no metadata that PyPI would show differently.
    assert "  ! " not in rehearsed.stdout
