"""Repeats the response to a read, until a document or a fault changes.

Sending a page or a small file takes far less time than authentication, routing, content negotiation
and the journal. All of these depend on the head of the request, on the documents of the store and
on the faults of the repository. An equal request therefore gets the same response until one of them
changes. It is recorded like any other request.

Some responses depend on something else, and are never repeated:

- responses to tokens, which expire
- responses with files of upstreams or with signed URLs
- responses to requests that arrived through the proxy or with TLS, whose head does not contain the
  impersonated host or the scheme
"""

from collections.abc import Awaitable, Callable, Hashable
from email.utils import formatdate
from functools import lru_cache
from time import monotonic, time

import msgspec
from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import HttpVersion11
from aiohttp.web_protocol import RequestHandler

from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.limits import REPEATED_BYTES
from cloudrepo_server.testkit.journal import Entry
from cloudrepo_server.web.http.in_flight import InFlightRequests
from cloudrepo_server.web.http.request_state import (
    RequestState,
    new_request_id,
    repeatable_state,
)
from cloudrepo_server.web.index.downloads import is_download

_MAX_RESPONSE_BYTES = REPEATED_BYTES // 8
# The path, the query string and the headers of a request.
_MAX_HEAD_BYTES = 4 << 10
# The memory of a request's head, of its entry in the journal and of the objects around them.
_OVERHEAD_BYTES = 2 * _MAX_HEAD_BYTES
# Joining a head and a body of this size takes longer than sending them one after the other.
_MIN_SEPARATE_BYTES = 64 << 10
_STATUSES = (
    web.HTTPOk.status_code,
    web.HTTPPartialContent.status_code,
    web.HTTPNotModified.status_code,
)
# Headers whose values differ in each response.
_OWN_HEADERS = frozenset(("Date", "X-Request-Id"))

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
Key = tuple[Hashable, ...]


class KnownResponse(msgspec.Struct, frozen=True):
    """A response that was sent, and what was recorded about its request."""

    head: bytes
    """The status line, and the headers without `_OWN_HEADERS`."""
    body: bytes
    entry: Entry
    repository_id: str
    counts_as_download: bool

    @property
    def size(self) -> int:
        """The memory that the response takes, approximately."""
        return len(self.head) + len(self.body) + _OVERHEAD_BYTES


class KnownResponses:
    """The responses that belong to one revision of the store's documents, in bounded memory."""

    def __init__(self) -> None:
        self._revision: int | None = None
        self._responses: dict[Key, KnownResponse] = {}
        self.bytes = 0
        """The memory that the responses take, approximately."""

    def find(self, key: Key, revision: int) -> KnownResponse | None:
        """Return the response to a request, unless a document has changed since."""
        if revision != self._revision:
            self._clear()
            self._revision = revision
        return self._responses.get(key)

    def add(self, key: Key, response: KnownResponse, revision: int) -> None:
        """Add a response that was made from this revision of the documents."""
        if revision != self._revision or response.size > _MAX_RESPONSE_BYTES:
            return
        if self.bytes + response.size > REPEATED_BYTES:
            self._clear()
        if key not in self._responses:
            self.bytes += response.size
            self._responses[key] = response

    def _clear(self) -> None:
        self._responses.clear()
        self.bytes = 0


class RepeatedReads:
    """A handler of all requests. It sends the known response to an equal request again."""

    def __init__(
        self, organization: Organization, in_flight: InFlightRequests, handler: Handler
    ) -> None:
        """Prepare the handler.

        Args:
            organization: the organization.
            in_flight: the requests in flight.
            handler: handles the requests whose responses are not known.
        """
        self._organization = organization
        self._in_flight = in_flight
        self._handler = handler
        self._known = KnownResponses()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Return the known response to an equal request, or else the response of the handler."""
        started = monotonic()
        revision = self._organization.documents_revision
        if revision is None:
            return await self._handler(request)
        key = (request.method, request.raw_path, request.version, request.raw_headers)
        known = self._known.find(key, revision)
        if known is not None and self._may_repeat(request, known):
            self._in_flight.note_request(request.protocol)
            self._record(known, started)
            return _RepeatedResponse(request.writer, _complete_head(known), known.body)
        response = await self._handler(request)
        state = repeatable_state(request)
        if (
            state is not None
            and isinstance(response, web.Response)
            and _is_repeatable(request, response)
        ):
            # This adds the remaining headers, and completes the entry of the journal.
            await response.prepare(request)
            known = _known_response(request, response, state)
            if known is not None and self._organization.documents_revision == revision:
                self._known.add(key, known, revision)
        return response

    def _may_repeat(self, request: web.BaseRequest, known: KnownResponse) -> bool:
        organization, in_flight = self._organization, self._in_flight
        return not (
            not _arrived_directly(request)
            # The handler closes the connection, or responds that the server is busy.
            or in_flight.stopping
            or len(in_flight) >= organization.limits.requests
            or organization.testkit.has_faults(known.repository_id)
        )

    def _record(self, known: KnownResponse, started: float) -> None:
        entry, repository_id = known.entry.repeated(), known.repository_id
        testkit = self._organization.testkit
        testkit.record(repository_id, entry)
        if known.counts_as_download:
            self._organization.activity.count_download(repository_id, entry.project or "")
        entry.seconds = monotonic() - started
        testkit.settle(repository_id, entry, anonymous=entry.user is None)


class _RepeatedResponse(web.StreamResponse):
    """A response whose status line, headers and body are sent as they are."""

    def __init__(self, writer: AbstractStreamWriter, head: bytes, body: bytes) -> None:
        super().__init__()
        self._writer = writer
        self._sent_head = head
        self._sent_body = body

    @property
    def keep_alive(self) -> bool:
        """Return True: only responses that keep the connection are repeated."""
        return True

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter:  # noqa: ARG002 (as in the base class)
        """Return the writer of the response. `write_eof` sends the head and the body."""
        return self._writer

    async def write_eof(self, data: bytes = b"") -> None:  # noqa: ARG002 (as in the base class)
        """Send the response."""
        if len(self._sent_body) < _MIN_SEPARATE_BYTES:
            await self._writer.write_eof(self._sent_head + self._sent_body)
        else:
            await self._writer.write(self._sent_head)
            await self._writer.write_eof(self._sent_body)


def _arrived_directly(request: web.BaseRequest) -> bool:
    # A connection through the proxy has a class of its own.
    return type(request.protocol) is RequestHandler and not request.secure


def _is_repeatable(request: web.BaseRequest, response: web.Response) -> bool:
    headers = request.headers
    return (
        request.method == "GET"
        and request.version == HttpVersion11
        and request.keep_alive
        and _arrived_directly(request)
        and not request.body_exists
        and "X-Request-Id" not in headers
        and "Expect" not in headers
        and response.status in _STATUSES
        and _head_bytes(request) <= _MAX_HEAD_BYTES
    )


def _head_bytes(request: web.BaseRequest) -> int:
    headers = sum(len(name) + len(value) for name, value in request.raw_headers)
    return len(request.raw_path) + headers


def _known_response(
    request: web.BaseRequest, response: web.Response, state: RequestState
) -> KnownResponse | None:
    """Return the response for repetitions of the request, or None if it cannot be repeated."""
    entry, repository, body = state.details, state.repository, response.body or b""
    if repository is None or not isinstance(entry, Entry) or not isinstance(body, bytes):
        return None
    lines = [
        f"HTTP/1.1 {response.status} {response.reason}",
        *(
            f"{name}: {value}"
            for name, value in response.headers.items()
            if name not in _OWN_HEADERS
        ),
    ]
    return KnownResponse(
        "\r\n".join(lines).encode(),
        body,
        entry.repeated(),
        repository.document.id,
        is_download(request, entry, response),
    )


def _complete_head(known: KnownResponse) -> bytes:
    own = f"\r\nDate: {_date(int(time()))}\r\nX-Request-Id: {new_request_id()}\r\n\r\n"
    return known.head + own.encode()


@lru_cache(maxsize=1)
def _date(second: int) -> str:
    return formatdate(second, usegmt=True)
