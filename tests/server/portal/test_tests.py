"""The page of pytest sessions, their tests, and the repositories of each test."""

from __future__ import annotations

import pytest

from tests.support.index import Server
from tests.support.portal.browser import Browser


@pytest.fixture
def own_browser(own_server: Server) -> Browser:
    browser = Browser(own_server)
    browser.sign_in(*own_server.admin)
    return browser


def report(server: Server, repository: str, **result: object) -> int:
    return server.api("PUT", f"/repositories/{repository}/test", result).status_code


def test_repositories_are_grouped_by_session_and_test_with_failed_tests_first(
    own_server: Server, own_browser: Browser
) -> None:
    assert "No pytest session has used this server yet." in own_browser.get("/portal/tests").text
    own_server.repository("by-hand")
    for name in ("passed", "failed-1", "failed-2", "running"):
        own_server.repository(name, run="first-session")
    own_server.repository("other", run="second-session")
    result = {"node_id": "test_it.py::test_a", "outcome": "passed", "seconds": 0.25}
    assert report(own_server, "passed", **result) == 204
    for name in ("failed-1", "failed-2"):
        failed = {"node_id": "test_it.py::test_b<i>", "outcome": "failed", "seconds": 1}
        assert report(own_server, name, **failed) == 204
    page = own_browser.get("/portal/tests")
    assert "test_it.py::test_b<i> failed 1.00 s failed-1 failed-2 test_it.py::test_a" in page.text
    assert "test_it.py::test_a passed 0.25 s passed no result yet running" in page.text
    assert page.text.index("second-session") < page.text.index("first-session")
    assert "by-hand" not in page.text
    assert page.all("a", href="/portal/repositories/failed-2")
    own_server.api_json("DELETE", "/repositories/failed-1")
    assert "failed-1" not in own_browser.get("/portal/tests").text
    own_browser.close()


@pytest.mark.parametrize(
    "change",
    [{"node_id": ""}, {"node_id": "x" * 3000}, {"outcome": "odd"}, {"seconds": -1}, {"more": 1}],
)
def test_an_invalid_result_is_rejected(server: Server, change: dict[str, object]) -> None:
    repository = server.repository()
    result: dict[str, object] = {"node_id": "a::b", "outcome": "passed", "seconds": 1.0}
    assert report(server, repository.name, **(result | change)) == 400
