"""Dialects: each value of the table changes a response."""

from __future__ import annotations

import re

import pytest
from msgspec.structs import fields as fields_of

from cloudrepo_server.specs.dialect import Dialect
from cloudrepo_server.specs.dialects import DIALECTS
from tests.support.archives import Archive, wheel
from tests.support.dialects import REGISTRIES
from tests.support.forms import Field, File
from tests.support.index import JSON, Index, Server

HTML_ONLY = {"cloudrepo", "pypiserver", "gitlab", "nexus", "artifactory", "gitea"}
HTML_ONLY |= {"azure", "google"}
NO_LIST = {"gitea", "codeartifact"}
JSON_VERSIONS = {"devpi": "1.0", "pulp": "1.1", "codeartifact": "1.1"}
# Their pages have all properties. Those of Cloudsmith are undocumented, so they are as in `modern`.
ALL_PROPERTIES = {"modern", "pypi", "cloudsmith"}
ALWAYS_PROTECTED = {"pypi": 400, "gitea": 409, "pulp": 400, "azure": 409, "codeartifact": 409}
NO_REGISTRY = "no-registry"


@pytest.fixture(params=REGISTRIES)
def repository(server: Server, request: pytest.FixtureRequest) -> tuple[Index, str]:
    """A repository of each dialect, and the name of the dialect."""
    return server.repository(dialect=request.param), request.param


def minimal_form(archive: Archive) -> list[Field]:
    """Return the form that CloudRepo's own client sends."""
    content = File(archive.filename, archive.data)
    return [("name", "Demo"), ("sha256_digest", archive.sha256), ("content", content)]


def test_the_table_has_these_dialects() -> None:
    assert set(DIALECTS) == {
        *("modern", "cloudrepo", "pypi", "devpi", "pypiserver", "gitlab", "nexus", "artifactory"),
        *("gitea", "pulp", "azure", "codeartifact", "google", "cloudsmith", "no-registry"),
    }


def test_the_summary_of_a_dialect_begins_with_the_name_of_its_registry() -> None:
    registries = {
        "cloudrepo": "CloudRepo",
        "pypi": "PyPI",
        "devpi": "devpi",
        "pypiserver": "pypiserver",
        "gitlab": "GitLab",
        "nexus": "Sonatype Nexus",
        "artifactory": "Artifactory",
        "gitea": "Gitea and Forgejo",
        "pulp": "Pulp",
        "azure": "Azure Artifacts",
        "codeartifact": "AWS CodeArtifact",
        "google": "Google Artifact Registry",
        "cloudsmith": "Cloudsmith",
        "no-registry": "GitHub Packages",
    }
    assert {"modern", *registries} == set(DIALECTS)
    for name, registry in registries.items():
        assert DIALECTS[name].summary.startswith(f"Like {registry}: ")


def test_every_dialect_differs_from_modern() -> None:
    modern = DIALECTS["modern"]
    assert modern == Dialect(name="modern", summary=modern.summary)
    for dialect in DIALECTS.values():
        differing = {
            each.name
            for each in fields_of(Dialect)
            if getattr(dialect, each.name) != getattr(modern, each.name)
        }
        assert (dialect is modern) == (differing <= {"name", "summary"})


@pytest.mark.parametrize(
    ("dialect", "status", "text"),
    [
        ("modern", 409, "File already exists: {file} (overwrite protection is on)"),
        ("cloudrepo", 409, "File already exists: {file} (overwrite protection is on)"),
        ("pypi", 400, "File already exists ('{file}', with blake2_256 hash '{digest}')."),
        ("devpi", 409, "{file} already exists in non-volatile index"),
        ("pypiserver", 409, "Package '{file}' already exists!"),
        ("gitlab", 400, "Validation failed: File name has already been taken"),
        ("nexus", 400, "{name}/packages/demo/1.0/{file} cannot be updated"),
        (
            "artifactory",
            403,
            (
                "Not enough permissions to delete/overwrite artifact '{name}:{file}' "
                "(user '{user}' needs DELETE permission)."
            ),
        ),
        ("gitea", 409, "package file already exists"),
        ("pulp", 400, "Package {file} already exists in index"),
        (
            "azure",
            409,
            "Conflict - The feed '{name}' already contains file '{file}' in package 'demo 1.0'.",
        ),
        ("codeartifact", 409, "File already exists: {file} (overwrite protection is on)"),
        ("google", 400, "Requested entity already exists."),
    ],
)
def test_a_rejected_overwrite_gets_the_status_and_text_of_the_dialect(
    server: Server, dialect: str, status: int, text: str
) -> None:
    index = server.repository(dialect=dialect, overwrite_protection=True)
    first = wheel()
    index.publish(first)
    changed = wheel(module="x = 2\n")
    response = index.upload(changed)
    assert response.status_code == status
    expected = text.format(
        file=first.filename, digest=changed.blake2_256, name=index.name, user=index.username
    )
    assert response.json()["error"] == expected
    assert (response.reason == expected) == DIALECTS[dialect].exists_in_reason
    (file,) = index.api_json("GET", "/projects/demo")["files"]
    assert file["sha256"] == first.sha256


def test_pypi_states_the_digest_of_the_rejected_file(server: Server) -> None:
    index = server.repository(dialect="pypi")
    index.publish(wheel())
    changed = wheel(module="x = 2\n")
    assert changed.blake2_256 in index.upload(changed).reason


def test_some_dialects_protect_files_without_the_setting(repository: tuple[Index, str]) -> None:
    index, dialect = repository
    index.publish(wheel())
    status = index.upload(wheel(module="x = 2\n")).status_code
    assert status == ALWAYS_PROTECTED.get(dialect, 200)


def test_some_dialects_accept_identical_content_under_protection(
    repository: tuple[Index, str],
) -> None:
    index, dialect = repository
    index.set(overwrite_protection=True)
    index.publish(wheel())
    accepted = index.upload(wheel()).status_code == 200
    assert accepted == (dialect in {"pypi", "devpi", "codeartifact", "cloudsmith"})


def test_an_accepted_identical_upload_changes_nothing(server: Server) -> None:
    index = server.repository(dialect="pypi")
    index.publish(wheel())
    before, blobs = index.api_json("GET", "/projects/demo"), server.blobs()
    assert index.upload(wheel()).status_code == 200
    assert index.api_json("GET", "/projects/demo") == before
    assert server.wait_until_only_blobs(blobs)


def test_only_pypi_rejects_the_name_of_a_deleted_file(repository: tuple[Index, str]) -> None:
    index, dialect = repository
    index.set(overwrite_protection=True)
    archive = wheel()
    index.publish(archive, wheel(version="2.0"))
    index.api_json("DELETE", f"/files/{archive.filename}")
    response = index.upload(wheel(module="x = 2\n"))
    if dialect == "pypi":
        assert response.status_code == 400
        assert "previously used by a file that has since been deleted" in response.reason
    else:
        assert response.status_code == 200


def test_pypi_remembers_deleted_names_of_an_empty_project(server: Server) -> None:
    index = server.repository(dialect="pypi")
    archive = wheel()
    index.publish(archive)
    index.api_json("DELETE", f"/files/{archive.filename}")
    assert index.upload(archive).status_code == 400
    assert index.upload(wheel(version="2.0")).status_code == 200


def test_only_pypi_has_a_page_for_a_project_without_files(repository: tuple[Index, str]) -> None:
    index, dialect = repository
    archive = wheel()
    index.publish(archive)
    index.api_json("DELETE", f"/files/{archive.filename}")
    response = index.get("/demo/")
    assert response.status_code == (200 if dialect == "pypi" else 404)


def test_pypi_and_gitlab_reject_a_large_file_with_400_and_the_others_with_413(
    repository: tuple[Index, str],
) -> None:
    index, dialect = repository
    index.set(max_file_size=10)
    status = index.upload(wheel()).status_code
    assert status == (400 if dialect in {"pypi", "gitlab"} else 413)


def test_json_pages_are_served_unless_the_dialect_has_html_pages_only(
    repository: tuple[Index, str],
) -> None:
    index, dialect = repository
    index.publish(wheel())
    for below in ("/demo/",) if dialect in NO_LIST else ("/", "/demo/"):
        response = index.get(below, Accept=JSON)
        assert response.status_code == 200
        if dialect in HTML_ONLY:
            assert response.headers["Content-Type"].startswith("text/html")
            # An Accept header that names neither does not prevent the page.
            assert index.get(below, Accept="image/png").status_code == 200
        else:
            version = response.json()["meta"]["api-version"]
            assert version == JSON_VERSIONS.get(dialect, "1.4")


def test_gitea_and_codeartifact_have_no_list_of_projects(repository: tuple[Index, str]) -> None:
    index, dialect = repository
    index.publish(wheel())
    for below in ("", "/", "/simple/"):
        assert index.get(below).status_code == (404 if dialect in NO_LIST else 200)
    assert index.get("/simple/demo/").status_code == 200


@pytest.mark.parametrize("dialect", sorted(set(REGISTRIES) - HTML_ONLY))
def test_only_the_json_pages_of_codeartifact_list_md5_too(server: Server, dialect: str) -> None:
    index = server.repository(dialect=dialect)
    archive = wheel()
    index.publish(archive)
    (file,) = index.json("/demo/")["files"]
    digests = {"sha256": archive.sha256}
    assert file["hashes"] == digests | ({"md5": archive.md5} if dialect == "codeartifact" else {})
    # An HTML page can list only one digest of a file.
    assert f"#sha256={archive.sha256}" in index.html()
    index.set(digests=["sha256"])
    (file,) = index.json("/demo/")["files"]
    assert file["hashes"] == digests


def test_only_cloudrepo_pages_contain_no_digests(repository: tuple[Index, str]) -> None:
    index, dialect = repository
    archive = wheel()
    index.publish(archive)
    shown = f"#sha256={archive.sha256}" in index.html()
    assert shown == (dialect != "cloudrepo") == ("#" in index.html())


def test_pages_contain_the_attributes_of_the_dialect(repository: tuple[Index, str]) -> None:
    index, dialect = repository
    archive = wheel(requires_python=">=3.8")
    index.publish(archive)
    index.api_json("PATCH", f"/files/{archive.filename}", {"yanked": "broken"})
    index.api_json("PATCH", "/projects/demo", {"status": "deprecated", "reason": "old"})
    names = ("data-requires-python", "data-yanked", "data-core-metadata", "pypi:project-status")
    shown = {name for name in names if name in index.html()}
    if dialect in ALL_PROPERTIES:
        assert shown == set(names)
    elif dialect == "codeartifact":
        assert shown == {"data-requires-python", "data-yanked"}
    elif dialect == "pulp":
        assert shown == {"data-requires-python", "data-core-metadata"}
    elif dialect in {"cloudrepo", "pypiserver"}:
        assert shown == set()
    else:
        assert shown == {"data-requires-python"}


def test_metadata_files_are_served_if_pages_announce_them(repository: tuple[Index, str]) -> None:
    index, dialect = repository
    archive = wheel()
    # Published in another dialect, so that its metadata are stored.
    index.set(dialect="modern")
    index.publish(archive)
    index.set(dialect=dialect)
    status = index.get(f"/demo/{archive.filename}.metadata").status_code
    served = {"pulp", *ALL_PROPERTIES}
    assert status == (200 if dialect in served else 404)
    assert ("core-metadata" in index.html()) == (status == 200)


def test_a_quarantined_project_lists_no_files_if_pages_show_statuses(
    repository: tuple[Index, str],
) -> None:
    index, dialect = repository
    index.publish(wheel())
    index.api_json("PATCH", "/projects/demo", {"status": "quarantined"})
    assert ("<a " in index.html()) == (dialect not in ALL_PROPERTIES)
    assert index.upload(wheel(version="2.0")).status_code == 403


def test_only_cloudrepo_and_pypiserver_accept_files_of_any_type(
    repository: tuple[Index, str],
) -> None:
    index, dialect = repository
    archive = Archive("installer_1.0.exe", b"MZ")
    response = index.post(minimal_form(archive))
    if dialect in {"cloudrepo", "pypiserver"}:
        assert response.status_code == 200
        assert index.get(f"/demo/{archive.filename}").content == archive.data
        assert f">{archive.filename}</a>" in index.html()
    else:
        assert response.status_code == 400
        assert index.get("/demo/").status_code == 404


def test_files_of_any_type_still_need_a_valid_name(server: Server) -> None:
    index = server.repository(dialect="cloudrepo")
    for filename in ("a b.exe", "../x", "é.whl", "", "a/b.whl"):
        assert index.post(minimal_form(Archive(filename, b"x"))).status_code == 400
    assert "<a " not in index.html("/")


def test_some_dialects_reject_a_form_with_one_other_digest_alone(
    repository: tuple[Index, str],
) -> None:
    index, dialect = repository
    first, second = wheel(), wheel(version="2.0")
    response = index.upload(first, sha256_digest=None, blake2_256_digest=first.blake2_256)
    assert response.status_code == (400 if dialect in {"cloudrepo", "gitea", "pulp"} else 200)
    response = index.upload(second, sha256_digest=None, md5_digest=second.md5)
    assert response.status_code == (400 if dialect in {"gitea", "pulp"} else 200)


def test_some_dialects_accept_a_form_without_a_digest(
    repository: tuple[Index, str],
) -> None:
    index, dialect = repository
    status = index.upload(wheel(), sha256_digest=None).status_code
    assert status == (200 if dialect in {"devpi", "pypiserver", "gitlab"} else 400)


def test_every_dialect_rejects_a_wrong_digest(repository: tuple[Index, str]) -> None:
    index, _ = repository
    assert index.upload(wheel(), sha256_digest="0" * 64).status_code == 400


def test_switching_the_dialect_affects_the_next_request(index: Index) -> None:
    archive = wheel(requires_python=">=3.8")
    index.publish(archive)
    pages: dict[str, str] = {}
    for dialect in ("modern", "cloudrepo", "devpi", "modern"):
        index.set(dialect=dialect)
        page = index.html()
        assert pages.setdefault(dialect, page) == page
        assert index.get(f"/demo/{archive.filename}").content == archive.data
    assert len(set(pages.values())) == 3
    tags = {name: re.findall(r"data-[a-z-]+", page) for name, page in pages.items()}
    assert tags["cloudrepo"] == []
    assert tags["devpi"] == ["data-requires-python"]


def test_devpi_serves_the_simple_api_below_plus_simple_too(repository: tuple[Index, str]) -> None:
    index, dialect = repository
    archive = wheel()
    index.publish(archive)
    for root in ("/+simple/", "/%2Bsimple/"):
        page, listed = index.get(f"{root}demo/"), index.get(root)
        assert page.status_code == listed.status_code == (200 if dialect == "devpi" else 404)
        assert (page.text == index.html()) == (dialect == "devpi")
    assert index.html("/simple/demo/") == index.html()


def test_a_missing_and_a_wrong_login_are_rejected_as_the_registry_does(
    repository: tuple[Index, str],
) -> None:
    index, dialect = repository
    form = minimal_form(wheel())
    for auth in (None, (index.username, "wrong")):
        # Installers need the challenge.
        forbidden = dialect == "pypiserver" and auth is not None
        read = index.request("GET", auth=auth)
        assert read.status_code == (403 if forbidden else 401)
        response = index.post(form, auth=auth)
        assert response.status_code == (403 if forbidden or dialect == "pypi" else 401)
        assert ("Invalid or non-existent authentication" in response.reason) == (dialect == "pypi")
        for each in (read, response):
            assert ("WWW-Authenticate" in each.headers) == (each.status_code == 401)
            if dialect in {"devpi", "pypiserver"}:
                assert each.reason == ("Forbidden" if forbidden else "Unauthorized")
            else:
                assert each.reason == each.json()["error"]
                is_generic = each.reason == "Authentication credentials were not provided."
                assert is_generic == (dialect == "cloudsmith")


@pytest.mark.parametrize(
    ("dialect", "challenge"),
    [
        ("modern", 'Basic realm="example", charset="UTF-8"'),
        ("devpi", 'Basic realm="pypi"'),
        ("pypiserver", 'Basic realm="pypi"'),
        ("gitlab", 'Basic realm="GitLab Packages Registry"'),
        ("nexus", 'BASIC realm="Sonatype Nexus Repository Manager"'),
        ("artifactory", 'Basic realm="Artifactory Realm"'),
        ("gitea", 'Basic realm="Gitea Package API"'),
        (
            "azure",
            (
                "Bearer authorization_uri=https://login.example/tenant, "
                'Basic realm="https://packages.example/", TFS-Federated'
            ),
        ),
    ],
)
def test_a_401_has_the_challenge_of_the_registry(
    server: Server, dialect: str, challenge: str
) -> None:
    index = server.repository(dialect=dialect)
    assert index.request("GET", auth=None).headers["WWW-Authenticate"] == challenge


def test_only_gitea_responds_with_401_to_a_login_without_access(
    repository: tuple[Index, str], server: Server
) -> None:
    index, dialect = repository
    other = server.repository().token()["token"]
    names = DIALECTS[dialect].token_user_names or ("__token__",)
    status = index.request("GET", auth=(names[0], other)).status_code
    assert status == {"gitea": 401, "gitlab": 404}.get(dialect, 403)


def test_only_gitea_responds_with_401_to_an_upload_by_a_read_only_user(
    repository: tuple[Index, str], server: Server
) -> None:
    index, dialect = repository
    reader = server.user(read_only=True)
    response = index.post(minimal_form(wheel()), auth=reader)
    assert response.status_code == (401 if dialect == "gitea" else 403)
    challenge = response.headers.get("WWW-Authenticate")
    assert challenge == ('Basic realm="Gitea Package API"' if dialect == "gitea" else None)
    assert "read only" in response.json()["error"]
    assert index.api_json("GET", "/projects") == {"projects": []}


def test_an_upload_to_cloudsmith_succeeds_and_is_discarded(server: Server) -> None:
    index = server.repository(dialect="cloudsmith", overwrite_protection=True)
    first = wheel()
    index.publish(first)
    before = index.api_json("GET", "/projects/demo")
    response = index.upload(wheel(module="x = 2\n"))
    assert (response.status_code, response.reason, response.text) == (200, "OK", "")
    assert index.api_json("GET", "/projects/demo") == before
    assert index.get(f"/demo/{first.filename}").content == first.data
    entry = [each for each in index.journal() if each["method"] == "POST"][-1]
    assert entry["status"] == 200
    assert entry["error"] == (
        "A package with name 'demo' already exists. This package should be deleted."
    )
    index.set(overwrite_protection=False)
    second = wheel(module="x = 3\n")
    assert index.upload(second).status_code == 200
    assert index.get(f"/demo/{first.filename}").content == second.data


def test_a_host_without_a_registry_responds_to_everything_with_the_same_404(
    server: Server,
) -> None:
    index = server.repository(dialect=NO_REGISTRY, public=True)
    archive = wheel()
    index.set(dialect="modern")
    index.publish(archive)
    index.set(dialect=NO_REGISTRY)
    paths = ("", "/", "/simple/", "/demo/", "/simple/demo/", f"/demo/{archive.filename}", "/nope/")
    logins = (None, (index.username, "wrong"), (index.username, index.password))
    responses = [index.request("GET", path, auth=auth) for path in paths for auth in logins]
    responses += [index.post(minimal_form(wheel(version="2.0")), auth=auth) for auth in logins]
    for response in responses:
        assert (response.status_code, response.reason) == (404, "Not Found")
        assert response.text == "Not Found"
        assert "WWW-Authenticate" not in response.headers
    assert "no-registry" in index.journal()[-1]["error"]
    index.set(dialect="modern")
    assert index.get(f"/demo/{archive.filename}").content == archive.data
