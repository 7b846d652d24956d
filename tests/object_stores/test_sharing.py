"""A change through one server is visible through the other one at the next request."""

from __future__ import annotations

from urllib.parse import urlsplit

from tests.support.archives import sdist, wheel
from tests.support.forms import encode, fields
from tests.support.index import Index, Server
from tests.support.object_stores.fixtures import StartSharedServer, index_through
from tests.support.portal.browser import Browser


def test_an_upload_is_visible_on_the_other_server_at_once(
    index: Index, index_on_second: Index
) -> None:
    assert index_on_second.get("/demo/").status_code == 404
    assert index_on_second.json("/")["projects"] == []
    for archive in (wheel(), sdist(), wheel(version="2.0"), wheel("big", padding=12 << 20)):
        index.publish(archive)
        project = archive.filename.partition("-")[0]
        assert archive.filename in index_on_second.files(project)
        assert archive.filename in index_on_second.html(f"/{project}/")
        assert index_on_second.file(archive, project).content == archive.data
    metadata = index_on_second.get(f"/big/{archive.filename}.metadata")
    assert metadata.content == archive.metadata
    assert [each["name"] for each in index_on_second.json("/")["projects"]] == ["big", "demo"]
    part = index_on_second.get(f"/big/{archive.filename}", Range="bytes=5000000-9999999")
    assert part.content == archive.data[5_000_000:10_000_000]


def test_overwrite_protection_covers_files_uploaded_to_the_other_server(
    index: Index, index_on_second: Index
) -> None:
    index.publish(wheel())
    index_on_second.publish(wheel(module="x = 2\n"))
    assert index.file(wheel()).content == wheel(module="x = 2\n").data
    index_on_second.set(overwrite_protection=True)
    for each in (index, index_on_second):
        rejected = each.upload(wheel(module="x = 3\n"))
        assert rejected.status_code == 409
        assert "already exists" in rejected.reason
    index.set(overwrite_protection=False)
    index_on_second.publish(wheel(module="x = 3\n"))
    assert index.file(wheel()).content == wheel(module="x = 3\n").data


def test_lists_and_searches_of_one_server_show_changes_through_the_other(
    index: Index, index_on_second: Index
) -> None:
    server = index_on_second.server
    browser = Browser(server)
    browser.sign_in(*server.admin)
    page = f"/portal/repositories/{index.name}"
    index.publish(wheel("okapi"))
    assert "1 project 1 file" in browser.get("/portal/search?q=okapi").text
    index.publish(wheel("okapi", "2.0"), wheel("zebra", padding=9000))
    assert "2 projects 3 files" in browser.get(f"{page}?sort=-size").text
    # The same file name with other content of the same size.
    index.publish(wheel("okapi", module="x = 2\n"), wheel("okapi", module="x = 3\n"))
    assert "2 projects 3 files" in browser.get(page).text
    for version in ("1.0", "2.0"):
        index.api_json("DELETE", f"/files/{wheel('okapi', version).filename}")
    assert "Nothing found" in browser.get("/portal/search?q=okapi").text
    text = browser.get(page).text
    assert "1 project 1 file" in text
    assert "Uploads and downloads are not counted" in text
    # Each server lists the changes that were made through it.
    found = browser.request("GET", f"/portal/audit.json?repository={index.name}").json()
    assert "upload" not in {each["kind"] for each in found["changes"]}
    assert "only changes made through this server" in browser.get("/portal/audit").text
    browser.close()


def test_settings_apply_to_both_servers(index: Index, index_on_second: Index) -> None:
    index.publish(wheel())
    public = f"/public/repositories/{index.name}/demo/"
    assert index_on_second.server.request("GET", public).status_code == 404
    index.set(public=True, max_file_size=10)
    assert index_on_second.server.request("GET", public).status_code == 200
    assert index_on_second.upload(wheel(version="2.0")).status_code == 413
    index_on_second.set(public=False, dialect="pypi", max_file_size=None)
    assert index.server.request("GET", public).status_code == 404
    assert index.api_json("GET")["dialect"] == "pypi"
    assert index.upload(wheel(version="2.0")).status_code == 200


def test_yanks_statuses_and_deletions_apply_to_both_servers(
    index: Index, index_on_second: Index
) -> None:
    name = wheel().filename
    index.publish(wheel(), sdist())
    index.api_json("PATCH", f"/files/{name}", {"yanked": "it broke"})
    assert index_on_second.files()[name]["yanked"] == "it broke"
    index_on_second.api_json("PATCH", f"/files/{name}", {"yanked": False})
    assert not index.files()[name]["yanked"]
    index.api_json("PATCH", "/projects/demo", {"status": "archived"})
    assert index_on_second.upload(wheel(version="2.0")).status_code == 403
    index_on_second.api_json("PATCH", "/projects/demo", {"status": "active"})
    index_on_second.api_json("DELETE", f"/files/{name}")
    assert list(index.files()) == [sdist().filename]
    assert index.get(f"/demo/{name}").status_code == 404
    index.api_json("DELETE", f"/files/{sdist().filename}")
    assert index_on_second.get("/demo/").status_code == 404
    assert index_on_second.json("/")["projects"] == []
    index_on_second.publish(wheel())
    assert index.file(wheel()).content == wheel().data


def test_users_and_tokens_are_valid_on_both_servers(index: Index, index_on_second: Index) -> None:
    first_server, second_server = index.server, index_on_second.server
    email, passphrase = first_server.user(passphrase="the first one", read_only=False)

    def statuses(login: tuple[str, str]) -> set[int]:
        return {
            each.request("GET", "/", auth=login).status_code for each in (index, index_on_second)
        }

    assert statuses((email, passphrase)) == {200}
    second_server.api_json("PATCH", f"/users/{email}", {"passphrase": "the second one"})
    assert statuses((email, passphrase)) == {401}
    assert statuses((email, "the second one")) == {200}
    first_server.api_json("PATCH", f"/users/{email}", {"read_only": True})
    form = encode(fields(wheel()))
    assert index_on_second.send(form, auth=(email, "the second one")).status_code == 403
    second_server.api_json("DELETE", f"/users/{email}")
    assert statuses((email, "the second one")) == {401}
    assert first_server.api("POST", "/users", {"email": index.username}).status_code == 409
    # A deleted address can be used again, with another passphrase.
    first_server.api_json("POST", "/users", {"email": email, "passphrase": "the third one"})
    assert statuses((email, "the third one")) == {200}
    assert {each["email"] for each in second_server.api_json("GET", "/users")["users"]} == {
        index.username,
        email,
    }
    token = index.token()
    assert statuses(("__token__", token["token"])) == {200}
    second_server.api_json("DELETE", f"/tokens/{token['id']}")
    assert statuses(("__token__", token["token"])) == {401}


def test_a_repository_with_the_name_of_a_deleted_one_is_empty(
    index: Index, index_on_second: Index
) -> None:
    for first, second in ((index, index_on_second), (index_on_second, index)) * 2:
        first.publish(wheel())
        assert second.server.api("POST", "/repositories", {"name": index.name}).status_code == 409
        second.api_json("DELETE")
        assert first.get("/demo/").status_code == 404
        assert first.server.api_json("GET", "/repositories")["repositories"] == []
        first.server.api_json("POST", "/repositories", {"name": index.name})
        assert second.json("/")["projects"] == []
        assert second.upload(wheel(module="x = 2\n")).status_code == 200


def test_overwrite_protection_covers_earlier_uploads_after_both_servers_were_killed(
    index: Index, index_on_second: Index, start_shared_server: StartSharedServer
) -> None:
    index.set(overwrite_protection=True)
    index.publish(wheel())
    index.server.process.kill()
    index_on_second.server.process.kill()
    again = index_through(start_shared_server(), index)
    assert again.upload(wheel(module="x = 2\n")).status_code == 409
    assert again.file(wheel()).content == wheel().data


def test_the_url_of_a_file_on_another_host_is_valid_on_both_servers(
    index: Index, index_on_second: Index
) -> None:
    index.set(files="other-host")
    index.publish(wheel())
    for first, second in ((index, index_on_second), (index_on_second, index)):
        path = urlsplit(first.files()[wheel().filename]["url"]).path
        assert second.server.request("GET", path).content == wheel().data
    index.set(files="redirect")
    for first, second in ((index, index_on_second), (index_on_second, index)):
        url = urlsplit(first.get(f"/demo/{wheel().filename}").headers["Location"])
        signed = f"{url.path}?{url.query}"
        assert second.server.request("GET", signed).content == wheel().data


def test_a_portal_session_is_valid_on_both_servers(
    first_server: Server, second_server: Server
) -> None:
    browser, browser_on_second = Browser(first_server), Browser(second_server)
    # One browser, whose requests a load balancer sends to either server.
    browser_on_second.session.cookies = browser.session.cookies
    browser.sign_in(*first_server.admin)
    assert browser_on_second.get("/portal/users").path == "/portal/users"
    form = browser_on_second.get("/portal/create-user").form().fields
    created = browser.request(
        "POST",
        "/portal/create-user",
        data={**form, "email": "created@example.com"},
        allow_redirects=False,
    )
    page = browser_on_second.get(created.headers["Location"])
    assert "not shown again" in page.text
    assert "not shown again" not in browser.get(created.headers["Location"]).text
    thief = Browser(first_server)
    thief.session.cookies.update(browser.session.cookies)
    browser_on_second.request(
        "POST", "/portal/sign-out", data=browser_on_second.get("/portal/").sign_out.fields
    )
    assert thief.get("/portal/").path == "/portal/sign-in"
    for each in (browser, browser_on_second, thief):
        each.close()


def test_features_that_need_an_unshared_store_are_rejected_with_the_reason(index: Index) -> None:
    server = index.server
    for method, below, body in (
        ("GET", "/requests", None),
        ("DELETE", "/requests", None),
        ("GET", "/faults", None),
        ("POST", "/faults", {"kind": "status", "status": 500}),
        ("DELETE", "/faults", None),
        ("DELETE", "/faults/some", None),
        ("POST", "/impersonations", {"urls": ["http://index.example/"]}),
        ("DELETE", "/impersonations/some", None),
    ):
        rejected = index.api(method, below, body)
        assert rejected.status_code == 409, (method, below, rejected.text)
        assert "does not share its store" in rejected.json()["error"]
    paths = server.request("GET", "/api/openapi.json").json()["paths"]
    for path in ("requests", "faults", "faults/{id}", "impersonations", "impersonations/{id}"):
        for operation in paths[f"/api/repositories/{{name}}/{path}"].values():
            assert "409" in operation["responses"]
