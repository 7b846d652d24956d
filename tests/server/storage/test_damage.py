"""A damaged or newer document affects nothing but itself, and can be deleted."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.support.archives import wheel
from tests.support.index import Index, Server
from tests.support.portal.browser import Browser, Page
from tests.support.ports import free_port
from tests.support.server_fixtures import StartServer

# Sessions belong to an admin login, and the names of their cookies contain the port.
ADMIN = {
    "CLOUDREPO_ADMIN_USERNAME": "admin@example.com",
    "CLOUDREPO_ADMIN_PASSWORD": "an-admin-password",
}
# The header Accept of browsers. For other values, the simple API responds.
HTML = "text/html,application/xhtml+xml"
KINDS = ("repositories", "users", "tokens", "sessions", "portal", "projects")
# What a full disk, a later version, another program or an attacker could leave in a document.
DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "emptied": lambda _: b"",
    "cut": lambda content: content[: len(content) // 2],
    "newer": lambda content: json.dumps({key: ["new"] for key in json.loads(content)}).encode(),
    "binary": lambda _: b"\xff\x00" * 99,
    "nested": lambda _: b"[" * 99999,
}


@dataclass
class Damaged:
    """A running server, after a document of each kind was damaged while it was stopped."""

    server: Server
    index: Index
    """An undamaged repository, with a project."""
    victim: Index
    """A repository, of which some documents are damaged."""
    token: str
    token_id: str
    browser: Browser
    """A browser that signed in to the portal before the damage."""


@pytest.fixture(params=DAMAGE)
def damage(request: pytest.FixtureRequest) -> Callable[[bytes], bytes]:
    return DAMAGE[request.param]


@pytest.fixture
def damaged(
    start_server: StartServer, tmp_path: Path, damage: Callable[[bytes], bytes]
) -> Iterator[Callable[..., Damaged]]:
    """A function that damages the documents of these kinds that belong to the victim."""
    servers: list[Server] = []

    def restart(*kinds: str) -> Damaged:
        data = tmp_path / "data"
        port = str(free_port())
        first = Server(start_server("--data", data, "--port", port, environ=ADMIN))
        index = first.repository("other")
        index.publish(wheel())
        # An idle server may have created the key of the portal already.
        key = data / "store" / "portal" / "key.json"
        before = set((data / "store").rglob("*.json")) - {key}
        victim = first.repository("victim")
        victim.publish(wheel("victim"))
        token = first.api_json("POST", "/tokens", {"repository": "victim"})
        browser = Browser(first)
        browser.sign_in(*first.admin)
        first.close()
        assert first.process.stop() == 0
        for path in set((data / "store").rglob("*.json")) - before:
            if path.relative_to(data / "store").parts[0] in kinds:
                path.write_bytes(damage(path.read_bytes()))
        server = Server(start_server("--data", data, "--port", port, environ=ADMIN))
        servers.append(server)
        browser.server = server
        return Damaged(
            server,
            Index(server, "other", index.username, index.password),
            Index(server, "victim", victim.username, victim.password),
            token["token"],
            token["id"],
            browser,
        )

    yield restart
    for server in servers:
        server.close()
        assert server.process.stop() == 0, server.process.log


def test_damaged_documents_of_all_kinds_affect_nothing_else(
    damaged: Callable[..., Damaged],
) -> None:
    each = damaged(*KINDS)
    server = each.server
    assert [one["name"] for one in server.api_json("GET", "/repositories")["repositories"]] == [
        "other"
    ]
    assert [one["email"] for one in server.api_json("GET", "/users")["users"]] == [
        each.index.username
    ]
    assert server.api_json("GET", "/tokens")["tokens"] == []
    browser = Browser(server)
    browser.sign_in(*server.admin)
    for path in ("/portal/", "/portal/users", "/portal/tokens"):
        assert browser.get(path).status == 200
    assert each.index.files()
    each.index.publish(wheel("more"))
    # Damaged credentials are rejected, like all credentials that cannot be verified.
    assert each.index.request("GET", "/", auth=each.victim.auth).status_code == 401
    assert each.index.request("GET", "/", auth=("", each.token)).status_code == 401
    for kind in ("repositories", "users", "tokens"):
        assert f"the stored document {kind}/" in server.process.log


def test_a_damaged_project_is_marked_in_the_lists_of_its_repository(
    damaged: Callable[..., Damaged],
) -> None:
    each = damaged("projects")
    page = each.browser.get("/portal/repositories/victim")
    assert page.all("a", href="/portal/damaged")
    each.server.api_json("PATCH", "/repositories/victim", {"public": True})
    path = "/public/repositories/victim/"
    public = Page(each.browser.request("GET", path, headers={"Accept": HTML}))
    assert public.all("a", href=f"{path}victim/")
    assert "damaged" in public.text


def test_damaged_documents_can_be_deleted_and_created_again(
    damaged: Callable[..., Damaged],
) -> None:
    each = damaged("repositories", "users", "tokens")
    server = each.server
    for path in (f"/users/{each.victim.username}", f"/tokens/{each.token_id}"):
        assert server.api("DELETE", path).status_code == 204
        assert server.api("DELETE", path).status_code == 404
    assert server.api("GET", "/repositories/victim").status_code == 503
    assert server.api("DELETE", "/repositories/victim").status_code == 204
    assert server.api("DELETE", "/repositories/victim").status_code == 404
    server.user(email=each.victim.username)
    again = server.repository("victim")
    assert again.get("/victim/").status_code == 404
    again.publish(wheel("victim"))


def test_a_damaged_token_does_not_keep_repositories_from_being_deleted(
    damaged: Callable[..., Damaged],
) -> None:
    each = damaged("tokens")
    assert each.server.api("DELETE", "/repositories/victim").status_code == 204
    assert each.server.api("GET", "/repositories/victim").status_code == 404


def test_the_admin_api_lists_and_deletes_damaged_documents(
    damaged: Callable[..., Damaged],
) -> None:
    each = damaged("repositories", "users", "tokens", "sessions", "projects")
    server = each.server
    # A damaged session has ended.
    assert each.browser.get("/portal/").path == "/portal/sign-in"
    assert "the stored document sessions/" in server.process.log
    listed = server.api_json("GET", "/damaged")["damaged"]
    assert [one["kind"] for one in listed] == ["project", "repository", "session", "token", "user"]
    for one in listed:
        assert f"the stored document {one['key']} cannot be read" in one["reason"]
        path = f"/damaged/{quote(one['key'], safe='')}"
        assert server.api("DELETE", path).status_code == 204
        assert server.api("DELETE", path).status_code == 404
    assert server.api_json("GET", "/damaged") == {"damaged": []}
    server.user(email=each.victim.username)
    server.repository("victim").publish(wheel("victim"))
    assert each.index.files()


@pytest.mark.parametrize(
    "key",
    ["users/../x.json", "x", "users", "users/", "users//x", "format.json", "users/\0", "blobs/x"],
)
def test_nothing_but_a_damaged_document_is_deleted(server: Server, key: str) -> None:
    user = server.user()
    response = server.api("DELETE", f"/damaged/{quote(key, safe='')}")
    assert response.status_code == 404
    assert "No damaged document was found" in response.json()["error"]
    server.api_json("DELETE", f"/users/{user[0]}")


def test_an_undamaged_document_is_not_deleted(start_server: StartServer, tmp_path: Path) -> None:
    server = Server(start_server("--data", tmp_path / "data"))
    email, _ = server.user()
    (document,) = (tmp_path / "data" / "store" / "users").iterdir()
    path = quote(f"users/{document.name}", safe="")
    assert server.api("DELETE", f"/damaged/{path}").status_code == 404
    assert [one["email"] for one in server.api_json("GET", "/users")["users"]] == [email]
    server.close()
