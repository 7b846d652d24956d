"""The request log: what clients sent to the repositories, and what the admin API changed."""

import heapq
from collections.abc import Iterable, Sequence
from functools import partial
from itertools import islice
from operator import attrgetter
from urllib.parse import urlencode

from aiohttp import web

from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.domain.repository import Repository
from cloudrepo_server.errors import NotFoundError
from cloudrepo_server.pools import PAGES
from cloudrepo_server.testkit.journal import Entry, EntryQueue, Journal
from cloudrepo_server.testkit.journals import CHANGES_JOURNAL
from cloudrepo_server.web.portal.list_downloads import CONTENT_TYPES, download_headers
from cloudrepo_server.web.portal.log.downloads import REQUEST_DOWNLOAD
from cloudrepo_server.web.portal.log.filters import (
    AGES,
    KINDS,
    STATUSES,
    LogFilter,
    Predicate,
)
from cloudrepo_server.web.portal.log.live import LiveView
from cloudrepo_server.web.portal.log.rows import CHANGES_PART, Row
from cloudrepo_server.web.portal.log.search import matching_requests, neighbours, search_page
from cloudrepo_server.web.portal.log.subjects import describe_subjects
from cloudrepo_server.web.portal.paths import ACTIVITY, REPOSITORY, REQUESTS, repository_path
from cloudrepo_server.web.portal.portal_request import PortalRequest, Route
from cloudrepo_server.web.portal.repositories_of_tests import repository_context

_OF_REPOSITORY = REPOSITORY + "/requests"
_MAX_ENTRIES_SCANNED = 20_000
_MAX_NUMBER_DIGITS = 15
_FIRST_ERROR_STATUS = 400
_ACTIVITY_FILTERS = {
    "uploads": "kind=upload",
    "downloads": "kind=file",
    "rejections": "status=4xx",
}
"""The query string of this page for each filter of the former page Activity."""


async def show_all(request: PortalRequest) -> web.Response:
    """Show the requests to all repositories, and the changes."""
    return await _render(request, None)


async def show_repository(request: PortalRequest) -> web.Response:
    """Show the requests to one repository, and the changes of it."""
    return await _render(request, await request.repository())


async def show_request(request: PortalRequest) -> web.Response:
    """Show all details of one request to a repository."""
    repository = await request.repository()
    journal = request.organization.testkit.recorded(repository.document.id)
    entry = _find(request, journal)
    return await _render_entry(request, entry, repository)


async def show_change(request: PortalRequest) -> web.Response:
    """Show all details of one change by the admin API or in the portal."""
    entry = _find(request, request.organization.testkit.recorded(CHANGES_JOURNAL))
    name = entry.repository
    return await _render_entry(
        request, entry, None if name is None else await request.organization.find(name)
    )


async def stream_all(request: PortalRequest) -> web.StreamResponse:
    """Send the new requests to all repositories as they complete."""
    return await _stream(request, None)


async def stream_repository(request: PortalRequest) -> web.StreamResponse:
    """Send the new requests to one repository as they complete."""
    return await _stream(request, await request.repository())


async def download_all(request: PortalRequest, extension: str) -> web.StreamResponse:
    """Return the requests to all repositories as a file."""
    return await _download(request, extension, None)


async def download_repository(request: PortalRequest, extension: str) -> web.StreamResponse:
    """Return the requests to one repository as a file."""
    return await _download(request, extension, await request.repository())


async def redirect_activity(request: PortalRequest) -> web.Response:
    """Redirect from the former page Activity, which this page replaces."""
    name = request.path_parameters.get("repository")
    path = REQUESTS if name is None else repository_path(name, "requests")
    query = _ACTIVITY_FILTERS.get(request.query.get("kind", ""), "")
    return request.redirect(f"{path}?{query}" if query else path)


def latest_uploads(
    organization: Organization, repositories: Iterable[Repository], count: int
) -> list[Row]:
    """Return the newest files that clients, the admin API or the portal added to repositories."""
    names = {repository.name for repository in repositories}
    journals = _journals(organization, repositories)
    newest = heapq.merge(
        *(reversed(journal.users) for journal in journals), key=attrgetter("settled"), reverse=True
    )
    scanned = islice(newest, _MAX_ENTRIES_SCANNED)
    uploads = (entry for entry in scanned if _is_upload(entry) and entry.repository in names)
    return [Row(entry) for entry in islice(uploads, count)]


def _is_upload(entry: Entry) -> bool:
    by_admin = entry.kind == "admin" and (
        entry.method == "PUT" or (entry.method == "POST" and entry.path.endswith("/upload"))
    )
    return (
        (entry.kind == "upload" or by_admin)
        and entry.filename is not None
        and 0 < (entry.status or 0) < _FIRST_ERROR_STATUS
    )


async def _render(request: PortalRequest, repository: Repository | None) -> web.Response:
    log_filter = LogFilter.of(request.query)
    last = request.organization.testkit.feed.last
    before = _number(request.query.get("before", ""))
    queues, predicates = await _sources(request, log_filter, repository)
    found = await PAGES.run(search_page, queues, predicates, before=before)
    base = REQUESTS if repository is None else repository_path(repository.name, "requests")
    query = urlencode(log_filter.query)
    context = (
        {} if repository is None else await repository_context(request.organization, repository)
    )
    return request.render(
        "requests.html" if repository is None else "repository_requests.html",
        rows=[Row(entry) for entry in found.entries],
        found=found,
        is_newest=before is None,
        older=None if found.next is None else urlencode({**log_filter.query, "before": found.next}),
        log_filter=log_filter,
        kinds={name: label for name, (label, _) in KINDS.items()},
        statuses={name: label for name, (label, _) in STATUSES.items()},
        ages={name: label for name, (label, _) in AGES.items()},
        base=base,
        log_query=f"?{query}" if query else "",
        live=f"{base}/live?{urlencode({**log_filter.query, 'after': str(last)})}",
        shared=request.organization.shared,
        repository=repository,
        **context,
        current_tab="requests",
    )


async def _render_entry(
    request: PortalRequest, entry: Entry, repository: Repository | None
) -> web.Response:
    described = await describe_subjects(request.organization, entry, repository)
    queues, predicates = await _sources(request, LogFilter(), repository)
    older, newer = await PAGES.run(neighbours, queues, predicates, entry)
    return request.render(
        "request.html" if repository is None else "repository_request.html",
        row=Row(entry),
        older=None if older is None else Row(older),
        newer=None if newer is None else Row(newer),
        log_path=REQUESTS if repository is None else repository_path(repository.name, "requests"),
        **described,
        repository=repository,
        current_tab="requests",
    )


async def _sources(
    request: PortalRequest, log_filter: LogFilter, repository: Repository | None
) -> tuple[list[list[Entry]], list[Predicate]]:
    """Return copies of the queues of requests, which a thread can search, and the conditions."""
    organization = request.organization
    repositories = await organization.repositories() if repository is None else [repository]
    journals = _journals(organization, repositories)
    queues = [
        _entries(queue, repository)
        for journal in journals
        for queue in (journal.users, journal.anonymous)
    ]
    return queues, log_filter.predicates()


def _entries(queue: EntryQueue, repository: Repository | None) -> list[Entry]:
    """Return a copy of a queue, without the requests for other repositories than this one.

    A search ends after a number of requests. Changes of other repositories must not count.
    """
    if repository is None:
        return list(queue)
    name = repository.name
    return [entry for entry in queue if entry.repository == name]


def _journals(organization: Organization, repositories: Iterable[Repository]) -> list[Journal]:
    ids = [CHANGES_JOURNAL, *(repository.document.id for repository in repositories)]
    found = (organization.testkit.recorded(journal_id) for journal_id in ids)
    return [journal for journal in found if journal is not None]


def _find(request: PortalRequest, journal: Journal | None) -> Entry:
    given = request.path_parameters["number"]
    number = _number(given)
    entry = None if journal is None or number is None else journal.find(number)
    if entry is None:
        raise NotFoundError(
            f"The request {given[:_MAX_NUMBER_DIGITS]} was not found: the log keeps only the "
            "newest requests, and only until the server stops."
        )
    return entry


def _number(text: str) -> int | None:
    is_number = text.isascii() and text.isdigit() and len(text) <= _MAX_NUMBER_DIGITS
    return int(text) if is_number else None


async def _stream(request: PortalRequest, repository: Repository | None) -> web.StreamResponse:
    with_repository = repository is None

    def render(entries: Sequence[Entry]) -> str:
        rows = [Row(entry) for entry in reversed(entries)]
        context = {"rows": rows, "with_repository": with_repository}
        return request.render_text("log_rows.html", context)

    async def is_signed_in() -> bool:
        return await request.organization.sessions.username(request.session_id) is not None

    feed = request.organization.testkit.feed
    # A browser that reconnects sends the id of the last event that it received.
    given = request.http.headers.get("Last-Event-ID") or request.query.get("after", "")
    after = _number(given)
    predicates = LogFilter.of(request.query).predicates()
    if repository is not None:
        name = repository.name
        predicates.insert(0, lambda entry: entry.repository == name)
    view = LiveView(
        feed=feed,
        predicates=predicates,
        render=render,
        is_signed_in=is_signed_in,
        after=feed.last if after is None else after,
    )
    return await request.live_pages.stream(request.http, view)


async def _download(
    request: PortalRequest, extension: str, repository: Repository | None
) -> web.StreamResponse:
    name = "requests" if repository is None else f"requests-{repository.name}"
    headers = download_headers(name, extension)
    if request.http.method == "HEAD":
        return web.Response(headers=headers)
    queues, predicates = await _sources(request, LogFilter.of(request.query), repository)
    entries = await PAGES.run(matching_requests, queues, predicates)
    return await REQUEST_DOWNLOAD.response(entries, headers, extension)


ROUTES = (
    Route("GET", REQUESTS, show_all),
    *(
        Route("GET", f"{REQUESTS}.{extension}", partial(download_all, extension=extension))
        for extension in CONTENT_TYPES
    ),
    Route("GET", REQUESTS + "/live", stream_all),
    Route("GET", f"{REQUESTS}/{CHANGES_PART}/{{number}}", show_change),
    Route("GET", _OF_REPOSITORY, show_repository),
    *(
        Route(
            "GET",
            f"{_OF_REPOSITORY}.{extension}",
            partial(download_repository, extension=extension),
        )
        for extension in CONTENT_TYPES
    ),
    Route("GET", _OF_REPOSITORY + "/live", stream_repository),
    Route("GET", _OF_REPOSITORY + "/{number}", show_request),
    Route("GET", ACTIVITY, redirect_activity),
    Route("GET", REPOSITORY + "/activity", redirect_activity),
)
