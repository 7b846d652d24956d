"""Wheels and sdists that are written without a build."""

from __future__ import annotations

import time
from configparser import ConfigParser
from email.parser import BytesParser
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.metadata import Metadata
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name, parse_sdist_filename, parse_wheel_filename
from packaging.version import Version

from pytest_cloudrepo._distributions.release import METADATA_VERSIONS, Release
from pytest_cloudrepo.errors import CloudRepoError, PackageError
from pytest_cloudrepo.package import PackageFactory, create_sdist, create_wheel
from tests.support.built_archives import check_record, installed, members, metadata, metadata_file

if TYPE_CHECKING:
    from email.message import Message

    from pytest_cloudrepo import Repository

EACH_KIND = pytest.mark.parametrize("sdist", [False, True], ids=["wheel", "sdist"])

NAMES = ("demo", "Demo.x_y", "a", "a-", "demo[x,a]", "demo @ https://example.com/x.whl")
SPECIFIERS = (
    *("", ">=1", ">= 1.0", ">=1.0,<2", "<2,>=1.0", ">=1.0, <2", "(>=1.0)", "~=1.4.2", "==1.*"),
    *("===1.0", "!=1.0+abc", "==1!2.0", ">=1.0,", ">=1.*", "=1", "><1", "==1.0.POST1", ">1;"),
)
MARKERS = (
    *("", ";", '; os_name == "nt"', ';os_name=="nt"', ";  os_name == 'nt'", ' ; os_name == "a"'),
    *('; python_version > "3" and os_name == "x"', "; os_name", '; extra == "é"'),
)
ALL_OPTIONS: dict[str, Any] = {
    "requires": ["other>=1", 'old; python_version < "3.9"'],
    "requires_python": ">=3.8, <4",
    "extras": {"test": ["pytest"], "docs": []},
    "files": {"demo/__init__.py": "é = 1\n", "demo/data,1/table.bin": bytes(range(256))},
    "entry_points": {"console_scripts": {"demo": "demo:main"}, "demo.plugins": {"one": "demo"}},
}


def wheel_metadata(path: Path) -> Message:
    (content,) = (text for name, text in members(path).items() if name.endswith("-info/WHEEL"))
    return BytesParser().parsebytes(content)


@pytest.mark.parametrize(
    ("name", "version", "stem"),
    [
        ("demo", "1.0", "demo-1.0"),
        ("Demo.Project__x", "1.0.0", "demo_project_x-1.0.0"),
        ("demo", "v1.0.RC1", "demo-1.0rc1"),
        ("demo", "1!2.0.post1.dev3+Ubuntu-1", "demo-1!2.0.post1.dev3+ubuntu.1"),
        ("2-demo", "2024.01", "2_demo-2024.1"),
    ],
)
def test_file_names_follow_the_specification(
    cloudrepo_package: PackageFactory, name: str, version: str, stem: str
) -> None:
    wheel = cloudrepo_package(name, version)
    sdist = cloudrepo_package(name, version, sdist=True)
    assert wheel.name == f"{stem}-py3-none-any.whl"
    assert sdist.name == f"{stem}.tar.gz"
    for path in (wheel, sdist):
        assert metadata(path).name == name
        assert str(metadata(path).version) == str(Version(version))


@st.composite
def names(draw: st.DrawFn) -> str:
    alphabet = "abcxyzABCXYZ0189"
    inner = draw(st.text(alphabet + "-_.", max_size=20))
    end = st.sampled_from(alphabet)
    return draw(end) + (inner + draw(end) if inner else "")


@st.composite
def versions(draw: st.DrawFn) -> str:
    number = st.integers(0, 3000).map(str)
    parts = [
        draw(st.sampled_from(["", "v", "1!", "20!"])),
        ".".join(draw(st.lists(number, min_size=1, max_size=5))),
        draw(st.sampled_from(["", "a1", ".beta2", "-rc.3", "c4"])),
        draw(st.sampled_from(["", ".post5", "-6", "rev7"])),
        draw(st.sampled_from(["", ".dev8", "-dev"])),
        draw(st.sampled_from(["", "+local", "+Abc.1-2_x"])),
    ]
    return "".join(parts)


@settings(deadline=None)  # a slow machine is not a failure
@given(name=names(), version=versions())
def test_any_name_and_version_can_be_parsed_from_the_file_name(name: str, version: str) -> None:
    release = Release(name, version)
    wheel, sdist = create_wheel(release).filename, create_sdist(release).filename
    expected = (canonicalize_name(name), Version(version))
    assert parse_wheel_filename(wheel)[:2] == parse_sdist_filename(sdist) == expected
    assert wheel.startswith(f"{canonicalize_name(name).replace('-', '_')}-{expected[1]}-")
    assert Metadata.from_email(release.core_metadata()).version == expected[1]


@EACH_KIND
def test_the_metadata_has_all_values(cloudrepo_package: PackageFactory, *, sdist: bool) -> None:
    found = metadata(cloudrepo_package("demo", "1.0", **ALL_OPTIONS, sdist=sdist))
    assert found.metadata_version == "2.4"
    assert str(found.requires_python) == "<4,>=3.8"
    assert found.provides_extra == ["test", "docs"]
    assert list(map(str, found.requires_dist or ())) == [
        "other>=1",
        'old; python_version < "3.9"',
        'pytest; extra == "test"',
    ]


@pytest.mark.parametrize("version", [each for each in METADATA_VERSIONS if each != "2.0"])
@EACH_KIND
def test_the_metadata_is_valid_in_its_version(
    cloudrepo_package: PackageFactory, version: str, *, sdist: bool
) -> None:
    number = float(version)
    fields: dict[str, Any] = {}
    if number >= 1.2:
        fields |= {"requires": ["other>=1"], "requires_python": ">=3.8"}
    if number >= 2.1:
        fields |= {"extras": {"Test_it": ["pytest"]}}
    path = cloudrepo_package("demo", "1.0", **fields, metadata_version=version, sdist=sdist)
    text = metadata_file(path)
    assert text.startswith(f"Metadata-Version: {version}\n".encode())
    # Older releases of packaging reject the newest metadata versions. The test uses none of the
    # fields that these versions added.
    header = f"Metadata-Version: {min(number, 2.4)}\n".encode()
    found = Metadata.from_email(header + text.partition(b"\n")[2])
    assert bool(found.requires_dist) is (number >= 1.2)
    assert bool(found.provides_extra) is (number >= 2.1)
    provides_extra = b"Provides-Extra: test-it\n" if number >= 2.3 else b"Provides-Extra: Test_it\n"
    assert (provides_extra in text) is (number >= 2.1)


@EACH_KIND
def test_a_repository_accepts_every_metadata_version(
    cloudrepo: Repository, cloudrepo_package: PackageFactory, *, sdist: bool
) -> None:
    for number, version in enumerate(METADATA_VERSIONS):
        cloudrepo.publish(
            cloudrepo_package("demo", f"{number}", metadata_version=version, sdist=sdist)
        )
    assert cloudrepo.versions("demo") == [str(number) for number in range(len(METADATA_VERSIONS))]


@pytest.mark.parametrize(
    ("version", "field", "since"),
    [
        ("1.0", {"requires": ["other"]}, "1.2"),
        ("1.1", {"requires_python": ">=3"}, "1.2"),
        ("1.2", {"extras": {"test": []}}, "2.0"),
    ],
)
def test_a_field_that_the_metadata_version_does_not_have_is_rejected(
    cloudrepo_package: PackageFactory, version: str, field: dict[str, Any], since: str
) -> None:
    with pytest.raises(
        PackageError, match=f"{next(iter(field))} requires metadata version {since}"
    ):
        cloudrepo_package("demo", "1.0", metadata_version=version, **field)


def test_requirements_are_written_as_packaging_formats_them() -> None:
    accepted = rejected = 0
    for requirement in map("".join, product(NAMES, SPECIFIERS, MARKERS)):
        release = Release("demo", "1.0", requires=[requirement])
        try:
            expected = str(Requirement(requirement))
        except InvalidRequirement:
            rejected += 1
            with pytest.raises(PackageError, match="invalid requirement"):
                release.core_metadata()
        else:
            accepted += 1
            assert f"Requires-Dist: {expected}\n".encode() in release.core_metadata()
    assert min(accepted, rejected) > 100


@pytest.mark.parametrize(
    ("requirement", "environment", "applies"),
    [
        ("other", {}, True),
        ('other; python_version < "3"', {}, False),
        ('other; os_name == "nt" or os_name == "posix"', {"os_name": "nt"}, True),
        ('other; os_name == "nt" or os_name == "posix"', {"os_name": "java"}, False),
        ('other; os_name == "nt" and python_version > "3"', {"os_name": "nt"}, True),
        ('other[x]>1; os_name == "nt"', {"os_name": "posix"}, False),
        ("other @ https://example.com/other.whl", {}, True),
        ('other @ https://example.com/other.whl ; os_name == "nt"', {"os_name": "posix"}, False),
    ],
)
@pytest.mark.parametrize("version", ["2.1", "2.4"])
def test_requirements_of_an_extra_keep_their_markers(
    cloudrepo_package: PackageFactory,
    requirement: str,
    environment: dict[str, str],
    applies: bool,  # noqa: FBT001 (a parameter of the test)
    version: str,
) -> None:
    path = cloudrepo_package(
        "demo", "1.0", extras={"Test_it": [requirement]}, metadata_version=version
    )
    requires = metadata(path).requires_dist
    assert requires is not None
    (written,) = requires
    assert written.marker is not None
    assert written.marker.evaluate({**environment, "extra": "test-it"}) is applies
    assert not written.marker.evaluate({**environment, "extra": "other"})
    assert not written.marker.evaluate({**environment, "extra": ""})
    expected = Requirement(requirement)
    assert (written.name, written.url) == (expected.name, expected.url)
    assert (written.specifier, written.extras) == (expected.specifier, expected.extras)


def test_the_record_of_a_wheel_lists_every_file(cloudrepo_package: PackageFactory) -> None:
    check_record(cloudrepo_package("demo", "1.0", **ALL_OPTIONS))


@EACH_KIND
def test_the_same_arguments_give_identical_files(
    cloudrepo_package: PackageFactory, monkeypatch: pytest.MonkeyPatch, *, sdist: bool
) -> None:
    first = cloudrepo_package("demo", "1.0", **ALL_OPTIONS, sdist=sdist)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", str(int(time.time())))
    repeated = cloudrepo_package("demo", "1.0", **ALL_OPTIONS, sdist=sdist)
    assert repeated != first
    assert repeated.read_bytes() == first.read_bytes()
    other = cloudrepo_package("demo", "1.0", **ALL_OPTIONS | {"files": {}}, sdist=sdist)
    assert other.read_bytes() != first.read_bytes()


def test_a_module_is_added_unless_the_files_contain_a_package(
    cloudrepo_package: PackageFactory,
) -> None:
    plain = cloudrepo_package("De.mo", "1.0")
    assert members(plain)["de_mo.py"] == b'__version__ = "1.0"\n'
    more = cloudrepo_package("demo", "1.0", files={"other/__init__.py": "", "more.py": "x = 1\n"})
    assert installed(more) == {"demo.py", "more.py", "other/__init__.py"}
    replaced = cloudrepo_package("demo", "1.0", files={"demo.py": "x = 2\n"})
    assert members(replaced)["demo.py"] == b"x = 2\n"
    package = cloudrepo_package("demo", "1.0", files={"demo/__init__.py": b""})
    assert installed(package) == {"demo/__init__.py"}


def test_the_metadata_files_of_a_wheel_can_be_replaced(cloudrepo_package: PackageFactory) -> None:
    files = {
        "demo-1.0.dist-info/METADATA": "nonsense",
        "demo-1.0.dist-info/licenses/LICENSE": "text",
    }
    wheel = cloudrepo_package("demo", "1.0", files=files)
    assert {name: members(wheel)[name].decode() for name in files} == files
    check_record(wheel)


def test_the_build_files_of_an_sdist_can_be_replaced(cloudrepo_package: PackageFactory) -> None:
    build_files = {"PKG-INFO": "nonsense", "pyproject.toml": "[", "setup.py": ""}
    files = {**build_files, "more.py": "x = 1\n"}
    sdist = members(cloudrepo_package("demo", "1.0", files=files, sdist=True))
    assert {name: sdist[name].decode() for name in build_files} == build_files
    assert {name for name in sdist if name.startswith("src/")} == {"src/demo.py", "src/more.py"}


def test_entry_points_are_written(cloudrepo_package: PackageFactory) -> None:
    wheel = cloudrepo_package("demo", "1.0", **ALL_OPTIONS)
    parser = ConfigParser()
    parser.read_string(members(wheel)["demo-1.0.dist-info/entry_points.txt"].decode())
    assert {group: dict(parser[group]) for group in parser.sections()} == ALL_OPTIONS[
        "entry_points"
    ]
    assert "demo-1.0.dist-info/entry_points.txt" not in members(cloudrepo_package("demo", "1.0"))


@pytest.mark.parametrize(
    ("tags", "compressed", "expanded", "pure"),
    [
        (["py3-none-any"], "py3-none-any", ["py3-none-any"], "true"),
        (["py2.py3-none-any"], "py2.py3-none-any", ["py2-none-any", "py3-none-any"], "true"),
        (
            ["cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64"],
            "cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64",
            ["cp311-cp311-manylinux_2_17_x86_64", "cp311-cp311-manylinux2014_x86_64"],
            "false",
        ),
        (
            ["cp311-abi3-win_amd64", "cp312-abi3-win_amd64"],
            "cp311.cp312-abi3-win_amd64",
            ["cp311-abi3-win_amd64", "cp312-abi3-win_amd64"],
            "false",
        ),
    ],
)
def test_a_wheel_states_its_tags(
    cloudrepo_package: PackageFactory,
    tags: list[str],
    compressed: str,
    expanded: list[str],
    pure: str,
) -> None:
    path = cloudrepo_package("demo", "1.0", tags=tags)
    assert path.name == f"demo-1.0-{compressed}.whl"
    fields = wheel_metadata(path)
    assert fields.get_all("Tag") == expanded
    assert fields["Root-Is-Purelib"] == pure
    assert sorted(map(str, parse_wheel_filename(path.name)[3])) == sorted(expanded)


def test_a_wheel_can_have_a_build_tag(cloudrepo_package: PackageFactory) -> None:
    path = cloudrepo_package("demo", "1.0", build_tag="2b")
    assert path.name == "demo-1.0-2b-py3-none-any.whl"
    assert parse_wheel_filename(path.name)[2] == (2, "b")
    assert wheel_metadata(path)["Build"] == "2b"
    assert wheel_metadata(cloudrepo_package("demo", "1.0"))["Build"] is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "-demo"}, "invalid project name '-demo'"),
        ({"name": "demo\n"}, "invalid project name"),
        ({"name": "\u212aelvin"}, "invalid project name"),
        ({"version": "one"}, "invalid version 'one'"),
        ({"version": 1.0}, "invalid version 1.0"),
        ({"requires": "other"}, "requires must be a list"),
        ({"requires": ["other>"]}, "invalid requirement 'other>'"),
        ({"requires": ['other; os_name == "a\nb"']}, "a requirement must be a string of one line"),
        ({"requires": ['other; os_name == "\x0b"']}, "a requirement must be a string of one line"),
        ({"requires": [1]}, "a requirement must be a string of one line, not 1"),
        ({"requires_python": "3"}, "not '3'"),
        ({"requires_python": ">=3\nX: y"}, "requires_python"),
        ({"extras": ["test"]}, "extras must be a mapping"),
        ({"extras": {"test": "pytest"}}, "extra 'test' must be a list"),
        ({"extras": {"te st": []}}, "invalid name of an extra 'te st'"),
        ({"extras": {"a_b": [], "a-b": []}}, "duplicate extra 'a-b'"),
        ({"files": {"../x.py": ""}}, "relative"),
        ({"files": {"C:/x.py": ""}}, "relative"),
        ({"files": {"a\\b.py": ""}}, "'folder/file.py'"),
        ({"files": {"": ""}}, "'folder/file.py'"),
        ({"files": {"a\nb": ""}}, "one line"),
        ({"files": {"a.py": None}}, "must be a string or bytes"),
        ({"files": {"a.py": "\ud800"}}, "cannot be encoded as UTF-8"),
        ({"entry_points": {"console_scripts": ["demo"]}}, "'console_scripts' must be a mapping"),
        ({"entry_points": {"console_scripts": {"demo": "demo"}}}, "'module:object'"),
        (
            {"entry_points": {"console_scripts": {"../demo": "demo:main"}}},
            "invalid entry point name '../demo'",
        ),
        ({"entry_points": {"a\nb": {}}}, "group"),
        ({"entry_points": {"group": {"name": "demo:main\n"}}}, "'module:object'"),
        ({"tags": []}, "at least one tag"),
        ({"tags": "py3-none-any"}, "tags must be a list"),
        ({"tags": ["py3-any"]}, "three parts"),
        ({"tags": ["cp311-cp311-any", "cp312-cp312-any"]}, "a wheel for each"),
        ({"build_tag": "b1"}, "begins with a digit"),
        ({"build_tag": "1-1"}, "begins with a digit"),
        ({"metadata_version": "3.0"}, "invalid metadata version '3.0'; the versions are 1.0, "),
        ({"sdist": True, "build_tag": "1"}, "apply to wheels only"),
        ({"sdist": True, "tags": ["cp311-none-any"]}, "apply to wheels only"),
        ({"name": "d" * 260}, "longer than 255"),
    ],
)
def test_invalid_arguments_are_rejected_with_the_reason(
    cloudrepo_package: PackageFactory, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(PackageError) as caught:
        cloudrepo_package(**{"name": "demo", "version": "1.0", **arguments})
    assert message in str(caught.value)
    assert isinstance(caught.value, CloudRepoError)
    assert "\n" not in str(caught.value)
