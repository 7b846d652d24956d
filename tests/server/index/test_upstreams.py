"""Repositories that fall through to others, of this server or anywhere."""

from __future__ import annotations

import pytest

from tests.support.archives import sdist, wheel
from tests.support.index import JSON, Index, Server

OLD, NEW = wheel("demo", "1.0"), wheel("demo", "2.0")


@pytest.fixture
def base(server: Server) -> Index:
    return server.repository()


def test_a_project_that_is_not_there_comes_from_upstream(server: Server, base: Index) -> None:
    base.publish(OLD)
    mine = server.repository(upstream=[base.name])

    assert mine.files()[OLD.filename]["url"].startswith(f"/repositories/{mine.name}/")
    assert mine.file(OLD).content == OLD.data
    assert mine.get(f"/demo/{OLD.filename}.metadata").content == OLD.metadata
    assert ">demo<" in mine.html("/")
    assert mine.api("GET", "/projects").json() == {"projects": []}


def test_first_match_takes_one_repository_for_a_project(server: Server, base: Index) -> None:
    base.publish(NEW)
    mine = server.repository(upstream=[base.name])
    mine.publish(OLD)

    assert list(mine.files()) == [OLD.filename]
    assert mine.get(f"/demo/{NEW.filename}").status_code == 404


def test_best_version_takes_all_repositories_together(server: Server, base: Index) -> None:
    base.publish(NEW, sdist("demo", "1.0"))
    mine = server.repository(upstream=[base.name], upstream_strategy="best-version")
    mine.publish(OLD)

    assert set(mine.files()) == {OLD.filename, NEW.filename, "demo-1.0.tar.gz"}
    assert mine.json()["versions"] == ["1.0", "2.0"]


def test_its_own_file_goes_before_one_of_the_same_name(server: Server, base: Index) -> None:
    other = wheel("demo", "1.0", module="x = 2\n")
    base.publish(other)
    mine = server.repository(upstream=[base.name], upstream_strategy="best-version")
    mine.publish(OLD)

    assert mine.file(OLD).content == OLD.data


def test_a_page_follows_what_upstream_publishes_and_deletes(server: Server, base: Index) -> None:
    mine = server.repository(upstream=[base.name])
    assert mine.get("/demo/").status_code == 404
    base.publish(OLD)
    assert list(mine.files()) == [OLD.filename]
    base.publish(NEW)
    assert len(mine.files()) == 2
    base.done("DELETE", f"/files/{OLD.filename}")
    base.done("DELETE", f"/files/{NEW.filename}")
    assert mine.get("/demo/").status_code == 404


def test_an_upload_stays_in_the_repository_that_it_was_sent_to(server: Server, base: Index) -> None:
    mine = server.repository(upstream=[base.name])
    mine.publish(OLD)

    assert base.get("/demo/").status_code == 404


@pytest.mark.parametrize("far", [False, True])
def test_a_circle_is_refused(server: Server, base: Index, *, far: bool) -> None:
    last = base
    if far:
        last = server.repository(upstream=[base.name])
    mine = server.repository(upstream=[last.name])

    answer = base.api("PATCH", json={"upstream": [mine.name]})

    assert answer.status_code == 400
    assert "leads back" in answer.json()["error"]
    assert base.api("PATCH", json={"upstream": [base.name]}).status_code == 400


def test_an_upstream_must_be_there(server: Server) -> None:
    answer = server.api("POST", "/repositories", {"name": "lost", "upstream": ["nowhere"]})

    assert answer.status_code == 400
    assert "nowhere" in answer.json()["error"]
    for wrong in ("http://", "https://[", "ftp://example.com/"):
        json = {"name": "lost", "upstream": [wrong]}
        assert server.api("POST", "/repositories", json).status_code == 400


def test_an_upstream_that_was_deleted_is_passed_over(server: Server, base: Index) -> None:
    mine = server.repository(upstream=[base.name])
    base.done("DELETE")

    assert mine.get("/demo/").status_code == 404
    assert mine.get("/").status_code == 200


class TestRemote:
    """Another index by its URL; here it is this very server."""

    @pytest.fixture(params=["modern", "cloudrepo"])
    def far(self, server: Server, request: pytest.FixtureRequest) -> Index:
        index = server.repository(dialect=request.param)
        index.publish(OLD)
        return index

    def test_its_files_come_through_this_repository(self, server: Server, far: Index) -> None:
        mine = server.repository(upstream=[far.index_url])

        file = mine.files()[OLD.filename]
        whole = mine.linked(file["url"])
        part = mine.get(f"/demo/{OLD.filename}", Range="bytes=0-9")

        assert file["url"].startswith(f"/repositories/{mine.name}/")
        assert whole.content == OLD.data
        assert (part.status_code, part.content) == (206, OLD.data[:10])
        assert mine.request("HEAD", f"/demo/{OLD.filename}").headers["Content-Length"] == str(
            len(OLD.data)
        )
        assert mine.get("/other/").status_code == 404

    def test_its_metadata_comes_too(self, server: Server) -> None:
        far = server.repository()
        far.publish(OLD)
        mine = server.repository(upstream=[far.index_url])

        assert mine.get(f"/demo/{OLD.filename}.metadata").content == OLD.metadata

    def test_its_password_is_shown_to_nobody(self, server: Server, far: Index) -> None:
        mine = server.repository(upstream=[far.index_url])

        assert far.password not in mine.api("GET").text
        assert far.password not in mine.get("/demo/").text
        assert far.password not in mine.get("/demo/", Accept=JSON).text

    def test_one_that_does_not_answer_is_a_bad_gateway(self, server: Server, far: Index) -> None:
        refused = server.repository(upstream=[far.url])
        silent = server.repository(upstream=["http://127.0.0.1:9/simple"])

        for mine in (refused, silent):
            answer = mine.get("/demo/")
            assert answer.status_code == 502
            assert "upstream" in answer.json()["error"]
