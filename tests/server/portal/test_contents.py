"""The contents of wheels and sdists, as the portal shows them."""

from __future__ import annotations

import pytest

from cloudrepo_server.limits import MAX_SHOWN_TEXT
from tests.support.archives import Archive, core_metadata, tarred, wheel, zipped
from tests.support.index import Index
from tests.support.portal.browser import Browser, Page


def archive_of(files: dict[str, bytes], *, ending: str = ".tar.gz", name: str = "demo") -> Archive:
    """Return an sdist with these files below its top folder."""
    top = f"{name}-1.0"
    metadata = core_metadata(name, "1.0", metadata_version="2.2")
    all_files = {f"{top}/PKG-INFO": metadata, **{f"{top}/{path}": files[path] for path in files}}
    data = zipped(all_files) if ending == ".zip" else tarred(all_files)
    return Archive(f"{top}{ending}", data, metadata)


def contents(browser: Browser, index: Index, archive: Archive, query: str = "") -> Page:
    path = f"/portal/repositories/{index.name}/files/{archive.filename}/contents"
    return browser.get(path + query)


def member(
    browser: Browser, index: Index, archive: Archive, path: str, *, status: int = 200
) -> Page:
    page = f"/portal/repositories/{index.name}/files/{archive.filename}/contents/file?path={path}"
    return browser.get(page, status=status)


FILES = {"src/demo/__init__.py": b"x = '<b>'\n\ty\n", "empty.txt": b"", "logo.png": b"\x89PNG\0"}


@pytest.mark.parametrize("ending", [".tar.gz", ".zip"])
def test_the_files_of_an_sdist_are_listed_and_shown(
    browser: Browser, index: Index, ending: str
) -> None:
    archive = archive_of(FILES, ending=ending)
    index.publish(archive)
    page = contents(browser, index, archive)
    assert "4 files" in page.text
    assert "demo-1.0/src/demo/__init__.py 13 Bytes" in page.text
    page = member(browser, index, archive, "demo-1.0/src/demo/__init__.py")
    assert "1 2 x = '<b>' y" in page.text
    assert not page.all("b")
    assert "The file is empty." in member(browser, index, archive, "demo-1.0/empty.txt").text
    page = member(browser, index, archive, "demo-1.0/logo.png")
    assert "This is not UTF-8 text" in page.text


def test_the_files_of_a_wheel_are_listed_and_shown(browser: Browser, index: Index) -> None:
    index.publish(wheel())
    page = contents(browser, index, wheel())
    assert "demo.py 6 Bytes" in page.text
    links = [each["href"] for each in page.all("a") if "path=demo.py" in each["href"]]
    assert "x = 1" in browser.get(links[0]).text


def test_a_long_list_is_paginated_and_searchable(browser: Browser, index: Index) -> None:
    archive = archive_of({f"data/{number:03}.txt": b"x" for number in range(250)})
    index.publish(archive)
    assert "Page of 2" in contents(browser, index, archive).text
    assert "data/249.txt" in contents(browser, index, archive, "?page=2").text
    page = contents(browser, index, archive, "?q=DATA/24")
    assert page.text.count("demo-1.0/data/24") == 10
    assert "No path contains “nothing”" in contents(browser, index, archive, "?q=nothing").text


@pytest.mark.parametrize("ending", [".tar.gz", ".zip"])
def test_only_the_beginning_of_a_large_text_is_shown(
    browser: Browser, index: Index, ending: str
) -> None:
    # The limit is in the middle of a character.
    text = b"a" + "é\n".encode() * MAX_SHOWN_TEXT
    archive = archive_of({"large.txt": text, "lines.txt": b"\n" * 20_000}, ending=ending)
    index.publish(archive)
    page = member(browser, index, archive, "demo-1.0/large.txt")
    assert "Only the beginning is shown: at most 256.0 KiB and 10,000 lines." in page.text
    assert "aé" in page.text
    assert len(page.response.content) < 3 * MAX_SHOWN_TEXT
    page = member(browser, index, archive, "demo-1.0/lines.txt")
    assert "Only the beginning is shown" in page.text


def test_invisible_characters_of_a_text_are_shown_as_escapes(
    browser: Browser, index: Index
) -> None:
    archive = archive_of({"trojan.py": "if admin:\u202e #\x1b[2J\r\n".encode()})
    index.publish(archive)
    page = member(browser, index, archive, "demo-1.0/trojan.py")
    assert r"if admin:\u202e #\u001b[2J" in page.text
    assert "They are shown as escapes" in page.text
    assert "\u202e" not in page.response.text


def test_a_missing_file_shows_an_error_page(browser: Browser, index: Index) -> None:
    index.publish(wheel())
    page = member(browser, index, wheel(), "../../etc/passwd", status=404)
    assert "contains no file '../../etc/passwd' that can be shown" in page.text
    assert "contains no file" in member(browser, index, wheel(), "", status=404).text


def test_a_file_that_is_no_archive_shows_an_error_page(browser: Browser, index: Index) -> None:
    index.set(dialect="cloudrepo")
    index.publish(Archive("demo-1.0-py3-none-any.whl", b"not a zip file"))
    path = f"/portal/repositories/{index.name}/files/demo-1.0-py3-none-any.whl/contents"
    assert "is not a readable archive" in browser.get(path, status=400).text
    metadata = browser.get(path.replace("/contents", "/metadata"), status=404)
    assert "has no core metadata" in metadata.text


def test_a_replaced_file_shows_its_new_contents(browser: Browser, index: Index) -> None:
    index.publish(wheel(module="x = 1\n"))
    assert "x = 1" in member(browser, index, wheel(), "demo.py").text
    index.publish(wheel(module="x = 2222\n"))
    assert "x = 2222" in member(browser, index, wheel(), "demo.py").text
    assert "demo.py 9 Bytes" in contents(browser, index, wheel()).text
