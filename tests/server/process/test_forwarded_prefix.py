"""`X-Forwarded-Prefix`: a proxy serves the server below a path, which every URL contains."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urljoin, urlsplit, urlunsplit

import pytest

from tests.support.archives import wheel
from tests.support.index import JSON, Index, Server
from tests.support.portal.browser import Browser, Page
from tests.support.prefix_proxy import PrefixProxy, running_prefix_proxy
from tests.support.process import ServerProcess
from tests.support.raw import basic, connect, request

PREFIX = "/team/python.packages"
DEMO = wheel()


@pytest.fixture(scope="module")
def behind_proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    process = ServerProcess(tmp_path_factory.mktemp("server"), "--behind-proxy")
    server = Server(process)
    yield server
    server.close()
    assert process.stop() == 0
    assert "Traceback" not in process.log


@pytest.fixture(scope="module")
def proxy(behind_proxy: Server) -> Iterator[PrefixProxy]:
    with running_prefix_proxy(behind_proxy.url, PREFIX) as proxy:
        yield proxy
    assert proxy.outside == []


@pytest.fixture(scope="module")
def through_proxy(behind_proxy: Server, proxy: PrefixProxy) -> Server:
    """The server, at its URL below the proxy's path."""
    server = Server(behind_proxy.process)
    server.url = proxy.url
    return server


def shown_url(server: Server, index: Index, *prefixes: str) -> str:
    """Return the URL of a repository in the response to a request with these headers."""
    headers = {"Host": "index.example", "Authorization": basic(*server.admin)}
    lines = "".join(f"X-Forwarded-Prefix: {prefix}\r\n" for prefix in prefixes).encode()
    whole = request(f"GET /api{index.path} HTTP/1.1", headers)
    head, _, body = whole.partition(b"\r\n\r\n")
    with connect(server.url) as connection:
        connection.send(head + b"\r\n" + lines + b"\r\n" + body)
        response = connection.read_response()
    assert response.status == 200, response
    found = re.search(rb'"url":"([^"]*)"', response.body)
    assert found is not None
    return found[1].decode().removeprefix("http://index.example")


@pytest.mark.parametrize(
    ("given", "prefix"),
    [
        (["/packages"], "/packages"),
        (["/packages/"], "/packages"),
        (["/a/b-c_d.e~f/G9"], "/a/b-c_d.e~f/G9"),
        (["/from-the-client", "/packages"], "/packages"),
        (["/" + "x" * 255], "/" + "x" * 255),
        (["/" + "x" * 256], ""),
        ([""], ""),
        (["/"], ""),
        (["packages"], ""),
        (["//other.example"], ""),
        (["/a//b"], ""),
        (["/a/../b"], ""),
        (["/./b"], ""),
        (["/.."], ""),
        (["https://other.example/a"], ""),
        (["/a, /b"], ""),
        (["/a b"], ""),
        (["/%2e%2e/a"], ""),
        (["/a?b"], ""),
        (["/a#b"], ""),
        (["/a\\b"], ""),
        (['/"><script>'], ""),
        (["/\xe4"], ""),
    ],
)
def test_only_a_valid_path_is_accepted(
    behind_proxy: Server, shown: Index, given: list[str], prefix: str
) -> None:
    assert shown_url(behind_proxy, shown, *given) == prefix + shown.path


@pytest.fixture(scope="module")
def shown(behind_proxy: Server) -> Index:
    return behind_proxy.repository()


def test_the_prefix_is_ignored_without_a_trusted_proxy(index: Index) -> None:
    assert shown_url(index.server, index, "/packages") == index.path


@pytest.mark.parametrize("dialect", ["modern", "pypi"])
@pytest.mark.parametrize("files", ["index", "other-host", "redirect"])
def test_pages_and_redirects_contain_the_prefix(
    through_proxy: Server, dialect: str, files: str
) -> None:
    index = through_proxy.repository(dialect=dialect, rules="none", files=files)
    assert index.url.startswith(through_proxy.url)
    index.publish(DEMO)
    root = index.html("/simple/")
    (project,) = re.findall(r'href="([^"]*)"', root)
    assert project == f"{PREFIX}{index.path}/demo/"
    for page in (index.html(), index.get("/demo/", Accept=JSON).text):
        (link,) = re.findall(r'"((?:http:/)?/[^"]*\.whl)[#"]', page)
        assert urlsplit(link).path.startswith(PREFIX + "/")
        assert index.linked(link).content == DEMO.data
    if dialect == "pypi":
        redirect = index.get("/Demo")
        assert redirect.headers["Location"] == f"{PREFIX}{index.path}/demo/"
        (described,) = index.get("/pypi/demo/json").json()["urls"]
        assert index.linked(described["url"]).content == DEMO.data


def test_the_admin_api_returns_urls_with_the_prefix(through_proxy: Server) -> None:
    index = through_proxy.repository()
    index.publish(DEMO)
    assert index.api_json("GET")["url"] == index.url
    (file,) = index.api_json("GET", "/projects/demo")["files"]
    assert index.linked(file["url"]).content == DEMO.data
    link = through_proxy.api_json("POST", "/sign-in-links", {"repository": index.name})["url"]
    assert link.startswith(f"{through_proxy.url}/portal/sign-in/link?token=")


def test_trusted_publishing_is_discovered_below_the_prefix(
    through_proxy: Server, shown: Index
) -> None:
    path = f"{PREFIX}{shown.path}"
    found = through_proxy.request("GET", f"/.well-known/pytp?discover={path}").json()
    audience = found["audience-endpoint"]
    assert audience.startswith(through_proxy.url + "/_/oidc/")
    assert through_proxy.session.get(audience, timeout=20).json() == {"audience": "pypi"}


@pytest.fixture
def browser(through_proxy: Server) -> Iterator[Browser]:
    browser = Browser(through_proxy)
    sign_in = f"{PREFIX}/portal/sign-in"
    username, password = through_proxy.admin
    browser.submit(sign_in, sign_in, username=username, password=password)
    yield browser
    browser.close()


def urls_of(page: Page) -> set[str]:
    """Return the paths of everything that a page refers to, with their queries."""
    names = ("href", "src", "action", "formaction", "data-live")
    return {
        urlunsplit(("", "", *urlsplit(urljoin(page.response.url, attributes[name]))[2:4], ""))
        for _, attributes in page.elements
        for name in names
        if name in attributes and urlsplit(attributes[name]).netloc == ""
    }


def test_every_link_and_form_of_the_portal_stays_below_the_prefix(
    through_proxy: Server, browser: Browser
) -> None:
    index = through_proxy.repository(files="redirect")
    index.publish(DEMO)
    index.get("/demo/")
    index.api_json("POST", "/faults", {"kind": "latency", "seconds": 0})
    index.api_json("POST", "/impersonations", {"urls": ["https://index.example/"]})
    index.token()
    other = through_proxy.repository(upstream=[index.name])
    waiting, seen = [f"{PREFIX}/portal/", f"{PREFIX}/portal{other.path}/upstreams"], set()
    pages = 0
    while waiting:
        url = waiting.pop()
        path = urlsplit(url).path
        if path in seen or path.endswith(("/live", "/sign-out")) or "sign-in" in path:
            continue
        seen.add(path)
        response = browser.request("GET", url, allow_redirects=True)
        if response.status_code == 405:
            # The address of a form that is only submitted.
            continue
        assert response.status_code == 200, path
        if not response.headers["Content-Type"].startswith("text/html"):
            continue
        pages += 1
        links = urls_of(Page(response))
        assert [link for link in links if not link.startswith(f"{PREFIX}/portal")] == [], path
        waiting += links
    assert pages > 20
    assert any("/assets/" in path for path in seen)


def test_every_link_of_a_public_page_stays_below_the_prefix(
    through_proxy: Server, proxy: PrefixProxy
) -> None:
    index = through_proxy.repository(public=True)
    index.publish(DEMO)
    headers = {"Accept": "text/html,application/xhtml+xml"}
    for below in ("/", "/demo/"):
        response = through_proxy.request("GET", f"/public{index.path}{below}", headers=headers)
        page = Page(response)
        assert f"--index-url {proxy.url}/public{index.path} " in page.text
        links = [each["href"] for tag in ("a", "link") for each in page.all(tag)]
        assert links
        for link in links:
            assert link.startswith((f"{PREFIX}/", "#")), link


def test_the_portals_forms_redirects_and_cookies_stay_below_the_prefix(
    through_proxy: Server, browser: Browser, proxy: PrefixProxy
) -> None:
    home = browser.request("GET", f"{PREFIX}/")
    assert home.headers["Location"] == f"{PREFIX}/portal/"
    create = f"{PREFIX}/portal/create-repository"
    page = browser.submit(create, create, name="created-below")
    assert page.path == f"{PREFIX}/portal/repositories/created-below"
    assert "was created" in page.text
    assert {cookie.path for cookie in browser.session.cookies} == {f"{PREFIX}/portal"}
    # A visitor returns to the requested page after signing in.
    visitor = Browser(through_proxy)
    asked = visitor.get(f"{PREFIX}/portal/users")
    assert asked.path == f"{PREFIX}/portal/sign-in"
    username, password = through_proxy.admin
    fields = {**asked.form(asked.path).fields, "username": username, "password": password}
    signed_in = visitor.request("POST", asked.path, data=fields, allow_redirects=True)
    assert urlsplit(signed_in.url).path == f"{PREFIX}/portal/users"
    visitor.close()
    assert proxy.outside == []


def test_rows_that_appear_live_link_below_the_prefix(
    behind_proxy: Server, browser: Browser, shown: Index
) -> None:
    cookies = "; ".join(f"{each.name}={each.value}" for each in browser.session.cookies)
    headers = {"X-Forwarded-Prefix": PREFIX, "Cookie": cookies}
    with behind_proxy.session.get(
        f"{behind_proxy.url}/portal/requests/live", headers=headers, stream=True, timeout=20
    ) as stream:
        assert stream.status_code == 200
        shown.get("/live/")
        links = next(
            re.findall(r'href=\\"([^"\\]*)', line)
            for line in stream.iter_lines(decode_unicode=True)
            if "/live/" in line
        )
    assert links
    assert all(link.startswith(f"{PREFIX}/portal/") for link in links)
