"""One-time links that sign a browser in and lead to a repository."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from cloudrepo_server.domain.sign_in_links import SignInLinks
from cloudrepo_server.errors import ConflictError, ExclusiveStorageRequiredError
from cloudrepo_server.limits import MAX_SIGN_IN_LINKS, SIGN_IN_LINK_SECONDS
from tests.support.index import Index, Server
from tests.support.portal.browser import Browser
from tests.support.server_fixtures import StartServer
from tests.support.wait import wait_until


def new_link(index: Index) -> str:
    """Return the path and query of a new link to a repository."""
    created = index.server.api_json("POST", "/sign-in-links", {"repository": index.name})
    assert created["expires_in"] == SIGN_IN_LINK_SECONDS
    assert created["url"].startswith(f"{index.server.url}/portal/sign-in/link?token=")
    return str(created["url"].removeprefix(index.server.url))


def follow(server: Server, link: str, **headers: str) -> requests.Response:
    """Open a link in a browser of its own, without following the redirect."""
    return requests.get(server.url + link, headers=headers, timeout=60, allow_redirects=False)


def test_a_link_signs_the_browser_in_and_leads_to_the_repository(
    anonymous: Browser, index: Index
) -> None:
    page = anonymous.get(new_link(index))
    assert (page.status, page.path) == (200, f"/portal/repositories/{index.name}")
    assert anonymous.get("/portal/users").path == "/portal/users"


def test_a_link_is_valid_once(index: Index) -> None:
    link = new_link(index)
    assert follow(index.server, link).status_code == 303
    again = follow(index.server, link)
    assert again.status_code == 401
    assert "was used already, has expired or belongs to another server" in again.text


def test_a_used_link_says_that_the_browser_is_signed_in_already(
    anonymous: Browser, index: Index
) -> None:
    link = new_link(index)
    anonymous.get(link)
    page = anonymous.get(link)
    assert page.path == "/portal/"
    assert "This sign-in link was used already" in page.text
    assert f"You are signed in as {index.server.admin[0]}." in page.text


def test_exactly_one_of_several_browsers_can_use_a_link(index: Index) -> None:
    link = new_link(index)
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda _: follow(index.server, link).status_code, range(8)))
    assert sorted(statuses) == [303, *[401] * 7]


def test_programs_that_check_or_prefetch_a_link_do_not_use_it(index: Index) -> None:
    link = new_link(index)
    head = requests.head(index.server.url + link, timeout=60, allow_redirects=False)
    prefetched = follow(index.server, link, **{"Sec-Purpose": "prefetch;prerender"})
    assert (head.status_code, prefetched.status_code) == (200, 200)
    assert follow(index.server, link).status_code == 303


@pytest.mark.parametrize("query", ["", "?token=", "?token=guess", "?token=%FF%00", "?token=é"])
def test_a_link_that_was_never_issued_is_rejected(server: Server, query: str) -> None:
    assert follow(server, f"/portal/sign-in/link{query}").status_code == 401


def test_a_link_is_valid_on_its_own_server_only(index: Index, start_server: StartServer) -> None:
    log_format = ("--log-format", "json")
    other = Server(start_server(*log_format))
    link = new_link(index)
    assert follow(other, link).status_code == 401
    # The access log has the path of the request, but not the secret.
    wait_until(lambda: "/portal/sign-in/link" in other.process.log, "the request in the log")
    (secret,) = parse_qs(urlsplit(link).query)["token"]
    assert secret not in other.process.log
    assert follow(index.server, link).status_code == 303
    other.close()


def test_only_the_admin_user_can_issue_a_link(index: Index) -> None:
    body = {"repository": index.name}
    for auth, status in ((None, 401), (index.auth, 403)):
        response = index.server.request("POST", "/api/sign-in-links", json=body, auth=auth)
        assert response.status_code == status
    missing = index.server.api("POST", "/sign-in-links", {"repository": "no-such-repository"})
    assert missing.status_code == 404


def test_a_link_expires() -> None:
    now = 1000.0
    links = SignInLinks(shared=False, clock=lambda: now)
    early, late = links.issue("admin", "demo"), links.issue("admin", "demo")
    now += SIGN_IN_LINK_SECONDS - 1
    assert links.redeem(early) == ("admin", "demo")
    now += 1
    assert links.redeem(late) is None


def test_secrets_are_long_random_and_not_kept() -> None:
    links = SignInLinks(shared=False)
    secrets = {links.issue("admin", "demo") for _ in range(100)}
    assert len(secrets) == 100
    assert min(map(len, secrets)) >= 43  # 256 bits
    kept = repr(vars(links))
    assert "demo" in kept
    assert [secret for secret in secrets if secret in kept] == []


def test_the_number_of_unused_links_is_limited_until_they_expire() -> None:
    now = 1000.0
    links = SignInLinks(shared=False, clock=lambda: now)
    for _ in range(MAX_SIGN_IN_LINKS):
        links.issue("admin", "demo")
    with pytest.raises(ConflictError, match="which is the limit: wait 900 seconds"):
        links.issue("admin", "demo")
    now += SIGN_IN_LINK_SECONDS
    links.issue("admin", "demo")


def test_servers_that_share_a_store_issue_no_links() -> None:
    with pytest.raises(ExclusiveStorageRequiredError, match="does not share its store"):
        SignInLinks(shared=True).issue("admin", "demo")
