"""Sessions of the portal belong to the admin login with which they were started."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.index import Server
from tests.support.portal.browser import Browser
from tests.support.ports import free_port
from tests.support.server_fixtures import StartServer

USERNAME, PASSWORD = "admin@example.com", "the first password"


def start(start_server: StartServer, data: Path, port: str, username: str, password: str) -> Server:
    """Start a server on the data folder and the port of the one before it."""
    environ = {"CLOUDREPO_ADMIN_USERNAME": username, "CLOUDREPO_ADMIN_PASSWORD": password}
    return Server(start_server("--data", data, "--port", port, environ=environ))


def sessions_after(
    start_server: StartServer, data: Path, username: str, password: str
) -> tuple[Browser, dict[str, str]]:
    """Sign in, restart the server with another login; return the browser and a form's fields."""
    port = str(free_port())
    first = start(start_server, data, port, USERNAME, PASSWORD)
    browser = Browser(first)
    browser.sign_in(USERNAME, PASSWORD)
    fields = browser.get("/portal/create-user").form().fields
    first.process.stop()
    browser.server = start(start_server, data, port, username, password)
    return browser, fields


@pytest.mark.parametrize(
    ("username", "password"),
    [
        (USERNAME, "the second password"),
        ("other@example.com", PASSWORD),
        ("other@example.com", "the second password"),
        # The same text, divided in another place.
        (USERNAME + "the", "first password"),
    ],
)
def test_another_admin_login_ends_all_sessions(
    start_server: StartServer, tmp_path: Path, username: str, password: str
) -> None:
    browser, fields = sessions_after(start_server, tmp_path / "data", username, password)
    assert browser.get("/portal/").path == "/portal/sign-in"
    new_user = {**fields, "email": "intruder@example.com"}
    response = browser.request("POST", "/portal/create-user", data=new_user)
    assert response.headers["Location"] == "/portal/sign-in"
    assert browser.server.api_json("GET", "/users") == {"users": []}
    browser.sign_in(username, password)
    assert browser.get("/portal/").path == "/portal/"
    browser.close()


def test_the_same_admin_login_keeps_the_session(start_server: StartServer, tmp_path: Path) -> None:
    browser, fields = sessions_after(start_server, tmp_path / "data", USERNAME, PASSWORD)
    assert browser.get("/portal/").path == "/portal/"
    new_user = {**fields, "email": "new@example.com"}
    assert browser.request("POST", "/portal/create-user", data=new_user).status_code == 303
    assert len(browser.server.api_json("GET", "/users")["users"]) == 1
    browser.close()
