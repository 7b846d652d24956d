"""Snapshots of other indexes, loaded into a repository and resolved by real resolvers."""

from __future__ import annotations

import csv
import gzip
import io
import platform
import re
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

import pytest
import requests

from pytest_cloudrepo.errors import PackageError, ScenarioError
from tests.support import jupyterlab

if TYPE_CHECKING:
    from pytest_cloudrepo import Graph, Repository, SessionFactories, VirtualEnv

JSON = {"Accept": "application/vnd.pypi.simple.v1+json"}
THIS_PYTHON = ".".join(map(str, sys.version_info[:2]))
THIS_PLATFORM = {
    ("linux", "x86_64"): "linux-x86_64",
    ("darwin", "arm64"): "macos-arm64",
    ("win32", "AMD64"): "windows-x86_64",
}.get((sys.platform, platform.machine()))

HEADER = """\
[snapshot]
format = 1
index = "pypi"
requirements = ["demo"]
exclude_newer = "2026-01-31T12:00:00Z"
pythons = ["3.12"]
platforms = ["linux-x86_64"]
versions = 3
"""
RELEASES = """\
[packages.demo."1.0"]
requires = ["base>=1"]
requires_python = ">=3.8"
extras = { more = [] }
upload_time = "2026-01-02T03:04:05.000006Z"
distributions = { "Demo-1.0-1-cp312-cp312-win_amd64.whl" = {}, "demo-1.0-py3-none-any.whl" = { \
requires = ["other"], yanked = "it breaks", upload_time = "2026-01-03T00:00:00Z" } }

[packages.base."1.0"]
distributions = { "base-1.0.tar.gz" = {} }
"""


def page(repository: Repository, project: str) -> dict[str, dict[str, Any]]:
    response = requests.get(f"{repository.index_url}/simple/{project}/", headers=JSON, timeout=10)
    response.raise_for_status()
    return {file["filename"]: file for file in response.json()["files"]}


def download(repository: Repository, file: dict[str, Any], suffix: str = "") -> bytes:
    response = requests.get(
        urljoin(repository.url, file["url"]) + suffix,
        auth=(repository.username, repository.password),
        timeout=10,
    )
    response.raise_for_status()
    return response.content


def write(folder: Path, text: str, name: str = "demo.toml") -> Path:
    path = folder / name
    content = text.encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


@pytest.fixture(scope="module")
def loaded(cloudrepo_session: SessionFactories) -> Repository:
    """A repository with the snapshot of JupyterLab, which no test changes."""
    repository = cloudrepo_session.repository()
    snapshot = repository.load_snapshot(jupyterlab.SNAPSHOT)
    assert snapshot.requirements == (jupyterlab.REQUIREMENT,)
    assert snapshot.pythons == jupyterlab.PYTHONS
    assert snapshot.platforms == tuple(jupyterlab.PLATFORMS)
    return repository


@pytest.mark.parametrize(
    ("python", "platform"),
    [
        ("3.11", "windows-x86_64"),
        ("3.12", "linux-x86_64"),
        ("3.13", "macos-arm64"),
        ("3.14", "linux-x86_64"),
    ],
)
def test_uv_chooses_the_versions_that_it_chose_from_the_real_index(
    loaded: Repository, tmp_path: Path, python: str, platform: str
) -> None:
    requirements = tmp_path / "requirements.in"
    requirements.write_text(jupyterlab.REQUIREMENT)
    done = loaded.run(*jupyterlab.uv_command(requirements, python, platform))
    chosen = jupyterlab.uv_versions(done.stdout)
    assert len(chosen) >= 90
    assert chosen == jupyterlab.recorded_versions(python, platform)


@pytest.mark.skipif(
    THIS_PLATFORM is None or THIS_PYTHON not in jupyterlab.PYTHONS,
    reason="the snapshot has no files for this Python or platform",
)
def test_pip_chooses_the_versions_that_it_chose_from_the_real_index(
    loaded: Repository, tmp_path: Path
) -> None:
    report = tmp_path / "report.json"
    loaded.run(*jupyterlab.pip_command(report))
    recorded = jupyterlab.recorded_versions(THIS_PYTHON, THIS_PLATFORM or "")
    assert jupyterlab.pip_versions(report) == recorded


def test_files_have_the_recorded_names_upload_times_and_yanks(
    cloudrepo: Repository, tmp_path: Path
) -> None:
    snapshot = cloudrepo.load_snapshot(write(tmp_path, HEADER + RELEASES))
    assert snapshot.packages["demo"].keys() == {"1.0"}
    windows, universal = page(cloudrepo, "demo").values()
    assert windows["filename"] == "Demo-1.0-1-cp312-cp312-win_amd64.whl"
    assert (windows["yanked"], universal["yanked"]) == (False, "it breaks")
    assert windows["upload-time"] == "2026-01-02T03:04:05.000006Z"
    assert universal["upload-time"] == "2026-01-03T00:00:00.000000Z"
    assert windows["requires-python"] == universal["requires-python"] == ">=3.8"
    assert b"\nRequires-Dist: base>=1\n" in download(cloudrepo, windows, ".metadata")
    assert b"\nRequires-Dist: other\n" in download(cloudrepo, universal, ".metadata")
    assert b"\nProvides-Extra: more\n" in download(cloudrepo, universal, ".metadata")
    assert list(page(cloudrepo, "base")) == ["base-1.0.tar.gz"]


def test_a_wheel_has_a_valid_record_and_no_module(cloudrepo: Repository, tmp_path: Path) -> None:
    cloudrepo.load_snapshot(write(tmp_path, HEADER + RELEASES))
    file = page(cloudrepo, "demo")["Demo-1.0-1-cp312-cp312-win_amd64.whl"]
    with zipfile.ZipFile(io.BytesIO(download(cloudrepo, file))) as wheel:
        names = wheel.namelist()
        assert sorted(names) == [f"demo-1.0.dist-info/{x}" for x in ("METADATA", "RECORD", "WHEEL")]
        record = csv.reader(wheel.read("demo-1.0.dist-info/RECORD").decode().splitlines())
        assert [row[0] for row in record] == sorted(names, key=lambda name: "RECORD" in name)
        assert b"\nBuild: 1\nTag: cp312-cp312-win_amd64\n" in wheel.read("demo-1.0.dist-info/WHEEL")


def test_a_compressed_snapshot_is_installed_by_pip(
    cloudrepo: Repository, cloudrepo_venv: VirtualEnv, tmp_path: Path
) -> None:
    cloudrepo.load_snapshot(write(tmp_path, HEADER + RELEASES, "demo.toml.gz"))
    cloudrepo_venv.install("base", index=cloudrepo)
    assert cloudrepo_venv.version("base") == "1.0"


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (("format = 1", "format = 2"), "format 2, but this version of pytest-cloudrepo reads"),
        (('index = "pypi"', "index = 1"), "snapshot: Expected `str`"),
        (("versions = 3", "depth = 3"), "snapshot: unknown key 'depth'"),
        (("[snapshot]", "[snap]"), "unknown key 'snap'"),
        (("requires_python =", "python ="), "demo 1.0: unknown release key 'python'"),
        (("yanked =", "wheel ="), "demo 1.0: unknown key of a distribution 'wheel'"),
        (("base-1.0.tar.gz", "base-1.1.tar.gz"), "'base-1.1.tar.gz' belongs to base 1.1"),
        (("base-1.0.tar.gz", "other-1.0.tar.gz"), "belongs to other 1.0"),
        (("base-1.0.tar.gz", "base-1.0.zip"), "must end with .whl or .tar.gz"),
        (("cp312-win", "cp312"), "invalid file name 'Demo-1.0-1-cp312-cp312_amd64.whl'"),
        (('"base>=1"', '"base>"'), "demo 1.0: invalid requirement 'base>'"),
        (("[snapshot]", "[snapshot"), "Expected ']'"),
    ],
    ids=lambda value: value[1] if isinstance(value, tuple) else "",
)
def test_an_invalid_snapshot_is_rejected_and_nothing_is_added(
    cloudrepo: Repository, tmp_path: Path, changed: tuple[str, str], message: str
) -> None:
    path = write(tmp_path, (HEADER + RELEASES).replace(*changed))
    with pytest.raises(ScenarioError, match=f"(?s){re.escape(str(path))}.*{re.escape(message)}"):
        cloudrepo.load_snapshot(path)
    assert cloudrepo.versions("demo") == []


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.toml.gz", b"[snapshot]", "not valid gzip"),
        ("a.toml.gz", gzip.compress(b"[snapshot]" * 100)[:-10], "not valid gzip"),
        ("a.toml.gz", gzip.compress(b"\xff"), "utf-8"),
        ("a.yaml", b"", "must end with .toml or .json"),
        ("a.toml", None, "cannot be read: No such file"),
    ],
    ids=["no gzip", "cut off", "encoding", "name", "missing"],
)
def test_an_unreadable_snapshot_is_rejected(
    cloudrepo: Repository, tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ScenarioError, match=message) as caught:
        cloudrepo.load_snapshot(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("details", "message"),
    [
        ({"distributions": {}}, "must not be empty"),
        ({"distributions": {"a-1.0.tar.gz": {}}, "sdist": True}, "cannot be combined"),
        ({"distributions": ["a-1.0.tar.gz"]}, "distributions must be a mapping"),
        ({"distributions": {"a-1.0.tar.gz": ["b"]}}, "'a-1.0.tar.gz' must be a mapping"),
        ({"distributions": {"a-1.0.tar.gz": {"yanked": 1}}}, "yanked must be True, False"),
    ],
)
def test_invalid_distributions_of_a_graph_are_rejected(
    cloudrepo: Repository, details: object, message: str
) -> None:
    graph: Any = {"a": {"1.0": details}}
    with pytest.raises(PackageError, match=f"a 1.0: .*{message}"):
        cloudrepo.publish_all(graph)


def test_files_of_named_distributions_are_installed(
    cloudrepo: Repository, cloudrepo_venv: VirtualEnv
) -> None:
    release: Graph = {
        "demo": {
            "1.0": {
                "files": {"demo.py": "x = 1\n"},
                "distributions": {"demo-1.0-py3-none-any.whl": {}},
            }
        }
    }
    cloudrepo.publish_all(release)
    cloudrepo_venv.install("demo", index=cloudrepo)
    assert cloudrepo_venv.run("-c", "import demo; print(demo.x)").stdout == "1\n"
