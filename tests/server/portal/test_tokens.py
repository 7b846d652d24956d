"""The Tokens page."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from time import time

import pytest

from tests.support.archives import wheel
from tests.support.index import Index, Server
from tests.support.portal.browser import Browser, secret_of
from tests.support.wait import wait_until


def in_days(days: int) -> str:
    """Return the date in some days, UTC."""
    return (datetime.now(UTC) + timedelta(days=days)).date().isoformat()


def test_the_tokens_page_asks_for_a_repository_first(own_server: Server) -> None:
    browser = Browser(own_server)
    browser.sign_in(*own_server.admin)
    page = browser.get("/portal/tokens")
    assert "create a repository first" in page.text
    own_server.repository("demo")
    assert "No tokens yet." in browser.get("/portal/tokens").text
    browser.close()


def test_a_new_token_is_shown_once_and_gives_access_to_its_repository(
    browser: Browser, index: Index
) -> None:
    page = browser.submit("/portal/tokens", "/portal/tokens", repository=index.name)
    token = secret_of(page)
    assert (
        f"A token for the repository {index.name} was created. Copy it now: it is not shown again."
        in page.text
    )
    assert token not in browser.get("/portal/tokens").response.text
    bearer = {"Authorization": f"Bearer {token}"}
    assert index.request("GET", "/", auth=None, headers=bearer).status_code == 200
    assert index.upload(wheel()).status_code == 200
    assert index.request("GET", "/", auth=("anybody", token)).status_code == 200
    other = browser.server.repository()
    assert other.request("GET", "/", auth=("anybody", token)).status_code == 403


def test_a_read_only_token_cannot_publish(browser: Browser, index: Index) -> None:
    page = browser.submit("/portal/tokens", "/portal/tokens", repository=index.name, read_only="on")
    reader = Index(index.server, index.name, "anybody", secret_of(page))
    assert reader.get().status_code == 200
    assert reader.upload(wheel()).status_code == 403
    assert f"{index.name} Read Only" in page.text


def test_a_revoked_token_is_rejected_at_once(browser: Browser, index: Index) -> None:
    page = browser.submit("/portal/tokens", "/portal/tokens", repository=index.name)
    holder = Index(index.server, index.name, "anybody", secret_of(page))
    assert holder.get().status_code == 200
    token_id = holder.password.split(".")[1]
    revoke = f"/portal/tokens/{token_id}/revoke"
    assert browser.get("/portal/tokens").all("a", href=revoke)
    confirmation = browser.get(revoke).text
    assert f"The token {token_id} for the repository {index.name}" in confirmation
    assert holder.get().status_code == 200
    page = browser.submit(revoke)
    assert f"The token {token_id} was revoked." in page.text
    assert holder.get().status_code == 401


def test_unknown_repositories_and_tokens_are_404(browser: Browser, index: Index) -> None:
    page = browser.submit("/portal/tokens", "/portal/tokens", repository="nowhere", status=404)
    assert "The repository could not be found: nowhere" in page.text
    fields = page.form("/portal/tokens").fields
    for method, data in (("GET", None), ("POST", fields)):
        response = browser.request(method, "/portal/tokens/0000/revoke", data=data)
        assert response.status_code == 404
    assert index.get().status_code == 200


@pytest.mark.parametrize(
    ("lifetime", "expires_on", "days", "shown"),
    [
        ("never", "", None, "never expires"),
        ("1", "", 1, "expires in 23 hours"),
        ("90", "", 90, "expires in 2 months"),
        ("date", in_days(0), 0, "expires in"),
        ("date", in_days(10), 10, "expires in"),
    ],
)
def test_a_token_has_a_name_and_expires(
    browser: Browser, index: Index, lifetime: str, expires_on: str, days: int | None, shown: str
) -> None:
    fields = {"repository": index.name, "name": "nightly", "lifetime": lifetime}
    before = time()
    page = browser.submit("/portal/tokens", "/portal/tokens", fields, expires_on=expires_on)
    token = secret_of(page)
    (created,) = index.server.api_json("GET", "/tokens")["tokens"][-1:]
    assert created["name"] == "nightly"
    assert f"nightly {created['id']} {index.name}" in page.text
    assert shown in page.text
    if days is None:
        assert created["expires"] is None
    elif lifetime == "date":
        last = datetime.fromtimestamp(created["expires"] - 1, UTC)
        assert last.date().isoformat() == expires_on
    else:
        assert before <= created["expires"] - days * 86_400 <= time()
    assert index.request("GET", "/", auth=("anybody", token)).status_code == 200


@pytest.mark.parametrize(
    ("lifetime", "expires_on", "message"),
    [
        ("date", "", "Invalid date '': enter the last day"),
        ("date", "tomorrow", "Invalid date 'tomorrow'"),
        ("date", "9999-12-31", "is too late: a token expires within 3,650 days, or never."),
        ("date", "2020-02-02", "The date 2020-02-02 is in the past."),
        ("7", "2999-01-01", "Clear this field, or choose 'On the date below' above."),
        ("fortnight", "", "Unknown lifetime 'fortnight'"),
    ],
)
def test_an_invalid_expiry_creates_no_token(
    browser: Browser, index: Index, lifetime: str, expires_on: str, message: str
) -> None:
    before = len(index.server.api_json("GET", "/tokens")["tokens"])
    fields = {"repository": index.name, "lifetime": lifetime, "expires_on": expires_on}
    page = browser.submit("/portal/tokens", "/portal/tokens", fields, status=400)
    assert page.text.count(message) == 2
    assert len(index.server.api_json("GET", "/tokens")["tokens"]) == before


def test_the_list_shows_expired_tokens_and_the_last_use(browser: Browser, index: Index) -> None:
    index.token(name="short", expires_in=-100)
    used = index.token(name="used")
    page = browser.get("/portal/tokens")
    assert "Expired created just now expired 1 minute ago never used" in page.text
    assert index.request("GET", "/", auth=("anybody", used["token"])).status_code == 200
    wait_until(
        lambda: "last used just now" in browser.get("/portal/tokens").text,
        "the list to show the last use",
    )
    assert "may be up to an hour later" in browser.get("/portal/tokens").text
