"""Repository users: their permissions, and changes that take effect at the next request."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import pytest

from tests.support.archives import wheel
from tests.support.forms import encode, fields
from tests.support.index import Index, Server


def status(index: Index, auth: tuple[str, str]) -> int:
    """Return the status of a read."""
    return index.request("GET", "/", auth=auth).status_code


def path(email: str) -> str:
    return "/users/" + quote(email, safe="")


def test_a_generated_passphrase_is_returned_once(index: Index) -> None:
    server = index.server
    response = server.api("POST", "/users", {"email": "given@example.com"})
    assert response.status_code == 201
    body = response.json()
    assert (body["email"], body["read_only"]) == ("given@example.com", False)
    assert len(body["passphrase"]) >= 24
    assert status(index, ("given@example.com", body["passphrase"])) == 200
    listed = {user["email"]: user for user in server.api_json("GET", "/users")["users"]}
    assert "passphrase" not in listed["given@example.com"]


def test_a_generated_passphrase_can_be_an_argument_of_a_program(server: Server) -> None:
    passphrases = [server.user()[1] for _ in range(10)]
    assert [each for each in passphrases if re.fullmatch("[A-Za-z0-9]{32}", each) is None] == []
    assert len(set(passphrases)) == len(passphrases)


def test_a_chosen_passphrase_is_not_returned(index: Index) -> None:
    given = {"email": "chosen@example.com", "passphrase": "12345678", "read_only": True}
    body = index.server.api_json("POST", "/users", given)
    assert "passphrase" not in body
    assert body["read_only"] is True
    assert status(index, ("chosen@example.com", "12345678")) == 200


def test_users_are_sorted_by_email_address(own_server: Server) -> None:
    for name in ("c", "a", "b"):
        own_server.user(email=f"{name}@example.com", read_only=name == "a")
    users = own_server.api_json("GET", "/users")["users"]
    assert [(user["email"], user["read_only"]) for user in users] == [
        ("a@example.com", True),
        ("b@example.com", False),
        ("c@example.com", False),
    ]


@pytest.mark.parametrize("same", ["taken@example.com", "Taken@Example.com"])
def test_an_email_address_is_unique_without_regard_to_case(server: Server, same: str) -> None:
    server.api("POST", "/users", {"email": "taken@example.com"})
    response = server.api("POST", "/users", {"email": same})
    assert response.status_code == 409
    assert "taken@example.com" in response.json()["error"]


@pytest.mark.parametrize("email", ["a/b%2F+é@c.de", '"a b"@c.de', '"a@b"@c.de'])
def test_unusual_email_addresses_are_accepted(server: Server, email: str) -> None:
    assert server.user(email=email, read_only=True)
    assert server.api_json("PATCH", path(email), {"read_only": False})["email"] == email
    server.api_json("DELETE", path(email))
    assert server.api("PATCH", path(email), {"read_only": True}).status_code == 404


@pytest.mark.parametrize(
    "email",
    [
        *("", "@", "a@", "@b", "a b@c.de", "a:b@c.de", "a@b c", "a\n@b.de", "a@b.de\x00"),
        *('"a:b"@c.de', "a/b", "a@b/c", "x" * 300 + "@example.com"),
    ],
)
def test_an_invalid_email_address_is_rejected(server: Server, email: str) -> None:
    response = server.api("POST", "/users", {"email": email})
    assert response.status_code == 400
    assert "e-mail address" in response.json()["error"]


@pytest.mark.parametrize("passphrase", ["", "1234567", "ééééééé", "x" * 1025])
def test_a_passphrase_that_is_too_short_or_too_long_is_rejected(
    server: Server, passphrase: str
) -> None:
    given = {"email": "short@example.com", "passphrase": passphrase}
    response = server.api("POST", "/users", given)
    assert response.status_code == 400
    assert "8" in response.json()["error"]
    assert not passphrase or passphrase not in response.text
    email, _ = server.user()
    assert server.api("PATCH", path(email), {"passphrase": passphrase}).status_code == 400


@pytest.mark.parametrize("passphrase", ["12345678", "éééééééé", "x" * 1024])
def test_passphrases_of_8_to_1024_characters_are_accepted(index: Index, passphrase: str) -> None:
    assert status(index, index.server.user(passphrase=passphrase)) == 200


@pytest.mark.parametrize(
    "email", ["a{b}@example.com", "a%40b@example.com", "a%b@example.com", "ü@example.com", "a+b@c"]
)
def test_a_user_with_an_unusual_address_can_be_changed_and_deleted(
    index: Index, email: str
) -> None:
    auth = index.server.user(email=email)
    assert status(index, auth) == 200
    assert index.server.api_json("PATCH", path(email), {"read_only": True})["read_only"] is True
    assert index.server.api("DELETE", path(email)).status_code == 204
    assert status(index, auth) == 401


def test_a_user_may_use_every_repository_but_not_the_admin_api(index: Index) -> None:
    other = index.server.repository()
    assert status(other, index.auth) == 200
    assert other.send(encode(fields(wheel())), auth=index.auth).status_code == 200
    assert index.server.request("GET", "/api/users", auth=index.auth).status_code == 403


def test_a_changed_permission_takes_effect_at_the_next_request(index: Index) -> None:
    index.publish(wheel())
    server = index.server
    server.api_json("PATCH", path(index.username), {"read_only": True})
    assert index.upload(wheel(version="2.0")).status_code == 403
    assert index.get("/demo/").status_code == 200
    server.api_json("PATCH", path(index.username), {"read_only": False})
    assert index.upload(wheel(version="2.0")).status_code == 200


def test_a_new_passphrase_takes_effect_at_the_next_request(index: Index) -> None:
    old, new = index.auth, (index.username, "another-passphrase")
    assert (status(index, old), status(index, new)) == (200, 401)
    changed = index.server.api_json("PATCH", path(index.username), {"passphrase": new[1]})
    assert "passphrase" not in changed
    assert (status(index, old), status(index, new)) == (401, 200)


def test_a_deleted_user_is_rejected_at_the_next_request(index: Index) -> None:
    reader = index.server.user(read_only=True)
    assert status(index, reader) == 200
    assert index.server.api("DELETE", path(reader[0])).status_code == 204
    assert status(index, reader) == 401
    new = index.server.user(email=reader[0])
    assert (status(index, reader), status(index, new)) == (401, 200)


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_an_unknown_user_is_not_found(server: Server, method: str) -> None:
    response = server.api(method, path("nobody@example.com"), {"read_only": True})
    assert response.status_code == 404
    assert "nobody@example.com" in response.json()["error"]


@pytest.mark.parametrize(
    "body", [{"read_only": "yes"}, {"email": "b@example.com"}, {"admin": True}]
)
def test_an_invalid_change_is_rejected(index: Index, body: dict[str, object]) -> None:
    assert index.server.api("PATCH", path(index.username), body).status_code == 400
    assert status(index, index.auth) == 200


def test_exactly_one_of_several_concurrent_creations_succeeds(server: Server) -> None:
    with ThreadPoolExecutor(8) as pool:
        responses = list(
            pool.map(
                lambda _: server.api("POST", "/users", {"email": "race@example.com"}), range(8)
            )
        )
    assert sorted(response.status_code for response in responses) == [201] + [409] * 7


def test_wrong_passphrases_do_not_delay_other_users(index: Index) -> None:
    slow, _ = index.server.user(passphrase="a-chosen-passphrase")
    with ThreadPoolExecutor(8) as pool:
        attempts = [pool.submit(status, index, (slow, f"wrong-{n}")) for n in range(16)]
        for _ in range(5):
            assert status(index, index.auth) == 200
        assert {each.result() for each in attempts} == {401}
