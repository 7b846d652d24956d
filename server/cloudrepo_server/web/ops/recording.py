"""Recording requests in the journals.

A journal lists the requests for a repository, those of trusted publishing included. The journal of
changes lists the requests to the admin API and the portal that can change something. Other requests
have no entry, nor do requests whose client disconnected early.
"""

from collections.abc import Awaitable, Callable
from time import monotonic

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from cloudrepo_server.domain.organization import is_repository_name
from cloudrepo_server.errors import truncate
from cloudrepo_server.limits import JOURNAL_TEXT
from cloudrepo_server.logs.redaction import redacted_record, was_secret_added
from cloudrepo_server.testkit.journal import Entry, EntryKind
from cloudrepo_server.testkit.journals import CHANGES_JOURNAL
from cloudrepo_server.testkit.registry import TestkitRegistry
from cloudrepo_server.web.http.masking import masked_headers, masked_query
from cloudrepo_server.web.http.methods import READS
from cloudrepo_server.web.http.request_state import state_of
from cloudrepo_server.web.http.user_agent import user_agent_of

_MAX_ERROR = JOURNAL_TEXT // 2
_MAX_ADVICE = JOURNAL_TEXT // 4


class ConnectionResetOnPurposeError(ConnectionResetError):
    """The server reset the connection of a request; the message says why."""


def record_changes(testkit: TestkitRegistry) -> Middleware:
    """Return the middleware that adds requests which can change something to their journal."""

    @web.middleware
    async def record(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.method in READS:
            return await handler(request)
        entry = new_entry(request, "admin")
        name = request.match_info.get("name", "")
        entry.repository = name if is_repository_name(name) else None
        entry.project = request.match_info.get("project")
        entry.filename = request.match_info.get("filename")
        return await record_request(testkit, CHANGES_JOURNAL, entry, request, handler)

    return record


async def record_request(
    testkit: TestkitRegistry,
    journal_id: str | None,
    entry: Entry,
    request: web.Request,
    handler: Handler,
) -> web.StreamResponse:
    """Handle a request, and add it to a journal.

    Args:
        testkit: the journals.
        journal_id: the id of a repository, `CHANGES_JOURNAL`, or None if the request is for no
            repository.
        entry: the entry of the request; handlers add details.
        request: the request.
        handler: returns the response.
    """
    state = state_of(request)
    state.details = entry
    if journal_id is not None:
        testkit.record(journal_id, entry)
    try:
        response = await handler(request)
    except ConnectionError as error:
        if isinstance(error, ConnectionResetOnPurposeError):
            _redact(entry)
            entry.reason = redacted_record(str(error)[:JOURNAL_TEXT])
            entry.status = entry.status or 0
        state.connection_lost = True
        raise
    finally:
        if journal_id is not None:
            testkit.settle(journal_id, entry, anonymous=entry.user is None)
    if response.prepared:
        # The entry has the time of the status line. Sending the streamed body took longer.
        entry.seconds = monotonic() - state.started
    return response


def new_entry(request: web.Request, kind: EntryKind, *, path: str | None = None) -> Entry:
    """Return the entry of a request that has arrived; `path` replaces the path of its URL."""
    return Entry(
        kind=kind,
        method=request.method,
        path=redacted_record(request.rel_url.raw_path if path is None else path),
        query=masked_query(request),
        user_agent=redacted_record(user_agent_of(request)),
        headers=masked_headers(request),
    )


def complete_entries(
    testkit: TestkitRegistry,
) -> Callable[[web.Request, web.StreamResponse], Awaitable[None]]:
    """Return the signal handler that completes the entry of each request.

    The handler is called before the response is sent, so the entry is complete before the client
    receives the response.
    """

    async def complete(request: web.Request, response: web.StreamResponse) -> None:
        entry = state_of(request).details
        if isinstance(entry, Entry):
            _complete(entry, request, response)
            testkit.complete(entry)

    return complete


def _complete(entry: Entry, request: web.Request, response: web.StreamResponse) -> None:
    state = state_of(request)
    # For a lost connection, aiohttp prepares a response 500. The client does not receive it.
    if state.connection_lost:
        return
    if isinstance(response, web.Response) and request.method != "HEAD":
        entry.bytes_sent = len(response.body) if isinstance(response.body, bytes) else 0
    entry.bytes_received = request.content.total_bytes
    entry.seconds = monotonic() - state.started
    _redact(entry)
    entry.reason = redacted_record((response.reason or "")[:JOURNAL_TEXT])
    if state.error is not None:
        explanation = state.error.explanation or str(state.error)
        entry.error = redacted_record(truncate(explanation, _MAX_ERROR))
        entry.rule = state.error.rule
        advice = state.error.advice
        entry.advice = advice and redacted_record(truncate(advice, _MAX_ADVICE))
    entry.status = response.status


def _redact(entry: Entry) -> None:
    if was_secret_added():
        entry.path = redacted_record(entry.path)
        entry.query = redacted_record(entry.query)
        entry.user_agent = redacted_record(entry.user_agent)
        if entry.headers is not None:
            headers = bytes(entry.headers).decode()
            entry.headers = msgspec.Raw(redacted_record(headers).encode())
    # The project and the file come from the path, which may contain a secret.
    if entry.project is not None:
        entry.project = redacted_record(entry.project)
    if entry.filename is not None:
        entry.filename = redacted_record(entry.filename)
