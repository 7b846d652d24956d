"""The Tokens page."""

from __future__ import annotations

from tests.support.archives import wheel
from tests.support.index import Index, Server
from tests.support.portal.browser import Browser, secret_of


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
    page = browser.submit("/portal/tokens", f"/portal/tokens/{token_id}/revoke")
    assert f"The token {token_id} was revoked." in page.text
    assert holder.get().status_code == 401


def test_unknown_repositories_and_tokens_are_404(browser: Browser, index: Index) -> None:
    page = browser.submit("/portal/tokens", "/portal/tokens", repository="nowhere", status=404)
    assert "The repository could not be found: nowhere" in page.text
    fields = page.form("/portal/tokens").fields
    response = browser.request("POST", "/portal/tokens/0000/revoke", data=fields)
    assert response.status_code == 404
    assert index.get().status_code == 200
