"""File names: valid names are parsed; invalid names are rejected."""

from __future__ import annotations

import pytest

from cloudrepo_server.errors import InvalidError
from cloudrepo_server.limits import MAX_VERSION
from cloudrepo_server.specs.filenames import (
    check_filename,
    check_project_name,
    parse_filename,
    possible_projects,
    same_version,
)


@pytest.mark.parametrize(
    ("name", "normalized"),
    [
        ("demo", "demo"),
        ("Foo.Bar", "foo-bar"),
        ("foo__bar", "foo-bar"),
        ("a-_.b", "a-b"),
        ("A", "a"),
        ("0", "0"),
        ("zope.interface", "zope-interface"),
        ("x" * 240, "x" * 240),
    ],
)
def test_a_project_name_is_normalized(name: str, normalized: str) -> None:
    assert check_project_name(name) == normalized


@pytest.mark.parametrize(
    "name", ["", "-a", "a-", ".a", "a.", "_a", "a b", "é", "a\n", "a/b", "x" * 256, "\u0130"]
)
def test_an_invalid_project_name_is_rejected(name: str) -> None:
    with pytest.raises(InvalidError, match="not a valid project name"):
        check_project_name(name)


@pytest.mark.parametrize(
    ("filename", "project", "version", "filetype"),
    [
        ("demo-1.0-py3-none-any.whl", "demo", "1.0", "bdist_wheel"),
        ("Foo_Bar-1.0.0-1-cp311-abi3-win_amd64.whl", "foo-bar", "1.0.0", "bdist_wheel"),
        ("foo.bar-2!1.0rc1+l.1-py2.py3-none-any.whl", "foo-bar", "2!1.0rc1+l.1", "bdist_wheel"),
        ("demo-1.0-cp314-abi3t-manylinux_2_28_x86_64.whl", "demo", "1.0", "bdist_wheel"),
        ("demo-1.0-cp313-none-pyemscripten_2025_0_wasm32.whl", "demo", "1.0", "bdist_wheel"),
        ("demo-1.0.tar.gz", "demo", "1.0", "sdist"),
        ("demo-1.0.zip", "demo", "1.0", "sdist"),
        ("foo_bar-1.0.post1.dev2.tar.gz", "foo-bar", "1.0.post1.dev2", "sdist"),
        ("foo-bar-1.0.tar.gz", "foo-bar", "1.0", "sdist"),
        ("Foo.Bar-v1.0.tar.gz", "foo-bar", "1.0", "sdist"),
        ("demo-1.0-1.tar.gz", "demo-1-0", "1", "sdist"),
    ],
)
def test_a_file_name_contains_project_version_and_type(
    filename: str, project: str, version: str, filetype: str
) -> None:
    name = parse_filename(filename)
    assert (name.project, name.version, name.filetype) == (project, version, filetype)


@pytest.mark.parametrize(
    ("filename", "project", "version"),
    [
        ("demo-1.0-1.tar.gz", "demo", "1.0.post1"),
        ("foo-bar-1.0.tar.gz", "foo-bar", "1.0"),
        ("foo-bar-2-1.0.tar.gz", "foo-bar-2", "1.0"),
        ("backports.ssl-match-hostname-3.7.0.1.tar.gz", "backports-ssl-match-hostname", "3.7.0.1"),
    ],
)
def test_a_known_project_separates_the_name_of_an_old_sdist(
    filename: str, project: str, version: str
) -> None:
    name = parse_filename(filename, project=project)
    assert (name.project, name.version) == (project, version)


@pytest.mark.parametrize(
    "filename",
    [
        *("demo", "demo-1.0", "demo-1.0.egg", "demo-1.0.tar.bz2", "demo-1.0.exe", "demo-1.0.rpm"),
        *("demo.whl", "demo-1.0.whl", "demo-1.0-py3-none.whl", "demo-x-py3-none-any.whl"),
        *("demo-1.0-a-py3-none-any.whl", "demo-1.0-1-py3-none-any-more.whl", "-1.0.tar.gz"),
        *("demo-.tar.gz", "demo-x.tar.gz", "-.zip", ".tar.gz", "demo__x-1.0-py3-none-any.whl"),
        *("demo-1.0-variants.json", "demo-1.0.tar.gz.asc", "demo-1.0.tar.gz.metadata"),
    ],
)
def test_the_name_of_another_kind_of_file_is_rejected(filename: str) -> None:
    with pytest.raises(InvalidError, match="file"):
        parse_filename(filename)


@pytest.mark.parametrize(
    "filename",
    ["", ".", "..", ".hidden", "a/b", "a\\b", "a b", "a\x00", "a\n", "é", "a:b", "a%b", "x" * 256],
)
def test_invalid_characters_of_a_file_name_are_rejected(filename: str) -> None:
    with pytest.raises(InvalidError, match="file name"):
        check_filename(filename)


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("1.0", "1.0.0", True),
        ("1.0", "v1", True),
        ("1.0rc1", "1.0.RC.1", True),
        ("1.0", "1.0+local", False),
        ("1.0", "0!1.0", True),
        ("1.0", "1!1.0", False),
        ("nonsense", "nonsense", True),
        ("nonsense", "1.0", False),
    ],
)
def test_spellings_of_the_same_version_are_equal(first: str, second: str, *, same: bool) -> None:
    assert same_version(first, second) is same
    assert same_version(second, first) is same


@pytest.mark.parametrize(
    ("filename", "projects"),
    [
        ("De.Mo-1.0-py3-none-any.whl", ("de-mo",)),
        ("demo-1.0.tar.gz", ("demo",)),
        ("a-1-2.tar.gz", ("a-1", "a")),
        ("demo.txt", ()),
        ("demo.whl", ()),
        ("a-" + "1-" * 120 + "2.zip", None),
    ],
)
def test_a_file_name_says_which_projects_can_have_it(
    filename: str, projects: tuple[str, ...] | None
) -> None:
    found = possible_projects(filename)
    if projects is None:
        # However many hyphens there are, few of them can end a project's name.
        assert len(found) <= 2
    else:
        assert found == projects


@pytest.mark.parametrize(("excess", "same"), [(0, True), (1, False)])
def test_versions_are_compared_up_to_a_length(excess: int, *, same: bool) -> None:
    longest = "1.".ljust(MAX_VERSION + excess, "0")
    assert same_version(longest, "1.0") is same
    assert same_version("1.0", longest) is same
