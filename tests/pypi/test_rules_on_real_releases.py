"""PyPI's rules on real releases: those on PyPI pass, and broken variants of them do not."""

from __future__ import annotations

import io
import os
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

import pytest_cloudrepo
from pytest_cloudrepo._programs import command

TIMEOUT = 600.0
# The ten most downloaded projects in the list of 2026-04-01, with the most downloaded first:
# https://github.com/hugovk/top-pypi-packages/blob/5501c5c934df26d6f01fb1ca810845db02111c7d/top-pypi-packages.json
PROJECTS = (
    *("boto3", "packaging", "setuptools", "urllib3", "certifi"),
    *("typing-extensions", "requests", "charset-normalizer", "idna", "botocore"),
)
Files = dict[str, bytes]
Change = Callable[[Files], object]


@pytest.fixture(scope="module")
def releases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The newest wheel and the newest sdist of each project."""
    folder = tmp_path_factory.mktemp("releases")
    for options in (["--only-binary=:all:"], ["--no-binary=" + ",".join(PROJECTS)]):
        arguments: list[str | Path] = [sys.executable, "-m", "pip", "download", "--quiet"]
        arguments += ["--no-deps", "--dest", folder, *options, *PROJECTS]
        # With the pip configuration of this machine, because the files come from the public index.
        command.run(arguments, environ=os.environ, timeout=TIMEOUT)
    return folder


def find(releases: Path, project: str, ending: str) -> Path:
    stem = project.replace("-", "_")
    [path] = releases.glob(f"{stem}-*{ending}")
    return path


def rewritten(path: Path, change: Change, *, compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return the content of a file whose members were changed."""
    out = io.BytesIO()
    if path.suffix == ".whl":
        with zipfile.ZipFile(path) as wheel:
            files = {name: wheel.read(name) for name in wheel.namelist()}
        change(files)
        with zipfile.ZipFile(out, "w", compression) as archive:
            for name, data in files.items():
                archive.writestr(name, data)
        return out.getvalue()
    with tarfile.open(path) as sdist:
        members = [member for member in sdist if member.isfile()]
        files = {
            member.name: (sdist.extractfile(member) or io.BytesIO()).read() for member in members
        }
    change(files)
    with tarfile.open(fileobj=out, mode="w:gz") as target:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            target.addfile(info, io.BytesIO(data))
    return out.getvalue()


def read_member(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    extracted = archive.extractfile(member)
    assert extracted is not None
    return extracted.read()


def without(ending: str) -> Change:
    def change(files: Files) -> None:
        for name in [name for name in files if name.endswith(ending)]:
            del files[name]

    return change


def with_field(line: str) -> Change:
    """Return a change that adds a line to the core metadata."""

    def change(files: Files) -> None:
        for name, data in files.items():
            is_metadata = name.endswith(".dist-info/METADATA")
            if is_metadata or (name.endswith("/PKG-INFO") and name.count("/") == 1):
                first, _, rest = data.partition(b"\n")
                files[name] = first + b"\n" + line.encode() + b"\n" + rest

    return change


def same(_: Files) -> None:
    pass


# The project, the ending of the file, the rule that the variant breaks, and how to make it.
BY_CHANGE: list[tuple[str, str, str, Change]] = [
    ("boto3", ".whl", "record", without(".dist-info/RECORD")),
    ("urllib3", ".whl", "wheel-file", without(".dist-info/WHEEL")),
    ("requests", ".whl", "metadata-file", without(".dist-info/METADATA")),
    ("certifi", ".whl", "classifier", with_field("Classifier: Private :: Do Not Upload")),
    (
        "idna",
        ".whl",
        "direct-reference",
        with_field("Requires-Dist: x @ https://example.com/x.whl"),
    ),
    (
        "packaging",
        ".whl",
        "entry-points",
        lambda files: files.update(
            {
                name.replace("WHEEL", "entry_points.txt"): b"[console_scripts]\na/b = x:y\n"
                for name in list(files)
                if name.endswith(".dist-info/WHEEL")
            }
        ),
    ),
    ("setuptools", ".whl", "project-url", with_field("Project-URL: Mirror, ftp://example.com")),
    ("boto3", ".tar.gz", "pkg-info", without("/PKG-INFO")),
    ("urllib3", ".tar.gz", "top-level-folder", lambda files: files.update({"other/x": b""})),
    ("requests", ".tar.gz", "provides-dist", with_field("Provides-Dist: no requirement at all")),
    ("certifi", ".tar.gz", "email", with_field("Maintainer-email: a@b..c")),
    ("setuptools", ".tar.gz", "url", with_field("Download-URL: no-url")),
    ("idna", ".tar.gz", "license-file", without("/LICENSE.md")),
]
BY_NAME_OR_DATA: list[tuple[str, str, str, Callable[[Path], tuple[str, bytes]]]] = [
    (
        *("typing-extensions", ".whl", "platform-tag"),
        lambda path: (path.name.replace("-any.whl", "-linux_x86_64.whl"), path.read_bytes()),
    ),
    (
        *("botocore", ".whl", "zip-records"),
        lambda path: (path.name, path.read_bytes() + b"more"),
    ),
    (
        *("charset-normalizer", ".whl", "compression-type"),
        lambda path: (path.name, rewritten(path, same, compression=zipfile.ZIP_BZIP2)),
    ),
    (
        *("typing-extensions", ".tar.gz", "sdist-normalized"),
        lambda path: (path.name.replace("typing_ext", "Typing-Ext"), path.read_bytes()),
    ),
    (
        *("packaging", ".tar.gz", "unreadable"),
        lambda path: (path.name, path.read_bytes()[:-2000]),
    ),
    (
        *("botocore", ".tar.gz", "not-a-tar"),
        lambda path: (path.name, path.read_bytes()[100:]),
    ),
    (
        *("charset-normalizer", ".tar.gz", "filename-project"),
        lambda path: ("other-" + path.name.partition("-")[2], path.read_bytes()),
    ),
]


def test_pypi_accepts_the_releases_that_are_on_it(releases: Path) -> None:
    assert len(list(releases.iterdir())) == 2 * len(PROJECTS)
    assert pytest_cloudrepo.check(releases, existing_project=True) == []


def test_there_are_twenty_broken_variants() -> None:
    assert len(BY_CHANGE) + len(BY_NAME_OR_DATA) == 20


@pytest.mark.parametrize(("project", "ending", "rule", "change"), BY_CHANGE)
def test_a_release_with_other_contents_breaks_the_rule(
    releases: Path, tmp_path: Path, project: str, ending: str, rule: str, change: Change
) -> None:
    original = find(releases, project, ending)
    broken = tmp_path / original.name
    broken.write_bytes(rewritten(original, change))
    assert rule in {finding.rule for finding in pytest_cloudrepo.check(broken)}


@pytest.mark.parametrize(("project", "ending", "rule", "change"), BY_NAME_OR_DATA)
def test_a_release_with_another_name_or_damage_breaks_the_rule(
    releases: Path,
    tmp_path: Path,
    project: str,
    ending: str,
    rule: str,
    change: Callable[[Path], tuple[str, bytes]],
) -> None:
    name, data = change(find(releases, project, ending))
    (tmp_path / name).write_bytes(data)
    assert rule in {finding.rule for finding in pytest_cloudrepo.check(tmp_path)}
