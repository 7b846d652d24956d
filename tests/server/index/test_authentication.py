"""Authentication: missing, wrong and malformed credentials, passphrases, permissions."""

from __future__ import annotations

import base64
import re

import pytest

from tests.support.archives import wheel
from tests.support.forms import encode, fields
from tests.support.index import JSON, Index, Server
from tests.support.raw import basic, connect, exchange, request

PATHS = ["", "/", "/simple/", "/demo/", "/demo/demo-1.0-py3-none-any.whl", "/nothing/"]
PASSPHRASES = [
    "p@ss:w/rd%23",
    "pâsswörd-é",
    "with spaces  and\ttab",
    "+plus&amp;=?#",
    "::::::::",
    "%40%3A%2F%20",
    "\U0001f511 schlüssel",
    "\"quoted\" \\ 'back'",
]


@pytest.mark.parametrize("path", [*PATHS, "/demo/demo-1.0-py3-none-any.whl.metadata"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_missing_credentials_get_401_with_a_realm(index: Index, method: str, path: str) -> None:
    index.publish(wheel())
    response = index.request(method, path, auth=None)
    assert response.status_code == 401
    assert re.match(r'Basic realm="example"', response.headers["WWW-Authenticate"])
    if method == "GET":
        assert response.json()["error"]


@pytest.mark.parametrize("slash", ["", "/"])
def test_an_upload_without_credentials_is_401_and_stores_nothing(index: Index, slash: str) -> None:
    form = encode(fields(wheel()))
    response = index.server.request(
        "POST", index.path + slash, data=form.body, headers={"Content-Type": form.content_type}
    )
    assert response.status_code == 401
    assert "Basic realm=" in response.headers["WWW-Authenticate"]
    assert index.json("/")["projects"] == []


@pytest.mark.parametrize("login", ["wrong passphrase", "unknown user", "admin", "empty"])
def test_wrong_credentials_get_401_with_a_realm(index: Index, login: str) -> None:
    auth = {
        "wrong passphrase": (index.username, "wrong-passphrase"),
        "unknown user": ("nobody@example.com", index.password),
        "admin": index.server.admin,
        "empty": ("", ""),
    }[login]
    read = index.request("GET", "/", auth=auth)
    form = encode(fields(wheel()))
    write = index.send(form, auth=auth)
    for response in (read, write):
        assert response.status_code == 401
        assert "Basic realm=" in response.headers["WWW-Authenticate"]
    assert index.json("/")["projects"] == []


def test_an_unknown_repository_is_401_without_credentials(server: Server) -> None:
    assert server.request("GET", "/repositories/nowhere/").status_code == 401


@pytest.mark.parametrize("path", ["/repositories/", "/repositories"])
def test_the_list_of_repositories_requires_a_repository_user(index: Index, path: str) -> None:
    assert index.server.request("GET", path, auth=index.auth).status_code == 200
    assert index.server.request("GET", path).status_code == 401
    assert index.server.request("GET", path, auth=index.server.admin).status_code == 401


def test_an_upload_by_a_read_only_user_is_403(index: Index) -> None:
    index.publish(wheel())
    reader = index.server.user(read_only=True)
    assert index.request("GET", "/demo/", auth=reader).status_code == 200
    response = index.send(encode(fields(wheel(version="2.0"))), auth=reader)
    assert response.status_code == 403
    assert reader[0] in response.reason
    assert "read only" in response.json()["error"]
    assert len(index.files()) == 1


@pytest.mark.parametrize("passphrase", PASSPHRASES)
def test_a_passphrase_may_contain_any_character(index: Index, passphrase: str) -> None:
    user = index.server.user(passphrase=passphrase)
    for encoding in ("utf-8", "latin-1"):
        try:
            header = basic(user[0], passphrase, encoding=encoding)
        except UnicodeEncodeError:
            continue
        headers = {"Authorization": header}
        assert index.request("GET", "/", auth=None, headers=headers).status_code == 200
        wrong = {"Authorization": basic(user[0], passphrase + "x", encoding=encoding)}
        assert index.request("GET", "/", auth=None, headers=wrong).status_code == 401


@pytest.mark.parametrize("email", ["first.last+tag@example.com", "ä.ö@exämple.com", "a%40b@c.de"])
def test_a_user_name_may_be_any_e_mail_address(index: Index, email: str) -> None:
    _, passphrase = index.server.user(email=email)
    for encoding in ("utf-8", "latin-1"):
        headers = {"Authorization": basic(email, passphrase, encoding=encoding)}
        assert index.request("GET", "/", auth=None, headers=headers).status_code == 200
    upper_case = {"Authorization": basic(email.upper(), passphrase)}
    assert index.request("GET", "/", auth=None, headers=upper_case).status_code == 200


@pytest.mark.parametrize(
    "header",
    [
        "Basic",
        "Basic ",
        "Basic %%%",
        "Basic not-base64!",
        "Basic " + base64.b64encode(b"no colon").decode(),
        "Basic " + base64.b64encode(b"\xff\xfe:\xff").decode(),
        "Basic " + base64.b64encode(b":").decode(),
        "Basic " + base64.b64encode(b"\x00:\x00").decode(),
        "Bearer",
        "Bearer nonsense",
        "Bearer cloudrepo..",
        "Bearer cloudrepo.../../x.y",
        "Digest username=x",
        "nonsense",
        "",
    ],
)
def test_malformed_credentials_are_401(index: Index, header: str) -> None:
    response = index.request("GET", "/", auth=None, headers={"Authorization": header})
    assert response.status_code == 401
    assert "WWW-Authenticate" in response.headers


def test_a_user_name_without_a_passphrase_is_401(index: Index) -> None:
    assert index.request("GET", "/", auth=(index.username, "")).status_code == 401


def test_the_authentication_scheme_is_case_insensitive(index: Index) -> None:
    header = index.authorization["Authorization"].replace("Basic", "bAsIc")
    response = index.request("GET", "/", auth=None, headers={"Authorization": header})
    assert response.status_code == 200


@pytest.mark.parametrize("below", ["", ".metadata"])
def test_files_and_metadata_require_credentials_too(index: Index, below: str) -> None:
    archive = wheel()
    index.publish(archive)
    path = f"/demo/{archive.filename}{below}"
    tag = index.get(path).headers["ETag"]
    for headers in ({}, {"Range": "bytes=0-1"}, {"If-None-Match": tag}):
        response = index.request("GET", path, auth=None, headers=headers)
        assert response.status_code == 401
        assert archive.data[:10] not in response.content


def test_the_error_for_a_percent_encoded_user_name_explains_it(index: Index) -> None:
    encoded = index.username.replace("@", "%40")
    response = index.request("GET", "/", auth=(encoded, index.password))
    assert response.status_code == 401
    assert "percent-encoded" in response.reason
    assert "percent-encoded" in index.server.process.log
    assert "percent-encoded" in index.journal()[-1]["reason"]


def test_credentials_appear_in_no_page_response_or_log(index: Index) -> None:
    secrets = (index.password, index.authorization["Authorization"].removeprefix("Basic "))
    index.publish(wheel())
    responses = [
        *(index.get(below, Accept=accept) for below in PATHS for accept in (JSON, "text/html")),
        index.upload(wheel(), sha256_digest="0" * 64),
        index.request("PUT", "/"),
        index.request("GET", "/", auth=(index.username + "x", index.password)),
        index.request("GET", "/", auth=("a%40b@c.de", index.password)),
        index.api("GET", "/requests"),
    ]
    for response in responses:
        for secret in secrets:
            assert secret not in f"{response.reason} {response.headers} {response.text}"
    for secret in secrets:
        assert secret not in index.server.process.log


def test_credentials_are_checked_before_the_body_is_sent(index: Index) -> None:
    form = encode(fields(wheel(padding=1 << 20)))
    headers = {"Content-Type": form.content_type, "Content-Length": str(len(form.body))}
    reader = index.server.user(read_only=True)
    for status, authorization in (
        (401, {}),
        (401, {"Authorization": basic("nobody@example.com", "wrong-passphrase")}),
        (403, {"Authorization": basic(*reader)}),
    ):
        head = request(f"POST {index.path} HTTP/1.1", {**headers, **authorization})
        with connect(index.url) as connection:
            connection.send(head)
            assert connection.read_response().status == status


def test_a_waiting_client_is_rejected_before_it_sends_the_body(
    index: Index,
) -> None:
    headers = {
        "Content-Type": "multipart/form-data; boundary=x",
        "Content-Length": "100000",
        "Expect": "100-continue",
    }
    with connect(index.url) as connection:
        connection.send(request(f"POST {index.path} HTTP/1.1", headers))
        response = connection.read_response()
        assert response.status == 401
        assert response.headers["Connection"].lower() == "close"
        assert connection.closed_by_server()


def test_an_invalid_body_without_credentials_is_401(index: Index) -> None:
    response = exchange(index.url, request(f"POST {index.path} HTTP/1.1", {}, b"nonsense"))
    assert response.status == 401
