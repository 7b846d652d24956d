"""The search over all repositories."""

from __future__ import annotations

import re
from urllib.parse import quote

import pytest

from cloudrepo_server.domain.catalogue import ProjectSummary
from cloudrepo_server.limits import MAX_FOUND, MAX_SEARCH_TERMS, MAX_SEARCH_TEXT
from cloudrepo_server.web.portal.search import SearchText, search_all
from tests.support.archives import sdist, wheel
from tests.support.index import Index, Server
from tests.support.portal.browser import Browser, Page, complete_page


@pytest.fixture(scope="module", autouse=True)
def zebras(server: Server) -> None:
    """Create repositories and projects whose names only the tests of this module search for."""
    first, second = server.repository("zebra-one"), server.repository("two")
    first.publish(wheel("Zebra.Crossing", "1.0"), sdist("Zebra.Crossing", "1.0"))
    second.publish(wheel("zebra", "2.5"), wheel("striped-zebra", "7.0"))


def search(browser: Browser, text: str, more: str = "") -> Page:
    return complete_page(browser, f"/portal/search?q={quote(text)}{more}")


def links(page: Page) -> list[str]:
    return [each["href"] for each in page.all("a", class_="name")]


def marked(page: Page) -> list[str]:
    return re.findall("<mark>(.*?)</mark>", page.response.text)


def test_the_header_of_every_page_has_the_search(visitor: Browser) -> None:
    page = visitor.get("/portal/users")
    (form,) = [each for each in page.forms if each.action == "/portal/search"]
    assert form.method == "get"
    assert "q" in form.names


def test_a_search_finds_all_kinds_of_names_and_marks_what_matched(visitor: Browser) -> None:
    visitor.server.user(email="keeper@zebra.example")
    page = search(visitor, "ZEBRA")
    assert links(page) == [
        "/portal/repositories/zebra-one",
        # The exact name first, then names that begin with it.
        "/portal/repositories/two/projects/zebra",
        "/portal/repositories/zebra-one/projects/zebra-crossing",
        "/portal/repositories/two/projects/striped-zebra",
        "/portal/repositories/two/projects/striped-zebra",
        "/portal/repositories/two/projects/zebra",
        "/portal/repositories/zebra-one/projects/zebra-crossing",
        "/portal/repositories/zebra-one/projects/zebra-crossing",
        "/portal/users/keeper%40zebra.example",
    ]
    assert "1 repository 3 projects 4 files 1 user" in page.text
    assert {each.lower() for each in marked(page)} == {"zebra"}


@pytest.mark.parametrize("text", ["zebra-crossing", "Zebra_Crossing", "zebra.cross", "zebra--cro"])
def test_a_project_is_found_by_every_spelling_of_its_name(visitor: Browser, text: str) -> None:
    page = search(visitor, text, "&kind=projects")
    assert links(page) == ["/portal/repositories/zebra-one/projects/zebra-crossing"]


def test_every_word_must_occur(visitor: Browser) -> None:
    page = search(visitor, "  zebra   7.0 ")
    assert links(page) == ["/portal/repositories/two/projects/striped-zebra"]
    assert marked(page) == ["zebra", "7.0"]


def test_results_of_one_kind_are_paginated(visitor: Browser, index: Index) -> None:
    index.add(*(wheel(f"lion{number:02}") for number in range(52)))
    page = search(visitor, "lion")
    assert len(links(page)) == 10
    (all_projects,) = [
        each["href"]
        for each in page.all("a")
        if each.get("href", "").endswith("kind=projects") and each["href"] != page.path
    ][:1]
    page = visitor.get("/portal/search" + all_projects)
    assert len(links(page)) == 50
    (following,) = page.all("a", rel="next")
    page = visitor.get("/portal/search" + following["href"])
    assert [each.rpartition("/")[2] for each in links(page)] == ["lion50", "lion51"]
    assert links(search(visitor, "lion", "&kind=projects&page=999")) == links(page)


def test_a_change_is_found_at_once(visitor: Browser, index: Index) -> None:
    archive = wheel("okapi")
    index.publish(archive)
    assert len(links(search(visitor, "okapi"))) == 2
    index.api("DELETE", f"/files/{archive.filename}")
    assert "Nothing found" in search(visitor, "okapi").text


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "Enter a part of the name"),
        (" \t ", "Enter a part of the name"),
        ("unicorn", "contains “unicorn”"),
        ("two unicorns", "contains every word of “two unicorns”"),
        ("<script>alert(1)</script>", "contains “<script>alert(1)</script>”"),
        ("x" * 5000, "Nothing found"),
        ("İ\x00\ud7ff" + " y" * 500, "Nothing found"),
    ],
)
def test_a_search_without_results_says_what_to_do(
    visitor: Browser, text: str, sentence: str
) -> None:
    page = search(visitor, text)
    assert sentence in page.text
    assert not links(page)


def test_results_are_escaped(visitor: Browser, server: Server) -> None:
    server.user(email='"<b>zulu</b>"@example.com')
    page = search(visitor, "zulu b")
    assert '"<b>zulu</b>"@example.com' in page.text.replace(" ", "")
    assert not page.all("b")


def test_an_unknown_kind_searches_all_kinds(visitor: Browser) -> None:
    assert links(search(visitor, "zebra", "&kind=animals")) == links(search(visitor, "zebra"))


def test_the_search_needs_a_sign_in(anonymous: Browser) -> None:
    assert anonymous.get("/portal/search?q=zebra").path == "/portal/sign-in"


def test_the_results_and_the_words_of_a_search_are_limited() -> None:
    names = tuple(f"demo-{number}.whl" for number in range(MAX_FOUND + 5))
    project = ProjectSummary(
        "demo", len(names), 0, "", names, [0] * len(names), [0.0] * len(names), "\n".join(names)
    )
    found = search_all(SearchText.of("demo"), {"main": [project]}, [])
    assert len(found.files) == MAX_FOUND
    assert found.has_more("files")
    assert not found.has_more("projects")
    words = [f"w{number}" for number in range(MAX_SEARCH_TERMS + 1)]
    assert SearchText.of(" ".join(words)).terms == tuple(words[:-1])
    assert SearchText.of("x" * 1000).terms == ("x" * MAX_SEARCH_TEXT,)
