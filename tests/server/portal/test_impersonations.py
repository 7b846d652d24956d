"""The page of a repository's impersonations."""

from __future__ import annotations

from tests.support.index import Index
from tests.support.portal.browser import Browser


def test_impersonations_are_listed_and_removed(browser: Browser, index: Index) -> None:
    path = f"/portal/repositories/{index.name}/impersonations"
    assert "No impersonations." in browser.get(path).text
    urls = ["http://packages.example/simple", "http://[2001:db8::1]:8080/x"]
    created = index.api_json(
        "POST", "/impersonations", {"urls": urls, "allow": ["b.example", "a.example"]}
    )
    blocked = index.api_json("POST", "/impersonations", {})
    other = index.server.repository()
    other.api_json("POST", "/impersonations", {"urls": ["http://other.example/"]})
    settings = browser.get(f"/portal/repositories/{index.name}/settings")
    assert "Impersonations (2)" in settings.text
    page = browser.get(path)
    for expected in (*urls, "a.example, b.example", "every other host is blocked"):
        assert expected in page.text
    assert "other.example" not in page.text
    for impersonation in (created, blocked):
        secret = impersonation["proxy"].partition("@")[0].rpartition(":")[2]
        assert secret not in page.response.text
    page = browser.submit(path, f"{path}/{created['id']}/remove")
    assert "The impersonation was removed" in page.text
    assert created["id"] not in page.text
    assert blocked["id"] in page.text
    token = page.forms[0].fields
    assert browser.request("POST", f"{path}/x/remove", data=token).status_code == 404


def test_the_settings_name_the_pytest_session(browser: Browser, index: Index) -> None:
    name = f"{index.name}-of-a-session"
    index.server.api_json("POST", "/repositories", {"name": name, "run": "run-1234"})
    text = browser.get(f"/portal/repositories/{name}/settings").text
    assert "belongs to the pytest session run-1234" in text
    text = browser.get(f"/portal/repositories/{index.name}/settings").text
    assert "belongs to no pytest session" in text
