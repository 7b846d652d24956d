"""Upstreams: repositories that also offer the projects of other repositories and indexes."""

from __future__ import annotations

import pytest

from cloudrepo_server.domain.upstream_states import UpstreamStates
from cloudrepo_server.limits import UPSTREAM_STATES
from tests.support.archives import sdist, wheel
from tests.support.index import JSON, Index, Server

OLD, NEW = wheel("demo", "1.0"), wheel("demo", "2.0")


@pytest.fixture
def base(server: Server) -> Index:
    return server.repository()


def test_a_missing_project_comes_from_the_upstream(server: Server, base: Index) -> None:
    base.publish(OLD)
    repository = server.repository(upstream=[base.name])

    assert repository.files()[OLD.filename]["url"].startswith(f"/repositories/{repository.name}/")
    assert repository.file(OLD).content == OLD.data
    assert repository.get(f"/demo/{OLD.filename}.metadata").content == OLD.metadata
    assert ">demo<" in repository.html("/")
    assert repository.api("GET", "/projects").json() == {"projects": []}


def test_first_match_offers_the_files_of_one_repository(server: Server, base: Index) -> None:
    base.publish(NEW)
    repository = server.repository(upstream=[base.name])
    repository.publish(OLD)

    assert list(repository.files()) == [OLD.filename]
    assert repository.get(f"/demo/{NEW.filename}").status_code == 404


@pytest.mark.parametrize(
    ("path", "missing"),
    [
        ("/lacking/", "The project lacking"),
        ("/simple/lacking/", "The project lacking"),
        ("/demo/demo-9.tar.gz", "The file demo-9.tar.gz of the project demo"),
        ("/pypi/lacking/json", "The project lacking"),
        ("/pypi/demo/9/json", "The version 9 of the project demo"),
    ],
)
def test_a_404_names_the_upstreams_that_were_queried(
    server: Server, base: Index, path: str, missing: str
) -> None:
    second = server.repository()
    second.publish(OLD)
    for upstream, expected in (
        ([], ""),
        ([second.name], f", nor in its upstream {second.name}"),
        ([base.name, second.name], f", nor in its upstreams {base.name}, {second.name}"),
    ):
        repository = server.repository(upstream=upstream, dialect="pypi")
        if not upstream:
            repository.publish(OLD)
        response = repository.get(path)
        reason = f"{missing} was not found in the repository {repository.name}{expected}."
        assert (response.status_code, response.reason) == (404, reason)
        assert response.json()["error"] == reason
        assert repository.journal()[-1]["error"] == reason


def test_a_404_hides_the_upstreams_from_clients_without_a_login(
    server: Server, base: Index
) -> None:
    repository = server.repository(upstream=[base.name], public=True)
    response = server.request("GET", f"/public/repositories/{repository.name}/lacking/")
    reason = f"The project lacking was not found in the repository {repository.name}"
    assert (response.status_code, response.reason) == (404, f"{reason}.")
    assert base.name not in response.text
    assert repository.journal()[-1]["error"] == f"{reason}, nor in its upstream {base.name}."


def test_best_version_offers_the_files_of_all_repositories(server: Server, base: Index) -> None:
    base.publish(NEW, sdist("demo", "1.0"))
    repository = server.repository(upstream=[base.name], upstream_strategy="best-version")
    repository.publish(OLD)

    assert set(repository.files()) == {OLD.filename, NEW.filename, "demo-1.0.tar.gz"}
    assert repository.json()["versions"] == ["1.0", "2.0"]


def test_a_local_file_hides_an_upstream_file_with_the_same_name(
    server: Server, base: Index
) -> None:
    other = wheel("demo", "1.0", module="x = 2\n")
    base.publish(other)
    repository = server.repository(upstream=[base.name], upstream_strategy="best-version")
    repository.publish(OLD)

    assert repository.file(OLD).content == OLD.data


def test_a_page_follows_uploads_and_deletions_in_the_upstream(server: Server, base: Index) -> None:
    repository = server.repository(upstream=[base.name])
    assert repository.get("/demo/").status_code == 404
    base.publish(OLD)
    assert list(repository.files()) == [OLD.filename]
    base.publish(NEW)
    assert len(repository.files()) == 2
    base.api_json("DELETE", f"/files/{OLD.filename}")
    base.api_json("DELETE", f"/files/{NEW.filename}")
    assert repository.get("/demo/").status_code == 404


def test_an_upload_is_stored_in_the_repository_only(server: Server, base: Index) -> None:
    repository = server.repository(upstream=[base.name])
    repository.publish(OLD)

    assert base.get("/demo/").status_code == 404


@pytest.mark.parametrize("indirect", [False, True])
def test_a_cycle_of_upstreams_is_rejected(server: Server, base: Index, *, indirect: bool) -> None:
    last = base
    if indirect:
        last = server.repository(upstream=[base.name])
    repository = server.repository(upstream=[last.name])

    response = base.api("PATCH", json={"upstream": [repository.name]})

    assert response.status_code == 400
    assert "leads back" in response.json()["error"]
    assert base.api("PATCH", json={"upstream": [base.name]}).status_code == 400


def test_upstreams_lead_through_eight_repositories(server: Server, base: Index) -> None:
    base.publish(OLD)
    repository = base
    for _ in range(7):
        repository = server.repository(upstream=[repository.name])
    assert set(repository.files()) == {OLD.filename}
    settings = {"name": "x", "upstream": [repository.name]}
    response = server.api("POST", "/repositories", settings)
    assert response.status_code == 400
    assert f"{repository.name} leads through more than 8 repositories" in response.text
    # No setting leads through more than eight repositories now, but a request would.
    base.set(upstream=[server.repository().name])
    assert set(repository.files()) == {OLD.filename}
    assert repository.get("/other/").status_code == 508


def test_a_repository_with_many_paths_to_it_is_read_once(server: Server) -> None:
    """Eight levels of eight repositories have two million paths."""
    level: list[str] = []
    for _ in range(8):
        level = [
            server.repository(upstream=level, upstream_strategy="best-version").name
            for _ in range(8)
        ]
    url = f"/repositories/{level[0]}/demo/"
    assert server.request("GET", url, auth=server.user()).status_code == 404


@pytest.mark.parametrize("setting", ["upstream", "upstream_file_origins"])
def test_the_number_of_upstreams_is_limited(server: Server, setting: str) -> None:
    urls = [f"http://{number}.example" for number in range(33)]
    response = server.api("POST", "/repositories", json={"name": "x", setting: urls})
    assert (response.status_code, "at most 32 entries" in response.text) == (400, True)


@pytest.mark.parametrize(
    "upstream",
    [
        "http://user:pa/ss-secret@host/",
        "http://user:secret#word@host/",
        "http://user:secret?word@host/",
        "HTTP://user:secret@host:0/",
        "ftp://user:secret@host/",
        "http://user:secret@host:99999/",
        "user:secret@host",
    ],
)
@pytest.mark.parametrize("setting", ["upstream", "upstream_file_origins"])
def test_an_error_shows_no_password_of_an_invalid_upstream(
    server: Server, setting: str, upstream: str
) -> None:
    before = len(server.process.log)
    response = server.api("POST", "/repositories", json={"name": "x", setting: [upstream]})
    assert response.status_code == 400
    assert "***@host" in response.text
    assert "secret" not in response.text + response.reason + server.process.log[before:]


def test_an_unknown_upstream_is_rejected(server: Server) -> None:
    response = server.api("POST", "/repositories", {"name": "lost", "upstream": ["nowhere"]})

    assert response.status_code == 400
    assert "nowhere" in response.json()["error"]
    for wrong in ("http://", "https://[", "ftp://example.com/"):
        json = {"name": "lost", "upstream": [wrong]}
        assert server.api("POST", "/repositories", json).status_code == 400


def test_a_deleted_upstream_is_ignored(server: Server, base: Index) -> None:
    repository = server.repository(upstream=[base.name])
    base.api_json("DELETE")

    assert repository.get("/demo/").status_code == 404
    assert repository.get("/").status_code == 200


class TestOtherIndex:
    """An upstream that is the URL of another index; here it is the same server."""

    @pytest.fixture(params=["modern", "cloudrepo"])
    def other(self, server: Server, request: pytest.FixtureRequest) -> Index:
        index = server.repository(dialect=request.param)
        index.publish(OLD)
        return index

    def test_files_are_passed_through_the_repository(self, server: Server, other: Index) -> None:
        repository = server.repository(upstream=[other.index_url])

        file = repository.files()[OLD.filename]
        whole = repository.linked(file["url"])
        part = repository.get(f"/demo/{OLD.filename}", Range="bytes=0-9")

        assert file["url"].startswith(f"/repositories/{repository.name}/")
        assert whole.content == OLD.data
        assert (part.status_code, part.content) == (206, OLD.data[:10])
        assert repository.request("HEAD", f"/demo/{OLD.filename}").headers["Content-Length"] == str(
            len(OLD.data)
        )
        assert repository.get("/other/").status_code == 404

    def test_metadata_are_passed_through_the_repository(self, server: Server) -> None:
        other = server.repository()
        other.publish(OLD)
        repository = server.repository(upstream=[other.index_url])

        assert repository.get(f"/demo/{OLD.filename}.metadata").content == OLD.metadata

    def test_the_password_of_the_url_is_never_shown(self, server: Server, other: Index) -> None:
        repository = server.repository(upstream=[other.index_url])

        assert other.password not in repository.api("GET").text
        assert other.password not in repository.get("/demo/").text
        assert other.password not in repository.get("/demo/", Accept=JSON).text

    def test_an_upstream_that_fails_is_a_bad_gateway(self, server: Server, other: Index) -> None:
        without_login = server.repository(upstream=[other.url])
        unreachable = server.repository(upstream=["http://127.0.0.1:9/simple"])

        for repository in (without_login, unreachable):
            response = repository.get("/demo/")
            assert response.status_code == 502
            assert "upstream" in response.json()["error"]

    @pytest.mark.parametrize("hops", [1, 2, 3])
    @pytest.mark.parametrize("below", ["/demo/", f"/demo/{OLD.filename}"])
    def test_a_loop_of_urls_ends_after_one_round(
        self, server: Server, hops: int, below: str
    ) -> None:
        ring = [server.repository(upstream_strategy="best-version") for _ in range(hops)]
        ring[0].publish(NEW)  # the first entry of its journal
        for index, following in zip(ring, [*ring[1:], ring[0]], strict=True):
            index.set(upstream=[following.index_url])

        response = ring[0].get(below)

        assert response.status_code == 508
        assert "leads back" in response.json()["error"]
        assert [len(index.journal()) for index in ring] == [3, *[1] * (hops - 1)]

    def test_a_loop_through_a_name_and_a_url_ends(self, server: Server, base: Index) -> None:
        first = server.repository(upstream=[base.name])
        base.set(upstream=[first.index_url])

        assert first.get("/demo/").status_code == 508
        assert len(first.journal()) == 2

    def test_a_chain_that_is_too_long_ends(self, server: Server, base: Index) -> None:
        last = base
        for _ in range(10):
            last = server.repository(upstream=[last.index_url])

        response = last.get("/demo/")

        assert response.status_code == 508
        assert "more than 8 repositories" in response.json()["error"]
        assert len(base.journal()) == 0

    def test_a_request_that_passed_too_many_repositories_gets_no_error_about_a_loop(
        self, base: Index
    ) -> None:
        response = base.get("/demo/", X_CloudRepo_Via="a b c d e f g h")

        assert response.status_code == 508
        assert "passed 8 repositories" in response.json()["error"]
        assert "leads back" not in response.json()["error"]


def test_the_number_of_known_states_is_limited() -> None:
    states = UpstreamStates()
    for number in range(UPSTREAM_STATES + 1):
        with states.observe("repository", f"http://{number}.example/"):
            pass
    known = [
        number
        for number in range(UPSTREAM_STATES + 1)
        if states.find("repository", f"http://{number}.example/") is not None
    ]
    assert known == [*range(1, UPSTREAM_STATES + 1)]
