"""The faults of one request: they wrap the view that it reads from, and its response.

The handler of a request calls `before`, reads from `view`, and returns what `after` returns. The
code in between, such as the readers, does not know about faults.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import TypeVar

from aiohttp import web

from cloudrepo_server.domain.repository import Repository
from cloudrepo_server.domain.upstream import Upstreams
from cloudrepo_server.testkit import fault_kinds as kinds
from cloudrepo_server.testkit.faults import InstalledFault
from cloudrepo_server.web.http.request_state import state_of
from cloudrepo_server.web.http.responses import error_response
from cloudrepo_server.web.http.streamed_response import StreamedResponse
from cloudrepo_server.web.index.faulty_response import (
    html_error_page,
    redirect_response,
    reset_connection,
    send_and_close,
    send_faulty_body,
    status_response,
    wrong_range,
)
from cloudrepo_server.web.index.faulty_view import FaultyView
from cloudrepo_server.web.index.slow_head import prepare
from cloudrepo_server.web.index.view import RepositoryView

F = TypeVar("F", bound=kinds.Fault)

_BODY_FAULTS = (kinds.Corrupt, kinds.Truncate, kinds.Drip, kinds.Reset)
_READ_FAULTS = (
    kinds.WrongHash,
    kinds.WrongMetadataHash,
    kinds.WrongContentType,
    kinds.IgnoreRange,
    kinds.WrongRange,
    kinds.WrongSize,
    kinds.OtherMetadata,
    kinds.CloseKeepAlive,
    kinds.SlowHeaders,
    kinds.MissingETag,
)
_UPLOAD_FAULTS = (kinds.StoredThenError, kinds.Reset, kinds.CloseKeepAlive, kinds.SlowHeaders)
_METADATA_HEADERS = {"Content-Type": "application/octet-stream", "Cache-Control": "no-cache"}


class ActiveFaults:
    """The faults that apply to one request."""

    def __init__(self, faults: list[InstalledFault]) -> None:
        self._faults = faults
        self.fired = [fault.for_journal for fault in faults]
        """The faults that changed the response so far, for the journal."""

    def __bool__(self) -> bool:
        return bool(self._faults)

    def view(
        self, repository: Repository, upstreams: Upstreams, via: tuple[str, ...]
    ) -> RepositoryView:
        """Return the view of the repository that the request reads from.

        Args:
            repository: the repository.
            upstreams: the upstreams of all repositories.
            via: the ids of the repositories that the request passed on its way to this one.
        """
        if not self._faults:
            return RepositoryView(repository, upstreams, via)
        return FaultyView(repository, upstreams, self._faults, via)

    async def before(self, request: web.Request) -> web.Response | None:
        """Delay or reset the request, or return the response that replaces the handler's.

        Raises:
            ConnectionResetError: the connection was reset.
        """
        if not self._faults:
            return None
        latency = self._first(kinds.Latency)
        if latency is not None:
            await asyncio.sleep(latency.seconds)
        reset = self._first(kinds.Reset)
        if reset is not None:
            in_upload = request.method == "POST" and reset.when == "during"
            if in_upload:
                await request.content.readany()
            if in_upload or reset.when == "before":
                reset_connection(request)
        for fault in self._faults:
            match fault.specification:
                case kinds.Status() as status:
                    return status_response(status)
                case kinds.Redirect() as redirect:
                    return redirect_response(redirect)
                case kinds.HtmlErrorPage() as page:
                    return html_error_page(page)
        return None

    def request(self, request: web.Request) -> web.Request:
        """Return the request for the repository, without the headers that a fault ignores."""
        if self._first(kinds.MissingETag) is not None:
            # A file without an entity tag matches no condition.
            ignored = ["If-None-Match", *(("Range",) if "If-Range" in request.headers else ())]
        elif self._first(kinds.IgnoreRange) is None:
            return request
        elif "Range" not in request.headers:
            self._do_not_count(kinds.IgnoreRange)
            return request
        else:
            ignored = ["Range"]
        headers = request.headers.copy()
        for name in ignored:
            headers.pop(name, None)
        return request.clone(headers=headers)

    def upload_rejected(self) -> None:
        """Do not count faults that need a stored upload, because this upload was rejected."""
        self._do_not_count(*_UPLOAD_FAULTS)

    def read_rejected(self) -> None:
        """Do not count the faults that change a successful response, as the read was rejected."""
        self._do_not_count(*_BODY_FAULTS, *_READ_FAULTS)

    async def after(self, request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
        """Return the handler's response as the faults change it. A changed body is sent here.

        Raises:
            ConnectionResetError: the connection was reset, or closed in the middle of the body.
        """
        if not self._faults:
            return response
        response = self._replace_response(request, response)
        stored = self._first(kinds.StoredThenError)
        if stored is not None:
            if response.status == web.HTTPOk.status_code:
                return error_response(stored.status, "The upload failed.")
            self._do_not_count(kinds.StoredThenError)
        reset = self._first(kinds.Reset)
        if reset is not None and request.method == "POST":
            reset_connection(request)
        response = await self._change_body(request, response, reset)
        slow = self._first(kinds.SlowHeaders)
        if slow is not None and not response.prepared:
            await prepare(request, response, slow)
            if isinstance(response, StreamedResponse):
                await response.send(request)
        if self._first(kinds.CloseKeepAlive) is not None:
            await send_and_close(request, response)
        return response

    async def _change_body(
        self, request: web.Request, response: web.StreamResponse, reset: kinds.Reset | None
    ) -> web.StreamResponse:
        corrupt, truncate = self._first(kinds.Corrupt), self._first(kinds.Truncate)
        drip = self._first(kinds.Drip)
        if not any((corrupt, truncate, drip, reset)):
            return response
        if isinstance(response, StreamedResponse):
            size, empty = response.content_length, response.is_empty
            chunks = response.chunks()
        elif isinstance(response, web.Response) and isinstance(response.body, bytes):
            size, empty = len(response.body), not response.body
            chunks = _one_chunk(response.body)
        else:
            empty = True
        if empty or request.method == "HEAD":
            self._do_not_count(*_BODY_FAULTS)
            return response
        async with contextlib.aclosing(chunks):
            return await send_faulty_body(
                request,
                response,
                chunks,
                size,
                corrupt=corrupt,
                truncate=truncate,
                drip=drip,
                reset=reset,
                slow=self._first(kinds.SlowHeaders),
            )

    def _replace_response(
        self, request: web.Request, response: web.StreamResponse
    ) -> web.StreamResponse:
        other = self._first(kinds.OtherMetadata)
        if other is not None and state_of(request).details.kind == "metadata":
            return web.Response(body=other.data, headers=_METADATA_HEADERS)
        content_type = self._first(kinds.WrongContentType)
        if content_type is not None:
            response.headers["Content-Type"] = content_type.content_type
        missing = self._first(kinds.MissingETag)
        if missing is not None and response.headers.pop("ETag", None) is None:
            self._do_not_count(kinds.MissingETag)
        if self._first(kinds.WrongRange) is not None:
            if response.status == web.HTTPPartialContent.status_code:
                return wrong_range(response, has_body=request.method != "HEAD")
            self._do_not_count(kinds.WrongRange)
        return response

    def _first(self, kind: type[F]) -> F | None:
        for fault in self._faults:
            if isinstance(fault.specification, kind):
                return fault.specification
        return None

    def _do_not_count(self, *kind: type[kinds.Fault]) -> None:
        for fault in self._faults:
            if isinstance(fault.specification, kind):
                fault.undo()
                self.fired.remove(fault.for_journal)


async def _one_chunk(body: bytes) -> AsyncGenerator[bytes, None]:
    yield body
