"""Two servers over one store behave as one: what one answered is so on the other, at once."""

from __future__ import annotations

from tests.support.archives import sdist, wheel
from tests.support.forms import encode, fields
from tests.support.index import Index, Server
from tests.support.object_stores.fixtures import Serve, seen_from
from tests.support.portal.browser import Browser


def test_an_upload_is_on_the_others_pages_at_once(index: Index, elsewhere: Index) -> None:
    assert elsewhere.get("/demo/").status_code == 404
    assert elsewhere.json("/")["projects"] == []
    for archive in (wheel(), sdist(), wheel(version="2.0"), wheel("big", padding=12 << 20)):
        index.publish(archive)
        project = archive.filename.partition("-")[0]
        assert archive.filename in elsewhere.files(project)
        assert archive.filename in elsewhere.html(f"/{project}/")
        assert elsewhere.file(archive, project).content == archive.data
    metadata = elsewhere.get(f"/big/{archive.filename}.metadata")
    assert metadata.content == archive.metadata
    assert [each["name"] for each in elsewhere.json("/")["projects"]] == ["big", "demo"]
    part = elsewhere.get(f"/big/{archive.filename}", Range="bytes=5000000-9999999")
    assert part.content == archive.data[5_000_000:10_000_000]


def test_protection_holds_for_what_the_other_took(index: Index, elsewhere: Index) -> None:
    index.publish(wheel())
    elsewhere.publish(wheel(module="x = 2\n"))
    assert index.file(wheel()).content == wheel(module="x = 2\n").data
    elsewhere.set(overwrite_protection=True)
    for each in (index, elsewhere):
        refused = each.upload(wheel(module="x = 3\n"))
        assert refused.status_code == 409
        assert "already exists" in refused.reason
    index.set(overwrite_protection=False)
    elsewhere.publish(wheel(module="x = 3\n"))
    assert index.file(wheel()).content == wheel(module="x = 3\n").data


def test_settings_hold(index: Index, elsewhere: Index) -> None:
    index.publish(wheel())
    public = f"/public/repositories/{index.name}/demo/"
    assert elsewhere.server.request("GET", public).status_code == 404
    index.set(public=True, max_file_size=10)
    assert elsewhere.server.request("GET", public).status_code == 200
    assert elsewhere.upload(wheel(version="2.0")).status_code == 413
    elsewhere.set(public=False, dialect="pypi", max_file_size=None)
    assert index.server.request("GET", public).status_code == 404
    assert index.done("GET")["dialect"] == "pypi"
    assert index.upload(wheel(version="2.0")).status_code == 200


def test_yanks_statuses_and_deletions_hold(index: Index, elsewhere: Index) -> None:
    name = wheel().filename
    index.publish(wheel(), sdist())
    index.done("PATCH", f"/files/{name}", {"yanked": "it broke"})
    assert elsewhere.files()[name]["yanked"] == "it broke"
    elsewhere.done("PATCH", f"/files/{name}", {"yanked": False})
    assert not index.files()[name]["yanked"]
    index.done("PATCH", "/projects/demo", {"status": "archived"})
    assert elsewhere.upload(wheel(version="2.0")).status_code == 403
    elsewhere.done("PATCH", "/projects/demo", {"status": "active"})
    elsewhere.done("DELETE", f"/files/{name}")
    assert list(index.files()) == [sdist().filename]
    assert index.get(f"/demo/{name}").status_code == 404
    index.done("DELETE", f"/files/{sdist().filename}")
    assert elsewhere.get("/demo/").status_code == 404
    assert elsewhere.json("/")["projects"] == []
    elsewhere.publish(wheel())
    assert index.file(wheel()).content == wheel().data


def test_users_and_tokens_hold(index: Index, elsewhere: Index) -> None:
    one, other = index.server, elsewhere.server
    email, passphrase = one.user(passphrase="the first one", read_only=False)

    def statuses(login: tuple[str, str]) -> set[int]:
        return {each.request("GET", "/", auth=login).status_code for each in (index, elsewhere)}

    assert statuses((email, passphrase)) == {200}
    other.done("PATCH", f"/users/{email}", {"passphrase": "the second one"})
    assert statuses((email, passphrase)) == {401}
    assert statuses((email, "the second one")) == {200}
    one.done("PATCH", f"/users/{email}", {"read_only": True})
    form = encode(fields(wheel()))
    assert elsewhere.send(form, auth=(email, "the second one")).status_code == 403
    other.done("DELETE", f"/users/{email}")
    assert statuses((email, "the second one")) == {401}
    assert one.api("POST", "/users", {"email": index.username}).status_code == 409
    # An address may come again, with another passphrase.
    one.done("POST", "/users", {"email": email, "passphrase": "the third one"})
    assert statuses((email, "the third one")) == {200}
    assert {each["email"] for each in other.done("GET", "/users")["users"]} == {
        index.username,
        email,
    }
    token = one.done("POST", "/tokens", {"repository": index.name})
    assert statuses(("__token__", token["token"])) == {200}
    other.done("DELETE", f"/tokens/{token['id']}")
    assert statuses(("__token__", token["token"])) == {401}


def test_a_repositorys_name_comes_again_empty(index: Index, elsewhere: Index) -> None:
    for first, second in ((index, elsewhere), (elsewhere, index)) * 2:
        first.publish(wheel())
        assert second.server.api("POST", "/repositories", {"name": index.name}).status_code == 409
        second.done("DELETE")
        assert first.get("/demo/").status_code == 404
        assert first.server.done("GET", "/repositories")["repositories"] == []
        first.server.done("POST", "/repositories", {"name": index.name})
        assert second.json("/")["projects"] == []
        assert second.upload(wheel(module="x = 2\n")).status_code == 200


def test_an_upload_by_way_of_one_counts_for_protection_by_way_of_another_after_a_restart(
    index: Index, elsewhere: Index, serve: Serve
) -> None:
    index.set(overwrite_protection=True)
    index.publish(wheel())
    index.server.process.kill()
    elsewhere.server.process.kill()
    again = seen_from(serve(), index)
    assert again.upload(wheel(module="x = 2\n")).status_code == 409
    assert again.file(wheel()).content == wheel().data


def test_the_portal_knows_who_signed_in_at_the_other(one: Server, other: Server) -> None:
    browser, beside = Browser(one), Browser(other)
    # As one browser has them, whichever server a load balancer sends it to.
    beside.session.cookies = browser.session.cookies
    browser.sign_in(*one.admin)
    assert beside.get("/portal/users").path == "/portal/users"
    form = beside.get("/portal/create-user").form().fields
    created = browser.request(
        "POST",
        "/portal/create-user",
        data={**form, "email": "made@example.com"},
        allow_redirects=False,
    )
    shown = beside.get(created.headers["Location"])
    assert "not shown again" in shown.text
    assert "not shown again" not in browser.get(created.headers["Location"]).text
    thief = Browser(one)
    thief.session.cookies.update(browser.session.cookies)
    beside.request("POST", "/portal/sign-out", data=beside.get("/portal/").forms[0].fields)
    assert thief.get("/portal/").path == "/portal/sign-in"
    for each in (browser, beside, thief):
        each.close()


def test_what_belongs_to_one_server_is_refused_and_says_why(index: Index) -> None:
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
        refused = index.api(method, below, body)
        assert refused.status_code == 409, (method, below, refused.text)
        assert "shares its store with others" in refused.json()["error"]
    described = server.request("GET", "/api/openapi.json").json()["paths"]
    for path in ("requests", "faults", "faults/{id}", "impersonations", "impersonations/{id}"):
        for operation in described[f"/api/repositories/{{name}}/{path}"].values():
            assert "409" in operation["responses"]
