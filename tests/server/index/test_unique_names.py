"""Names in a repository: a file name belongs to one project, and no file hides an index page."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from cloudrepo_server.specs.dialects import DIALECTS
from tests.support.archives import Archive, sdist, wheel
from tests.support.dialects import REGISTRIES
from tests.support.forms import File
from tests.support.index import Index, Server
from tests.support.portal.browser import Browser

# A dialect, a file name, and two projects to which the file may belong in this dialect.
SHARED_NAMES = [
    *((dialect, "a-1-2.zip", ("a-1", "a")) for dialect in REGISTRIES),
    *((dialect, "a-1-2.zip", ("a", "a-1")) for dialect in REGISTRIES),
    ("modern", "demo-1.0-1.tar.gz", ("demo", "demo-1-0")),
    *(
        (dialect, filename, ("first", "second"))
        for dialect in ("cloudrepo", "pypiserver")
        for filename in ("notes.txt", "first-1.0.exe", "setup", "a-x.zip", "b-1-bad.whl")
    ),
]


def archive_for(filename: str, project: str) -> Archive:
    ending = ".zip" if filename.endswith(".zip") else ".tar.gz"
    return sdist(project, "1.0", ending=ending, filename=filename)


def send(index: Index, archive: Archive, project: str) -> requests.Response:
    return index.post(
        [
            (":action", "file_upload"),
            ("name", project),
            ("sha256_digest", archive.sha256),
            ("content", File(archive.filename, archive.data)),
        ]
    )


def upload(index: Index, archive: Archive, project: str) -> int:
    return send(index, archive, project).status_code


def projects_with(index: Index, filename: str) -> set[str]:
    """Return the projects whose pages list a file."""
    found = set()
    for project in index.api_json("GET", "/projects")["projects"]:
        page = index.get(f"/{project['name']}/")
        if page.status_code == 200 and f">{filename}</a>" in page.text:
            found.add(project["name"])
    return found


@pytest.mark.parametrize(("dialect", "filename", "projects"), SHARED_NAMES)
def test_a_file_name_belongs_to_one_project(
    server: Server, dialect: str, filename: str, projects: tuple[str, str]
) -> None:
    index = server.repository(dialect=dialect, rules="none")
    first, second = projects
    archive = archive_for(filename, first)
    assert upload(index, archive, first) == 200
    rejected = send(index, archive_for(filename, second), second)
    assert rejected.status_code == DIALECTS[dialect].exists_status
    assert f"{filename} is a file of the project {first}" in index.journal()[-1]["error"]
    assert projects_with(index, filename) == {first}
    # The name is free again once the first project no longer has the file.
    index.api_json("DELETE", f"/files/{filename}")
    expected = 200 if DIALECTS[dialect].deleted_text is None else DIALECTS[dialect].exists_status
    assert upload(index, archive_for(filename, second), second) == expected
    assert projects_with(index, filename) == ({second} if expected == 200 else set())


@pytest.mark.parametrize("dialect", REGISTRIES)
@pytest.mark.parametrize("filename", ["victim-1.0-py3-none-any.whl", "victim-1.0.tar.gz"])
def test_a_file_name_that_names_its_project_is_rejected_for_others(
    server: Server, dialect: str, filename: str
) -> None:
    index = server.repository(dialect=dialect, rules="none")
    response = index.upload(Archive(filename, b"PK"), name="other")
    assert response.status_code == 400
    assert f"{filename} is not a file of the project other" in response.text


def test_the_portal_deletes_the_file_of_the_page_that_it_shows(
    server: Server, browser: Browser
) -> None:
    index = server.repository()
    first, second = (sdist(name, ending=".zip", filename="a-1-2.zip") for name in ("a-1", "a"))
    upload(index, first, "a-1")
    upload(index, second, "a")
    downloaded = browser.get(f"/portal/repositories/{index.name}/files/a-1-2.zip")
    assert downloaded.response.content == first.data


def test_a_file_name_stays_unique_if_the_dialect_changes(server: Server) -> None:
    index = server.repository(dialect="modern")
    assert upload(index, archive_for("a-1-2.zip", "a"), "a") == 200
    for dialect in REGISTRIES:
        index.set(dialect=dialect)
        rejected = upload(index, archive_for("a-1-2.zip", "a-1"), "a-1")
        assert rejected == DIALECTS[dialect].exists_status
        assert projects_with(index, "a-1-2.zip") == {"a"}
        assert upload(index, archive_for("a-1-2.zip", "zzz"), "zzz") == 400


def test_one_of_many_projects_gets_a_file_name(server: Server) -> None:
    index = server.repository(dialect="cloudrepo")
    names = [f"project-{number}" for number in range(12)]
    for _ in range(3):
        with ThreadPoolExecutor(len(names)) as pool:
            statuses = list(
                pool.map(
                    lambda name: upload(index, Archive("notes.txt", name.encode()), name), names
                )
            )
        assert statuses.count(200) == 1
        assert projects_with(index, "notes.txt") == {names[statuses.index(200)]}
        index.api_json("DELETE", "/files/notes.txt")


@pytest.mark.parametrize("dialect", ["cloudrepo", "pypiserver"])
@pytest.mark.parametrize("below", ["/simple/victim/", "/simple/victim", "/victim/", "/victim"])
def test_no_file_hides_a_page(server: Server, dialect: str, below: str) -> None:
    index = server.repository(dialect=dialect, rules="none")
    index.publish(wheel("victim"))
    page = index.request("GET", below, allow_redirects=True)
    for project in ("simple", "demo", "victim"):
        for filename in ("victim", "simple", "victim.metadata"):
            upload(index, Archive(filename, b"hidden"), project)
    changed = index.request("GET", below, allow_redirects=True)
    assert changed.status_code == page.status_code == 200
    assert "victim-1.0-py3-none-any.whl" in changed.text
    if dialect == "cloudrepo":
        assert '"/repositories/' in index.html("/simple/")


def test_the_files_of_a_project_named_simple_can_be_downloaded(server: Server) -> None:
    index = server.repository()
    index.publish(wheel("simple"))
    archive = wheel("simple")
    assert index.file(archive, "simple/simple").content == archive.data
    assert index.get(f"/simple/simple/{archive.filename}.metadata").content == archive.metadata
    assert index.get(f"/simple/{archive.filename}").status_code == 404


def test_no_file_hides_core_metadata(server: Server) -> None:
    index = server.repository()
    archive = wheel()
    index.publish(archive)
    index.set(dialect="cloudrepo")
    assert upload(index, Archive(archive.filename + ".metadata", b"hidden"), "demo") == 200
    index.set(dialect="modern")
    assert index.get(f"/demo/{archive.filename}.metadata").content == archive.metadata
