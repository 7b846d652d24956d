"""Sign-in, sign-out and sessions."""

from __future__ import annotations

from http.cookies import Morsel, SimpleCookie

import pytest
import requests

from tests.support.index import Server
from tests.support.portal.browser import Browser, Page


def session_cookie(response: requests.Response) -> Morsel[str]:
    """Return the session cookie that a response sets."""
    cookies = SimpleCookie()
    # Requests joins several headers with commas, which a cookie may contain.
    for header in response.raw.headers.getlist("Set-Cookie"):
        cookies.load(header)
    (morsel,) = (each for name, each in cookies.items() if not name.endswith("-browser"))
    return morsel


def test_the_root_redirects_to_the_sign_in_page(anonymous: Browser) -> None:
    page = anonymous.get("/")
    assert page.path == "/portal/sign-in"
    assert "User name Password" in page.text


def test_the_admin_user_signs_in_and_sees_the_repositories(anonymous: Browser) -> None:
    page = anonymous.sign_in(*anonymous.server.admin)
    assert page.path == "/portal/"
    assert "Repositories" in page.text
    assert anonymous.server.admin[0] in page.text


def test_signing_in_redirects_to_the_requested_page(anonymous: Browser) -> None:
    username, password = anonymous.server.admin
    page = anonymous.submit("/portal/users?q=some%26body", username=username, password=password)
    assert page.path == "/portal/users"
    assert page.response.url.endswith("?q=some%26body")


@pytest.mark.parametrize(
    "next_path",
    [
        "https://example.com/portal/",
        "//example.com/portal/",
        "/repositories/demo/",
        "/portal/\\example.com",
        "/portal/\r\nSet-Cookie: a=b",
        "/portal/é",
    ],
)
def test_signing_in_never_redirects_outside_the_portal(anonymous: Browser, next_path: str) -> None:
    username, password = anonymous.server.admin
    page = anonymous.submit("/portal/sign-in", username=username, password=password, next=next_path)
    assert page.path == "/portal/"
    assert page.response.url == anonymous.server.url + "/portal/"


@pytest.mark.parametrize(
    ("username", "password"),
    [(None, "wrong password"), ("nobody@example.com", None), ("é:☃", "\udc80")],
)
def test_all_wrong_credentials_get_the_same_message(
    own_server: Server, username: str | None, password: str | None
) -> None:
    anonymous = Browser(own_server)
    page = anonymous.sign_in(
        own_server.admin[0] if username is None else username,
        own_server.admin[1] if password is None else password.encode("utf-8", "replace").decode(),
        status=401,
    )
    assert "Wrong user name or password." in page.text
    assert own_server.admin[1] not in page.response.text
    assert anonymous.get("/portal/users").path == "/portal/sign-in"
    anonymous.close()


def test_a_repository_user_cannot_sign_in_and_sees_the_reason(anonymous: Browser) -> None:
    email, passphrase = anonymous.server.user()
    page = anonymous.sign_in(email, passphrase, status=403)
    assert f"{email} cannot sign in here" in page.text
    assert "Sign in as the admin user" in page.text
    assert anonymous.get("/portal/").path == "/portal/sign-in"


def test_a_token_cannot_sign_in(anonymous: Browser) -> None:
    index = anonymous.server.repository()
    token = index.token()["token"]
    anonymous.sign_in("anybody", token, status=403)
    assert anonymous.get("/portal/").path == "/portal/sign-in"


def test_the_form_never_repeats_the_password(anonymous: Browser) -> None:
    page = anonymous.sign_in("someone@example.com", "secret-guess", status=401)
    assert page.form().fields["username"] == "someone@example.com"
    assert "secret-guess" not in page.response.text


def test_the_session_cookie_is_restricted_to_this_server_and_hidden_from_scripts(
    anonymous: Browser,
) -> None:
    page = anonymous.get("/portal/sign-in")
    fields = page.form().fields
    username, password = anonymous.server.admin
    response = anonymous.request(
        "POST", "/portal/sign-in", data={**fields, "username": username, "password": password}
    )
    morsel = session_cookie(response)
    assert morsel.key == f"cloudrepo-portal-{anonymous.server.url.rpartition(':')[2]}"
    assert morsel["httponly"]
    assert morsel["samesite"] == "Strict"
    assert morsel["path"] == "/portal"
    # The browser drops it when it closes; the server limits its age.
    assert not morsel["max-age"]
    assert not morsel["expires"]


def test_signing_in_changes_the_session_id(anonymous: Browser) -> None:
    before = session_cookie(anonymous.request("GET", "/portal/sign-in"))
    anonymous.sign_in(*anonymous.server.admin)
    thief = Browser(anonymous.server)
    thief.session.cookies.set(before.key, before.value, path="/portal")
    assert thief.get("/portal/").path == "/portal/sign-in"
    thief.close()


def test_signing_out_invalidates_copies_of_the_cookie(browser: Browser) -> None:
    thief = Browser(browser.server)
    thief.session.cookies.update(browser.session.cookies)
    assert thief.get("/portal/").path == "/portal/"
    page = Page(
        browser.request(
            "POST",
            "/portal/sign-out",
            data=browser.get("/portal/").sign_out.fields,
            allow_redirects=True,
        )
    )
    assert page.path == "/portal/sign-in"
    assert browser.session.cookies.get_dict() != thief.session.cookies.get_dict()
    assert thief.get("/portal/").path == "/portal/sign-in"
    thief.close()


def test_each_sign_in_starts_a_separate_session(browser: Browser) -> None:
    other = Browser(browser.server)
    other.sign_in(*other.server.admin)
    other.request("POST", "/portal/sign-out", data=other.get("/portal/").sign_out.fields)
    assert other.get("/portal/").path == "/portal/sign-in"
    assert browser.get("/portal/").path == "/portal/"
    other.close()


def test_a_cookie_with_a_wrong_signature_is_ignored(browser: Browser) -> None:
    for name, value in browser.session.cookies.get_dict().items():
        identity, rest = value.split(".", 1)
        browser.session.cookies.clear()
        browser.session.cookies.set(name, f"{identity[:-1]}A.{rest}", path="/portal")
    assert browser.get("/portal/").path == "/portal/sign-in"


def test_sessions_of_two_servers_on_one_host_do_not_interfere(
    browser: Browser, own_server: Server
) -> None:
    other = Browser(own_server)
    # One cookie jar, as in one browser: cookies ignore ports.
    other.session.cookies = browser.session.cookies
    other.sign_in(*own_server.admin)
    assert browser.get("/portal/").path == "/portal/"
    assert other.get("/portal/").path == "/portal/"
    other.close()


def test_a_portal_session_gives_no_access_to_the_api_or_repositories(browser: Browser) -> None:
    index = browser.server.repository()
    assert browser.request("GET", "/api/repositories").status_code == 401
    assert browser.request("GET", index.path + "/").status_code == 401
