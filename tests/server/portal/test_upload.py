"""Uploads in the browser."""

from __future__ import annotations

import pytest

from tests.support.archives import sdist, wheel
from tests.support.index import Index
from tests.support.portal.browser import Browser, Page


def test_a_file_is_uploaded_and_served(browser: Browser, index: Index) -> None:
    page = browser.upload(index.name, wheel())
    assert page.path == f"/portal/repositories/{index.name}/projects/demo"
    assert "demo-1.0-py3-none-any.whl was uploaded." in page.text
    assert f"by {browser.server.admin[0]}" in page.text
    assert index.get("/demo/demo-1.0-py3-none-any.whl").content == wheel().data


def test_several_files_are_uploaded_at_once(browser: Browser, index: Index) -> None:
    page = browser.upload(index.name, wheel(), sdist(), wheel("other"))
    assert page.path == f"/portal/repositories/{index.name}"
    assert "3 files were uploaded." in page.text
    assert index.files().keys() == {wheel().filename, sdist().filename}


def test_overwrite_protection_applies_to_uploads_in_the_portal(
    browser: Browser, index: Index
) -> None:
    index.set(overwrite_protection=True)
    index.publish(wheel())
    before = index.files()
    path = f"/portal/repositories/{index.name}/upload"
    assert "Overwrite Protection is on" in browser.get(path).text
    page = browser.upload(index.name, wheel(module="x = 2\n"), sdist(), status=409)
    assert "1 file rejected" in page.text
    assert (
        "Rejected demo-1.0-py3-none-any.whl File already exists: demo-1.0-py3-none-any.whl "
        "(overwrite protection is on)"
    ) in page.text
    assert f"Uploaded {sdist().filename}" in page.text
    assert index.files()[wheel().filename] == before[wheel().filename]
    assert index.get("/demo/demo-1.0-py3-none-any.whl").content == wheel().data


def test_an_upload_replaces_an_existing_file_without_overwrite_protection(
    browser: Browser, index: Index
) -> None:
    index.publish(wheel())
    assert (
        "Overwrite Protection is off"
        in browser.get(f"/portal/repositories/{index.name}/upload").text
    )
    browser.upload(index.name, wheel(module="x = 2\n"))
    assert index.get("/demo/demo-1.0-py3-none-any.whl").content == wheel(module="x = 2\n").data


def test_an_invalid_distribution_is_rejected_with_a_message(browser: Browser, index: Index) -> None:
    page = browser.upload(index.name, wheel().named("demo-2.0-py3-none-any.whl"), status=400)
    assert "contains the metadata of version" in page.text
    page = browser.upload(index.name, wheel().named("notes.txt"), status=400)
    assert "notes.txt has no known file extension" in page.text
    assert index.get("/demo/").status_code == 404


def test_an_archived_project_rejects_uploads_in_the_portal(browser: Browser, index: Index) -> None:
    index.publish(wheel())
    index.api_json("PATCH", "/projects/demo", {"status": "archived"})
    page = browser.upload(index.name, wheel(version="2.0"), status=403)
    assert "The project demo is archived and does not accept uploads." in page.text


def test_a_file_that_is_too_large_is_rejected(browser: Browser, index: Index) -> None:
    index.set(max_file_size=1 << 20)
    assert (
        "Maximum size of a file: 1.0 MiB."
        in browser.get(f"/portal/repositories/{index.name}/upload").text
    )
    page = browser.upload(index.name, wheel(padding=3 << 20), status=413)
    assert "is too large: the limit is 1048576 bytes" in page.text


def test_a_form_without_a_file_is_rejected_with_a_message(browser: Browser, index: Index) -> None:
    # Browsers send this if no file was selected.
    response = browser.send_files(index.name, ("", b""))
    assert response.status_code == 400
    assert "No file selected: choose a file." in Page(response).text


def test_a_form_with_too_many_files_is_rejected_and_stores_none(
    browser: Browser, index: Index
) -> None:
    page = browser.upload(
        index.name, *(wheel(version=f"{number}.0") for number in range(21)), status=400
    )
    assert "Too many files: upload at most 20 at once." in page.text
    assert index.get("/demo/").status_code == 404


def test_the_form_token_must_come_before_the_files(browser: Browser, index: Index) -> None:
    path = f"/portal/repositories/{index.name}/upload"
    token = [(name, (None, value)) for name, value in browser.get(path).form().fields.items()]
    file = ("content", (wheel().filename, wheel().data))
    # Otherwise the server would store the files of a forged form, even if only for a while.
    assert browser.request("POST", path, files=[file, *token]).status_code == 403
    assert browser.request("POST", path, files=[("other", (None, "x"))]).status_code == 403
    assert index.get("/demo/").status_code == 404


@pytest.mark.parametrize("reason", ["no token", "too many files"])
def test_a_rejected_form_leaves_no_blobs_behind(
    browser: Browser, index: Index, reason: str
) -> None:
    before = browser.server.blobs()
    large = wheel(padding=2 << 20)
    files = [(large.filename, large.data)] * (21 if reason == "too many files" else 1)
    response = browser.send_files(index.name, *files, token=reason != "no token")
    assert response.status_code == (403 if reason == "no token" else 400)
    assert browser.server.blobs() == before


def test_the_journal_has_no_requests_to_the_portal(browser: Browser, index: Index) -> None:
    browser.upload(index.name, wheel())
    browser.request("GET", f"/portal/repositories/{index.name}/files/{wheel().filename}")
    assert index.journal() == []
