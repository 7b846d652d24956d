"""The setting `files`: files on another host, at permanent links or at signed URLs that expire."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from tests.support.archives import Archive, wheel
from tests.support.index import JSON, Index, Server
from tests.support.raw import SECONDS
from tests.support.server_fixtures import StartServer
from tests.support.upstream import running_upstream

DEMO = wheel()
FILE = f"/demo/{DEMO.filename}"
SECRET = re.compile(r"cloudrepo\.link\.[\w-]{43}")


@pytest.fixture
def linked(server: Server) -> Index:
    """A repository whose pages link to another host."""
    index = server.repository(files="other-host")
    index.publish(DEMO)
    return index


@pytest.fixture
def redirecting(server: Server) -> Index:
    """A repository that redirects requests for files to another host."""
    index = server.repository(files="redirect")
    index.publish(DEMO)
    return index


def link(index: Index, archive: Archive = DEMO, project: str = "demo") -> str:
    """Return the link to a file on the page of its project."""
    url: str = index.files(project)[archive.filename]["url"]
    return url


def signed(index: Index, below: str = FILE) -> str:
    """Return the URL to which the index redirects a request for a file."""
    redirect = index.get(below)
    assert redirect.status_code == 302, redirect.text
    assert redirect.content == b""
    return redirect.headers["Location"]


def get(url: str, method: str = "GET", **options: object) -> requests.Response:
    """Send a request without a login."""
    with requests.Session() as session:
        session.trust_env = False
        return session.request(method, url, timeout=SECONDS, **options)  # type: ignore[arg-type]


def test_pages_link_to_another_host_that_needs_no_login(linked: Index) -> None:
    url = link(linked)
    parts = urlsplit(url)
    assert (parts.hostname, parts.port) == ("localhost", urlsplit(linked.url).port)
    assert f'href="{url}#sha256=' in linked.html()
    assert linked.get("/pypi/demo/json").status_code == 404
    assert get(url).content == DEMO.data
    assert get(url + ".metadata").content == DEMO.metadata
    assert linked.get(FILE).content == DEMO.data


def test_pypis_json_links_to_another_host(server: Server) -> None:
    index = server.repository(files="other-host", dialect="pypi", rules="none")
    index.publish(DEMO)
    (file,) = index.get("/pypi/demo/json").json()["urls"]
    assert file["url"] == link(index)
    assert get(file["url"]).content == DEMO.data


@pytest.mark.parametrize("files", ["other-host", "redirect"])
def test_the_other_host_supports_ranges_heads_and_conditions(server: Server, files: str) -> None:
    index = server.repository(files=files)
    index.publish(DEMO)
    url = link(index) if files == "other-host" else signed(index)
    assert get(url, headers={"Range": "bytes=2-4"}).content == DEMO.data[2:5]
    head = get(url, "HEAD")
    assert (head.status_code, head.headers["Content-Length"]) == (200, str(len(DEMO.data)))
    assert get(url, headers={"If-None-Match": head.headers["ETag"]}).status_code == 304
    assert get(url, "PUT").status_code == 405


def test_links_are_the_same_each_time_so_that_pages_can_be_cached(linked: Index) -> None:
    first, second = (linked.get("/demo/", Accept=JSON) for _ in range(2))
    assert first.headers["ETag"] == second.headers["ETag"]
    assert first.text == second.text


def test_a_link_is_valid_for_its_own_file_only(server: Server, linked: Index) -> None:
    newer, other = wheel(version="2.0"), server.repository(files="other-host")
    linked.publish(newer)
    other.publish(DEMO)
    urls = [link(linked), link(linked, newer), link(other)]
    secrets = [match[0] for url in urls if (match := SECRET.search(url))]
    assert len(set(secrets)) == 3
    for url in urls:
        for secret in [*secrets, "cloudrepo.link.", "\xe9" * 43]:
            changed = SECRET.sub(secret, url)
            status = 200 if changed == url else 403
            assert get(changed).status_code == status, changed


@pytest.mark.parametrize("below", [FILE, FILE + ".metadata"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_the_index_redirects_to_a_signed_url_that_no_cache_keeps(
    redirecting: Index, method: str, below: str
) -> None:
    assert urlsplit(link(redirecting)).netloc == ""
    redirect = redirecting.request(method, below)
    assert (redirect.status_code, redirect.headers["Cache-Control"]) == (302, "no-store")
    url = redirect.headers["Location"]
    assert urlsplit(url).hostname == "localhost"
    expected = DEMO.metadata if below.endswith(".metadata") else DEMO.data
    assert get(url).content == expected


def test_azure_redirects_with_its_own_status_unless_the_setting_decides(server: Server) -> None:
    index = server.repository(dialect="azure")
    index.publish(DEMO)
    redirect = index.get(FILE)
    assert (redirect.status_code, redirect.content) == (303, b"")
    assert urlsplit(redirect.headers["Location"]).hostname == "localhost"
    assert get(redirect.headers["Location"]).content == DEMO.data
    index.set(files="index")
    assert index.get(FILE).content == DEMO.data
    assert get(redirect.headers["Location"]).status_code == 403
    index.set(files="other-host")
    assert "/files/" in index.html()
    index.set(files=None)
    assert index.get(FILE).status_code == 303
    index.set(dialect="modern")
    assert index.get(FILE).content == DEMO.data


def test_the_index_redirects_nobody_without_a_login(redirecting: Index) -> None:
    assert redirecting.request("GET", FILE, auth=None).status_code == 401
    assert redirecting.get("/demo/missing-1.0.tar.gz").status_code == 404


def test_a_signed_url_expires(server: Server) -> None:
    index = server.repository(files="redirect", file_url_seconds=0)
    index.publish(DEMO)
    expired = get(signed(index))
    assert expired.status_code == 403
    assert "has expired: request the file from the index again" in expired.reason


def test_a_signed_url_cannot_be_changed(redirecting: Index) -> None:
    redirecting.publish(wheel(version="2.0"))
    url = signed(redirecting)
    expires = parse_qs(urlsplit(url).query)["expires"][0]
    changes = {
        f"expires={expires}": f"expires={int(expires) + 1}",
        "demo-1.0": "demo-2.0",
        ".whl?": ".whl.metadata?",
        "signature=": "signature=%E9%00",
        "&signature=": "&other=",
        "expires=": f"expires={'9' * 5000}&expires=",
    }
    for old, new in changes.items():
        assert old in url
        assert get(url.replace(old, new)).status_code == 403, new
    assert get(url).status_code == 200


def test_a_signed_url_rejects_logins_and_a_permanent_link_ignores_them(
    redirecting: Index, linked: Index
) -> None:
    rejected = get(signed(redirecting), auth=redirecting.auth)
    assert rejected.status_code == 400
    assert "must be requested without a login" in rejected.reason
    assert get(link(linked), auth=("nobody", "wrong passphrase")).content == DEMO.data
    for index in (redirecting, linked):
        last = index.journal()[-1]
        assert (last["user"], last["path"]) == (None, f"/files/{index.name}{FILE}")
        assert ["Authorization", "Basic ***"] in last["headers"]
        assert "***" not in last["reason"]


def test_the_other_host_does_not_reveal_which_repositories_exist(linked: Index) -> None:
    missing = get(link(linked).replace(linked.name, "missing"))
    wrong = get(SECRET.sub("cloudrepo.link.x", link(linked)))
    assert (missing.status_code, missing.text) == (wrong.status_code, wrong.text)
    assert missing.status_code == 403


def test_urls_end_with_the_setting_and_with_the_repository(server: Server, linked: Index) -> None:
    url = link(linked)
    linked.set(files="redirect")
    assert get(url).status_code == 403
    url_before = signed(linked)
    linked.set(files="index")
    assert get(url_before).status_code == 403
    assert linked.get(FILE).content == DEMO.data
    linked.set(files="other-host")
    assert get(url).content == DEMO.data
    linked.api_json("DELETE")
    again = Index(server, linked.name, *linked.auth)
    server.api_json("POST", "/repositories", {"name": again.name, "files": "other-host"})
    again.publish(DEMO)
    assert get(url).status_code == 403
    assert get(link(again)).content == DEMO.data


@pytest.mark.parametrize("files", ["other-host", "redirect"])
def test_files_with_unusual_names_are_found(server: Server, files: str) -> None:
    index = server.repository(files=files, dialect="cloudrepo")
    for project, filename in (("simple", "simple-1.0+a!b.tar.gz"), ("demo", "demo-1.0.metadata")):
        archive = DEMO.named(filename)
        assert index.upload(archive, name=project).status_code == 200
        page = index.html(f"/simple/{project}/")
        (href,) = re.findall(r'href="([^"]*)"', page)
        assert index.linked(href).content == archive.data


@pytest.mark.parametrize("files", ["other-host", "redirect"])
def test_files_of_upstreams_are_on_the_other_host_too(server: Server, files: str) -> None:
    local = server.repository()
    local.publish(DEMO)
    with running_upstream() as upstream:
        upstream.respond(
            "/simple/remote/",
            '<a href="remote-1.0.tar.gz">remote-1.0.tar.gz</a>',
            content_type="text/html",
        )
        upstream.respond("/simple/remote/remote-1.0.tar.gz", b"remote")
        index = server.repository(files=files, upstream=[local.name, upstream.url])
        for project, content in (("demo", DEMO.data), ("remote", b"remote")):
            (file,) = index.files(project).values()
            url = file["url"]
            if files == "redirect":
                url = signed(index, url.removeprefix(index.path))
            assert urlsplit(url).hostname == "localhost"
            assert get(url).content == content


def test_a_fault_changes_the_response_of_the_other_host(redirecting: Index) -> None:
    fault = redirecting.api_json("POST", "/faults", {"kind": "truncate", "path": FILE, "times": 1})
    url = signed(redirecting)
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        get(url)
    assert get(url).content == DEMO.data
    (recorded,) = redirecting.api_json("GET", "/faults")["faults"]
    assert (recorded["id"], recorded["struck"]) == (fault["id"], 1)


def test_the_other_name_of_localhost_is_the_loopback_address(linked: Index) -> None:
    page = get(linked.url.replace("127.0.0.1", "localhost") + "/demo/", auth=linked.auth)
    (url,) = re.findall(r'href="([^"#]*)', page.text)
    assert urlsplit(url).hostname == "127.0.0.1"
    assert get(url).content == DEMO.data


def test_a_server_without_another_host_name_says_what_to_do(linked: Index) -> None:
    host = {"Host": "index.example:8080"}
    rejected = get(linked.url + "/demo/", auth=linked.auth, headers=host)
    assert rejected.status_code == 400
    assert "start it with --files-url, or set files to index" in rejected.json()["error"]
    assert get(linked.url + "/", auth=linked.auth, headers=host).status_code == 200


def test_azure_serves_files_itself_if_the_server_has_no_other_host_name(server: Server) -> None:
    index = server.repository(dialect="azure")
    index.publish(DEMO)
    host = {"Host": "index.example:8080"}
    assert get(index.url + FILE, auth=index.auth, headers=host).content == DEMO.data
    index.set(files="redirect")
    assert get(index.url + FILE, auth=index.auth, headers=host).status_code == 400


@pytest.mark.parametrize(
    "path",
    [
        "/files",
        "/files/",
        "/files/demo",
        "/files/demo/demo/",
        "/files/a/b/c/d/e",
        "/files//demo/demo-1.0.tar.gz",
        "/files/%2e%2e/demo/demo-1.0.tar.gz",
        "/files/demo/demo/%ff.whl",
        "/files/demo/demo/a%00b",
        "/files/demo/demo/a%2Fb",
        "/filesystem/demo/demo/a",
    ],
)
def test_other_paths_of_the_other_host_are_404(server: Server, path: str) -> None:
    assert server.request("GET", path).status_code == 404


@pytest.mark.parametrize("name", ["DEMO", "x" * 200, "demo%20", "%F0%9F%93%A6"])
@pytest.mark.parametrize("query", ["", "?expires=", "?signature=a&signature=b&expires=1&expires=2"])
def test_urls_that_no_index_links_to_are_403(server: Server, name: str, query: str) -> None:
    assert server.request("GET", f"/files/{name}/demo/demo-1.0.tar.gz{query}").status_code == 403


@pytest.mark.parametrize(
    "change",
    [{"files": "elsewhere"}, {"file_url_seconds": -1}, {"file_url_seconds": 604801}, {"files": 1}],
)
def test_invalid_settings_are_rejected(index: Index, change: dict[str, object]) -> None:
    rejected = index.api("PATCH", json=change)
    assert rejected.status_code == 400
    assert next(iter(change)) in rejected.json()["error"]


def test_urls_have_the_configured_host_stay_valid_after_a_restart_and_are_not_logged(
    start_server: StartServer, tmp_path: Path
) -> None:
    options = ("--data", tmp_path / "data", "--files-url", "https://files.example/")
    first = start_server(*options)
    server, urls = Server(first), []
    for files in ("other-host", "redirect"):
        index = server.repository(files)
        index.set(files=files)
        index.publish(DEMO)
        urls.append(link(index) if files == "other-host" else signed(index))
    assert all(url.startswith("https://files.example/files/") for url in urls)
    assert first.stop() == 0
    second = start_server(*options, "--log-format", "json")
    server = Server(second)
    for url in urls:
        path = url.removeprefix("https://files.example")
        assert server.request("GET", path).content == DEMO.data
        assert server.request("GET", path.replace("demo-1.0", "demo-9.0")).status_code == 403
    assert second.stop() == 0
    assert second.log.count("/files/") >= 4
    for url in urls:
        assert url[-43:] not in second.log
        assert (SECRET.search(url) or [url])[0] not in second.log


def test_a_damaged_key_only_ends_the_urls_that_were_made_with_it(
    start_server: StartServer, tmp_path: Path
) -> None:
    first = start_server("--data", tmp_path / "data")
    index = Server(first).repository("demo", files="other-host")
    index.publish(DEMO)
    old = urlsplit(link(index)).path
    assert first.stop() == 0
    (key,) = (tmp_path / "data").glob("**/files/key.json")
    key.write_bytes(b"{")
    second = start_server("--data", tmp_path / "data")
    index = Index(Server(second), index.name, *index.auth)
    assert index.server.request("GET", old).status_code == 403
    new = urlsplit(link(index)).path
    assert index.server.request("GET", new).content == DEMO.data
    assert second.stop() == 0
    assert "Traceback" not in second.log
