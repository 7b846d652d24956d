"""The page of damaged data, which lists the stored documents that cannot be read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.support.archives import wheel
from tests.support.damaged_data import start_with_damage
from tests.support.index import Server
from tests.support.portal.browser import Browser, Page
from tests.support.server_fixtures import StartServer

PAGE = "/portal/damaged"

LABELS = {
    "claim": "Claim of a name in the repository main",
    "identity": "Used identity token in the repository main",
    "project": "Project broken in the repository main",
    "repository": "Repository lost",
    "serials": "Serials in the repository main",
    "session": "Portal session",
    "token": "Token",
    "user": "Repository user",
}
LOST = {
    "claim": "No file is deleted. But another project may then use the file name",
    "identity": "can be exchanged again until it expires",
    "project": "The project is deleted with all of its files.",
    "repository": "The repository is deleted: its settings, its trusted publishers, and all",
    "serials": "mirrors of the repository must be created again",
    "session": "must sign in again",
    "token": "Create a new token",
    "user": "Create the user again, with a new passphrase.",
}


@pytest.fixture
def damaged_server(start_server: StartServer, tmp_path: Path) -> Iterator[Server]:
    server = start_with_damage(start_server, tmp_path / "data")
    yield server
    server.close()
    assert "Traceback" not in server.process.log


@pytest.fixture
def visitor(damaged_server: Server) -> Iterator[Browser]:
    browser = Browser(damaged_server)
    browser.sign_in(*damaged_server.admin)
    yield browser
    browser.close()


def delete_links(page: Page) -> list[str]:
    """Return the links to the pages that delete a damaged document."""
    return [each["href"] for each in page.all("a") if each["href"].startswith(f"{PAGE}/delete?")]


def test_damaged_documents_are_listed_and_deleted_one_by_one(
    visitor: Browser, tmp_path: Path
) -> None:
    server = visitor.server
    # A sign-in deletes damaged sessions, so this one is damaged after it.
    (tmp_path / "data" / "store" / "sessions" / "damaged.json").write_text("{")
    listed = server.api_json("GET", "/damaged")["damaged"]
    assert {each["kind"] for each in listed} == LABELS.keys() == LOST.keys()
    kinds = {each["key"]: each["kind"] for each in listed}
    page = visitor.get(PAGE)
    for each in listed:
        assert LABELS[each["kind"]] in page.text
        assert f"The stored document {each['key']} cannot be read" in page.text
    assert page.text.count("last written just now") == len(listed)
    times = {each["datetime"] for each in page.all("time")}
    assert times == {each["modified"].replace("Z", "+00:00") for each in listed}

    while links := delete_links(page):
        (key,) = parse_qs(urlsplit(links[0]).query)["key"]
        confirmation = visitor.get(links[0])
        assert "Delete this damaged document?" in confirmation.text
        assert LABELS[kinds[key]].removesuffix(" in the repository main") in confirmation.text
        assert LOST[kinds[key]] in confirmation.text
        # Nothing is deleted without the confirmation.
        assert len(delete_links(visitor.get(PAGE))) == len(links)
        page = visitor.submit(links[0])
        assert page.path == PAGE
        assert f"The damaged document {key} was deleted." in page.text
        assert len(delete_links(page)) == len(links) - 1
    assert "All stored data can be read." in page.text
    assert server.api_json("GET", "/damaged") == {"damaged": []}
    assert server.request("GET", "/portal/repositories/lost").status_code != 200
    index = server.repository("lost")
    index.publish(wheel("broken"))


def test_pages_link_to_damaged_data_only_while_there_are_any(visitor: Browser) -> None:
    def has_link(page: Page) -> bool:
        return bool(page.all("a", href=PAGE))

    assert has_link(visitor.get("/portal/"))
    assert has_link(visitor.get("/portal/repositories/lost", status=503))
    assert has_link(visitor.get("/portal/repositories/main/projects/broken", status=503))
    assert not has_link(visitor.get("/portal/users"))
    visitor.server.api("DELETE", "/repositories/main")
    for link in delete_links(visitor.get(PAGE)):
        visitor.submit(link)
    assert not has_link(visitor.get("/portal/"))
    assert not has_link(visitor.get("/portal/repositories/nothing", status=404))


def test_undamaged_documents_are_not_deleted(browser: Browser) -> None:
    assert "All stored data can be read." in browser.get(PAGE).text
    for key in ("", "x", "users/", "users/../x.json", "repositories/@nothing.json", "format.json"):
        response = browser.request("GET", f"{PAGE}/delete", params={"key": key})
        assert response.status_code == 404
        assert "No damaged document was found" in response.text
    token = browser.get("/portal/tokens").all("input", type="hidden")[0]
    fields = {token["name"]: token["value"], "key": "repositories/@nothing.json"}
    assert browser.request("POST", f"{PAGE}/delete", data=fields).status_code == 404
    assert browser.request("POST", f"{PAGE}/delete", data={"key": "x"}).status_code == 403


def test_damaged_data_are_shown_to_the_admin_only(anonymous: Browser) -> None:
    for path in (PAGE, f"{PAGE}/delete?key=x"):
        assert anonymous.get(path).path == "/portal/sign-in"
