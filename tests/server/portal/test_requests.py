"""The request log: its filters, its pages and its downloads."""

from __future__ import annotations

import csv
import io
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from cloudrepo_server.testkit.journal import Entry
from cloudrepo_server.web.portal.log.filters import LogFilter
from cloudrepo_server.web.portal.log.search import ENTRIES_PER_PAGE, search_page
from tests.support.archives import wheel
from tests.support.forms import encode, fields
from tests.support.index import Index, Server
from tests.support.portal.browser import Browser, Page
from tests.support.raw import basic
from tests.support.shown_output import shows_status

PIP = 'pip/24.2 {"implementation":{"name":"CPython","version":"3.12.1"},"python":"3.12.1"}'
TWINE = "twine/5.1.1 CPython/3.12.1"
FILE = wheel().filename
SECRET = "a-secret-in-a-header"


@pytest.fixture(scope="module")
def busy(server: Server) -> Index:
    """A repository with requests of every kind, and a second user."""
    index = server.repository(overwrite_protection=True)
    other = server.user()
    index.send(encode(fields(wheel())), headers={"User-Agent": TWINE})
    index.upload(wheel(module="x = 2\n"))
    index.get("/", User_Agent=PIP)
    index.get("/demo/", User_Agent=PIP)
    index.get(f"/demo/{FILE}.metadata", User_Agent=PIP)
    index.request("GET", f"/demo/{FILE}?token={SECRET}", auth=other)
    index.get(f"/demo/{FILE}", If_None_Match=f'"{wheel().sha256}"')
    index.get("/missing/")
    index.request("GET", "/demo/", auth=None)
    fault = index.api_json("POST", "/faults", {"kind": "status", "status": 503, "times": 1})
    index.get("/broken/")
    index.api_json("DELETE", f"/faults/{fault['id']}")
    put = f"/api/repositories/{index.name}/files/other-2.0-py3-none-any.whl"
    server.request("PUT", put, data=wheel("other", "2.0").data, auth=server.admin)
    return index


def log(index: Index) -> str:
    """Return the path of a repository's log."""
    return f"/portal/repositories/{index.name}/requests"


def listed(browser: Browser, index: Index, **query: str) -> list[dict[str, Any]]:
    """Return the requests that the JSON download of a filter has, oldest first."""
    response = browser.request("GET", f"{log(index)}.json?{urlencode(query)}")
    assert response.status_code == 200, response.text
    found: list[dict[str, Any]] = response.json()["requests"]
    return found[::-1]


def shown(page: Page) -> list[str]:
    """Return the ids of the rows on a page, newest first."""
    return [each["id"] for each in page.all("tr", class_="entry")]


REQUESTS = (
    ("upload", "POST", 200),
    ("upload", "POST", 409),
    ("root", "GET", 200),
    ("page", "GET", 200),
    ("metadata", "GET", 200),
    ("file", "GET", 200),
    ("file", "GET", 304),
    ("page", "GET", 404),
    ("page", "GET", 401),
    ("admin", "POST", 201),
    ("page", "GET", 503),
    ("admin", "DELETE", 204),
    ("admin", "PUT", 200),
)
"""The kind, method and status of each request in the log, after the creation of the repository."""


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, range(13)),
        ({"kind": "upload"}, [0, 1]),
        ({"kind": "page"}, [2, 3, 7, 8, 10]),
        ({"kind": "metadata"}, [4]),
        ({"kind": "file"}, [5, 6]),
        ({"kind": "admin"}, [9, 11, 12]),
        ({"kind": "token"}, []),
        ({"kind": "blocked"}, []),
        ({"kind": "nonsense"}, range(13)),
        ({"status": "2xx"}, [0, 2, 3, 4, 5, 9, 11, 12]),
        ({"status": "3xx"}, [6]),
        ({"status": "4xx"}, [1, 7, 8]),
        ({"status": "5xx"}, [10]),
        ({"status": "reset"}, []),
        ({"age": "1h"}, range(13)),
        ({"age": "1 parsec"}, range(13)),
        ({"user": "anonymous"}, [8]),
        ({"user": "ADMIN"}, [9, 11, 12]),
        ({"project": "missing"}, [7]),
        ({"project": "other"}, [12]),
        ({"project": "Demo"}, [0, 1, 3, 4, 5, 6]),
        ({"client": "pip"}, [2, 3, 4]),
        ({"client": "twine 5"}, [0]),
        ({"q": "already exists"}, [1]),
        ({"q": "CPython"}, [0, 2, 3, 4]),
        ({"q": "#1: status"}, [10]),
        ({"q": "post"}, [0, 1, 9]),
        ({"q": "other-2.0"}, [12]),
        ({"kind": "page", "status": "4xx", "user": "anonymous"}, [8]),
        ({"kind": "page", "q": "nothing contains this"}, []),
    ],
    ids=str,
)
def test_a_filter_lists_the_matching_requests(
    browser: Browser, busy: Index, query: dict[str, str], expected: list[int]
) -> None:
    found = listed(browser, busy, **query)
    page = browser.get(f"{log(busy)}?{urlencode(query)}")
    assert len(shown(page)) == len(found)
    # The first change is the creation of the repository.
    requests = [each for each in found if each["path"] != "/api/repositories"]
    summaries = [(each["kind"], each["method"], each["status"]) for each in requests]
    assert summaries == [REQUESTS[number] for number in expected]


def test_the_filter_index_lists_requests_of_all_kinds_but_admin(
    browser: Browser, busy: Index
) -> None:
    kinds = [each["kind"] for each in listed(browser, busy)]
    assert "admin" in kinds
    found = [each["kind"] for each in listed(browser, busy, kind="index")]
    assert found == [kind for kind in kinds if kind != "admin"]


def test_the_page_of_a_request_links_to_the_requests_before_and_after_it(
    browser: Browser, index: Index
) -> None:
    index.publish(wheel())
    index.get("/demo/")
    index.api_json("PATCH", "/projects/demo", {"status": "archived"})
    index.api_json("PUT", "/test", {"node_id": "a::b", "outcome": "passed", "seconds": 1})
    index.get("/missing/")
    paths = [each["href"] for each in browser.get(log(index)).all("a", **{"class": "address"})]
    assert len(paths) == 5
    assert sum("/requests/changes/" in path for path in paths) == 2
    for position, path in enumerate(paths):
        page = browser.get(path)
        # The pages of changes also have the tabs of the repository.
        assert page.all("nav", **{"aria-label": index.name})
        newer = [each["href"] for each in page.all("a", rel="prev")]
        older = [each["href"] for each in page.all("a", rel="next")]
        assert newer == paths[:position][-1:]
        assert older == paths[position + 1 :][:1]


def test_a_user_filter_lists_the_requests_of_that_user(browser: Browser, busy: Index) -> None:
    assert {each["user"] for each in listed(browser, busy, user=busy.username)} == {busy.username}


def test_the_log_of_all_repositories_names_each_of_them(browser: Browser, busy: Index) -> None:
    other = busy.server.repository()
    other.get("/first/")
    busy.server.request("GET", f"/repositories/{other.name}/second/", auth=other.auth)
    page = browser.get(f"/portal/requests?q={other.name}/")
    assert page.text.index("/second/") < page.text.index("/first/")
    assert page.all("a", href=f"/portal/repositories/{other.name}/requests")
    assert "/first/" not in browser.get(log(busy)).text


def test_a_change_without_a_repository_is_in_the_log_of_all(browser: Browser) -> None:
    email, _ = browser.server.user()
    browser.server.api_json("DELETE", f"/users/{email}")
    browser.submit("/portal/create-user", email="from-the-portal@example.com")
    page = browser.get(f"/portal/requests?q={email}")
    assert "DELETE /api/users/" in page.text
    (row,) = shown(page)
    details = browser.get(f"/portal/requests/changes/{row.rpartition('-')[2]}")
    assert shows_status(details.text, 204)
    assert browser.server.admin[0] in details.text
    assert "POST /portal/create-user" in browser.get("/portal/requests?kind=admin").text
    browser.server.api_json("DELETE", "/users/from-the-portal@example.com")


def test_a_rejected_change_is_in_the_log(browser: Browser, index: Index) -> None:
    index.server.request("DELETE", f"/api/repositories/{index.name}", auth=index.auth)
    index.server.request("DELETE", f"/api/repositories/{index.name}", auth=None)
    statuses = [each["status"] for each in listed(browser, index, kind="admin", status="4xx")]
    assert statuses == [403, 401]


def test_a_request_for_a_missing_project_is_marked_like_a_rejection(
    browser: Browser, busy: Index
) -> None:
    page = browser.get(f"{log(busy)}?status=4xx")
    assert len(page.all("tr", **{"class": "entry"})) == 3
    # One more explains the colour, below the list.
    assert len(page.all("span", **{"class": "badge rejection"})) == 3 + 1


def test_a_fault_and_an_upstream_are_named(browser: Browser, busy: Index) -> None:
    assert "503 GET" in browser.get(f"{log(busy)}?q=broken").text
    assert "fault #1: status 503" in browser.get(f"{log(busy)}?q=broken").text
    front = busy.server.repository(upstream=[busy.name])
    front.get("/demo/")
    page = browser.get(log(front))
    assert f"upstream {busy.name}" in page.text
    assert page.all("a", href=f"/portal/repositories/{busy.name}")
    (row,) = [row for row in shown(browser.get(log(front))) if "@" in row]
    page = browser.get(f"{log(front)}/{row.rpartition('-')[2]}")
    assert f"Queried upstreams {busy.name}" in page.text


def test_the_page_of_a_request_says_what_its_faults_did(browser: Browser, index: Index) -> None:
    index.publish(wheel())
    every = index.api_json("POST", "/faults", {"kind": "missing-etag", "method": "GET"})
    index.get("/demo/")
    index.get("/demo/")
    index.api_json("POST", "/faults", {"kind": "status", "status": 503, "times": 4, "every": 2})
    page = browser.get(f"{log(index)}/3")
    assert (
        "fault #1: missing-etag A response without an entity tag, so that clients cannot "
        "revalidate their copies method=GET . It affects every matching request, and has affected "
        "2 requests so far."
    ) in page.text
    faults = f"/portal/repositories/{index.name}/faults"
    assert page.all("a", href=f"{faults}#fault-1")
    assert browser.get(log(index)).all("a", href=f"{faults}#fault-1")
    assert browser.get(faults).all("li", id="fault-1")
    assert page.all("a", href=f"/portal/repositories/{index.name}/projects/demo")
    assert page.all("a", href=f"/portal/users/{quote(index.username, safe='')}")
    index.api("DELETE", f"/faults/{every['id']}")
    assert "The fault was removed since." in browser.get(f"{log(index)}/3").text
    for _ in range(2):
        index.get("/other/")
    text = browser.get(f"{log(index)}/5").text
    assert (
        "An error response with this status, instead of the normal response status=503 . It "
        "affects one in 2 matching requests, at most 4 of them, and has affected 1 request so far."
    ) in text
    assert "/projects/other" not in browser.get(f"{log(index)}/5").response.text


def test_a_row_opens_to_the_whole_request(browser: Browser, busy: Index) -> None:
    (row,) = listed(browser, busy, client="twine")
    assert row["client"] == {"name": "twine", "version": "5.1.1"}
    page = browser.get(f"{log(busy)}?client=twine")
    (link,) = [each["href"] for each in page.all("a") if each["href"].startswith(log(busy) + "/")]
    text = browser.get(link).text
    for expected in (
        f"Response 200 OK Request POST /repositories/{busy.name} Kind Upload",
        f"Repository {busy.name} Project demo File {FILE} User {busy.username}",
        "Client twine 5.1.1",
        "Authorization Basic ***",
        f"User-Agent {TWINE}",
        "Program What the program says",
        "CPython 3.12.1",
        "Form :action file_upload",
        f"sha256_digest {wheel().sha256}",
    ):
        assert expected in text
    assert busy.password not in text


def test_secrets_in_headers_and_queries_are_masked(browser: Browser, index: Index) -> None:
    token = index.token()["token"]
    headers = {
        "X-Api-Key": SECRET,
        "Cookie": f"session={SECRET}",
        "Private-Token": SECRET,
        "Referer": f"http://user:{SECRET}@example.com/page",
        "X-Note": f"my token is {token}",
        "Authorization": basic(*index.auth),
        "X-Harmless": "shown",
    }
    query = f"a=b&password={SECRET}&c=http://u:{SECRET}@x/&d={token}&api%5Fkey={SECRET}"
    index.request("GET", f"/?{query}", headers=headers, auth=None)
    page = browser.get(f"{log(index)}/1")
    download = browser.request("GET", f"{log(index)}.json").text
    for text in (page.response.text, download):
        assert SECRET not in text
        assert token.rpartition(".")[2] not in text
        assert basic(*index.auth) not in text
        assert "shown" in text
        assert "a=b&amp;password=***" in text or "a=b&password=***" in text
    assert "Referer http://***@example.com/page" in page.text


def test_a_rejected_upload_in_the_portal_is_listed_with_its_reason(
    browser: Browser, protected: Index
) -> None:
    protected.publish(wheel())
    browser.upload(protected.name, wheel(module="x = 2\n"), status=409)
    (rejected,) = listed(browser, protected, kind="admin", status="4xx")
    assert rejected["reason"].startswith(f"File already exists: {FILE}")
    assert (rejected["filename"], rejected["user"]) == (FILE, browser.server.admin[0])


def test_no_body_of_a_change_is_recorded(browser: Browser) -> None:
    secret = "a passphrase of a user"
    email, _ = browser.server.user(passphrase=secret)
    browser.submit(
        f"/portal/users/{quote(email, safe='')}",
        f"/portal/users/{quote(email, safe='')}/passphrase",
        passphrase=secret + " 2",
    )
    changes = browser.request("GET", "/portal/requests.json?kind=admin").text
    assert "/passphrase" in changes
    assert secret not in changes


@pytest.mark.parametrize("number", ["0", "99999", "x", "-1", "1" * 400, "\u00b2"])
def test_an_unknown_request_number_shows_an_error_page(
    browser: Browser, busy: Index, number: str
) -> None:
    for path in (log(busy), "/portal/requests/changes"):
        assert "was not found" in browser.get(f"{path}/{number}", status=404).text


def test_a_long_log_has_pages_that_keep_the_filter(browser: Browser, index: Index) -> None:
    for number in range(60):
        index.get(f"/project{number}/")
    page = browser.get(f"{log(index)}?kind=page")
    assert len(shown(page)) == 50
    assert "The newest 50 requests" in page.text
    (link,) = page.all("a", rel="next")
    assert link["href"].startswith(f"{log(index)}?kind=page&before=")
    second = browser.get(link["href"])
    assert len(set(shown(page) + shown(second))) == 60
    assert not second.all("a", rel="next")
    assert second.all("a", href=f"{log(index)}?kind=page")
    # Only the first page is live: new requests belong there.
    assert page.all("tbody")[0]["data-live"].startswith(f"{log(index)}/live?kind=page")
    assert "data-live" not in second.all("tbody")[0]


def test_a_page_searches_a_limited_number_of_requests() -> None:
    entries = [
        Entry(method="GET", path=f"/{number}", user_agent="", status=200, settled=number)
        for number in range(1, 101)
    ]
    queues = [entries[::2], [], entries[1::2]]
    predicates = LogFilter(q="/7").predicates()
    seen: list[str] = []
    before: int | None = None
    searched = 0
    while True:
        found = search_page(queues, predicates, before=before, limit=15)
        searched += found.searched
        assert found.searched <= 15
        seen += [entry.path for entry in found.entries]
        if found.next is None:
            break
        before = found.next
    assert seen == [f"/{number}" for number in range(79, 69, -1)] + ["/7"]
    assert searched == 100


def test_a_full_page_continues_with_the_next_request() -> None:
    entries = [
        Entry(method="GET", path="/", user_agent="", status=200, settled=number)
        for number in range(1, 2 * ENTRIES_PER_PAGE + 1)
    ]
    first = search_page([entries], [])
    assert [entry.settled for entry in first.entries][::49] == [100, 51]
    second = search_page([entries], [], before=first.next)
    assert [entry.settled for entry in second.entries][::49] == [50, 1]
    assert second.next is None


def test_an_empty_log_explains_what_it_would_show(browser: Browser, index: Index) -> None:
    assert "Requests by clients, and changes" in browser.get(log(index)).text
    assert "No request matches the filter." in browser.get(f"{log(index)}?q=nothing").text


def test_the_csv_download_has_a_line_for_each_request(browser: Browser, busy: Index) -> None:
    response = browser.request("GET", f"{log(busy)}.csv?kind=upload")
    assert response.headers["Content-Type"] == "text/csv; charset=utf-8; header=present"
    disposition = f'attachment; filename="requests-{busy.name}.csv"'
    assert response.headers["Content-Disposition"] == disposition
    rejected, accepted = csv.DictReader(io.StringIO(response.text))
    assert (accepted["status"], accepted["user"]) == ("200", busy.username)
    assert (accepted["client"], accepted["project"]) == ("twine 5.1.1", "demo")
    assert rejected["reason"].startswith("File already exists")
    (broken,) = csv.DictReader(
        io.StringIO(browser.request("GET", f"{log(busy)}.csv?status=5xx").text)
    )
    assert broken["faults"] == "#1 status"


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\uff1d"])
def test_no_cell_of_a_csv_download_is_a_formula(browser: Browser, index: Index, start: str) -> None:
    formula = f"{start}cmd|' /C calc'!A0"
    index.get("/demo/?=cmd", User_Agent=formula.encode().decode("latin-1"))
    text = browser.request("GET", f"{log(index)}.csv").content.decode()
    (line,) = [line for line in csv.DictReader(io.StringIO(text)) if line["kind"] == "page"]
    assert line["user_agent"] == "'" + formula
    assert line["query"] == "'=cmd"
    assert line["arrived"][:2] == "20"


def test_a_download_of_all_repositories_has_their_names(browser: Browser, busy: Index) -> None:
    response = browser.request("GET", f"/portal/requests.json?q={FILE}")
    assert response.headers["Content-Disposition"] == 'attachment; filename="requests.json"'
    assert busy.name in {each["repository"] for each in response.json()["requests"]}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("/portal/activity", "/portal/requests"),
        ("/portal/activity?kind=uploads", "/portal/requests?kind=upload"),
        ("/portal/activity?kind=rejections", "/portal/requests?status=4xx"),
        ("/portal/repositories/x/activity?kind=y", "/portal/repositories/x/requests"),
    ],
)
def test_the_addresses_of_the_activity_pages_still_work(
    browser: Browser, old: str, new: str
) -> None:
    response = browser.request("GET", old)
    assert (response.status_code, response.headers["Location"]) == (303, new)


def test_uploads_by_the_admin_api_are_among_the_latest_uploads(
    browser: Browser, index: Index
) -> None:
    path = f"/api/repositories/{index.name}/files/{FILE}"
    index.server.request("PUT", path, data=wheel().data, auth=index.server.admin)
    assert f"{FILE} {index.name} {index.server.admin[0]}" in browser.get("/portal/").text


def test_a_new_repository_does_not_list_the_requests_of_a_deleted_one(
    browser: Browser, index: Index
) -> None:
    index.get("/old/")
    index.server.api_json("DELETE", f"/repositories/{index.name}")
    index.server.api_json("POST", "/repositories", {"name": index.name})
    assert "/old/" not in browser.get(log(index)).text
    assert "/old/" not in browser.get("/portal/requests?q=/old/").text
