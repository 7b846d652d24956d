"""The counts of uploads and downloads, and the plot of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests

from cloudrepo_server.domain.activity import MAX_INTERVALS, Counts
from cloudrepo_server.web.portal import plot
from tests.support.archives import Archive, sdist, wheel
from tests.support.index import Index, Server
from tests.support.platforms import NEEDS_GRACEFUL_STOP
from tests.support.portal.browser import Browser
from tests.support.server_fixtures import StartServer
from tests.support.wait import wait_until

BIG = wheel("big", padding=700_000)


def path_of(archive: Archive) -> str:
    return f"/{archive.filename.partition('-')[0]}/{archive.filename}"


def counts(browser: Browser, index: Index, project: str | None = None) -> tuple[int, int]:
    """Return the uploads and downloads that a page shows."""
    below = "" if project is None else f"/projects/{project}"
    text = browser.get(f"/portal/repositories/{index.name}{below}").text
    found = re.search(r"Activity ([\d,]+) uploads? ([\d,]+) downloads?", text)
    assert found is not None, text
    return int(found[1].replace(",", "")), int(found[2].replace(",", ""))


def test_uploads_and_downloads_are_counted_for_the_project_and_the_repository(
    browser: Browser, index: Index
) -> None:
    index.publish(wheel("one"), sdist("one"), wheel("two"))
    for archive in (wheel("one"), wheel("one"), wheel("two")):
        assert index.get(path_of(archive)).status_code == 200
    assert counts(browser, index, "one") == (2, 2)
    assert counts(browser, index, "two") == (1, 1)
    assert counts(browser, index) == (3, 3)


def head(index: Index) -> requests.Response:
    return index.request("HEAD", path_of(BIG))


def not_modified(index: Index) -> requests.Response:
    tag = head(index).headers["ETag"]
    response = index.get(path_of(BIG), If_None_Match=tag)
    assert response.status_code == 304
    return response


@pytest.mark.parametrize(
    ("request_it", "expected"),
    [
        (lambda index: index.get(path_of(BIG)), 1),
        (head, 0),
        (not_modified, 0),
        (lambda index: index.get("/big/"), 0),
        (lambda index: index.get(path_of(BIG) + ".metadata"), 0),
        (lambda index: index.get("/big/missing-1.0.tar.gz"), 0),
        (lambda index: index.request("GET", path_of(BIG), auth=None), 0),
        (lambda index: index.get(path_of(BIG), Range="bytes=-100"), 0),
        (lambda index: index.get(path_of(BIG), Range="bytes=5000-"), 0),
        (lambda index: index.get(path_of(BIG), Range="bytes=0-99"), 1),
        (lambda index: index.get(path_of(BIG), Range="bytes=999999999-"), 0),
    ],
    ids=[
        "file",
        "HEAD",
        "not modified",
        "page",
        "metadata",
        "missing",
        "no login",
        "last bytes",
        "rest of a file",
        "first bytes",
        "invalid range",
    ],
)
def test_only_a_response_that_begins_a_file_is_a_download(
    browser: Browser, index: Index, request_it: Callable[[Index], requests.Response], expected: int
) -> None:
    index.publish(BIG)
    request_it(index)
    assert counts(browser, index, "big") == (1, expected)


def test_the_parts_of_a_file_are_one_download(browser: Browser, index: Index) -> None:
    index.publish(BIG)
    size, step = len(BIG.data), 100_000
    content = b"".join(
        index.get(path_of(BIG), Range=f"bytes={start}-{start + step - 1}").content
        for start in range(0, size, step)
    )
    assert content == BIG.data
    assert counts(browser, index, "big") == (1, 1)


def test_a_download_that_a_fault_rejects_is_not_counted(browser: Browser, index: Index) -> None:
    index.publish(wheel())
    index.api_json("POST", "/faults", {"kind": "status", "status": 503, "times": 1})
    assert index.get(path_of(wheel())).status_code == 503
    assert index.get(path_of(wheel())).status_code == 200
    assert counts(browser, index) == (1, 1)


def test_rejected_and_identical_uploads_are_not_counted(browser: Browser, protected: Index) -> None:
    protected.publish(wheel())
    assert protected.upload(wheel(module="x = 2\n")).status_code == 409
    assert counts(browser, protected) == (1, 0)
    protected.set(overwrite_protection=False)
    protected.publish(wheel(module="x = 2\n"))
    assert counts(browser, protected) == (2, 0)


def test_files_of_an_upstream_are_downloads_of_the_repository(
    browser: Browser, index: Index, server: Server
) -> None:
    upstream = server.repository()
    upstream.publish(wheel("other"))
    index.publish(wheel("own"))
    index.set(upstream=[upstream.name])
    assert index.get(path_of(wheel("other"))).status_code == 200
    assert counts(browser, index) == (1, 1)
    assert counts(browser, index, "own") == (1, 0)


def test_counts_outlive_the_requests_in_the_journal(browser: Browser, index: Index) -> None:
    index.publish(wheel())
    index.get(path_of(wheel()))
    index.api("DELETE", "/requests")
    assert index.journal() == []
    assert counts(browser, index) == (1, 1)


def test_a_new_repository_of_the_same_name_has_no_counts(
    browser: Browser, index: Index, server: Server
) -> None:
    index.publish(wheel())
    index.get(path_of(wheel()))
    server.api("DELETE", f"/repositories/{index.name}")
    again = server.repository(index.name)
    again.publish(wheel())
    assert counts(browser, again) == (1, 0)


def test_the_plot_has_a_text_and_a_table(browser: Browser, index: Index) -> None:
    index.publish(wheel())
    index.get(path_of(wheel()))
    page = browser.get(f"/portal/repositories/{index.name}")
    (image,) = page.all("svg", role="img")
    assert page.all("title", id=image["aria-labelledby"])
    titles = re.search(r'<title id="plot-title">(.*?)</title>', page.response.text)
    assert titles is not None
    assert "1 upload and 1 download" in titles[1]
    rows = re.findall(
        r'<td class="number">(\d+)</td><td class="number">(\d+)</td>', page.response.text
    )
    assert [sum(int(row[at]) for row in rows) for at in (0, 1)] == [1, 1]
    assert not [name for name, attributes in page.elements if "style" in attributes]


@NEEDS_GRACEFUL_STOP
def test_counts_survive_a_restart_and_a_kill_loses_at_most_the_newest(
    start_server: StartServer, tmp_path: Path
) -> None:
    server = Server(start_server("--data", tmp_path / "data"))
    index = server.repository("kept")
    index.publish(wheel())
    index.get(path_of(wheel()))
    assert server.process.stop() == 0
    second = Server(start_server("--data", tmp_path / "data"))
    index = Index(second, "kept", index.username, index.password)
    browser = Browser(second)
    browser.sign_in(*second.admin)
    assert counts(browser, index) == counts(browser, index, "demo") == (1, 1)
    assert "since the server started" not in browser.get("/portal/repositories/kept").text
    index.get(path_of(wheel()))
    assert counts(browser, index) == (1, 2)
    store = tmp_path / "data" / "store" / "activity"
    written = {path: path.read_bytes() for path in store.rglob("*.json")}
    assert len(written) == 2
    wait_until(
        lambda: all(path.read_bytes() != before for path, before in written.items()),
        "the counts to be written",
    )
    second.process.kill()
    third = Server(start_server("--data", tmp_path / "data"))
    browser = Browser(third)
    browser.sign_in(*third.admin)
    kept = Index(third, "kept", index.username, index.password)
    assert counts(browser, kept) == (1, 2)
    third.api("DELETE", "/repositories/kept")
    wait_until(lambda: not list(store.rglob("*.json")), "the counts to be deleted")


@pytest.mark.parametrize(
    ("first", "last", "now", "interval"),
    [
        # The repository of a test that ended days ago: its seconds are still visible.
        (0, 20, 3 * 86_400, "second"),
        (0, 20, 25, "second"),
        (0, 3000, 3100, "minute"),
        (0, 40 * 86_400, 41 * 86_400, "day"),
        (0, 40 * 86_400, 70 * 86_400, "week"),
        (0, 900 * 86_400, 901 * 86_400, "4 weeks"),
    ],
)
def test_the_scale_of_a_plot_fits_what_happened(
    monkeypatch: pytest.MonkeyPatch, first: int, last: int, now: int, interval: str
) -> None:
    beginning = 1_700_000_000
    monkeypatch.setattr(plot, "time", lambda: float(beginning + now))
    counted = Counts()
    counted.count(beginning + first, uploads=1)
    counted.count(beginning + last, downloads=7)
    created = plot.create_plot(counted)
    assert created is not None
    assert created.interval == interval
    assert created.width <= (MAX_INTERVALS + 1) * plot.SLOT
    assert [(bar.uploads, bar.downloads) for bar in created.bars] == [(1, 0), (0, 7)]
    assert created.start <= datetime.fromtimestamp(beginning, UTC)
    assert created.end >= datetime.fromtimestamp(beginning + last, UTC) - timedelta(seconds=1)
