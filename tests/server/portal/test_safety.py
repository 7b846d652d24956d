"""Protection against forged forms, markup in content, and malformed requests."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote, urlencode

import pytest

from cloudrepo_server.web.portal.paths import is_portal_path
from tests.support.archives import core_metadata, wheel
from tests.support.forms import File
from tests.support.index import Index, Server
from tests.support.portal.browser import Browser, Page
from tests.support.portal.routes import portal_routes
from tests.support.raw import connect
from tests.support.trust import trust

HOSTILE = "<script>alert(1)</script>\"'&amp;<img src=x onerror=alert(2)>"
"""Markup that pages must show as text."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A page or form of the portal, with placeholders in its path."""

    method: str
    path: str
    sign_in_required: bool

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def endpoints() -> list[Endpoint]:
    """Return every route of the portal, without the patterns of its placeholders."""
    return [
        Endpoint(
            route.method, re.sub(r"{(\w+):[^}]+}", r"{\1}", route.path), route.sign_in_required
        )
        for route in portal_routes()
    ]


ENDPOINTS = endpoints()
PAGES = [
    endpoint
    for endpoint in ENDPOINTS
    if endpoint.method == "GET" and "/assets/" not in endpoint.path
]
FORMS = [endpoint for endpoint in ENDPOINTS if endpoint.method == "POST"]


@pytest.fixture(scope="module")
def names(server: Server) -> dict[str, str]:
    """A value for every placeholder in a path."""
    index = server.repository()
    index.publish(wheel())
    token = index.token()["id"]
    fault = index.api_json("POST", "/faults", {"kind": "latency", "seconds": 0})
    return {
        "repository": index.name,
        "project": "demo",
        "version": "1.0",
        "filename": wheel().filename,
        "email": quote(index.username, safe=""),
        "kind": "users",
        "token": token,
        "publisher": trust(index)["id"],
        "number": "1",
        "fault": fault["id"],
        "impersonation": index.api_json("POST", "/impersonations", {"urls": []})["id"],
    }


def changeable_state(server: Server, names: dict[str, str]) -> object:
    """Return everything that a form of the portal could change."""
    below = f"/repositories/{names['repository']}"
    return [
        server.api_json("GET", "/repositories"),
        server.api_json("GET", f"{below}/projects/demo"),
        server.api_json("GET", f"{below}/publishers"),
        server.api_json("GET", f"{below}/faults"),
        server.api_json("GET", "/users"),
        server.api_json("GET", "/tokens"),
    ]


def test_these_tests_cover_every_route() -> None:
    assert len(PAGES) > 15
    assert len(FORMS) > 12


@pytest.mark.parametrize("endpoint", FORMS, ids=str)
@pytest.mark.parametrize("token", [None, "", "wrong", "of another browser"])
def test_a_form_without_a_valid_token_changes_nothing(
    browser: Browser, names: dict[str, str], endpoint: Endpoint, token: str | None
) -> None:
    server = browser.server
    before = changeable_state(server, names)
    fields = {"name": names["repository"], "email": "new@example.com", "read_only": "on"}
    fields |= {"publisher": "github:acme/demo/other.yml", "kind": "corrupt", "upstream": ""}
    if token == "of another browser":
        other = Browser(server)
        token = other.get("/portal/sign-in").form().fields["form-token"]
        other.close()
    if token is not None:
        fields["form-token"] = token
    path = endpoint.path.format(**names)
    if path.endswith("/upload"):
        parts = [*((name, (None, value)) for name, value in fields.items())]
        response = browser.request("POST", path, files=[*parts, ("content", ("x-1.tar.gz", b"x"))])
    else:
        response = browser.request("POST", path, data=fields)
    assert response.status_code == 403
    assert "nothing was changed" in Page(response).text
    assert changeable_state(server, names) == before
    # The session has not ended.
    assert browser.get("/portal/").path == "/portal/"


@pytest.mark.parametrize("header", ["Origin", "Referer"])
@pytest.mark.parametrize(
    "source",
    ["https://example.com", "null", "http://127.0.0.1", "http://[::1", "{url}.example.com"],
)
def test_a_form_from_another_site_changes_nothing_even_with_a_valid_token(
    browser: Browser, header: str, source: str
) -> None:
    fields = browser.get("/portal/create-user").form().fields
    response = browser.request(
        "POST",
        "/portal/create-user",
        data={**fields, "email": "intruder@example.com"},
        headers={header: source.format(url=browser.server.url)},
    )
    assert response.status_code == 403
    assert "another site" in Page(response).text
    assert browser.server.api("DELETE", "/users/intruder%40example.com").status_code == 404


def test_a_form_from_the_portal_itself_is_accepted(browser: Browser) -> None:
    fields = browser.get("/portal/create-user").form().fields
    response = browser.request(
        "POST",
        "/portal/create-user",
        data={**fields, "email": f"own-{browser.server.user()[0]}"},
        headers={"Origin": browser.server.url, "Referer": browser.server.url + "/portal/"},
    )
    assert response.status_code == 303


@pytest.mark.parametrize(
    "endpoint", [endpoint for endpoint in ENDPOINTS if endpoint.sign_in_required], ids=str
)
def test_anonymous_visitors_are_redirected_to_the_sign_in_page(
    anonymous: Browser, names: dict[str, str], endpoint: Endpoint
) -> None:
    before = changeable_state(anonymous.server, names)
    path = endpoint.path.format(**names)
    response = anonymous.request(endpoint.method, path)
    assert response.status_code == 303
    location = response.headers["Location"]
    back = (
        f"?next={quote(path, safe='')}" if endpoint.method == "GET" and path != "/portal/" else ""
    )
    assert location == f"/portal/sign-in{back}"
    assert changeable_state(anonymous.server, names) == before


@pytest.mark.parametrize("endpoint", PAGES, ids=str)
def test_every_page_has_security_headers(
    browser: Browser, names: dict[str, str], endpoint: Endpoint
) -> None:
    # The stream of live requests never ends.
    with browser.request("GET", endpoint.path.format(**names), stream=True) as response:
        headers = response.headers
    policy = dict(
        part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";")
    )
    assert policy == {
        "default-src": "'none'",
        "style-src": "'self'",
        "script-src": "'self'",
        "img-src": "'self'",
        "connect-src": "'self'",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    is_file = endpoint.path.endswith("/files/{filename}")
    assert headers["Cache-Control"] == ("no-cache" if is_file else "no-store")


@pytest.mark.parametrize("endpoint", PAGES, ids=str)
def test_no_page_has_inline_scripts_inline_styles_or_duplicate_ids(
    browser: Browser, names: dict[str, str], endpoint: Endpoint
) -> None:
    with browser.request("GET", endpoint.path.format(**names), stream=True) as response:
        if not response.headers.get("Content-Type", "").startswith("text/html"):
            return
        page = Page(response)
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids)), ids
    for tag, attributes in page.elements:
        assert tag != "style"
        assert tag != "script" or attributes["src"].startswith("/portal/assets/")
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
        for name in ("src", "href", "action"):
            assert not attributes.get(name, "").lower().startswith(("javascript:", "data:", "//"))
            if tag != "a":
                assert "://" not in attributes.get(name, "")


@pytest.fixture
def hostile(server: Server) -> Iterator[Index]:
    """A repository whose users, paths and user agents contain markup."""
    index = server.repository(dialect="cloudrepo")
    email = '"{}"@example.com'.format(HOSTILE.replace('"', "").replace(":", ""))
    server.user(email=email)
    index.request("GET", f"/{quote(HOSTILE, safe='')}/")
    index.request("GET", "/", headers={"User-Agent": HOSTILE})
    yield index
    server.api_json("DELETE", f"/users/{quote(email, safe='')}")


def test_markup_in_user_names_and_paths_is_shown_as_text(browser: Browser, hostile: Index) -> None:
    email = next(
        user["email"]
        for user in browser.server.api_json("GET", "/users")["users"]
        if user["email"].startswith('"<')
    )
    path = f"/portal/users/{quote(email, safe='')}"
    for page in (browser.get("/portal/users"), browser.get(path), browser.get(path + "/revoke")):
        assert email in page.text
        assert not page.all("img", src="x")
    page = browser.get(f"/portal/repositories/{hostile.name}/connection?user={quote(email)}")
    assert email in page.text
    log = f"/portal/repositories/{hostile.name}/requests"
    for below in ("", "?" + urlencode({"q": "<", "user": HOSTILE}), "/1"):
        page = browser.get(log + below)
        assert not page.all("img", src="x")
        assert not [each for each in page.all("script") if "src" not in each]
    page = browser.get(f"/portal/users?q={quote(HOSTILE)}")
    assert HOSTILE in page.text


def test_markup_in_summaries_reasons_and_readmes_is_shown_as_text(
    browser: Browser, index: Index
) -> None:
    for number, (kind, readme) in enumerate(
        {
            "text/markdown": f"# Title\n\n{HOSTILE}\n\n[link](javascript:alert(3)) <form><button>",
            "text/x-rst": f"Title\n=====\n\n{HOSTILE}\n\n.. raw:: html\n\n   <script>x</script>\n",
            "text/plain": HOSTILE,
            "text/html": HOSTILE,
            "": HOSTILE + "\n\n.. include:: /etc/passwd\n",
        }.items()
    ):
        metadata = core_metadata(
            f"demo{number}",
            "1.0",
            more=f"Summary: {HOSTILE}\n"
            + (f"Description-Content-Type: {kind}\n" if kind else "")
            + f"\n{readme}",
        )
        archive = wheel(f"demo{number}", metadata=metadata)
        index.publish(archive)
        index.api_json("PATCH", f"/files/{archive.filename}", {"yanked": HOSTILE})
        index.api_json(
            "PATCH", f"/projects/demo{number}", {"status": "deprecated", "reason": HOSTILE}
        )
        page = browser.get(f"/portal/repositories/{index.name}/projects/demo{number}")
        assert page.text.count(HOSTILE) >= 3, kind
        assert not page.all("img", src="x")
        assert not page.all("button", type="")
        assert not [each for each in page.all("script") if "src" not in each]
        assert not [each for each in page.all("a") if "javascript" in each.get("href", "")]
        assert "root:" not in page.text


def test_markup_in_a_file_name_is_rejected_with_a_message(browser: Browser, index: Index) -> None:
    page = browser.upload(index.name, wheel().named("<img src=x>-1.0.tar.gz"), status=400)
    assert "'<img src=x>-1.0.tar.gz' is not a valid file name" in page.text
    assert not page.all("img", src="x")


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b'{"email": "new@example.com"}'),
        ("text/plain", b"email=new@example.com"),
        ("application/x-www-form-urlencoded; charset=nonsense", b"email=%ff%fe&\xff=\xfe"),
        ("application/x-www-form-urlencoded", b"&".join(b"a=b" for _ in range(1000))),
        ("application/x-www-form-urlencoded", b"email=" + b"x" * (1 << 20)),
        ("multipart/form-data; boundary=x", b"--x\r\n"),
    ],
)
def test_malformed_form_bodies_are_rejected_with_a_page(
    browser: Browser, content_type: str, body: bytes
) -> None:
    for path in ("/portal/create-user", "/portal/sign-in"):
        response = browser.request("POST", path, data=body, headers={"Content-Type": content_type})
        assert response.status_code in (400, 403, 413)
        assert response.headers["Content-Type"].startswith("text/html")


@pytest.mark.parametrize("path", ["/portal/nothing", "/portal/users/a/b/c", "/portal/assets/x/y"])
def test_unknown_paths_show_an_error_page(browser: Browser, path: str) -> None:
    page = browser.get(path, status=404)
    assert "Not found The portal has no" in page.text


def test_an_error_page_leads_back_to_the_repository(browser: Browser, index: Index) -> None:
    page = browser.get(f"/portal/repositories/{index.name}/projects/missing", status=404)
    assert page.all("a", href=f"/portal/repositories/{index.name}")
    page = browser.get("/portal/repositories/missing/projects/demo", status=404)
    assert not page.all("a", href="/portal/repositories/missing")


@pytest.mark.parametrize(
    "path",
    [
        *("/portal/tests", "/portal/requests?q=a%26b", "/portal/search?q=demo"),
        *("/portal/repositories/{name}", "/portal/repositories/{name}/files"),
        *("/portal/repositories/{name}/projects/demo", "/portal/users/a%2Fb"),
    ],
)
def test_a_trailing_slash_redirects_to_the_page(browser: Browser, index: Index, path: str) -> None:
    path = path.format(name=index.name)
    page, question_mark, query = path.partition("?")
    response = browser.request("GET", f"{page}//{question_mark}{query}", allow_redirects=False)
    assert response.status_code == 303
    assert response.headers["Location"] == path


@pytest.mark.parametrize("path", ["/portal/nothing/", "/portal//", "/portal//example.com/"])
def test_a_trailing_slash_without_a_page_is_not_found(browser: Browser, path: str) -> None:
    assert browser.request("GET", path, allow_redirects=False).status_code == 404


def test_unsupported_methods_show_an_error_page(browser: Browser) -> None:
    response = browser.request("DELETE", "/portal/users")
    assert response.status_code == 405
    assert response.headers["Allow"] == "GET,HEAD"
    assert response.headers["Content-Type"].startswith("text/html")


def test_pages_support_head_requests(browser: Browser) -> None:
    response = browser.request("HEAD", "/portal/")
    assert response.status_code == 200
    assert int(response.headers["Content-Length"]) > 1000


@pytest.mark.parametrize("host", ["example.com:port", "a b", ""])
def test_an_invalid_host_header_causes_no_server_error(browser: Browser, host: str) -> None:
    repository = browser.server.repository().name
    response = browser.request(
        "GET", f"/portal/repositories/{repository}/connection", headers={"Host": host}
    )
    assert response.status_code < 500


def test_only_portal_paths_are_redirect_targets() -> None:
    assert is_portal_path("/portal/users?q=a")
    assert not any(map(is_portal_path, ("/portal", "//portal/", "/api/", "/portal/\n", "")))


@pytest.mark.parametrize("cookie", [b"\xff\xfe", "é☃".encode(), b"a.b.c", b".", b'"', b"." * 5000])
def test_an_invalid_cookie_counts_as_not_signed_in(anonymous: Browser, cookie: bytes) -> None:
    port = anonymous.server.url.rpartition(":")[2].encode()
    with connect(anonymous.server.url) as connection:
        connection.send(
            b"GET /portal/ HTTP/1.1\r\nHost: x\r\nCookie: cloudrepo-portal-%b=%b\r\n\r\n"
            % (port, cookie)
        )
        response = connection.read_response()
    assert response.status == 303
    assert response.headers["Location"] == "/portal/sign-in"


@pytest.mark.parametrize(
    "path",
    [
        *("/portal/?q=%ff", "/portal/?q=%ed%a0%80", "/portal/users/%ff", "/portal/users?q=%00"),
        *("/portal/requests?q=%ff&kind=%ff", "/portal/sign-in?next=/portal/%ff", "/portal/%ff"),
        *("/portal/repositories/%ff", "/portal/tokens?repository=%ed%a0%80"),
    ],
)
def test_invalid_bytes_in_a_path_cause_no_server_error(browser: Browser, path: str) -> None:
    assert browser.request("GET", path).status_code in (200, 303, 404)


def test_a_form_body_is_requested_with_100_continue(browser: Browser) -> None:
    cookies = "; ".join("=".join(each) for each in browser.session.cookies.get_dict().items())
    body = b"name=x"
    head = (
        f"POST /portal/create-repository HTTP/1.1\r\nHost: x\r\nCookie: {cookies}\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\nExpect: 100-continue\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    with connect(browser.server.url) as connection:
        connection.send(head.encode())
        assert connection.read_response().status == 100
        connection.send(body)
        assert connection.read_response().status == 403
    # An anonymous client is redirected before it has sent the body.
    with connect(browser.server.url) as connection:
        connection.send(head.replace(cookies, "a=b").encode())
        assert connection.read_response().status == 303


def test_very_long_names_are_truncated(browser: Browser, index: Index) -> None:
    index.post([("name", "x" * 1000), ("sha256_digest", "0"), ("content", File("a", b""))])
    log = f"/portal/repositories/{index.name}/requests"
    for page in (browser.get(log), browser.get(log + "/1")):
        assert "xxx..." in page.text
        assert len(page.response.text) < 1 << 14
