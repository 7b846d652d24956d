"""The Activity pages."""

from __future__ import annotations

import pytest

from tests.support.archives import wheel
from tests.support.index import Index
from tests.support.portal.browser import Browser, Page


@pytest.fixture
def busy_repository(index: Index) -> Index:
    """A repository with a request of each kind."""
    index.set(overwrite_protection=True)
    index.publish(wheel())
    index.upload(wheel(module="x = 2\n"))
    index.get("/demo/")
    index.get(f"/demo/{wheel().filename}")
    index.request("GET", "/demo/", auth=None)
    index.get("/nothing/")
    return index


def rows(page: Page) -> list[str]:
    """Return the badges of the listed requests, in the order of the page."""
    badges = {"Uploaded", "Downloaded", "Rejected", "Viewed"}
    return [word for word in page.text.split() if word in badges]


def test_activity_lists_requests_newest_first(browser: Browser, busy_repository: Index) -> None:
    page = browser.get(f"/portal/repositories/{busy_repository.name}/activity")
    assert rows(page) == ["Rejected", "Rejected", "Downloaded", "Rejected", "Uploaded"]
    assert (
        "Rejected nothing 404 The project nothing was not found in the repository "
        f"{busy_repository.name}. " in (page.text)
    )
    assert (
        "401 Credentials are required: the e-mail address and passphrase of "
        "a repository user. anonymous" in page.text
    )
    assert (
        f"Rejected {wheel().filename} 409 File already exists: {wheel().filename} "
        f"(overwrite protection is on) {busy_repository.username} just now"
    ) in page.text
    assert f"Downloaded {wheel().filename} {busy_repository.username} just now" in page.text


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("uploads", ["Uploaded"]),
        ("downloads", ["Downloaded"]),
        ("rejections", ["Rejected"] * 3),
        ("pages", ["Viewed"]),
        ("nonsense", ["Rejected", "Rejected", "Downloaded", "Rejected", "Uploaded"]),
    ],
)
def test_a_filter_shows_only_its_kind_of_request(
    browser: Browser, busy_repository: Index, kind: str, expected: list[str]
) -> None:
    page = browser.get(f"/portal/repositories/{busy_repository.name}/activity?kind={kind}")
    assert rows(page) == expected


def test_the_activity_page_merges_all_repositories(
    browser: Browser, busy_repository: Index
) -> None:
    other = browser.server.repository()
    other.publish(wheel("later"))
    busy_repository.publish(wheel("latest"))
    page = browser.get("/portal/activity?kind=uploads")
    text = page.text
    first, second = (f"{name}-1.0-py3-none-any.whl" for name in ("latest", "later"))
    assert text.index(f"{first} {busy_repository.name}") < text.index(f"{second} {other.name}")


def test_long_activity_is_paginated(browser: Browser, index: Index) -> None:
    index.publish(wheel())
    for _ in range(60):
        index.get(f"/demo/{wheel().filename}")
    path = f"/portal/repositories/{index.name}/activity"
    assert rows(browser.get(path)) == ["Downloaded"] * 50
    assert rows(browser.get(path + "?page=2")) == ["Downloaded"] * 10 + ["Uploaded"]
    page = browser.get(path + "?kind=downloads")
    assert page.all("a", rel="next")[0]["href"] == "?kind=downloads&page=2"


def test_an_empty_activity_page_explains_what_it_would_show(browser: Browser, index: Index) -> None:
    page = browser.get(f"/portal/repositories/{index.name}/activity")
    assert "Uploads and downloads by clients appear here" in page.text
