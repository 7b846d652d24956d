"""The pages of projects and files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.archives import core_metadata, sdist, wheel
from tests.support.forms import File
from tests.support.hidden_modules import hide_modules
from tests.support.index import Index, Server
from tests.support.platforms import NEEDS_MARKDOWN
from tests.support.portal.browser import Browser, Page
from tests.support.pypi_rules import Upload
from tests.support.server_fixtures import StartServer

README = """\
# Demo

Some *words* and `code`.

| a | b |
|---|---|
| 1 | 2 |

![badge](https://example.com/badge.svg)
"""


def project_page(browser: Browser, index: Index, project: str = "demo", query: str = "") -> Page:
    return browser.get(f"/portal/repositories/{index.name}/projects/{project}{query}")


def metadata_with_readme(
    readme: str, content_type: str, version: str = "1.0", name: str = "demo"
) -> bytes:
    more = f"Summary: All about {version}\nDescription-Content-Type: {content_type}\n\n{readme}"
    return core_metadata(name, version, more=more)


def test_a_repository_lists_its_projects(browser: Browser, index: Index) -> None:
    index.publish(wheel("Some.Thing", "1.0"), wheel("Some.Thing", "2.0"), wheel("other"))
    page = browser.get(f"/portal/repositories/{index.name}")
    assert re.search(r"other 1\.0 1 file [\d.]+ \w+ uploaded just now", page.text)
    assert re.search(r"some-thing 2\.0 2 files [\d.]+ \w+ uploaded just now", page.text)
    assert index.url in page.text
    assert f"{index.url}" in [each.get("data-copy") for each in page.all("button")]


def test_long_project_lists_are_paginated_and_searchable(browser: Browser, index: Index) -> None:
    for number in range(60):
        index.add(wheel(f"project{number}"))
    page = browser.get(f"/portal/repositories/{index.name}")
    assert len(page.all("a", class_="name")) == 50
    assert page.all("input", name="page", value="1")
    assert "of 2" in page.text
    page = browser.get(f"/portal/repositories/{index.name}?q=PROJECT5")
    assert len(page.all("a", class_="name")) == 11
    page = browser.get(f"/portal/repositories/{index.name}?q=nothing")
    assert "No project name contains “nothing”." in page.text


def test_a_project_shows_the_details_of_each_file(browser: Browser, index: Index) -> None:
    archive = wheel(requires_python=">=3.9,<4", padding=1500)
    index.publish(archive, sdist())
    index.api_json(
        "PATCH", f"/files/{sdist().filename}", {"upload_time": "2020-02-03T04:05:06.000000Z"}
    )
    page = project_page(browser, index)
    assert f"{archive.filename} wheel 2." in page.text
    assert "KiB uploaded just now by " + index.username in page.text
    assert "Python >=3.9,<4" in page.text
    assert f"SHA-256 {archive.sha256}" in page.text
    assert "SHA-256 of the core metadata" in page.text
    assert f"{len(archive.data):,} bytes" in page.text
    assert f"{sdist().filename} sdist" in page.text
    assert re.search(r"uploaded \d+ years ago by", page.text)
    old = page.all("time", title="3 February 2020, 04:05:06 UTC")
    assert {each["datetime"] for each in old} == {"2020-02-03T04:05:06+00:00"}


def test_releases_are_listed_newest_first_and_the_latest_is_final_and_not_yanked(
    browser: Browser, index: Index
) -> None:
    for version in ("1.9", "1.10", "2.0rc1", "0.1"):
        index.publish(wheel(version=version))
    page = project_page(browser, index)
    assert releases_on(page) == ["2.0rc1", "1.10", "1.9", "0.1"]
    # Only the files of the newest release are visible at first.
    files = page.all("details", class_="release-files")
    assert ["open" in each for each in files] == [True, False, False, False]
    assert "demo 1.10" in page.text
    index.api_json("PATCH", f"/files/{wheel(version='1.10').filename}", {"yanked": True})
    assert "demo 1.9" in project_page(browser, index).text


def test_long_lists_of_releases_are_paginated(browser: Browser, index: Index) -> None:
    for number in range(30):
        index.add(wheel(version=f"1.{number}"))
    page = project_page(browser, index)
    assert releases_on(page) == [f"1.{number}" for number in range(29, 4, -1)]
    assert "30 releases" in page.text
    page = project_page(browser, index, query="?page=2")
    assert releases_on(page) == [f"1.{number}" for number in range(4, -1, -1)]


def test_a_release_with_many_files_lists_some_and_links_to_all(
    browser: Browser, index: Index
) -> None:
    for number in range(30):
        index.add(wheel(filename=f"demo-1.0-{number}-py3-none-any.whl"))
    page = project_page(browser, index)
    assert page.text.count("uploaded just now by admin") == 5
    assert "All 30 files of 1.0" in page.text
    release = browser.get(f"/portal/repositories/{index.name}/projects/demo/releases/1.0")
    assert release.text.count("uploaded just now by admin") == 25
    assert "Page of 2" in release.text


def releases_on(page: Page) -> list[str]:
    """Return the versions in a project's list of releases."""
    labels = [each["aria-label"] for each in page.all("li") if "aria-label" in each]
    return [label.removeprefix("Release ") for label in labels]


def test_the_admin_user_downloads_files_through_the_portal(browser: Browser, index: Index) -> None:
    archive = wheel(padding=3 << 20)
    index.publish(archive)
    (link,) = [each for each in project_page(browser, index).all("a") if "download" in each]
    href = link["href"]
    assert href == f"/portal/repositories/{index.name}/files/{archive.filename}"
    response = browser.request("GET", href)
    assert response.content == archive.data
    assert response.headers["Content-Type"] == "application/octet-stream"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Content-Disposition"] == f'attachment; filename="{archive.filename}"'
    part = browser.request("GET", href, headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, archive.data[10:20])
    head = browser.request("HEAD", href)
    assert int(head.headers["Content-Length"]) == len(archive.data)
    # The repository itself rejects the admin user.
    assert (
        index.request("GET", f"/demo/{archive.filename}", auth=index.server.admin).status_code
        == 401
    )


@pytest.mark.parametrize("status", ["archived", "quarantined", "deprecated"])
def test_a_project_status_is_set_with_a_reason(browser: Browser, index: Index, status: str) -> None:
    index.publish(wheel())
    path = f"/portal/repositories/{index.name}/projects/demo"
    form = browser.get(path).form(f"{path}/status")
    response = browser.request(
        "POST", form.action, data={**form.fields, "status": status, "reason": "for a test"}
    )
    assert response.status_code == 303
    assert index.json()["project-status"] == {"status": status, "reason": "for a test"}
    page = project_page(browser, index)
    assert f"{status}: for a test" in page.text
    assert status in browser.get(f"/portal/repositories/{index.name}").text


def test_an_unknown_project_status_is_rejected_with_a_message(
    browser: Browser, index: Index
) -> None:
    index.publish(wheel())
    path = f"/portal/repositories/{index.name}/projects/demo"
    form = browser.get(path).form(f"{path}/status")
    response = browser.request("POST", form.action, data={**form.fields, "status": "lost"})
    assert response.status_code == 400
    assert "Unknown status 'lost'" in Page(response).text


@pytest.mark.parametrize(
    ("kind", "readme", "shown"),
    [
        pytest.param("text/markdown", README, "<em>words</em>", marks=NEEDS_MARKDOWN),
        pytest.param(
            "text/markdown; charset=UTF-8; variant=CommonMark",
            README,
            "<em>words</em>",
            marks=NEEDS_MARKDOWN,
        ),
        ("text/x-rst", "Demo\n====\n\nSome *words*.\n", "<em>words</em>"),
        # A README that cannot be rendered is shown as text.
        ("text/x-rst", "Demo\n==\n\n.. nonsense::\n\nSome *words*", "Some *words*"),
        ("text/markdown; variant=Klingon", "Some *words*", "Some *words*"),
        ("text/plain", "Some *words*  here", "Some *words*  here"),
        ("application/x-unknown", "Some *words*", "Some *words*"),
    ],
)
def test_the_readme_of_the_latest_release_is_shown(
    browser: Browser, index: Index, kind: str, readme: str, shown: str
) -> None:
    index.publish(
        wheel(version="1.0", metadata=metadata_with_readme(readme, kind)),
        wheel(version="0.9", metadata=metadata_with_readme("of before", kind, "0.9")),
    )
    page = project_page(browser, index)
    assert "README of 1.0" in page.text
    assert "All about 1.0" in page.text
    assert shown in page.response.text
    assert "of before" not in page.text


def test_a_readme_in_markdown_is_shown_as_text_without_its_renderer(
    start_server: StartServer, tmp_path: Path
) -> None:
    server = Server(start_server(environ=hide_modules(tmp_path / "hidden", "comrak")))
    index, browser = server.repository(rules="pypi"), Browser(server)
    browser.sign_in(*server.admin)
    fields = {"description": README, "description_content_type": "text/markdown"}
    # The missing renderer is no reason to reject an upload.
    assert index.post(Upload(fields).form()).status_code == 200
    page = project_page(browser, index)
    assert "Some *words*" in page.text
    assert "install pytest-cloudrepo[markdown] where the server runs" in page.text


@NEEDS_MARKDOWN
def test_images_of_a_readme_are_left_out(browser: Browser, index: Index) -> None:
    index.publish(wheel(metadata=metadata_with_readme(README, "text/markdown")))
    page = project_page(browser, index)
    assert not [each for each in page.all("img") if "example.com" in each["src"]]
    assert "Images are replaced by their descriptions" in page.text
    assert page.all("table")


@pytest.mark.parametrize(
    "readme",
    [
        "- [x] done\n- [ ] open\n",
        '<input type="password" name="password"> words',
        '<picture><source srcset="https://example.com/x.png"><b>words</b></picture>',
        '<img src="https://example.com/x.png" alt="words">',
        '<form action="https://example.com"><button>words</button></form>',
        '<iframe src="https://example.com"></iframe> words',
    ],
)
def test_a_readme_has_no_elements_that_load_or_send_anything(
    browser: Browser, index: Index, readme: str
) -> None:
    before = project_page_of(browser, index, "words")
    page = project_page_of(browser, index, f"{readme}\n")
    for element in ("input", "picture", "source", "img", "form", "button", "iframe"):
        assert len(page.all(element)) == len(before.all(element)), element


def project_page_of(browser: Browser, index: Index, readme: str) -> Page:
    """Return the page of a project with this README in Markdown."""
    index.publish(wheel(metadata=metadata_with_readme(readme, "text/markdown")))
    return project_page(browser, index)


def test_a_readme_in_the_description_header_is_shown(browser: Browser, index: Index) -> None:
    lines = "Description: Demo\n        ====\n        \n        Some *words*.\n"
    index.publish(wheel(metadata=core_metadata("demo", "1.0", more=lines)))
    assert "<em>words</em>" in project_page(browser, index).response.text


def test_a_readme_that_is_not_utf8_or_very_long_is_shown_as_text(
    browser: Browser, index: Index
) -> None:
    head = core_metadata("demo", "1.0", more="Description-Content-Type: text/markdown\n\n")
    index.publish(wheel(metadata=head + b"caf\xe9 *words*"))
    assert "caf\N{REPLACEMENT CHARACTER}" in project_page(browser, index).text
    head = head.replace(b"demo", b"long")
    index.publish(wheel("long", metadata=head + b"*words* " * (1 << 17)))
    page = project_page(browser, index, "long")
    assert "*words* *words*" in page.text
    assert len(page.response.text) < 1 << 19


@NEEDS_MARKDOWN
def test_a_replaced_file_shows_its_new_readme(browser: Browser, index: Index) -> None:
    index.publish(wheel(metadata=metadata_with_readme("the *first*", "text/markdown")))
    assert "the first" in project_page(browser, index).text
    index.publish(wheel(metadata=metadata_with_readme("the *second*", "text/markdown")))
    assert "the second" in project_page(browser, index).text


def test_files_of_any_type_are_listed_in_the_cloudrepo_dialect(
    browser: Browser, index: Index
) -> None:
    index.set(dialect="cloudrepo")
    index.post(
        [
            *(("name", "notes"), ("sha256_digest", wheel().sha256)),
            ("content", File("notes.txt", wheel().data)),
        ]
    )
    page = project_page(browser, index, "notes")
    assert "Without a version" in page.text
    assert "notes.txt file" in page.text


def test_unknown_projects_and_files_show_an_error_page(browser: Browser, index: Index) -> None:
    for below in (
        "projects/nothing",
        "files/nothing-1.0.tar.gz",
        "files/nothing-1.0.tar.gz/delete",
    ):
        page = browser.get(f"/portal/repositories/{index.name}/{below}", status=404)
        assert f"in the repository {index.name}" in page.text


@pytest.mark.parametrize(("dialect", "warns"), [("modern", False), ("cloudrepo", True)])
def test_pages_warn_if_installers_do_not_see_statuses_and_yanks(
    browser: Browser, dialect: str, *, warns: bool
) -> None:
    index = browser.server.repository(dialect=dialect)
    index.publish(wheel())
    path = f"/portal/repositories/{index.name}/projects/demo"
    assert (f"The dialect {dialect} has no statuses" in browser.get(path).text) is warns
    yank = f"{path}/releases/1.0/yank"
    assert (f"The dialect {dialect} has no yanks" in browser.get(yank).text) is warns
    assert ("only for a pinned version" in browser.submit(yank).text) is not warns
