"""The stream of new requests: who may read it, what it sends, and when it ends."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from cloudrepo_server.limits import FEED_ENTRIES, MAX_LIVE_PAGES
from tests.support.index import Index, Server
from tests.support.platforms import needs_posix
from tests.support.portal.browser import Browser
from tests.support.portal.event_stream import event_stream
from tests.support.raw import connect
from tests.support.server_fixtures import StartServer
from tests.support.wait import wait_until


@pytest.fixture
def own_browser(own_server: Server) -> Iterator[Browser]:
    """A browser in which the admin user of a server of its own is signed in."""
    browser = Browser(own_server)
    browser.sign_in(*own_server.admin)
    yield browser
    browser.close()


def live(index: Index) -> str:
    """Return the path of the stream of a repository."""
    return f"/portal/repositories/{index.name}/requests/live"


def test_a_stream_sends_each_request_when_it_completes(browser: Browser, index: Index) -> None:
    with event_stream(browser, live(index)) as stream:
        assert stream.response.headers["Content-Type"] == "text/event-stream"
        index.get("/first/")
        html = stream.rows_until("/first/")
        assert '<tr class="entry"' in html
        assert index.username in html
        index.api_json("PATCH", json={"public": True})
        assert "PATCH" in stream.rows_until(f"/api/repositories/{index.name}")


def test_a_stream_sends_only_what_its_filter_and_repository_select(
    browser: Browser, index: Index
) -> None:
    other = index.server.repository()
    with event_stream(browser, live(index) + "?kind=page&status=4xx") as stream:
        other.get("/in-another-repository/")
        index.get("/")
        index.get("/missing/")
        html = stream.rows_until("/missing/")
        assert html.count("<tr") == 1


def test_a_stream_of_all_repositories_names_each_of_them(browser: Browser, index: Index) -> None:
    with event_stream(browser, f"/portal/requests/live?project=of-{index.name}") as stream:
        index.get(f"/of-{index.name}/")
        html = stream.rows_until(f"/of-{index.name}/")
        assert f'href="/portal/repositories/{index.name}/requests"' in html


def test_a_page_that_reconnects_receives_what_it_missed(browser: Browser, index: Index) -> None:
    with event_stream(browser, live(index)) as stream:
        index.get("/before/")
        stream.rows_until("/before/")
        last = stream.last_id
    index.get("/meanwhile/")
    for path, headers in (
        (f"{live(index)}?after={last}", {}),
        (live(index), {"Last-Event-ID": last}),
    ):
        with event_stream(browser, path, **headers) as stream:
            html = stream.rows_until("/meanwhile/")
            assert "/before/" not in html


@pytest.mark.parametrize("after", ["x", "-1", "9" * 40, "\u00b2"])
def test_an_invalid_event_number_means_only_new_requests(
    browser: Browser, index: Index, after: str
) -> None:
    index.get("/before/")
    with event_stream(browser, f"{live(index)}?after={after}") as stream:
        index.get("/now/")
        assert "/before/" not in stream.rows_until("/now/")


def test_a_page_is_informed_that_requests_were_left_out(browser: Browser, index: Index) -> None:
    with event_stream(browser, live(index)) as stream:
        first = stream.last_id
    for number in range(60):
        index.get(f"/project{number}/")
    with event_stream(browser, f"{live(index)}?after={first}") as stream:
        event = stream.read()
        assert event is not None
        assert event[1]["html"].count("<tr") == 50
        assert event[1]["left_out"] >= 10
        assert "/project59/" in event[1]["html"]
    # The number of a server that ended since the page was loaded.
    with event_stream(browser, f"{live(index)}?after={10**12}") as stream:
        assert stream.read() == ("rows", {"html": "", "left_out": int(stream.last_id)})


def test_markup_in_a_request_is_escaped_in_the_stream(browser: Browser, index: Index) -> None:
    with event_stream(browser, live(index)) as stream:
        index.get("/x/", User_Agent="<img src=x>/1")
        index.get("/<script>alert(1)<")
        html = stream.rows_until("alert(1)")
        assert "<script" not in html
        assert "<img" not in html


@pytest.mark.parametrize("path", ["/portal/requests/live", "/portal/repositories/x/requests/live"])
def test_a_stream_needs_a_sign_in(anonymous: Browser, path: str) -> None:
    response = anonymous.request("GET", path)
    assert response.status_code == 303
    assert response.headers["Location"].startswith("/portal/sign-in")


def test_a_head_request_for_a_stream_has_no_body(browser: Browser) -> None:
    response = browser.request("HEAD", "/portal/requests/live")
    assert response.headers["Content-Type"] == "text/event-stream"
    assert response.content == b""


def test_a_stream_ends_when_its_session_ends(own_browser: Browser) -> None:
    index = own_browser.server.repository()
    cookies = own_browser.session.cookies.copy()
    other = Browser(own_browser.server)
    other.session.cookies = cookies
    with event_stream(own_browser) as stream, event_stream(other) as copy:
        form = other.get("/portal/").sign_out
        other.request("POST", form.action, data=form.fields)
        index.get("/after-the-sign-out/")
        for each in (stream, copy):
            event = each.read()
            while event is not None and event[0] == "rows":
                # The sign-out itself may be sent before the session has ended.
                assert "/after-the-sign-out/" not in event[1]["html"]
                event = each.read()
            assert event == ("end", {"reason": "signed out"})
            assert each.read() is None
    other.close()


def test_the_number_of_live_pages_is_limited(own_browser: Browser) -> None:
    with ExitStack() as streams:
        for _ in range(MAX_LIVE_PAGES):
            streams.enter_context(event_stream(own_browser))
        response = own_browser.request("GET", "/portal/requests/live")
        assert response.status_code == 503
        assert f"{MAX_LIVE_PAGES} pages are live already" in response.text
        # A page itself works, and so do all other requests.
        own_browser.get("/portal/requests")

    def opens() -> bool:
        with own_browser.request("GET", "/portal/requests/live", stream=True) as response:
            return response.status_code == 200

    wait_until(opens, "the server to notice that the pages were closed")


def test_the_feed_of_live_pages_is_limited(browser: Browser, index: Index) -> None:
    with event_stream(browser, live(index)) as stream:
        first = int(stream.last_id)
    for _ in range(FEED_ENTRIES + 20):
        index.get("/")
    with event_stream(browser, f"{live(index)}?after={first}") as stream:
        event = stream.read()
        assert event is not None
        rows = event[1]["html"].count("<tr")
        assert rows == 50
        assert event[1]["left_out"] + rows == int(stream.last_id) - first


@needs_posix("SIGTERM")
def test_no_stream_prevents_the_server_from_ending(start_server: StartServer) -> None:
    process = start_server("--grace", "600")
    server = Server(process)
    browser = Browser(server)
    browser.sign_in(*server.admin)
    cookies = "; ".join("=".join(each) for each in browser.session.cookies.get_dict().items())
    with event_stream(browser) as stream, connect(server.url) as stalled:
        # A client that never reads its stream.
        head = f"GET /portal/requests/live HTTP/1.1\r\nHost: x\r\nCookie: {cookies}\r\n\r\n"
        stalled.send(head.encode())
        browser.get("/portal/requests")
        process.process.send_signal(signal.SIGTERM)
        event = stream.read()
        while event is not None and event[0] == "rows":
            event = stream.read()
        assert event in (("end", {"reason": "stopping"}), None)
        assert process.wait() == 0
    assert "aborted" not in process.log
    assert "Traceback" not in process.log
    browser.close()
    server.close()
