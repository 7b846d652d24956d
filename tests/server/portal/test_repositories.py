"""The pages that list, create and delete repositories."""

from __future__ import annotations

import pytest

from tests.support.archives import wheel
from tests.support.index import Index, Server
from tests.support.portal.browser import Browser


def test_an_empty_organization_shows_the_first_steps(own_server: Server) -> None:
    browser = Browser(own_server)
    page = browser.sign_in(*own_server.admin)
    assert "No repositories yet" in page.text
    assert page.all("a", href="/portal/create-repository")
    assert page.all("a", href="/portal/create-user")
    own_server.repository("first")
    page = browser.get("/portal/")
    assert "No repositories yet" not in page.text
    assert "The request log has no recent uploads." in page.text
    browser.close()


def test_a_repository_is_created_with_its_settings(browser: Browser) -> None:
    page = browser.submit(
        "/portal/create-repository",
        name=" new-one ",
        overwrite_protection="on",
        public="yes",
        dialect="pypi",
        max_file_size="3",
        unit="KiB",
    )
    assert page.path == "/portal/repositories/new-one"
    assert "The repository new-one was created." in page.text
    assert "No projects yet" in page.text
    made = browser.server.api_json("GET", "/repositories/new-one")
    assert made["overwrite_protection"]
    assert made["public"]
    assert made["dialect"] == "pypi"
    assert made["max_file_size"] == 3 << 10
    # A notice is shown only once.
    assert "was created" not in browser.get(page.path).text


def test_default_settings_are_those_of_the_admin_api(browser: Browser) -> None:
    browser.submit("/portal/create-repository", name="by-portal")
    browser.server.repository("by-api")
    made = [
        browser.server.api_json("GET", f"/repositories/by-{origin}") for origin in ("portal", "api")
    ]
    for each in made:
        del each["name"], each["url"], each["public_url"], each["created"]
    assert made[0] == made[1]


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        (
            "name",
            "",
            "'' is not a valid repository name: use 1 to 32 of the characters a-z, 0-9, - and _.",
        ),
        ("name", "Upper", "'Upper' is not a valid repository name"),
        ("name", "../up", "'../up' is not a valid repository name"),
        ("max_file_size", "many", "Invalid maximum file size 'many': enter a whole number"),
        ("max_file_size", "-1", "Invalid maximum file size '-1': enter a whole number"),
        ("max_file_size", "9" * 40, "Invalid maximum file size"),
        ("unit", "feet", "Unknown unit 'feet': use one of bytes, KiB, MiB, GiB."),
        ("dialect", "klingon", "Unknown dialect 'klingon'"),
    ],
)
def test_an_invalid_form_keeps_its_values_and_shows_the_error(
    browser: Browser, field: str, value: str, sentence: str
) -> None:
    submitted = {"name": "wrong", "max_file_size": "1", "overwrite_protection": "on", field: value}
    page = browser.submit("/portal/create-repository", status=400, **submitted)
    assert page.path == "/portal/create-repository"
    assert sentence in page.text
    kept = page.form().fields
    for name in ("name", "max_file_size", "overwrite_protection"):
        assert kept[name] == submitted[name]
    assert browser.server.api("GET", "/repositories/wrong").status_code == 404


def test_an_existing_repository_name_is_rejected(browser: Browser, index: Index) -> None:
    page = browser.submit("/portal/create-repository", name=index.name, status=409)
    assert f"The repository {index.name} already exists." in page.text


def test_the_repository_list_shows_settings_and_is_searchable(browser: Browser) -> None:
    browser.server.repository("needle-one", public=True)
    browser.server.repository("needle-two", overwrite_protection=True, dialect="cloudrepo")
    for _ in range(10):
        browser.server.repository()
    page = browser.get("/portal/?q=NEEDLE")
    assert [each["href"] for each in page.all("a", class_="name")] == [
        "/portal/repositories/needle-one",
        "/portal/repositories/needle-two",
    ]
    assert "needle-one Public created just now 0 projects 0 files" in page.text
    assert "needle-two Protected dialect cloudrepo created just now 0 projects" in page.text
    assert "No repository name contains “nowhere”" in browser.get("/portal/?q=nowhere").text


def test_a_long_repository_list_is_paginated(own_server: Server) -> None:
    for number in range(120):
        own_server.repository(f"r{number:03}")
    browser = Browser(own_server)
    browser.sign_in(*own_server.admin)
    seen: list[str] = []
    path = "/portal/?q=r"
    while path:
        page = browser.get(path)
        seen += [each["href"].rpartition("/")[2] for each in page.all("a", class_="name")]
        next_links = page.all("a", rel="next")
        path = "/portal/" + next_links[0]["href"] if next_links else ""
    assert seen == [f"r{number:03}" for number in range(120)]
    assert page.all("input", name="page", value="3")
    for page_number, shown in (
        ("0", "1"),
        ("-1", "1"),
        ("x", "1"),
        ("²", "1"),
        ("%202%20", "2"),
        ("99", "3"),
        ("9" * 5000, "3"),
    ):
        page = browser.get(f"/portal/?page={page_number}")
        assert "of 3" in page.text
        assert page.all("input", name="page", value=shown), page_number
    browser.close()


def test_the_latest_uploads_are_listed(browser: Browser, index: Index) -> None:
    index.publish(wheel("latest-one", "7.0"))
    page = browser.get("/portal/")
    assert f"latest_one-7.0-py3-none-any.whl {index.name} {index.username}" in page.text


def test_a_repository_is_deleted_after_its_name_is_typed(browser: Browser, index: Index) -> None:
    index.publish(wheel())
    path = f"/portal/repositories/{index.name}/delete"
    assert f"The repository {index.name} and its 1 project are deleted" in browser.get(path).text
    page = browser.submit(path, name="another", status=400)
    assert f"The name does not match. Type {index.name} to delete the repository." in page.text
    assert index.get().status_code == 200
    page = browser.submit(path, name=index.name)
    assert page.path == "/portal/"
    assert f"The repository {index.name} was deleted." in page.text
    assert index.get().status_code == 404
    browser.get(f"/portal/repositories/{index.name}", status=404)


@pytest.mark.parametrize(
    "below", ["", "/upload", "/connection", "/settings", "/requests", "/delete"]
)
def test_an_unknown_repository_shows_an_error_page(browser: Browser, below: str) -> None:
    page = browser.get(f"/portal/repositories/nowhere{below}", status=404)
    assert "The repository could not be found: nowhere" in page.text
    assert page.all("a", href="/portal/")
