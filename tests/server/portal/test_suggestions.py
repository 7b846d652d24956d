"""Fields that suggest names: users, tokens and repositories."""

from __future__ import annotations

from typing import Any

import pytest

from cloudrepo_server.limits import MAX_SUGGESTIONS
from tests.support.index import Server
from tests.support.portal.browser import Browser


def suggestions(browser: Browser, kind: str, text: str = "") -> dict[str, Any]:
    response = browser.request("GET", f"/portal/suggestions/{kind}", params={"q": text})
    assert response.status_code == 200
    found: dict[str, Any] = response.json()
    return found


def test_names_that_contain_the_text_are_suggested(browser: Browser, server: Server) -> None:
    server.user(email="ocelot@example.com")
    index = server.repository("ocelot-files")
    token = index.token(name="Ocelot CI")
    assert suggestions(browser, "users", "OCEL")["suggestions"] == ["ocelot@example.com"]
    assert suggestions(browser, "repositories", "ocel")["suggestions"] == ["ocelot-files"]
    assert suggestions(browser, "tokens", "ocel") == {"suggestions": ["Ocelot CI"], "more": False}
    assert suggestions(browser, "tokens", token["id"])["suggestions"] == [token["id"]]
    assert suggestions(browser, "users", "nobody-has-this-name")["suggestions"] == []


def test_the_number_of_suggestions_is_limited(own_server: Server) -> None:
    index = own_server.repository("demo")
    for number in range(MAX_SUGGESTIONS):
        index.token(name=f"job {number:03}")
    browser = Browser(own_server)
    browser.sign_in(*own_server.admin)
    found = suggestions(browser, "tokens")
    assert len(found["suggestions"]) == MAX_SUGGESTIONS
    assert found["more"]
    page = browser.get("/portal/tokens")
    assert len(page.all("option")) >= MAX_SUGGESTIONS
    (names,) = page.all("datalist")
    assert names["data-suggestions"] == "/portal/suggestions/tokens"
    (field,) = page.all("input", list=names["id"])
    # The search itself needs no script.
    page = browser.get(f"/portal/tokens?{field['name']}=JOB+042")
    assert "job 042" in page.text
    assert "job 043" not in page.text
    assert "Show all 100" in browser.get("/portal/tokens?q=no-such-token").text
    assert "100 tokens" in browser.get(f"/portal/tokens?q={index.name}").text
    browser.close()


def test_one_of_many_users_is_chosen_by_a_part_of_the_address(own_server: Server) -> None:
    own_server.repository("demo")
    for number in range(25):
        own_server.user(email=f"reader{number:02}@example.com", passphrase=None)
    browser = Browser(own_server)
    browser.sign_in(*own_server.admin)
    path = "/portal/repositories/demo/connection"
    page = browser.get(path)
    (field,) = page.all("input", name="user")
    assert page.all("datalist", id=field["list"])
    assert page.all("option", value="reader24@example.com")
    assert (
        "username = reader24@example.com" in browser.get(f"{path}?user=reader24@example.com").text
    )
    assert "was not found" in browser.get(f"{path}?user=reader", status=404).text
    (search,) = browser.get("/portal/users").all("input", name="q", list="users")
    assert "reader07" in browser.get(f"/portal/users?{search['name']}=ER07").text
    browser.close()


def test_a_short_list_of_suggestions_needs_no_requests(own_server: Server) -> None:
    own_server.api_json("POST", "/repositories", {"name": "demo"})
    browser = Browser(own_server)
    browser.sign_in(*own_server.admin)
    page = browser.get("/portal/audit")
    assert not [each for each in page.all("datalist") if "data-suggestions" in each]
    assert page.all("option", value="demo")
    browser.close()


@pytest.mark.parametrize("kind", ["users", "tokens", "repositories"])
def test_suggestions_need_a_sign_in(anonymous: Browser, kind: str) -> None:
    response = anonymous.request("GET", f"/portal/suggestions/{kind}")
    assert response.status_code == 303


def test_there_are_no_suggestions_of_another_kind(browser: Browser) -> None:
    assert browser.request("GET", "/portal/suggestions/passwords").status_code == 404
