"""The page of pytest sessions, their tests, and the repositories of each test."""

from __future__ import annotations

import contextlib

import pytest
import requests

from tests.support.archives import wheel
from tests.support.index import Index, Server
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
    assert (
        "test_it.py::test_b<i> failed 1.00 s 0 failed requests of test_it.py::test_b<i> "
        "failed-1 0 requests to failed-1 failed-2 0 requests to failed-2 test_it.py::test_a"
    ) in page.text
    assert (
        "test_it.py::test_a passed 0.25 s passed 0 requests to passed no result yet running"
    ) in page.text
    assert page.text.index("second-session") < page.text.index("first-session")
    assert "by-hand" not in page.text
    assert page.all("a", href="/portal/repositories/failed-2")
    own_server.api_json("DELETE", "/repositories/failed-1")
    assert "failed-1" not in own_browser.get("/portal/tests").text
    own_browser.close()


FAILED = {"node_id": "test_it.py::test_several", "outcome": "failed", "seconds": 1.0}


@pytest.fixture(scope="module")
def several(server: Server) -> list[Index]:
    """The repositories of a failed test: an unused one, an upstream, and one with failures."""
    unused = server.repository(run="several-session")
    base = server.repository(run="several-session")
    front = server.repository(run="several-session", upstream=[base.name])
    for each in (unused, base, front):
        assert report(server, each.name, **FAILED) == 204
    front.get("/lacking/")
    front.api_json("POST", "/faults", {"kind": "status", "status": 503, "times": 1})
    front.get("/demo/")
    base.publish(wheel())
    # These requests explain no failure.
    front.get("/demo/")
    front.get("/demo/demo-1.0-py3-none-any.whl.metadata.metadata")
    return [unused, base, front]


def test_a_test_shows_the_failed_requests_of_all_its_repositories_first(
    browser: Browser, several: list[Index]
) -> None:
    unused, base, front = several
    page = browser.get(f"/portal/tests/{base.name}")
    for other in (unused, front):
        assert browser.get(f"/portal/tests/{other.name}").text == page.text
    text = page.text
    assert "test_it.py::test_several failed 1.00 s" in text
    assert "2 failed requests" not in text
    missing = f"was not found in the repository {front.name}, nor in its upstream {base.name}."
    for expected in (missing, "1 failed request", f"upstream {base.name}"):
        assert text.index(expected) < text.index("3 repositories")
    failed = f"1 failed of {front.name} 1 fault of {front.name}"
    assert f"{front.name} 4 requests to {front.name} {failed}" in text
    assert f"queries the upstream {base.name}" in text
    # The request that a fault rejected did not reach the upstream.
    assert f"is an upstream of {front.name} , queried for 3 requests" in text


def test_the_number_of_requests_links_to_a_list_of_as_many_requests(
    browser: Browser, several: list[Index]
) -> None:
    front = several[-1]
    page = browser.get(f"/portal/tests/{front.name}")
    target = f"/portal/repositories/{front.name}/requests?kind=index"
    assert page.all("a", href=target)
    assert f"4 requests to {front.name}" in page.text
    assert len(browser.get(target).all("tr", **{"class": "entry"})) == 4


def test_failed_requests_link_to_their_details(browser: Browser, several: list[Index]) -> None:
    front = several[-1]
    page = browser.get(f"/portal/tests/{front.name}")
    (link,) = page.all("a", **{"class": "address"})
    assert f"GET {front.path}/lacking/" in browser.get(link["href"]).text


def test_tests_with_failed_requests_precede_the_others_of_their_session(
    own_server: Server, own_browser: Browser
) -> None:
    for name, outcome, is_rejected in (
        ("a-passed", "passed", False),
        ("b-running", None, False),
        ("c-skipped", "skipped", True),
        ("d-running", None, True),
        ("e-failed", "failed", False),
    ):
        repository = own_server.repository(name, run="session")
        if outcome:
            report(own_server, name, node_id=f"{name}.py::test", outcome=outcome, seconds=1)
        if is_rejected:
            repository.get("/missing/")
    text = own_browser.get("/portal/tests").text
    names = ["e-failed", "c-skipped", "d-running", "a-passed", "b-running"]
    assert sorted(names, key=text.index) == names
    own_browser.close()


def test_the_list_of_tests_counts_failed_requests_and_links_to_the_test(
    browser: Browser, several: list[Index]
) -> None:
    page = browser.get("/portal/tests")
    assert "test_several failed 1.00 s 1 failed request" in page.text
    first = min(each.name for each in several)
    assert page.all("a", href=f"/portal/tests/{first}")


def test_the_pages_of_a_repository_name_its_failed_test(
    browser: Browser, several: list[Index]
) -> None:
    unused, base, front = several
    notice = "Belongs to the failed test test_it.py::test_several : 1 failed request"
    first = min(each.name for each in several)
    for index in several:
        for below in ("", "/requests"):
            page = browser.get(f"/portal/repositories/{index.name}{below}")
            assert notice in page.text
            assert page.all("a", href=f"/portal/tests/{first}")
    page = browser.get(f"/portal/repositories/{unused.name}")
    assert "No repository has this one as its upstream." in page.text
    page = browser.get(f"/portal/repositories/{front.name}")
    assert f"queries the upstream {base.name} 1 fault" in page.text
    assert page.all("a", href=f"/portal/repositories/{base.name}")
    page = browser.get(f"/portal/repositories/{base.name}")
    assert f"is an upstream of {front.name}" in page.text


def test_a_link_leads_to_the_page_of_a_failed_test(
    anonymous: Browser, several: list[Index]
) -> None:
    server, name = several[0].server, several[0].name
    link = server.api_json("POST", "/sign-in-links", {"repository": name})["url"]
    page = anonymous.get(link.removeprefix(server.url))
    assert (page.status, page.path) == (200, f"/portal/tests/{name}")


def test_a_repository_without_a_session_has_no_test(browser: Browser, index: Index) -> None:
    page = browser.get(f"/portal/tests/{index.name}", status=404)
    assert f"The repository {index.name} belongs to no pytest session." in page.text
    assert "Belongs to" not in browser.get(f"/portal/repositories/{index.name}").text


@pytest.mark.parametrize(
    ("fault", "failures"),
    [
        ({"kind": "latency", "seconds": 0}, 0),
        ({"kind": "missing-etag"}, 1),
        ({"kind": "status", "status": 500}, 1),
        ({"kind": "reset"}, 1),
    ],
    ids=lambda value: value["kind"] if isinstance(value, dict) else "",
)
def test_requests_that_a_fault_only_delayed_are_no_failures(
    browser: Browser, server: Server, fault: dict[str, object], failures: int
) -> None:
    repository = server.repository(run="session-with-faults")
    repository.publish(wheel())
    repository.api_json("POST", "/faults", {**fault, "method": "GET"})
    with contextlib.suppress(requests.ConnectionError):
        repository.get("/demo/")
    page = browser.get(f"/portal/tests/{repository.name}")
    assert f"{failures} failed request" in page.text


@pytest.mark.parametrize(
    "change",
    [{"node_id": ""}, {"node_id": "x" * 3000}, {"outcome": "odd"}, {"seconds": -1}, {"more": 1}],
)
def test_an_invalid_result_is_rejected(server: Server, change: dict[str, object]) -> None:
    repository = server.repository()
    result: dict[str, object] = {"node_id": "a::b", "outcome": "passed", "seconds": 1.0}
    assert report(server, repository.name, **(result | change)) == 400
