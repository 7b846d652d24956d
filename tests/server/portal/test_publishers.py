"""The page of a repository's trusted publishers."""

from __future__ import annotations

import pytest

from tests.support.archives import wheel
from tests.support.index import Index
from tests.support.portal.browser import Browser
from tests.support.trust import JOB, exchange, identity_token, minted, rejection, trust


def page_of(index: Index) -> str:
    return f"/portal/repositories/{index.name}/publishers"


def test_a_publisher_is_added_and_removed(browser: Browser, index: Index) -> None:
    settings = browser.get(f"/portal/repositories/{index.name}/settings")
    assert page_of(index) in settings.response.text
    assert "No trusted publishers yet." in browser.get(page_of(index)).text
    page = browser.submit(
        page_of(index), page_of(index), publisher="github:acme/demo/release.yml", project="demo"
    )
    assert "The trusted publisher github:acme/demo/release.yml was added." in page.text
    assert "Pending" in page.text
    minted(index)
    assert "Pending" not in browser.get(page_of(index)).text
    (publisher,) = index.api_json("GET", "/publishers")["publishers"]
    assert (publisher["fields"], publisher["project"]) == (JOB, "demo")
    page = browser.submit(page_of(index), f"{page_of(index)}/{publisher['id']}/remove")
    assert "The trusted publisher was removed." in page.text
    assert rejection(exchange(index, identity_token(index)))[0] == "invalid-publisher"


def test_a_publisher_of_all_projects_needs_no_project(browser: Browser, index: Index) -> None:
    page = browser.submit(
        page_of(index), page_of(index), publisher=" github:acme/demo/release.yml@pypi ", project=""
    )
    assert "all projects" in page.text
    assert index.api_json("GET", "/publishers")["publishers"][0]["project"] is None


@pytest.mark.parametrize(
    ("publisher", "project", "message"),
    [
        ("", "", "is not a trusted publisher"),
        ("acme/demo", "", "is not a trusted publisher"),
        ("nobody:acme/demo", "", "Unknown identity provider"),
        ("github:acme/demo/release", "", "use the name of a .yml or .yaml file"),
        ("github:acme/demo/release.yml", "-", "-"),
        ("github:<b>/demo/release.yml", "", "Invalid repository '<b>/demo'"),
    ],
)
def test_an_invalid_publisher_is_shown_again_with_the_reason(
    browser: Browser, index: Index, publisher: str, project: str, message: str
) -> None:
    page = browser.submit(
        page_of(index), page_of(index), publisher=publisher, project=project, status=400
    )
    assert message in page.text
    assert index.api_json("GET", "/publishers")["publishers"] == []


def test_a_publisher_that_exists_is_a_conflict(browser: Browser, index: Index) -> None:
    trust(index)
    page = browser.submit(
        page_of(index),
        page_of(index),
        publisher="github:acme/demo/release.yml",
        project="",
        status=409,
    )
    assert "already exists" in page.text


def test_unknown_publishers_and_repositories_are_404(browser: Browser, index: Index) -> None:
    fields = browser.get(page_of(index)).form(page_of(index)).fields
    response = browser.request("POST", f"{page_of(index)}/nothing/remove", data=fields)
    assert response.status_code == 404
    assert browser.request("GET", "/portal/repositories/nowhere/publishers").status_code == 404


def test_the_list_of_tokens_says_which_ones_were_minted(browser: Browser, index: Index) -> None:
    trust(index)
    index.publish(wheel())
    minted(index)
    assert "github:acme/demo/release.yml" in browser.get("/portal/tokens").text
