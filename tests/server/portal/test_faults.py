"""The page of a repository's faults."""

from __future__ import annotations

import pytest

from tests.support.archives import wheel
from tests.support.index import Index
from tests.support.portal.browser import Browser


def page_of(index: Index) -> str:
    return f"/portal/repositories/{index.name}/faults"


def test_a_fault_is_added_counted_and_removed(browser: Browser, index: Index) -> None:
    index.publish(wheel())
    settings = browser.get(f"/portal/repositories/{index.name}/settings")
    assert "Faults (0)" in settings.text
    assert page_of(index) in settings.response.text
    assert "No faults." in browser.get(page_of(index)).text
    page = browser.submit(
        page_of(index),
        page_of(index),
        {"status": "503"},
        kind="status",
        reason="Try again later",
        times="2",
        project="demo",
    )
    assert "Fault #1 was added." in page.text
    assert [index.get(f"/{name}/").status_code for name in ("other", "demo")] == [404, 503]
    text = browser.get(page_of(index)).text
    assert "every matching request" not in text.partition("Add fault")[0]
    assert "Fault #1: status 503 times=2 project=demo status=503 reason=Try again later" in text
    assert "affected 1 request" in text
    assert "Used up" not in text
    assert [index.get("/demo/").status_code for _ in range(2)] == [503, 200]
    page = browser.get(page_of(index))
    assert "Used up" in page.text
    # The number of requests leads to these requests in the log.
    (link,) = [each["href"] for each in page.all("a") if "requests?q=" in each["href"]]
    assert len(browser.get(link).all("tr", class_="entry")) == 2
    (fault,) = index.api_json("GET", "/faults")["faults"]
    page = browser.submit(page_of(index), f"{page_of(index)}/{fault['id']}/remove")
    assert "Fault #1 was removed." in page.text
    assert index.api_json("GET", "/faults")["faults"] == []


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"kind": "latency", "seconds": "0.5"}, {"seconds": 0.5}),
        ({"kind": "drip", "bytes_per_second": "100"}, {"bytes_per_second": 100}),
        ({"kind": "reset", "when": "after"}, {"when": "after"}),
        ({"kind": "truncate", "keep": "7"}, {"keep": 7}),
        ({"kind": "corrupt", "path": "*.whl", "every": "2"}, {"path": "*.whl", "every": 2}),
        ({"kind": "stale-page", "user": "a@example.com"}, {"user": "a@example.com"}),
        ({"kind": "stored-then-error", "method": "POST"}, {"method": "POST", "status": 503}),
        ({"kind": "redirect", "location": "/x", "status": "307"}, {"status": 307}),
        (
            {"kind": "other-metadata", "content": "Name: a\r\nVersion: 1"},
            {"content": "Name: a\nVersion: 1"},
        ),
        (
            {"kind": "status", "status": "429", "headers": "Retry-After: 5\r\nX-Y:z"},
            {"status": 429, "headers": {"Retry-After": "5", "X-Y": "z"}},
        ),
    ],
    ids=str,
)
def test_each_kind_is_added_with_its_parameters(
    browser: Browser, index: Index, fields: dict[str, str], expected: dict[str, object]
) -> None:
    browser.submit(page_of(index), page_of(index), fields)
    (fault,) = index.api_json("GET", "/faults")["faults"]
    assert fault["kind"] == fields["kind"]
    assert expected.items() <= fault.items()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"kind": "nonsense"}, "Unknown kind of fault 'nonsense'"),
        ({"kind": "status"}, "A fault of the kind status needs the field status."),
        (
            {"kind": "status", "status": "x"},
            "Invalid status 'x': enter a whole number",
        ),
        ({"kind": "status", "status": "99"}, "enter a whole number from 200 to 599."),
        ({"kind": "latency", "seconds": "1e9"}, "enter a number from 0 to 3600."),
        (
            {"kind": "corrupt", "seconds": "1"},
            "A fault of the kind corrupt has no seconds",
        ),
        ({"kind": "status", "status": "429", "headers": "no colon"}, "Invalid header 'no colon'"),
        ({"kind": "status", "status": "429", "headers": "a b: c"}, "not a valid header name"),
        ({"kind": "corrupt", "times": "0"}, "enter a whole number of 1 or more."),
        ({"kind": "corrupt", "path": "x" * 600}, "enter a text of at most 512 characters."),
    ],
    ids=str,
)
def test_an_invalid_fault_is_shown_again_with_the_reason(
    browser: Browser, index: Index, fields: dict[str, str], message: str
) -> None:
    page = browser.submit(page_of(index), page_of(index), fields, status=400)
    assert message in page.text
    assert index.api_json("GET", "/faults")["faults"] == []
    shown = page.form(page_of(index)).fields
    assert {name: shown[name] for name in fields if name != "kind"} == {
        name: value for name, value in fields.items() if name != "kind"
    }


def test_the_form_has_every_kind_and_every_parameter(browser: Browser, index: Index) -> None:
    described = index.server.request("GET", "/api/openapi.json").json()["components"]["schemas"]
    schemas = [each for each in described.values() if "struck" not in each.get("properties", {})]
    kinds = [
        each["properties"]
        for each in schemas
        if {"kind", "times", "every"} <= each.get("properties", {}).keys()
    ]
    assert len(kinds) > 10
    page = browser.get(page_of(index))
    form = page.form(page_of(index))
    for properties in kinds:
        assert properties.keys() <= form.names | form.fields.keys()
        (kind,) = properties["kind"]["enum"]
        assert page.all("option", value=kind)


def test_an_unknown_fault_shows_an_error_page(browser: Browser, index: Index) -> None:
    token = browser.get("/portal/").sign_out.fields
    response = browser.request("POST", f"{page_of(index)}/x/remove", data=token)
    assert response.status_code == 404
