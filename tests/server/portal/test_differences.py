"""The differences of two releases, and of the sdist and the wheel of one release."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlencode

import pytest

from cloudrepo_server.limits import MAX_DIFFERENCE_LINES, MAX_SHOWN_TEXT
from cloudrepo_server.specs.archive_comparison import compare_contents
from cloudrepo_server.specs.archive_contents import Contents, Member
from tests.support.archives import Archive, core_metadata, sdist, tarred, wheel, zipped
from tests.support.index import Index
from tests.support.portal.browser import Browser, Page

OLD = {
    "demo/__init__.py": b"first\nsecond\nthird\n",
    "demo/removed.py": b"gone\n",
    "demo/same.py": b"same\n",
    "demo/logo.png": b"\x89PNG\0old",
    "demo/crlf.txt": b"a\r\nb\r\n",
}
NEW = {
    "demo/__init__.py": b"first\n2nd <b>\nthird\n",
    "demo/added.py": b"new\n",
    "demo/same.py": b"same\n",
    "demo/logo.png": b"\x89PNG\0new",
    "demo/crlf.txt": b"a\nb\n",
}


def wheel_of(version: str, files: dict[str, bytes]) -> Archive:
    """Return a wheel with these files and its metadata."""
    metadata = core_metadata("demo", version)
    info = f"demo-{version}.dist-info"
    all_files = {**files, f"{info}/METADATA": metadata, f"{info}/WHEEL": b"Wheel-Version: 1.0\n"}
    return Archive(f"demo-{version}-py3-none-any.whl", zipped(all_files), metadata)


def sdist_of(version: str, files: dict[str, bytes]) -> Archive:
    """Return an sdist with these files and its metadata."""
    metadata = core_metadata("demo", version, metadata_version="2.2")
    top = f"demo-{version}"
    all_files = {f"{top}/PKG-INFO": metadata, **{f"{top}/{path}": files[path] for path in files}}
    return Archive(f"{top}.tar.gz", tarred(all_files), metadata)


def compare(browser: Browser, index: Index, *, status: int = 200, **query: str) -> Page:
    path = f"/portal/repositories/{index.name}/projects/demo/compare?{urlencode(query)}"
    return browser.get(path, status=status)


def changes_on(page: Page) -> list[str]:
    """Return the texts of the headings of all changes."""
    return [each["aria-labelledby"] for each in page.all("article")]


@pytest.mark.parametrize("make", [wheel_of, sdist_of])
def test_added_removed_and_changed_files_are_listed(
    browser: Browser, index: Index, make: Callable[[str, dict[str, bytes]], Archive]
) -> None:
    index.publish(make("1.0", OLD), make("2.0", NEW))
    page = compare(browser, index)
    identical = 2 if make is wheel_of else 1
    assert f"Added: 1 Removed: 1 Changed: 4 Identical: {identical}" in page.text
    assert "demo/added.py Added" in page.text
    assert "demo/removed.py Removed" in page.text
    assert "demo/same.py" not in page.text
    assert "@@ -1,4 +1,4 @@ first -second +2nd <b> third" in page.text
    assert not page.all("b")
    assert page.all("span", class_="removed")
    assert "The content differs. It is not UTF-8 text." in page.text
    assert "Only line endings or a byte order mark differ." in page.text


def test_the_folders_that_contain_the_version_are_matched(browser: Browser, index: Index) -> None:
    index.publish(wheel_of("1.0", {}), wheel_of("2.0", {}))
    page = compare(browser, index)
    assert ".dist-info/METADATA Changed" in page.text
    assert "-Version: 1.0 +Version: 2.0" in page.text
    assert "Identical: 1" in page.text


def test_the_releases_and_their_files_can_be_chosen(browser: Browser, index: Index) -> None:
    for version in ("1.0", "2.0", "3.0"):
        index.publish(
            wheel_of(version, {"wheel.py": version.encode()}),
            sdist_of(version, {"sdist.py": version.encode()}),
        )
    page = compare(browser, index)
    assert "demo-2.0-py3-none-any.whl → demo-3.0-py3-none-any.whl" in page.text
    page = compare(browser, index, old="1.0", new="2.0", file="sdist")
    assert "demo-1.0.tar.gz → demo-2.0.tar.gz" in page.text
    selected = [
        each["value"] for each in page.all("option") if "selected" in each and "value" in each
    ]
    assert selected == ["sdist"]
    # An older release can be the second one.
    page = compare(browser, index, old="3.0", new="1.0")
    assert "-Version: 3.0 +Version: 1.0" in page.text


def test_a_release_without_the_chosen_file_is_named(browser: Browser, index: Index) -> None:
    index.publish(sdist_of("1.0", {}), wheel_of("2.0", {}))
    page = compare(browser, index, file="sdist")
    assert "demo 2.0 has no sdist, so there is nothing to compare." in page.text


def test_an_unknown_release_is_an_error_page_with_the_form(browser: Browser, index: Index) -> None:
    index.publish(wheel_of("1.0", {}), wheel_of("2.0", {}))
    page = compare(browser, index, old="9.9", new="2.0", status=404)
    assert "The release 9.9 of the project demo was not found" in page.text
    assert len(page.all("select")) == 2


def test_a_project_with_one_release_has_nothing_to_compare(browser: Browser, index: Index) -> None:
    index.publish(wheel_of("1.0", {}))
    assert "There is nothing to compare" in compare(browser, index).text


def test_identical_releases_say_so(browser: Browser, index: Index) -> None:
    files = {"x.py": b"x = 1\n"}
    index.set(dialect="cloudrepo")
    index.publish(Archive("demo-1.0.zip", zipped(files)), Archive("demo-2.0.zip", zipped(files)))
    assert "All files are identical." in compare(browser, index).text


def test_the_sdist_and_the_wheel_of_a_release_are_compared(browser: Browser, index: Index) -> None:
    module = b"x = 1\n"
    index.publish(
        sdist_of(
            "1.0",
            {
                "src/demo/__init__.py": module,
                "LICENSE": b"MIT",
                "AUTHORS.txt": b"Ada",
                "tox.ini": b"[tox]\n",
            },
        ),
        Archive(
            "demo-1.0-py3-none-any.whl",
            zipped(
                {
                    "demo/__init__.py": module,
                    "demo-1.0.data/purelib/extra.py": b"y\n",
                    "demo-1.0.dist-info/licenses/LICENSE": b"MIT",
                    "demo-1.0.dist-info/AUTHORS.txt": b"Ada",
                    "demo-1.0.dist-info/METADATA": core_metadata("demo", "1.0"),
                    "demo-1.0.dist-info/WHEEL": b"Wheel-Version: 1.0\n",
                }
            ),
            core_metadata("demo", "1.0"),
        ),
    )
    release = f"/portal/repositories/{index.name}/projects/demo/releases/1.0"
    assert "Compare sdist and wheel" in browser.get(release).text
    page = browser.get(f"{release}/compare")
    assert "Only in the wheel: 2 Only in the sdist: 1 Changed: 1 Identical: 3" in page.text
    assert "tox.ini Only in the sdist" in page.text
    assert "extra.py Only in the wheel" in page.text
    assert "-Metadata-Version: 2.2 +Metadata-Version: 2.1" in page.text


def test_a_release_without_a_wheel_or_sdist_cannot_be_compared_with_itself(
    browser: Browser, index: Index
) -> None:
    index.publish(wheel())
    path = f"/portal/repositories/{index.name}/projects/demo/releases/1.0/compare"
    assert "needs both a wheel and an sdist" in browser.get(path, status=404).text


def test_a_change_that_has_the_same_size_and_checksum_is_found() -> None:
    # An attacker can choose the content so that CRC-32 is the same. The digest is another one.
    old = Contents((Member("a", 1, digest=b"1"),))
    new = Contents((Member("a", 1, digest=b"2"),))
    (change,) = compare_contents("a-1.zip", old, "a-2.zip", new).changes
    assert change.status == "changed"


def test_no_file_hides_behind_another_one_with_the_same_common_path(
    browser: Browser, index: Index
) -> None:
    index.publish(
        sdist_of("1.0", {"src/demo.py": b"x = 1\n", "demo.py": b"evil\n"}),
        wheel_of("1.0", {"demo.py": b"x = 1\n"}),
    )
    path = f"/portal/repositories/{index.name}/projects/demo/releases/1.0/compare"
    page = browser.get(path)
    assert "demo-1.0/src/demo.py" in page.text
    assert "-evil" in page.text


def test_large_files_and_long_differences_are_cut(browser: Browser, index: Index) -> None:
    lines = [b"%d\n" % number for number in range(2 * MAX_DIFFERENCE_LINES)]
    index.publish(
        wheel_of("1.0", {"large.txt": b"a" * (MAX_SHOWN_TEXT + 1), "long.txt": b"".join(lines)}),
        wheel_of("2.0", {"large.txt": b"b" * (MAX_SHOWN_TEXT + 1), "long.txt": b"x\n"}),
    )
    page = compare(browser, index)
    assert "The lines are not compared: the file is larger than 256 KiB." in page.text
    assert "Only the first 1,000 lines are shown." in page.text
    assert len(page.response.content) < MAX_SHOWN_TEXT


def test_many_changes_are_paginated_and_large_ones_deferred(browser: Browser, index: Index) -> None:
    def files(letter: bytes) -> dict[str, bytes]:
        return {f"{number:02}.txt": letter * 40_000 for number in range(40)}

    index.publish(wheel_of("1.0", files(b"a")), wheel_of("2.0", files(b"b")))
    page = compare(browser, index)
    assert len(changes_on(page)) == 25
    assert "Page of 2" in page.text
    assert len(page.response.content) < 1 << 20
    link = [each["href"] for each in page.all("a") if "path=20.txt" in each["href"]][-1]
    page = browser.get(f"/portal/repositories/{index.name}/projects/demo/compare{link}")
    assert len(changes_on(page)) == 1
    assert "Only the file 20.txt is shown." in page.text
    assert "+" + "b" * 40_000 in page.text


def test_a_list_that_is_not_complete_hides_no_file_as_added_or_removed() -> None:
    old = Contents((Member("a", 1, digest=b"1"),), omitted="at most 1 MiB are unpacked")
    new = Contents((Member("a", 1, digest=b"1"), Member("b", 1, digest=b"2")))
    comparison = compare_contents("x-1.tar.gz", old, "x-2.tar.gz", new)
    assert [(each.path, each.status) for each in comparison.changes] == [("b", "not compared")]
    assert comparison.identical == 1
    back = compare_contents("x-2.tar.gz", new, "x-1.tar.gz", old)
    assert [each.status for each in back.changes] == ["not compared"]


def test_files_beyond_the_limits_are_not_compared() -> None:
    old = Contents((Member("a", 1),))
    new = Contents((Member("a", 1, digest=b"2"),))
    (change,) = compare_contents("a-1.zip", old, "a-2.zip", new).changes
    assert change.status == "not compared"


def test_links_are_compared_by_their_target() -> None:
    def contents(target: str) -> Contents:
        return Contents((Member("a", 0, kind="symbolic link", target=target),))

    same = compare_contents("a-1.zip", contents("x"), "a-2.zip", contents("x"))
    assert (same.changes, same.identical) == ((), 1)
    (change,) = compare_contents("a-1.zip", contents("x"), "a-2.zip", contents("y")).changes
    assert change.status == "changed"


def test_invisible_characters_in_a_difference_are_shown_as_escapes(
    browser: Browser, index: Index
) -> None:
    index.publish(
        wheel_of("1.0", {"x.py": b"a\n"}), wheel_of("2.0", {"x.py": "a\u202e\x1b\n".encode()})
    )
    page = compare(browser, index)
    assert r"+a\u202e\u001b" in page.text
    assert "\u202e" not in page.response.text


def test_the_number_of_versions_to_choose_from_is_limited(browser: Browser, index: Index) -> None:
    index.add(*(sdist(version=f"1.{number}") for number in range(205)))
    page = compare(browser, index, old="1.0")
    assert len(page.all("option")) == 200
    assert [each["value"] for each in page.all("input", list="versions")] == ["1.0", "1.204"]
