"""The order, the totals and the pages of the portal's lists."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.archives import wheel
from tests.support.damaged_data import start_with_damage
from tests.support.index import Index, Server
from tests.support.portal.browser import Browser, Page, complete_page
from tests.support.server_fixtures import StartServer

YEARS = {"alpha": 2021, "beta": 2023, "gamma": 2022}
PADDING = {"alpha": 3000, "beta": 1000, "gamma": 2000}


def names(page: Page) -> list[str]:
    return [each["href"].rpartition("/")[2] for each in page.all("a", class_="name")]


def sorted_column(page: Page) -> list[str]:
    return [each["aria-sort"] for each in page.all("th") if "aria-sort" in each]


@pytest.fixture(scope="module")
def filled(server: Server) -> Index:
    """A repository with three projects, each the first in another order."""
    index = server.repository()
    for name, year in YEARS.items():
        index.add(wheel(name, padding=PADDING[name]), upload_time=f"{year}-01-01T00:00:00Z")
    index.add(wheel("alpha", "2.0"), upload_time="2020-01-01T00:00:00Z")
    return index


@pytest.mark.parametrize(
    ("sort", "expected", "order"),
    [
        ("", ["alpha", "beta", "gamma"], "ascending"),
        ("name", ["alpha", "beta", "gamma"], "ascending"),
        ("-name", ["gamma", "beta", "alpha"], "descending"),
        ("upload", ["alpha", "gamma", "beta"], "ascending"),
        ("-upload", ["beta", "gamma", "alpha"], "descending"),
        ("size", ["beta", "gamma", "alpha"], "ascending"),
        ("-size", ["alpha", "gamma", "beta"], "descending"),
        ("-files", ["alpha", "beta", "gamma"], "descending"),
        ("--size", ["alpha", "beta", "gamma"], "ascending"),
        ("nonsense", ["alpha", "beta", "gamma"], "ascending"),
        ("-" * 5000, ["alpha", "beta", "gamma"], "ascending"),
    ],
)
def test_projects_are_sorted_by_the_chosen_column(
    visitor: Browser, filled: Index, sort: str, expected: list[str], order: str
) -> None:
    page = visitor.get(f"/portal/repositories/{filled.name}?sort={sort}")
    assert names(page) == expected
    assert sorted_column(page) == [order]


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("-size", ["alpha-1.0", "gamma-1.0", "beta-1.0", "alpha-2.0"]),
        ("upload", ["alpha-2.0", "alpha-1.0", "gamma-1.0", "beta-1.0"]),
        ("-name", ["gamma-1.0", "beta-1.0", "alpha-2.0", "alpha-1.0"]),
    ],
)
def test_files_of_all_projects_are_sorted_by_the_chosen_column(
    visitor: Browser, filled: Index, sort: str, expected: list[str]
) -> None:
    page = visitor.get(f"/portal/repositories/{filled.name}/files?sort={sort}")
    assert [name.removesuffix("-py3-none-any.whl") for name in names(page)] == expected


def test_lists_show_totals_and_each_change_of_them(visitor: Browser, server: Server) -> None:
    index = server.repository()
    path = f"/portal/repositories/{index.name}"
    index.add(wheel("one"), wheel("two", "1.0"))
    size = 2 * len(wheel("one").data)
    assert f"2 projects 2 files {size / 1024:.1f} KiB" in visitor.get(path).text
    own_row = f"/portal/?q={index.name}"
    assert f"2 projects 2 files {size / 1024:.1f} KiB" in complete_page(visitor, own_row).text
    index.add(wheel("two", "2.0"))
    assert "2 projects 3 files" in visitor.get(path).text
    index.api("DELETE", f"/files/{wheel('one').filename}")
    page = visitor.get(path)
    assert "1 project 2 files" in page.text
    assert names(page) == ["two"]
    assert (
        f"{index.name} created just now 1 project 2 files" in complete_page(visitor, own_row).text
    )
    server.api("DELETE", f"/repositories/{index.name}")
    again = server.repository(index.name)
    assert "No projects yet" in visitor.get(path).text
    again.add(wheel("one"))
    assert "1 project 1 file" in visitor.get(path).text


def test_repositories_are_sorted_by_their_projects(own_server: Server) -> None:
    for name, year in YEARS.items():
        index = own_server.repository(name)
        index.add(wheel(padding=PADDING[name]), upload_time=f"{year}-01-01T00:00:00Z")
    browser = Browser(own_server)
    browser.sign_in(*own_server.admin)
    expected = {
        "-name": ["gamma", "beta", "alpha"],
        "-size": ["alpha", "gamma", "beta"],
        "upload": ["alpha", "gamma", "beta"],
        "projects": ["alpha", "beta", "gamma"],
        "-files": ["alpha", "beta", "gamma"],
    }
    for sort, repositories in expected.items():
        assert names(browser.get(f"/portal/?sort={sort}")) == repositories, sort
    assert "3 repositories 3 projects 3 files" in browser.get("/portal/").text
    browser.close()


def test_the_order_and_the_search_are_kept_from_page_to_page(
    visitor: Browser, server: Server
) -> None:
    index = server.repository()
    index.add(*(wheel(f"a{number:02}") for number in range(53)), wheel("other"))
    base = f"/portal/repositories/{index.name}"
    page = visitor.get(base + "?q=a&sort=-name&page=1")
    (following,) = page.all("a", rel="next")
    page = visitor.get(base + following["href"])
    assert names(page) == ["a02", "a01", "a00"]
    (jump,) = [form for form in page.forms if "page" in form.fields]
    assert jump.fields == {"q": "a", "sort": "-name", "page": "2"}
    # The link in the head of the sorted column reverses the order.
    (head,) = [each for each in page.all("a") if each.get("href") == "?q=a&sort=name"]
    assert names(visitor.get(base + head["href"]))[0] == "a00"


def test_users_are_sorted_by_access_and_date(server: Server, browser: Browser) -> None:
    for email in ("sorted-b@example.com", "sorted-a@example.com", "sorted-c@example.com"):
        server.user(email=email, read_only=email == "sorted-b@example.com")
    found = {
        sort: [name[7:8] for name in names(browser.get(f"/portal/users?q=sorted-&sort={sort}"))]
        for sort in ("name", "-access", "created", "-created")
    }
    assert found == {
        "name": ["a", "b", "c"],
        "-access": ["b", "a", "c"],
        "created": ["b", "a", "c"],
        "-created": ["c", "a", "b"],
    }


def test_a_damaged_project_affects_no_list(start_server: StartServer, tmp_path: Path) -> None:
    server = start_with_damage(start_server, tmp_path / "data")
    browser = Browser(server)
    browser.sign_in(*server.admin)
    assert browser.get("/portal/?sort=-size").status == 200
    assert browser.get("/portal/search?q=e").status == 200
    browser.close()
    server.close()
