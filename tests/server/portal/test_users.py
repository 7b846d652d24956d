"""The pages of repository users."""

from __future__ import annotations

import re
from urllib.parse import quote

import pytest

from tests.support.archives import wheel
from tests.support.index import Index, Server
from tests.support.portal.browser import Browser, secret_of


def path_of(email: str, below: str = "") -> str:
    return f"/portal/users/{quote(email, safe='')}{below}"


def read_status(index: Index, email: str, passphrase: str) -> int:
    """Return the status of reading the index with these credentials."""
    return index.request("GET", "/", auth=(email, passphrase)).status_code


def test_the_empty_users_page_explains_what_a_user_is(own_server: Server) -> None:
    browser = Browser(own_server)
    browser.sign_in(*own_server.admin)
    assert "No repository users yet" in browser.get("/portal/users").text
    own_server.repository("demo")
    browser.close()


def test_a_user_is_created_with_a_chosen_passphrase(browser: Browser, index: Index) -> None:
    page = browser.submit(
        "/portal/create-user", email=" dev@example.com ", passphrase="correct horse"
    )
    assert page.path == path_of("dev@example.com")
    assert "The user dev@example.com was created." in page.text
    assert "correct horse" not in page.response.text
    assert read_status(index, "dev@example.com", "correct horse") == 200
    assert read_status(index, "dev@example.com", "correct house") == 401
    assert "dev@example.com" in browser.get("/portal/users").text


def test_a_generated_passphrase_is_shown_once(browser: Browser, index: Index) -> None:
    page = browser.submit("/portal/create-user", email="generated@example.com")
    secret = secret_of(page)
    assert "it is not shown again" in page.text
    assert len(secret) >= 24
    assert read_status(index, "generated@example.com", secret) == 200
    assert secret not in browser.get(path_of("generated@example.com")).response.text


@pytest.mark.parametrize(
    ("email", "passphrase", "sentence"),
    [
        (
            "short@example.com",
            "1234567",
            "A passphrase must have 8 to 1024 characters; this one has 7.",
        ),
        ("long@example.com", "x" * 1025, "this one has 1025"),
        ("no body", "correct horse", "'no body' is not a valid e-mail address"),
        ("a:b@example.com", "correct horse", "is not a valid e-mail address"),
        ("", "correct horse", "'' is not a valid e-mail address"),
    ],
)
def test_an_invalid_user_is_rejected_with_a_message(
    browser: Browser, email: str, passphrase: str, sentence: str
) -> None:
    page = browser.submit(
        "/portal/create-user", email=email, passphrase=passphrase, read_only="on", status=400
    )
    assert sentence in page.text
    assert page.form().fields["email"] == email
    assert page.form().fields["read_only"] == "on"
    # The form never repeats a passphrase.
    assert page.form().fields["passphrase"] == ""
    assert passphrase not in page.response.text


def test_an_existing_e_mail_address_is_rejected(browser: Browser, index: Index) -> None:
    page = browser.submit(
        "/portal/create-user", email=index.username.upper(), passphrase="other words", status=409
    )
    assert f"The user {index.username} already exists." in page.text
    assert read_status(index, *index.auth) == 200


def test_read_only_access_applies_to_the_next_request(browser: Browser, index: Index) -> None:
    path = path_of(index.username)
    page = browser.submit(path, f"{path}/rights", read_only="on")
    assert f"{index.username} now has read-only access." in page.text
    assert index.upload(wheel()).status_code == 403
    assert index.get().status_code == 200
    assert page.form(f"{path}/rights").fields["read_only"] == "on"
    page = browser.submit(path, f"{path}/rights", read_only=None)
    assert f"{index.username} now has read/write access." in page.text
    assert index.upload(wheel()).status_code == 200


def test_a_changed_passphrase_applies_to_the_next_request(browser: Browser, index: Index) -> None:
    path = path_of(index.username)
    page = browser.submit(path, f"{path}/passphrase", passphrase="another one")
    assert f"The passphrase of {index.username} was changed." in page.text
    assert read_status(index, *index.auth) == 401
    assert read_status(index, index.username, "another one") == 200


@pytest.mark.parametrize("passphrase", ["", "1234567"])
def test_a_passphrase_that_is_too_short_is_rejected(
    browser: Browser, index: Index, passphrase: str
) -> None:
    path = path_of(index.username)
    page = browser.submit(path, f"{path}/passphrase", passphrase=passphrase, status=400)
    assert "A passphrase must have 8 to 1024 characters" in page.text
    assert read_status(index, *index.auth) == 200


def test_a_deleted_user_is_rejected_at_once(browser: Browser, index: Index) -> None:
    assert read_status(index, *index.auth) == 200
    path = path_of(index.username, "/revoke")
    assert f"The user {index.username} is deleted" in browser.get(path).text
    page = browser.submit(path)
    assert page.path == "/portal/users"
    assert f"The user {index.username} was deleted." in page.text
    assert read_status(index, *index.auth) == 401
    browser.get(path, status=404)


@pytest.mark.parametrize(
    "email",
    [
        *("first.last+tag@example.com", "100%25@example.com", "a?b#c&d=e@example.com"),
        *("é@ü.example", "a/b@example.com", '"two <words>"@example.com'),
    ],
)
def test_e_mail_addresses_with_special_characters_have_pages(browser: Browser, email: str) -> None:
    page = browser.submit("/portal/create-user", email=email, passphrase="correct horse")
    assert page.path == path_of(email)
    links = [each["href"] for each in browser.get("/portal/users?q=" + quote(email)).all("a")]
    assert path_of(email) in links
    page = browser.submit(path_of(email, "/revoke"))
    assert f"The user {email} was deleted." in page.text


def test_a_long_user_list_is_searchable(browser: Browser) -> None:
    for number in range(12):
        browser.server.user(email=f"needle{number}@example.com")
    page = browser.get("/portal/users?q=Needle1")
    assert set(re.findall(r"needle\d+", page.text)) == {"needle1", "needle10", "needle11"}
    assert (
        "No user name contains “nobody-at-all”" in browser.get("/portal/users?q=nobody-at-all").text
    )


@pytest.mark.parametrize("below", ["", "/revoke"])
def test_an_unknown_user_shows_an_error_page(browser: Browser, below: str) -> None:
    page = browser.get(path_of("nobody@example.com", below), status=404)
    assert "The user nobody@example.com was not found." in page.text
