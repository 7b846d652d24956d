"""The page of a repository's upstreams."""

from __future__ import annotations

import pytest

from tests.support.archives import wheel
from tests.support.index import Index
from tests.support.portal.browser import Browser

UNREACHABLE = "http://127.0.0.1:1/simple"


def page_of(index: Index) -> str:
    return f"/portal/repositories/{index.name}/upstreams"


@pytest.fixture
def source(index: Index) -> Index:
    """A repository with a file, which is an upstream of others."""
    index.publish(wheel())
    return index


def test_upstreams_are_shown_with_their_states(browser: Browser, source: Index) -> None:
    upstreams = [source.name, source.index_url, UNREACHABLE]
    front = source.server.repository(upstream=upstreams, upstream_strategy="best-version")
    assert "Upstreams (3)" in browser.get(f"/portal/repositories/{front.name}/settings").text
    text = browser.get(page_of(front)).text
    assert text.count("Not queried") == 2
    assert f"{source.name} Repository" in text
    assert front.get("/demo/").status_code == 502
    text = browser.get(page_of(front)).text
    assert "Responding 1 response 0 failures responded just now" in text
    assert (
        "Failing Last error, just now : The upstream at http://127.0.0.1:1 did not respond. "
        "0 responses 1 failure"
    ) in text
    assert source.password not in browser.get(page_of(front)).response.text


def test_an_upstream_that_responds_again_keeps_its_last_error(
    browser: Browser, source: Index
) -> None:
    front = source.server.repository(upstream=[source.index_url])
    fault = source.api_json("POST", "/faults", {"kind": "status", "status": 500, "times": 1})
    assert [front.get("/demo/").status_code for _ in range(2)] == [502, 200]
    assert fault["kind"] == "status"
    text = browser.get(page_of(front)).text
    assert "Responding Last error, just now : The upstream responded with status 500." in text
    assert "1 response 1 failure" in text


def test_upstreams_are_changed_in_the_middle_of_a_test(browser: Browser, source: Index) -> None:
    front = source.server.repository()
    assert front.get("/demo/").status_code == 404
    page = browser.submit(
        page_of(front), page_of(front), upstream=f"\n {source.name} \r\n", strategy="best-version"
    )
    assert "The upstreams were saved." in page.text
    assert front.get("/demo/").status_code == 200
    assert front.api_json("GET")["upstream_strategy"] == "best-version"
    browser.submit(page_of(front), page_of(front), upstream="")
    assert front.get("/demo/").status_code == 404


def test_an_unchanged_line_keeps_the_login_of_an_upstream(browser: Browser, source: Index) -> None:
    front = source.server.repository(upstream=[source.index_url])
    form = browser.get(page_of(front)).form(page_of(front))
    assert "***@" in form.fields["upstream"]
    browser.submit(
        page_of(front), page_of(front), origins="http://files.example.com", strategy="first-match"
    )
    assert front.get("/demo/").status_code == 200
    assert front.api_json("GET")["upstream_file_origins"] == ["http://files.example.com"]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"upstream": "nowhere-to-be-found"}, "The upstream nowhere-to-be-found was not found"),
        ({"upstream": "http://"}, "is not a valid URL of an index"),
        ({"upstream": "\n".join(["http://x.example/"] * 33)}, "at most 32 entries"),
        ({"origins": "files.example.com"}, "is not an origin"),
        ({"strategy": "guess"}, "upstream_strategy must be one of"),
    ],
    ids=str,
)
def test_an_invalid_setting_is_shown_again_with_the_reason(
    browser: Browser, index: Index, fields: dict[str, str], message: str
) -> None:
    page = browser.submit(page_of(index), page_of(index), fields, status=400)
    assert message in page.text
    assert index.api_json("GET")["upstream"] == []


def test_a_missing_upstream_is_marked(browser: Browser, index: Index) -> None:
    other = index.server.repository()
    index.set(upstream=[other.name])
    index.server.api_json("DELETE", f"/repositories/{other.name}")
    assert f"{other.name} Missing" in browser.get(page_of(index)).text
