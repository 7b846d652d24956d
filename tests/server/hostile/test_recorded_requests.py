"""A request that contains its own password or token is recorded without that secret."""

from __future__ import annotations

import base64
import html
import json
import logging
import re
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import quote, unquote, urlsplit

import pytest

from cloudrepo_server.logs import FIELDS, JsonFormatter, TextFormatter
from cloudrepo_server.logs.redaction import redacted_record, set_request_secrets
from tests.support.archives import wheel
from tests.support.forms import encode, fields
from tests.support.index import Index, Server
from tests.support.portal.browser import Browser
from tests.support.proxy_client import ProxyClient
from tests.support.raw import basic, exchange, request
from tests.support.server_fixtures import StartServer
from tests.support.wait import wait_until

PASSPHRASE = "My_Secret.passphrase-1"
HARD = "a-chosen:p\u00e4ss&ph/rase <%40> of length"

SPELLINGS: dict[str, Callable[[str], str]] = {
    "unchanged": lambda secret: quote(secret, safe="%&<>:/@"),
    "percent-encoded": lambda secret: quote(secret, safe=""),
    "lower-case digits": lambda secret: quote(secret, safe="").lower(),
    "every byte": lambda secret: "".join(f"%{byte:02X}" for byte in secret.encode()),
    "encoded twice": lambda secret: quote(quote(secret, safe=""), safe=""),
    "as a project's name": lambda secret: quote(secret.lower().replace("_", "-"), safe=""),
    "in HTML": lambda secret: quote(html.escape(secret), safe="&;"),
    "in JSON": lambda secret: quote(json.dumps(secret)[1:-1], safe="\\"),
    "base64": lambda secret: base64.b64encode(secret.encode()).decode(),
}
"""How a client may spell a secret in a path. Base64 hides a part of the Authorization header."""

PLACES = (
    "GET {path}/{secret}/",
    "GET {path}/simple/{secret}/",
    "GET {path}/demo/{secret}",
    "GET {path}/demo/x-{secret}.whl",
    "GET {path}/demo/?password={secret}",
    "GET {path}/demo/?q=x{secret}&next=https://ann:{secret}@host/",
    "GET {path}/ann@example.com:{secret}@host/",
    "GET //ann@example.com:{secret}@host/demo",
    "GET http://ann:{secret}@host{path}/",
    "GET https://ann:{secret}@host{path}/nothing/",
    "GET /{secret}",
    "GET /repositories/{secret}/",
    "POST /repositories/{secret}",
    "POST {path}/{secret}",
    "DELETE {path}/{secret}",
    "GET /api/{secret}",
    "GET /api/repositories/{secret}",
    "GET /portal/{secret}",
    "GET /_/oidc/{secret}",
)


def plain(text: str) -> str:
    """Return a decoded text, in lower case and without separators."""
    for _ in range(4):
        text = html.unescape(unquote(text))
    with suppress(ValueError):
        text = json.loads(f'"{text}"')
    return "".join(character for character in text.lower() if character not in "-_.")


def assert_absent(secret: str, place: str, text: str) -> None:
    for part in (secret, *secret.split("/"), base64.b64encode(secret.encode()).decode()):
        if len(part) >= 8:
            for line in text.splitlines():
                assert plain(part) not in plain(line), f"{place} contains a secret: {line}"


@pytest.fixture(params=["rejections", "text", "json"])
def logging_server(start_server: StartServer, request: pytest.FixtureRequest) -> Server:
    """A server that logs rejected requests, or all requests in one of two formats."""
    arguments = [] if request.param == "rejections" else ["--log-format", request.param]
    return Server(start_server(*arguments))


class User:
    """A user with a chosen passphrase, which all requests of the user contain."""

    def __init__(self, index: Index, passphrase: str) -> None:
        self.index = index
        self.passphrase = passphrase
        self.email, _ = index.server.user(passphrase=passphrase)

    def send(self, line: str, *, email: str = "", **headers: str) -> None:
        """Send a request; some of the requests are malformed."""
        login = basic(email or self.email, self.passphrase)
        head = request(f"{line} HTTP/1.1", {"Authorization": login, **headers})
        with suppress(ConnectionError):
            exchange(self.index.url, head)

    def send_all(self, spell: Callable[[str], str]) -> None:
        """Send requests with the passphrase in every place that is recorded."""
        secret = spell(self.passphrase)
        for place in PLACES:
            self.send(place.format(path=self.index.path, secret=secret))
        # The passphrase of a rejected login is a secret too: it may be that of another user.
        self.send(f"GET {self.index.path}/{secret}/", email="nobody@example.com")
        self.send(f"GET {self.index.path}/", **{"User-Agent": f"x ({secret}) y"})
        self.send(f"GET {self.index.path}/none/", **{"X-Request-Id": secret, "X-Other": secret})


def recorded(index: Index) -> dict[str, str]:
    """Return all texts in which requests appear, by their places."""
    browser = Browser(index.server)
    browser.sign_in(*index.server.admin)
    paths = (f"/portal/{below}" for below in ("requests", "requests.json", "requests.csv"))
    pages = [browser.request("GET", path).text for path in paths]
    links = re.findall(r'href="(/portal/[^"]+/requests/\d+)"', pages[0])
    pages += [browser.request("GET", path).text for path in links[:5]]
    browser.close()
    assert links
    journal = json.dumps(index.journal(), ensure_ascii=False)
    return {"portal": "\n".join(pages), "journal": journal, "log": index.server.process.log}


def test_a_request_is_recorded_without_its_own_password(logging_server: Server) -> None:
    index = logging_server.repository("demo")
    users = [User(index, passphrase) for passphrase in (PASSPHRASE, HARD)]
    for user in users:
        for name in ("unchanged", "every byte"):
            user.send_all(SPELLINGS[name])
        form = [*fields(wheel()), ("comment", user.passphrase), (user.passphrase, "x")]
        index.send(encode(form), auth=(user.email, user.passphrase))
    last = index.get("/nothing/").headers["X-Request-Id"]
    wait_until(lambda: last in logging_server.process.log, "the last request in the log")

    texts = recorded(index)
    assert len(index.journal()) > 30
    assert texts["portal"].count("***") > 10
    for place, text in texts.items():
        for user in users:
            assert_absent(user.passphrase, place, text)
    logging_server.close()


def test_a_request_is_recorded_without_its_own_token(index: Index) -> None:
    answer = index.token()
    token = answer["token"]
    for headers in ({"Authorization": f"Bearer {token}"}, {}):
        for below in (f"/{token}/", f"/{quote(token.replace('.', '%2E'))}/x.whl"):
            exchange(index.url, request(f"GET {index.path}{below} HTTP/1.1", headers))
    texts = recorded(index)
    assert "***" in texts["journal"]
    for place, text in texts.items():
        assert token.rpartition(".")[2].lower() not in text.lower(), place


def test_the_rest_of_a_path_is_recorded(index: Index) -> None:
    user = User(index, PASSPHRASE)
    user.send(f"GET {index.path}/demo/{PASSPHRASE}/ann@example.com")
    assert index.journal()[-1]["path"] == f"{index.path}/demo/***/ann@example.com"
    index.get("/demo+local/ann@example.com-1.0.zip")
    assert index.journal()[-1]["path"] == f"{index.path}/demo+local/ann@example.com-1.0.zip"


def test_a_blocked_request_is_recorded_without_the_secret_of_the_proxy(index: Index) -> None:
    client = ProxyClient.of(index, "http://pypi.example/simple/")
    secret = urlsplit(client.url).password or ""
    assert len(secret) > 16
    head = f"GET http://other.example/{secret}/?x HTTP/1.1\r\nHost: other.example\r\n"
    login = f"Proxy-Authorization: {basic(urlsplit(client.url).username or '', secret)}\r\n"
    exchange(client.url, f"{head}{login}\r\n".encode())
    assert index.journal()[-1]["path"] == "http://other.example/***/"


@pytest.mark.parametrize("secret", [PASSPHRASE, HARD])
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_secret_is_hidden_in_every_encoding(secret: str, spelling: str) -> None:
    spelled = SPELLINGS[spelling](secret)
    try:
        set_request_secrets([secret, base64.b64encode(secret.encode()).decode()])
        assert redacted_record(f"a {spelled} b {spelled}") == "a *** b ***"
        # The whole record must stay valid.
        record = logging.makeLogRecord({"msg": "path: %s", "args": (spelled,)})
        record.__dict__[FIELDS] = {"message_id": spelled, "status": 200}
        assert_absent(secret, "a line", TextFormatter().format(record))
        assert json.loads(JsonFormatter().format(record))["status"] == 200
        assert_absent(secret, "a line", JsonFormatter().format(record))
    finally:
        set_request_secrets([])


@pytest.mark.parametrize(
    ("secret", "text", "shown"),
    [
        ("0123456789abcdefgh", "was cut: 0123456789abcdef", "was cut: ***"),
        ("0123456789abcdefgh", "was cut: 0123456789abcdefg...", "was cut: ***..."),
        ("0123456789abcdefgh", "0123456789abcde-", "0123456789abcde-"),
        ("short", "/short/", "/short/"),
        ("--------", "/--------/", "/--------/"),
        ("12345678", "/1234567/12345678", "/1234567/***"),
        ("12345678", "/12345678", "/***"),
        ("p/12345678/x", "/12345678/x/p/12345678/x", "/***/x/***"),
        ("-_12345678.", "/-_12345678./", "/***/"),
        ("-_12345678.", "/%2D_12345678%2e/", "/***/"),
        ("-_12345678.", "-/-1_2345678..", "-/***."),
    ],
)
def test_parts_of_secrets_are_hidden_if_they_are_long(secret: str, text: str, shown: str) -> None:
    try:
        set_request_secrets([secret])
        assert redacted_record(text) == shown
    finally:
        set_request_secrets([])
    assert redacted_record(text) == text
