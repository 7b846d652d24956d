"""Yanking and deleting a file, a release and a project, each after a confirmation."""

from __future__ import annotations

from pathlib import Path

import pytest

from cloudrepo_server.limits import MAX_STATED_REASON
from tests.support.archives import sdist, wheel
from tests.support.index import Index, Server
from tests.support.platforms import NEEDS_GRACEFUL_STOP
from tests.support.portal.browser import Browser, Page
from tests.support.server_fixtures import StartServer

NEW, OLD, SDIST = wheel(version="2.0"), wheel(version="1.0"), sdist(version="1.0")

TARGETS = {
    "file": (f"files/{OLD.filename}", {OLD.filename}),
    "release": ("projects/demo/releases/1.0", {OLD.filename, SDIST.filename}),
    "project": ("projects/demo", {NEW.filename, OLD.filename, SDIST.filename}),
}


@pytest.fixture
def published(index: Index) -> Index:
    """A project with three files of two releases."""
    index.publish(NEW, OLD, SDIST)
    return index


def path_of(index: Index, kind: str) -> str:
    return f"/portal/repositories/{index.name}/{TARGETS[kind][0]}"


def yanked(index: Index) -> dict[str, object]:
    return {
        name: file["yanked"] for name, file in index.files().items() if file["yanked"] is not False
    }


@pytest.mark.parametrize("kind", TARGETS)
def test_files_are_yanked_with_a_reason_and_unyanked(
    browser: Browser, published: Index, kind: str
) -> None:
    path, names = path_of(published, kind), TARGETS[kind][1]
    page = browser.submit(path + "/yank", reason=" It is broken. ")
    assert page.path == f"/portal/repositories/{published.name}/projects/demo"
    assert "was yanked: installers use it only for a pinned version" in page.text
    assert "Yanked It is broken." in page.text
    assert yanked(published) == dict.fromkeys(names, "It is broken.")
    page = browser.submit(path + "/unyank")
    assert "is no longer yanked" in page.text
    assert yanked(published) == {}
    browser.submit(path + "/yank")
    assert yanked(published) == dict.fromkeys(names, True)


def test_a_release_with_some_yanked_files_is_marked(browser: Browser, published: Index) -> None:
    page = browser.submit(path_of(published, "file") + "/yank")
    assert "1.0 Partly yanked" in page.text
    assert "1.0 Partly yanked" in browser.get(path_of(published, "release")).text
    page = browser.submit(path_of(published, "release") + "/yank")
    assert "Partly yanked" not in page.text


def test_a_project_offers_only_the_yanks_that_have_an_effect(
    browser: Browser, published: Index
) -> None:
    page = browser.get(path_of(published, "project"))
    assert "Yank all releases" in page.text
    assert "Unyank all releases" not in page.text
    browser.submit(path_of(published, "file") + "/yank")
    page = browser.get(path_of(published, "project"))
    assert "Yank all releases Unyank all releases" in page.text
    browser.submit(path_of(published, "project") + "/yank")
    page = browser.get(path_of(published, "project"))
    assert "Yank all releases" not in page.text
    assert "Unyank all releases" in page.text


@pytest.mark.parametrize("kind", TARGETS)
def test_a_confirmation_lists_the_files_and_changes_nothing(
    browser: Browser, published: Index, kind: str
) -> None:
    before = published.files()
    for action, heading in (("yank", "Yank"), ("unyank", "Undo the yank of"), ("delete", "Delete")):
        page = browser.get(f"{path_of(published, kind)}/{action}")
        assert f"{heading} this {kind}?" in page.text
        assert all(name in page.text for name in TARGETS[kind][1])
    assert published.files() == before


@pytest.mark.parametrize("kind", ["release", "project"])
def test_a_reason_that_is_too_long_is_rejected_in_the_form(
    browser: Browser, published: Index, kind: str
) -> None:
    reason = "x" * (MAX_STATED_REASON + 1)
    page = browser.submit(path_of(published, kind) + "/yank", reason=reason, status=400)
    assert "The reason is too long" in page.text
    assert page.form().fields["reason"] == reason
    assert yanked(published) == {}


def delete(browser: Browser, index: Index, kind: str) -> Page:
    named = {"name": "demo"} if kind == "project" else {}
    return browser.submit(path_of(index, kind) + "/delete", None, named)


@pytest.mark.parametrize("kind", TARGETS)
def test_deleted_files_are_gone_and_their_names_can_be_used_again(
    browser: Browser, published: Index, kind: str
) -> None:
    index = published
    page = delete(browser, index, kind)
    assert "was deleted." in page.text
    left = {NEW.filename, OLD.filename, SDIST.filename} - TARGETS[kind][1]
    if left:
        assert page.path == f"/portal/repositories/{index.name}/projects/demo"
        assert index.files().keys() == left
    else:
        assert page.path == f"/portal/repositories/{index.name}"
        assert "No projects yet" in page.text
        assert index.get("/demo/").status_code == 404
    browser.get(path_of(index, kind) + "/delete", status=404)
    index.publish(NEW, OLD, SDIST)


@NEEDS_GRACEFUL_STOP
def test_deleted_files_leave_nothing_in_the_store(
    start_server: StartServer, tmp_path: Path
) -> None:
    process = start_server("--data", str(tmp_path / "data"))
    server = Server(process)
    index, browser = server.repository(), Browser(server)
    browser.sign_in(*server.admin)
    index.publish(NEW, OLD, SDIST, wheel("other"))
    delete(browser, index, "release")
    delete(browser, index, "project")
    browser.close()
    server.close()
    # Current downloads may finish until the server ends.
    process.stop()
    blobs = [path for path in (tmp_path / "data").glob("**/blobs/**/*") if path.is_file()]
    # The content and the core metadata of the other project's wheel.
    assert len(blobs) == 2


def test_a_project_is_deleted_only_if_its_name_is_typed(browser: Browser, published: Index) -> None:
    path = path_of(published, "project") + "/delete"
    page = browser.submit(path, None, {"name": "other"}, status=400)
    assert "The project was not deleted. The name does not match" in page.text
    assert len(published.files()) == 3


def test_yanks_and_deletions_are_in_the_audit_list(browser: Browser, published: Index) -> None:
    browser.submit(path_of(published, "release") + "/yank", reason="broken")
    browser.submit(path_of(published, "project") + "/unyank")
    delete(browser, published, "release")
    delete(browser, published, "project")
    text = browser.get(f"/portal/audit?repository={published.name}").text
    for entry in (
        "Yank demo 1.0",
        "Undo of a yank demo",
        "Deletion of a release demo 1.0",
        "Deletion of a project demo",
    ):
        assert entry in text


def test_a_deleted_project_forgets_its_status(browser: Browser, published: Index) -> None:
    published.api_json("PATCH", "/projects/demo", {"status": "archived"})
    delete(browser, published, "project")
    published.publish(NEW)
    assert "project-status" not in published.json()


def test_deleted_names_stay_reserved_if_the_dialect_says_so(browser: Browser, index: Index) -> None:
    index.set(dialect="pypi")
    index.publish(wheel(version="3.0"))
    assert "cannot be used again" in browser.get(path_of(index, "project") + "/delete").text
    delete(browser, index, "project")
    response = index.upload(wheel(version="3.0", module="x = 2\n"))
    assert response.status_code == 400
    assert "previously used by a file that has since been deleted" in response.reason


def test_overwrite_protection_does_not_prevent_a_deletion_by_the_admin_user(
    browser: Browser, published: Index
) -> None:
    published.set(overwrite_protection=True)
    delete(browser, published, "release")
    assert published.files().keys() == {NEW.filename}


def test_unknown_releases_and_projects_show_an_error_page(browser: Browser, index: Index) -> None:
    index.publish(OLD)
    for below in ("projects/demo/releases/9.9", "projects/nothing", "files/x-1.0.tar.gz"):
        for action in ("yank", "unyank", "delete"):
            page = browser.get(f"/portal/repositories/{index.name}/{below}/{action}", status=404)
            assert "was not found in the repository" in page.text
