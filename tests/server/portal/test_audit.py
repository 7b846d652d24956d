"""The list of changes: what was changed, by whom and how."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any, get_args
from urllib.parse import quote

import pytest

from cloudrepo_server.changes import ChangeKind
from tests.support.archives import wheel
from tests.support.damaged_data import start_with_damage
from tests.support.index import Index, Server
from tests.support.platforms import NEEDS_GRACEFUL_STOP
from tests.support.portal.browser import Browser
from tests.support.server_fixtures import StartServer
from tests.support.trust import minted, trust


def changes(browser: Browser, **query: str) -> list[dict[str, Any]]:
    """Return the changes that a filter lists, oldest first."""
    response = browser.request("GET", "/portal/audit.json", params=query)
    assert response.status_code == 200
    found: list[dict[str, Any]] = response.json()["changes"]
    return found[::-1]


def kinds(browser: Browser, index: Index, **query: str) -> list[tuple[str, str]]:
    found = changes(browser, repository=index.name, **query)
    return [(each["kind"], each["subject"]) for each in found]


def test_uploads_through_every_interface_are_listed_with_their_users(
    browser: Browser, index: Index
) -> None:
    first, second, third = wheel(), wheel(version="2.0"), wheel(version="3.0")
    index.publish(first)
    index.add(second)
    browser.upload(index.name, third)
    index.publish(wheel(module="x = 2\n"))
    admin = index.server.admin[0]
    found = changes(browser, repository=index.name)
    assert [(each["kind"], each["subject"], each["user"], each["interface"]) for each in found] == [
        ("create-repository", index.name, admin, "api"),
        ("upload", first.filename, index.username, "index"),
        ("upload", second.filename, admin, "api"),
        ("upload", third.filename, admin, "portal"),
        ("overwrite", first.filename, index.username, "index"),
    ]
    page = browser.get(f"/portal/audit?repository={index.name}&kind=overwrite")
    assert f"Overwrite {first.filename} {index.name} {index.username} PyPI API" in page.text


def test_what_is_rejected_or_changes_nothing_is_not_listed(
    browser: Browser, protected: Index
) -> None:
    protected.publish(wheel())
    before = kinds(browser, protected)
    assert protected.upload(wheel(module="x = 2\n")).status_code == 409
    protected.api("DELETE", "/files/missing-1.0.tar.gz")
    protected.api("PATCH", json={"dialect": "klingon"})
    protected.get("/demo/")
    assert kinds(browser, protected) == before


def test_changes_of_files_projects_and_settings_are_listed(browser: Browser, index: Index) -> None:
    index.publish(wheel(), wheel(version="2.0"))
    file = f"/portal/repositories/{index.name}/files/{wheel().filename}"
    index.api_json("PATCH", f"/files/{wheel().filename}", {"yanked": "broken"})
    index.api_json("PATCH", f"/files/{wheel().filename}", {"yanked": False})
    index.api_json("PATCH", "/projects/demo", {"status": "deprecated", "reason": "old"})
    index.set(overwrite_protection=True, max_file_size=None)
    index.api("DELETE", "/requests")
    browser.submit(f"{file}/delete")
    found = changes(browser, repository=index.name)[3:]
    assert [(each["kind"], each["detail"]) for each in found] == [
        ("yank", "broken"),
        ("unyank", ""),
        ("change-project", "deprecated: old"),
        ("change-settings", "overwrite_protection: True"),
        ("clear-journal", ""),
        ("delete-file", ""),
    ]
    index.server.api("DELETE", f"/repositories/{index.name}")
    assert kinds(browser, index)[-1] == ("delete-repository", index.name)
    # The repository is gone, so the list has no link to it.
    page = browser.get(f"/portal/audit?repository={index.name}")
    assert not page.all("a", href=f"/portal/repositories/{index.name}")


def test_changes_of_users_and_tokens_are_listed_without_secrets(
    browser: Browser, index: Index
) -> None:
    email, passphrase = index.server.user(email="audited@example.com")
    made = index.token(name="for CI")
    path = f"/users/{quote(email, safe='')}"
    index.server.api_json("PATCH", path, {"read_only": True, "passphrase": "another secret"})
    index.server.api("DELETE", path)
    index.server.api("DELETE", f"/tokens/{made['id']}")
    found = changes(browser)
    of_user = [(each["kind"], each["detail"]) for each in found if each["subject"] == email]
    assert of_user[-3:] == [
        ("create-user", "read/write"),
        ("change-user", "new passphrase, read-only"),
        ("delete-user", ""),
    ]
    of_token = [(each["kind"], each["detail"]) for each in found if each["subject"] == made["id"]]
    assert of_token == [("create-token", "for CI"), ("delete-token", "")]
    text = browser.request("GET", "/portal/audit.json").text
    for secret in (passphrase, "another secret", made["token"].rpartition(".")[2]):
        assert secret not in text


def test_faults_impersonations_and_upstreams_are_listed(browser: Browser, index: Index) -> None:
    fault = index.api_json("POST", "/faults", {"kind": "status", "status": 503})
    index.api("DELETE", f"/faults/{fault['id']}")
    index.api_json("POST", "/faults", {"kind": "status", "status": 503})
    index.api("DELETE", "/faults")
    made = index.api_json("POST", "/impersonations", {"urls": ["https://pypi.example.com/simple"]})
    index.api("DELETE", f"/impersonations/{made['id']}")
    index.set(upstream=["http://someone:a-long-password@127.0.0.1:1/simple"])
    found = changes(browser, repository=index.name)[1:]
    assert [(each["kind"], each["subject"]) for each in found] == [
        ("add-fault", "#1 status"),
        ("remove-fault", "#1 status"),
        ("add-fault", "#2 status"),
        ("remove-fault", "#2 status"),
        ("add-impersonation", made["id"]),
        ("remove-impersonation", made["id"]),
        ("change-settings", index.name),
    ]
    assert found[4]["detail"] == "https://pypi.example.com/simple"
    assert found[-1]["detail"] == "upstream: http://***@127.0.0.1:1/simple"
    assert {each["repository"] for each in found} == {index.name}


def test_sign_ins_and_sign_outs_are_listed(browser: Browser, index: Index) -> None:
    admin = index.server.admin[0]
    link = index.server.api_json("POST", "/sign-in-links", {"repository": index.name})
    visitor = Browser(index.server)
    visitor.sign_in(admin, "a wrong password", status=401)
    visitor.request("GET", link["url"])
    (form,) = [each for each in visitor.get("/portal/").forms if each.action.endswith("/sign-out")]
    visitor.request("POST", form.action, data=form.fields)
    visitor.close()
    found = [
        (each["kind"], each["user"], each["interface"])
        for each in changes(browser, sessions="shown")
    ]
    assert found[-3:] == [
        ("sign-in-link", admin, "api"),
        ("sign-in", admin, "portal"),
        ("sign-out", admin, "portal"),
    ]


def test_sign_ins_are_listed_only_if_the_filter_asks_for_them(
    browser: Browser, index: Index
) -> None:
    index.server.api_json("POST", "/sign-in-links", {"repository": index.name})

    def own_kinds(**query: str) -> list[str]:
        found = changes(browser, repository=index.name, **query)
        return [each["kind"] for each in found if each["repository"] == index.name]

    assert own_kinds() == ["create-repository"]
    assert own_kinds(sessions="shown") == ["create-repository", "sign-in-link"]
    assert own_kinds(kind="sign-in-link") == ["sign-in-link"]
    # The form that jumps to a page of a long list has a hidden field of the same name.
    page = browser.get("/portal/audit?sessions=shown")
    (box,) = page.all("input", name="sessions", type="checkbox")
    assert "checked" in box


def test_filters_are_combined_and_kept_from_page_to_page(browser: Browser, index: Index) -> None:
    index.add(*(wheel(f"p{number:02}") for number in range(52)))
    index.publish(wheel("by-user"))
    query = f"kind=upload&interface=api&user={index.server.admin[0]}&repository={index.name}"
    page = browser.get(f"/portal/audit?{query}")
    assert "52 changes" in page.text
    (following,) = page.all("a", rel="next")
    page = browser.get("/portal/audit" + following["href"])
    assert "p01-1.0-py3-none-any.whl" in page.text
    assert "by_user" not in page.text
    assert "52 changes" in browser.get(f"/portal/audit?{query}&page=abc&kind2=x").text
    text = browser.get("/portal/audit?repository=no-such-repository-anywhere").text
    assert "No change matches the filter" in text
    assert browser.get("/portal/audit?kind=nonsense&interface=nonsense").status == 200


def test_the_downloads_have_the_same_changes_and_no_formula(browser: Browser, index: Index) -> None:
    index.publish(wheel())
    index.api_json("PATCH", f"/files/{wheel().filename}", {"yanked": "=1+1"})
    response = browser.request("GET", f"/portal/audit.csv?repository={index.name}")
    rows = list(csv.DictReader(io.StringIO(response.text)))
    as_json = changes(browser, repository=index.name)[::-1]
    assert [row["kind"] for row in rows] == [each["kind"] for each in as_json]
    assert rows[0]["detail"] == "'=1+1"
    assert as_json[0]["detail"] == "=1+1"
    head = browser.request("HEAD", "/portal/audit.csv")
    assert (head.status_code, head.content) == (200, b"")


def test_downloads_and_deleted_requests_displace_no_change(browser: Browser, index: Index) -> None:
    index.publish(wheel())
    before = kinds(browser, index)
    assert before[-1] == ("upload", wheel().filename)
    assert index.file(wheel()).content == wheel().data
    assert kinds(browser, index) == before
    index.api("DELETE", "/requests")
    assert kinds(browser, index) == [*before, ("clear-journal", "")]


@pytest.mark.parametrize("path", ["/portal/audit", "/portal/audit.json", "/portal/audit.csv"])
def test_the_list_needs_a_sign_in(anonymous: Browser, path: str) -> None:
    assert anonymous.get(path).path == "/portal/sign-in"


@NEEDS_GRACEFUL_STOP
def test_a_data_folder_keeps_the_changes(start_server: StartServer, tmp_path: Path) -> None:
    server = Server(start_server("--data", tmp_path / "data"))
    index = server.repository("kept")
    index.publish(wheel())
    assert server.process.stop() == 0
    second = Server(start_server("--data", tmp_path / "data"))
    second.api_json("PATCH", "/repositories/kept", {"public": True})
    assert second.process.stop() == 0
    (document,) = (tmp_path / "data" / "store" / "audit").glob("*.json")
    third = Server(start_server("--data", tmp_path / "data"))
    browser = Browser(third)
    browser.sign_in(*third.admin)
    found = changes(browser, sessions="shown")
    assert [each["kind"] for each in found] == [
        "create-repository",
        "create-user",
        "upload",
        "change-settings",
        "sign-in",
    ]
    assert "kept in the data folder" in browser.get("/portal/audit").text
    browser.close()
    assert third.process.stop() == 0
    document.write_text("{")
    fourth = Server(start_server("--data", tmp_path / "data"))
    browser = Browser(fourth)
    browser.sign_in(*fourth.admin)
    assert [each["kind"] for each in changes(browser, sessions="shown")] == ["sign-in"]
    browser.close()


LISTED = {
    "post /api/repositories": "create-repository",
    "patch /api/repositories/{name}": "change-settings",
    "delete /api/repositories/{name}": "delete-repository",
    "patch /api/repositories/{name}/projects/{project}": "change-project",
    "put /api/repositories/{name}/files": "upload",
    "put /api/repositories/{name}/files/{filename}": "upload",
    "patch /api/repositories/{name}/files/{filename}": "yank",
    "delete /api/repositories/{name}/files/{filename}": "delete-file",
    "delete /api/repositories/{name}/requests": "clear-journal",
    "post /api/repositories/{name}/faults": "add-fault",
    "delete /api/repositories/{name}/faults": "remove-fault",
    "delete /api/repositories/{name}/faults/{id}": "remove-fault",
    "post /api/repositories/{name}/impersonations": "add-impersonation",
    "delete /api/repositories/{name}/impersonations/{id}": "remove-impersonation",
    "post /api/repositories/{name}/publishers": "add-publisher",
    "delete /api/repositories/{name}/publishers/{id}": "remove-publisher",
    "post /api/users": "create-user",
    "patch /api/users/{email}": "change-user",
    "delete /api/users/{email}": "delete-user",
    "post /api/tokens": "create-token",
    "patch /api/tokens/{id}": "change-token",
    "delete /api/tokens/{id}": "delete-token",
    "post /api/sign-in-links": "sign-in-link",
    "delete /api/damaged/{key}": "delete-damaged",
    "post /api/sweep": "delete-repository",
}
"""The kind of change that each operation of the admin API makes."""
NOT_LISTED = {
    # They change nothing that outlives a test or that anyone else sees.
    "put /api/repositories/{name}/test",
    "post /api/repositories/{name}/jobs",
    "post /api/repositories/{name}/identity-tokens",
    "post /api/https",
}


def test_every_operation_of_the_admin_api_has_a_kind_of_change(browser: Browser) -> None:
    document = browser.server.request("GET", "/api/openapi.json").json()
    operations = {
        f"{method} {path}"
        for path, methods in document["paths"].items()
        for method in methods
        if method in ("post", "put", "patch", "delete")
    }
    assert operations == LISTED.keys() | NOT_LISTED
    known = set(get_args(ChangeKind))
    assert set(LISTED.values()) <= known
    options = {each["value"] for each in browser.get("/portal/audit").all("option")}
    assert known <= options


def test_trusted_publishers_and_minted_tokens_are_listed(browser: Browser, index: Index) -> None:
    publisher = trust(index)
    token = minted(index)
    index.api("DELETE", f"/publishers/{publisher['id']}")
    found = changes(browser, repository=index.name)[1:]
    assert [(each["kind"], each["user"], each["interface"]) for each in found] == [
        ("add-publisher", index.server.admin[0], "api"),
        ("mint-token", "github:acme/demo/release.yml", "trust"),
        ("remove-publisher", index.server.admin[0], "api"),
    ]
    assert found[1]["detail"] == found[0]["subject"] == found[2]["subject"]
    assert token.rpartition(".")[2] not in str(found)


def test_damaged_data_that_are_deleted_are_listed(
    start_server: StartServer, tmp_path: Path
) -> None:
    server = start_with_damage(start_server, tmp_path / "data")
    (key,) = [
        each["key"]
        for each in server.api_json("GET", "/damaged")["damaged"]
        if each["key"].endswith("p-broken.json")
    ]
    assert server.api("DELETE", f"/damaged/{quote(key, safe='')}").status_code == 204
    browser = Browser(server)
    browser.sign_in(*server.admin)
    assert [each["subject"] for each in changes(browser, kind="delete-damaged")] == [key]
    browser.close()
    server.close()
