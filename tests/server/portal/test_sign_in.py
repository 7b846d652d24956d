from __future__ import annotations

from http.cookies import Morsel, SimpleCookie

import pytest
import requests

from tests.support.index import Server
from tests.support.portal.browser import Browser, Page


def cookie(answer: requests.Response) -> Morsel[str]:
    (morsel,) = SimpleCookie(answer.headers["Set-Cookie"]).values()
    return morsel


def test_the_root_leads_to_the_sign_in_page(stranger: Browser) -> None:
    page = stranger.get("/")
    assert page.path == "/portal/sign-in"
    assert "E-mail Password" in page.text


def test_the_admin_user_signs_in_and_sees_the_repositories(stranger: Browser) -> None:
    page = stranger.sign_in(*stranger.server.admin)
    assert page.path == "/portal/"
    assert "Repositories" in page.text
    assert stranger.server.admin[0] in page.text


def test_signing_in_leads_to_the_page_that_was_asked_for(stranger: Browser) -> None:
    username, password = stranger.server.admin
    page = stranger.submit("/portal/users?q=some%26body", username=username, password=password)
    assert page.path == "/portal/users"
    assert page.answer.url.endswith("?q=some%26body")


@pytest.mark.parametrize(
    "wanted",
    [
        "https://example.com/portal/",
        "//example.com/portal/",
        "/repositories/demo/",
        "/portal/\\example.com",
        "/portal/\r\nSet-Cookie: a=b",
        "/portal/é",
    ],
)
def test_signing_in_leads_nowhere_else(stranger: Browser, wanted: str) -> None:
    username, password = stranger.server.admin
    page = stranger.submit("/portal/sign-in", username=username, password=password, next=wanted)
    assert page.path == "/portal/"
    assert page.answer.url == stranger.server.url + "/portal/"


@pytest.mark.parametrize(
    ("username", "password"),
    [(None, "wrong password"), ("nobody@example.com", None), ("", ""), ("é:☃", "\udc80")],
)
def test_a_wrong_login_is_refused_with_one_sentence_for_all(
    own_server: Server, username: str | None, password: str | None
) -> None:
    stranger = Browser(own_server)
    page = stranger.sign_in(
        own_server.admin[0] if username is None else username,
        own_server.admin[1] if password is None else password.encode("utf-8", "replace").decode(),
        status=401,
    )
    assert "The e-mail or the password is wrong." in page.text
    assert own_server.admin[1] not in page.answer.text
    assert stranger.get("/portal/users").path == "/portal/sign-in"
    stranger.close()


def test_a_repository_user_is_told_why_not(stranger: Browser) -> None:
    email, passphrase = stranger.server.user()
    page = stranger.sign_in(email, passphrase, status=403)
    assert f"{email} reaches the repositories with pip, twine and the like" in page.text
    assert "sign in as the admin user" in page.text
    assert stranger.get("/portal/").path == "/portal/sign-in"


def test_a_token_does_not_sign_in(stranger: Browser) -> None:
    index = stranger.server.repository()
    token = stranger.server.done("POST", "/tokens", {"repository": index.name})["token"]
    stranger.sign_in("anybody", token, status=403)
    assert stranger.get("/portal/").path == "/portal/sign-in"


def test_the_password_never_comes_back(stranger: Browser) -> None:
    page = stranger.sign_in("someone@example.com", "secret-guess", status=401)
    assert page.form().fields["username"] == "someone@example.com"
    assert "secret-guess" not in page.answer.text


def test_the_cookie_is_for_this_port_and_for_no_script(stranger: Browser) -> None:
    page = stranger.get("/portal/sign-in")
    fields = page.form().fields
    username, password = stranger.server.admin
    answer = stranger.request(
        "POST", "/portal/sign-in", data={**fields, "username": username, "password": password}
    )
    morsel = cookie(answer)
    assert morsel.key == f"cloudrepo-portal-{stranger.server.url.rpartition(':')[2]}"
    assert morsel["httponly"]
    assert morsel["samesite"] == "Strict"
    assert morsel["path"] == "/portal"
    # It ends with the browser, and with the server's own limit.
    assert not morsel["max-age"]
    assert not morsel["expires"]


def test_a_cookie_from_before_is_of_no_use_after_signing_in(stranger: Browser) -> None:
    before = cookie(stranger.request("GET", "/portal/sign-in"))
    stranger.sign_in(*stranger.server.admin)
    thief = Browser(stranger.server)
    thief.session.cookies.set(before.key, before.value, path="/portal")
    assert thief.get("/portal/").path == "/portal/sign-in"
    thief.close()


def test_signing_out_ends_the_session_wherever_its_cookie_is(browser: Browser) -> None:
    thief = Browser(browser.server)
    thief.session.cookies.update(browser.session.cookies)
    assert thief.get("/portal/").path == "/portal/"
    page = Page(
        browser.request(
            "POST",
            "/portal/sign-out",
            data=browser.get("/portal/").forms[0].fields,
            allow_redirects=True,
        )
    )
    assert page.path == "/portal/sign-in"
    assert browser.session.cookies.get_dict() != thief.session.cookies.get_dict()
    assert thief.get("/portal/").path == "/portal/sign-in"
    thief.close()


def test_each_sign_in_has_a_session_of_its_own(browser: Browser) -> None:
    other = Browser(browser.server)
    other.sign_in(*other.server.admin)
    other.request("POST", "/portal/sign-out", data=other.get("/portal/").forms[0].fields)
    assert other.get("/portal/").path == "/portal/sign-in"
    assert browser.get("/portal/").path == "/portal/"
    other.close()


def test_a_cookie_that_this_server_did_not_sign_is_nobodys(browser: Browser) -> None:
    for name, value in browser.session.cookies.get_dict().items():
        identity, rest = value.split(".", 1)
        browser.session.cookies.clear()
        browser.session.cookies.set(name, f"{identity[:-1]}A.{rest}", path="/portal")
    assert browser.get("/portal/").path == "/portal/sign-in"


def test_two_servers_on_one_host_leave_each_others_sessions_alone(
    browser: Browser, own_server: Server
) -> None:
    other = Browser(own_server)
    # As one browser has them: cookies ignore ports.
    other.session.cookies = browser.session.cookies
    other.sign_in(*own_server.admin)
    assert browser.get("/portal/").path == "/portal/"
    assert other.get("/portal/").path == "/portal/"
    other.close()


def test_the_portals_session_opens_neither_api_nor_repositories(browser: Browser) -> None:
    index = browser.server.repository()
    assert browser.request("GET", "/api/repositories").status_code == 401
    assert browser.request("GET", index.path + "/").status_code == 401
