"""Dialects: each cell of the table shows in an answer."""

from __future__ import annotations

import re

import pytest
from msgspec.structs import fields as fields_of

from cloudrepo_server.specs.dialect import DIALECTS, Dialect
from tests.support.archives import Archive, wheel
from tests.support.forms import Field, File
from tests.support.index import JSON, Index, Server

HTML_ONLY = {"cloudrepo", "pypiserver", "gitlab", "nexus", "artifactory"}
ALL = sorted(DIALECTS)


@pytest.fixture(params=ALL)
def spoken(server: Server, request: pytest.FixtureRequest) -> tuple[Index, str]:
    """A repository of each dialect, and the dialect's name."""
    return server.repository(dialect=request.param), request.param


def least_form(archive: Archive) -> list[Field]:
    """What CloudRepo's own client sends."""
    content = File(archive.filename, archive.data)
    return [("name", "Demo"), ("sha256_digest", archive.sha256), ("content", content)]


def test_the_dialects_are_these() -> None:
    assert set(ALL) == {
        *("modern", "cloudrepo", "pypi", "devpi", "pypiserver", "gitlab", "nexus", "artifactory")
    }


def test_every_row_but_the_first_differs_from_it() -> None:
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
    ("dialect", "status", "words"),
    [
        ("modern", 409, "File already exists: demo-1.0-py3-none-any.whl"),
        ("cloudrepo", 409, "File already exists: demo-1.0-py3-none-any.whl"),
        ("pypi", 400, "File already exists ('demo-1.0-py3-none-any.whl', with blake2_256 hash"),
        ("devpi", 409, "already exists in non-volatile index"),
        ("pypiserver", 409, "already exists!"),
        ("gitlab", 400, "already been taken"),
        ("nexus", 400, "updating asset"),
        ("artifactory", 403, "overwrite artifact"),
    ],
)
def test_the_refusal_of_an_overwrite(server: Server, dialect: str, status: int, words: str) -> None:
    index = server.repository(dialect=dialect, overwrite_protection=True)
    first = wheel()
    index.publish(first)
    answer = index.upload(wheel(module="x = 2\n"))
    assert answer.status_code == status
    assert words in answer.json()["error"]
    assert (words in answer.reason) == DIALECTS[dialect].exists_in_reason
    assert index.get(f"/demo/{first.filename}").content == first.data


def test_pypi_tells_the_digest_of_the_file_that_is_there(server: Server) -> None:
    index = server.repository(dialect="pypi")
    index.publish(wheel())
    assert wheel().blake2_256 in index.upload(wheel(module="x = 2\n")).reason


def test_only_pypi_protects_without_being_asked(spoken: tuple[Index, str]) -> None:
    index, dialect = spoken
    index.publish(wheel())
    status = index.upload(wheel(module="x = 2\n")).status_code
    assert status == (400 if dialect == "pypi" else 200)


def test_identical_bytes_under_protection(spoken: tuple[Index, str]) -> None:
    index, dialect = spoken
    index.set(overwrite_protection=True)
    index.publish(wheel())
    accepted = index.upload(wheel()).status_code == 200
    assert accepted == (dialect in {"pypi", "devpi"})


def test_identical_bytes_that_are_accepted_leave_the_file_as_it_is(server: Server) -> None:
    index = server.repository(dialect="pypi")
    index.publish(wheel())
    before, blobs = index.done("GET", "/projects/demo"), server.blobs()
    assert index.upload(wheel()).status_code == 200
    assert index.done("GET", "/projects/demo") == before
    assert server.keeps_nothing_beyond(blobs)


def test_a_deleted_name_used_again(spoken: tuple[Index, str]) -> None:
    index, dialect = spoken
    index.set(overwrite_protection=True)
    archive = wheel()
    index.publish(archive, wheel(version="2.0"))
    index.done("DELETE", f"/files/{archive.filename}")
    answer = index.upload(wheel(module="x = 2\n"))
    if dialect == "pypi":
        assert answer.status_code == 400
        assert "previously used by a file that has since been deleted" in answer.reason
    else:
        assert answer.status_code == 200


def test_pypi_remembers_a_deleted_name_when_its_project_is_empty(server: Server) -> None:
    index = server.repository(dialect="pypi")
    archive = wheel()
    index.publish(archive)
    index.done("DELETE", f"/files/{archive.filename}")
    assert index.upload(archive).status_code == 400
    assert index.upload(wheel(version="2.0")).status_code == 200


def test_a_project_whose_files_are_gone(spoken: tuple[Index, str]) -> None:
    index, dialect = spoken
    archive = wheel()
    index.publish(archive)
    index.done("DELETE", f"/files/{archive.filename}")
    answer = index.get("/demo/")
    assert answer.status_code == (200 if dialect == "pypi" else 404)


def test_a_file_over_the_limit(spoken: tuple[Index, str]) -> None:
    index, dialect = spoken
    index.set(max_file_size=10)
    assert index.upload(wheel()).status_code == (400 if dialect == "pypi" else 413)


def test_json_or_html_alone(spoken: tuple[Index, str]) -> None:
    index, dialect = spoken
    index.publish(wheel())
    for below in ("/", "/demo/"):
        answer = index.get(below, Accept=JSON)
        assert answer.status_code == 200
        if dialect in HTML_ONLY:
            assert answer.headers["Content-Type"].startswith("text/html")
            # What no simple API client can want is no reason to refuse a page either.
            assert index.get(below, Accept="image/png").status_code == 200
        else:
            version = "1.0" if dialect == "devpi" else "1.4"
            assert answer.json()["meta"] == {"api-version": version}


def test_digests_on_pages(spoken: tuple[Index, str]) -> None:
    index, dialect = spoken
    archive = wheel()
    index.publish(archive)
    told = f"#sha256={archive.sha256}" in index.html()
    assert told == (dialect != "cloudrepo") == ("#" in index.html())


def test_attributes_on_pages(spoken: tuple[Index, str]) -> None:
    index, dialect = spoken
    archive = wheel(requires_python=">=3.8")
    index.publish(archive)
    index.done("PATCH", f"/files/{archive.filename}", {"yanked": "broken"})
    index.done("PATCH", "/projects/demo", {"status": "deprecated", "reason": "old"})
    names = ("data-requires-python", "data-yanked", "data-core-metadata", "pypi:project-status")
    told = {name for name in names if name in index.html()}
    if dialect in {"modern", "pypi"}:
        assert told == set(names)
    elif dialect in {"cloudrepo", "pypiserver"}:
        assert told == set()
    else:
        assert told == {"data-requires-python"}


def test_metadata_files_are_served_where_pages_tell_of_them(spoken: tuple[Index, str]) -> None:
    index, dialect = spoken
    archive = wheel()
    # It comes while the repository speaks another dialect, so that its metadata were read.
    index.set(dialect="modern")
    index.publish(archive)
    index.set(dialect=dialect)
    status = index.get(f"/demo/{archive.filename}.metadata").status_code
    assert status == (200 if dialect in {"modern", "pypi"} else 404)
    assert ("core-metadata" in index.html()) == (status == 200)


def test_a_quarantine_shows_where_pages_tell_of_it(spoken: tuple[Index, str]) -> None:
    index, dialect = spoken
    index.publish(wheel())
    index.done("PATCH", "/projects/demo", {"status": "quarantined"})
    assert ("<a " in index.html()) == (dialect not in {"modern", "pypi"})
    assert index.upload(wheel(version="2.0")).status_code == 403


def test_files_of_any_kind(spoken: tuple[Index, str]) -> None:
    index, dialect = spoken
    archive = Archive("installer_1.0.exe", b"MZ")
    answer = index.post(least_form(archive))
    if dialect in {"cloudrepo", "pypiserver"}:
        assert answer.status_code == 200
        assert index.get(f"/demo/{archive.filename}").content == archive.data
        assert f">{archive.filename}</a>" in index.html()
    else:
        assert answer.status_code == 400
        assert index.get("/demo/").status_code == 404


def test_any_kind_is_not_any_name(server: Server) -> None:
    index = server.repository(dialect="cloudrepo")
    for filename in ("a b.exe", "../x", "é.whl", "", "a/b.whl"):
        assert index.post(least_form(Archive(filename, b"x"))).status_code == 400
    assert "<a " not in index.html("/")


def test_which_digests_are_enough(spoken: tuple[Index, str]) -> None:
    index, dialect = spoken
    archive = wheel()
    answer = index.upload(archive, sha256_digest=None, blake2_256_digest=archive.blake2_256)
    assert answer.status_code == (400 if dialect == "cloudrepo" else 200)
    assert index.upload(archive, sha256_digest=None, md5_digest=archive.md5).status_code == 200


def test_a_digest_that_differs_is_refused_in_each(spoken: tuple[Index, str]) -> None:
    index, _ = spoken
    assert index.upload(wheel(), sha256_digest="0" * 64).status_code == 400


def test_a_dialect_is_switched_in_the_middle(index: Index) -> None:
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


def test_the_simple_api_of_devpi_is_at_a_path_of_its_own_too(spoken: tuple[Index, str]) -> None:
    index, dialect = spoken
    archive = wheel()
    index.publish(archive)
    for root in ("/+simple/", "/%2Bsimple/"):
        page, listed = index.get(f"{root}demo/"), index.get(root)
        assert page.status_code == listed.status_code == (200 if dialect == "devpi" else 404)
        assert (page.text == index.html()) == (dialect == "devpi")
    assert index.html("/simple/demo/") == index.html()
