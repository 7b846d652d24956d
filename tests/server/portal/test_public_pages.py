"""The pages of public repositories, for anonymous visitors with a browser."""

from __future__ import annotations

import re
from html import unescape
from urllib.parse import quote

import pytest
import requests

from tests.support.archives import core_metadata, sdist, wheel
from tests.support.index import Index, Server
from tests.support.platforms import NEEDS_MARKDOWN
from tests.support.portal.browser import Browser, Page

BROWSERS = {
    "Firefox": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Chromium": (
        "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,"
        "*/*;q=0.8,application/signed-exchange;v=b3;q=0.7"
    ),
    "Safari": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
}
INSTALLERS = {
    "pip": (
        "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html; q=0.1, "
        "text/html; q=0.01"
    ),
    "uv": (
        "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, "
        "text/html;q=0.01"
    ),
    "an old pip": "text/html",
    "a script": "*/*",
    "a script that prefers HTML": "text/html, */*;q=0.8",
    "a script without the header": None,
}


@pytest.fixture
def public(server: Server) -> Index:
    """A public repository."""
    return server.repository(public=True)


def visit(index: Index, below: str = "/", accept: str = BROWSERS["Firefox"]) -> Page:
    """Return the page that an anonymous visitor sees."""
    return Page(read(index, below, accept))


def read(index: Index, below: str, accept: str | None) -> requests.Response:
    """Send a request without credentials."""
    path = f"/public{index.path}{below}"
    return index.server.request("GET", path, headers={"Accept": accept})


@pytest.mark.parametrize("accept", BROWSERS.values(), ids=BROWSERS)
def test_a_browser_sees_the_projects(public: Index, accept: str) -> None:
    public.publish(wheel(), wheel("other", "2.0"))
    for below in ("", "/", "/simple/"):
        page = visit(public, below, accept)
        assert page.status == 200
        assert "2 projects" in page.text
        links = {each["href"] for each in page.all("a", class_="name")}
        assert links == {f"/public{public.path}/{name}/" for name in ("demo", "other")}
    url = f"{public.server.url}/public{public.path}"
    assert f"pip install --index-url {url} PACKAGE" in page.text
    assert f"uv pip install --default-index {url} PACKAGE" in page.text
    # The simple API has the same URL.
    assert "Accept" in page.response.headers["Vary"]


@pytest.mark.parametrize("accept", INSTALLERS.values(), ids=INSTALLERS)
def test_installers_get_the_simple_api_as_from_a_private_repository(
    server: Server, accept: str | None
) -> None:
    index = server.repository(public=True)
    index.publish(wheel())
    for below in ("/", "/demo/", "/simple/demo/"):
        private = index.request("GET", below, headers={"Accept": accept})
        public = read(index, below, accept)
        assert public.status_code == private.status_code == 200
        assert public.headers["Content-Type"] == private.headers["Content-Type"]
        assert public.content.replace(b"/public/", b"/") == private.content
        assert "<link" not in public.text


def test_a_format_in_the_query_selects_the_simple_api(public: Index) -> None:
    public.publish(wheel())
    json = "application/vnd.pypi.simple.v1+json"
    response = read(public, f"/?format={quote(json)}", BROWSERS["Firefox"])
    assert response.headers["Content-Type"] == json


def test_a_browser_sees_nothing_of_a_private_repository(index: Index) -> None:
    index.publish(wheel())
    for below in ("/", "/demo/"):
        page = visit(index, below)
        assert page.status == 404
        assert "demo-1.0" not in page.text
        private = index.server.request(
            "GET", index.path + below, headers={"Accept": BROWSERS["Firefox"]}
        )
        assert private.status_code == 401
        assert "demo-1.0" not in private.text


@NEEDS_MARKDOWN
def test_the_page_of_a_project_shows_its_files_and_readme(public: Index) -> None:
    readme = "# Heading\n\nSome *words* and <script>alert(1)</script>."
    more = f"Summary: A <b>summary</b>\nDescription-Content-Type: text/markdown\n\n{readme}"
    metadata = core_metadata("demo", "1.0", requires_python=">=3.9", more=more)
    public.publish(wheel(metadata=metadata), sdist(), wheel("demo", "0.9"))
    public.api_json("PATCH", f"/files/{sdist().filename}", {"yanked": "Broken."})
    page = visit(public, "/demo/")
    text = page.text
    for expected in ("demo 1.0", "A <b>summary</b>", "Python >=3.9", "Yanked", "Broken.", "0.9"):
        assert expected in text
    assert re.search("<em>words</em>", page.response.text)
    assert not page.all("script", src="")
    assert f"pip install --index-url {public.server.url}/public{public.path} demo" in text
    # Visitors do not see who uploaded a file.
    assert public.username not in unescape(page.response.text)
    (link,) = [each["href"] for each in page.all("a") if each["href"].endswith(".tar.gz")]
    assert public.server.request("GET", link).content == sdist().data
    policy = page.response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_a_quarantined_project_shows_no_files(public: Index) -> None:
    public.publish(wheel())
    public.api_json("PATCH", "/projects/demo", {"status": "quarantined", "reason": "Malware."})
    page = visit(public, "/demo/")
    assert "quarantined: Malware." in page.text
    assert wheel().filename not in page.response.text
    assert "1.0" not in visit(public).text


def test_private_projects_are_hidden(public: Index) -> None:
    public.publish(wheel(), wheel("secret-one"))
    public.set(private_projects=["secret-*"])
    page = visit(public)
    assert "1 project" in page.text
    assert "secret" not in page.response.text
    hidden = read(public, "/secret-one/", BROWSERS["Firefox"])
    assert hidden.status_code == read(public, "/secret-one/", "text/html").status_code != 200
    assert "secret_one" not in hidden.text


def test_a_browser_gets_a_file_as_an_installer_does(public: Index) -> None:
    public.publish(wheel())
    response = read(public, f"/demo/{wheel().filename}", BROWSERS["Firefox"])
    assert (response.status_code, response.content) == (200, wheel().data)


def test_a_browser_sees_a_page_for_a_missing_project(public: Index) -> None:
    public.publish(wheel())
    page = visit(public, "/nothing/")
    assert page.response.status_code == 404
    assert [each["href"] for each in page.all("a", class_="button")] == [f"/public{public.path}/"]
    installer = read(public, "/nothing/", INSTALLERS["pip"])
    assert (installer.status_code, installer.reason) == (404, page.response.reason)
    assert installer.json()["error"] in page.text
    journal = [(each["project"], each["status"], each["reason"]) for each in public.journal()[1:]]
    assert journal == [("nothing", 404, installer.reason)] * 2


def test_many_projects_are_searched_and_paginated(public: Index) -> None:
    public.publish(*(wheel(f"project{number}") for number in range(60)))
    page = visit(public)
    assert len(page.all("a", class_="name")) == 50
    (after,) = page.all("a", rel="next")
    assert len(visit(public, f"/{after['href']}").all("a", class_="name")) == 10
    page = visit(public, "/?q=ECT59")
    assert [each["href"] for each in page.all("a", class_="name")] == [
        f"/public{public.path}/project59/"
    ]
    assert "No project name contains “nowhere”" in visit(public, "/?q=nowhere").text


def test_an_empty_repository_says_so(public: Index) -> None:
    assert "No projects yet." in visit(public).text


def test_visits_are_in_the_journal(public: Index, browser: Browser) -> None:
    public.publish(wheel())
    visit(public)
    visit(public, "/demo/")
    entries = [(each["kind"], each["project"], each["status"]) for each in public.journal()[1:]]
    assert entries == [("root", None, 200), ("page", "demo", 200)]
    assert "/demo/" in browser.get(f"/portal/repositories/{public.name}/requests").text


def test_the_settings_link_to_the_page(public: Index, browser: Browser) -> None:
    page = browser.get(f"/portal/repositories/{public.name}/settings")
    (link,) = [each["href"] for each in page.all("a") if "/public/" in each["href"]]
    assert link == f"{public.server.url}/public{public.path}/"
