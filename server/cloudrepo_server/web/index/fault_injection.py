"""The faults of one request: they wrap the view that it reads from, and its response.

The handler of a request calls `before`, reads from `view`, and returns what `after` returns. The
code in between, such as the readers, does not know about faults.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import TypeVar

import msgspec
from aiohttp import web

from cloudrepo_server.domain.repository import Repository
from cloudrepo_server.domain.upstream import Upstreams
from cloudrepo_server.testkit import fault_kinds as kinds
from cloudrepo_server.testkit.faults import InstalledFault, RequestFacts
from cloudrepo_server.testkit.registry import TestkitRegistry
from cloudrepo_server.web.http.request_state import state_of
from cloudrepo_server.web.http.responses import error_response
from cloudrepo_server.web.http.streamed_response import StreamedResponse
from cloudrepo_server.web.index.fault_effects import (
    VIEW_FAULTS,
    body_of,
    can_change,
    has_body,
    size_of,
)
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
    """The faults that apply to one request: all that combine, and at most one that does not.

    If that one has nothing to change in the response, the next fault that matches the request
    replaces it. `read_rejected`, `upload_rejected` and `replace_ineffective` do this.
    """

    def __init__(self, testkit: TestkitRegistry, repository_id: str, facts: RequestFacts) -> None:
        """Find the faults of a repository that fire for a request."""
        self._testkit = testkit
        self._repository_id = repository_id
        self._facts = facts
        self._faults = testkit.fire_faults(repository_id, facts)
        self._view: FaultyView | None = None
        self._delayed = False
        self.fired = [fault.for_journal for fault in self._faults]
        """The faults that changed the response so far, for the journal."""

    def match_project(self, project: str | None) -> None:
        """Find the faults for the project of an upload, once its form was read."""
        self._facts = msgspec.structs.replace(self._facts, project=project)
        if all(fault.specification.combines for fault in self._faults):
            self._add(
                self._testkit.fire_faults(
                    self._repository_id, self._facts, project_faults_only=True
                )
            )

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
        self._view = FaultyView(repository, upstreams, self._faults, via)
        return self._view

    async def before(self, request: web.Request) -> web.Response | None:
        """Delay or reset the request, or return the response that replaces the handler's.

        Raises:
            ConnectionResetError: the connection was reset.
        """
        if not self._faults:
            return None
        latency = self._first(kinds.Latency)
        if latency is not None and not self._delayed:
            self._delayed = True
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
        elif self._first(kinds.IgnoreRange) is not None:
            ignored = ["Range"]
        else:
            return request
        headers = request.headers.copy()
        for name in ignored:
            headers.pop(name, None)
        return request.clone(headers=headers)

    def upload_rejected(self) -> bool:
        """Replace a fault that needs a stored upload, because this upload was rejected.

        Return whether another fault fires instead.
        """
        return self._replace(*_UPLOAD_FAULTS)

    def read_rejected(self) -> bool:
        """Replace a fault that needs a successful response, because the read was rejected.

        Return whether another fault fires instead.
        """
        ineffective = () if self._view_changed else VIEW_FAULTS
        return self._replace(*_BODY_FAULTS, *_READ_FAULTS, *ineffective)

    def read_redirected(self) -> None:
        """Undo the faults that change the response of the host to which the client is sent."""
        self._undo(*_BODY_FAULTS, *_READ_FAULTS)

    async def replace_ineffective(self, request: web.Request, response: web.StreamResponse) -> bool:
        """Replace a fault that has nothing to change in the handler's response.

        Return whether another fault fires instead. If so, `response` cannot be sent any more.
        """
        ineffective = [
            type(fault.specification)
            for fault in self._faults
            if not can_change(
                fault.specification, request, response, view_changed=self._view_changed
            )
        ]
        replaced = self._replace(*ineffective)
        if replaced and isinstance(response, StreamedResponse):
            await response.discard()
        return replaced

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
            return error_response(stored.status, "The upload failed.")
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
        if not has_body(request, response):
            return response
        if isinstance(response, StreamedResponse):
            chunks = response.chunks()
        else:
            chunks = _one_chunk(body_of(response))
        async with contextlib.aclosing(chunks):
            return await send_faulty_body(
                request,
                response,
                chunks,
                size_of(response),
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
        if self._first(kinds.MissingETag) is not None:
            response.headers.pop("ETag", None)
        if self._first(kinds.WrongRange) is not None:
            return wrong_range(response, has_body=request.method != "HEAD")
        return response

    @property
    def _view_changed(self) -> bool:
        return self._view is not None and self._view.changed

    def _first(self, kind: type[F]) -> F | None:
        for fault in self._faults:
            if isinstance(fault.specification, kind):
                return fault.specification
        return None

    def _replace(self, *ineffective: type[kinds.Fault]) -> bool:
        """Undo the faults of these kinds; return whether another fault fires instead."""
        undone = self._undo(*ineffective)
        for fault in undone:
            if not fault.specification.combines:
                following = self._testkit.fire_next_fault(self._repository_id, self._facts, fault)
                if following is not None:
                    self._add([following])
                    return True
        return False

    def _add(self, faults: list[InstalledFault]) -> None:
        self._faults.extend(faults)
        self.fired.extend(fault.for_journal for fault in faults)

    def _undo(self, *undone_kinds: type[kinds.Fault]) -> list[InstalledFault]:
        """Undo the faults of these kinds, and return them."""
        undone = [fault for fault in self._faults if isinstance(fault.specification, undone_kinds)]
        for fault in undone:
            fault.undo()
            self._faults.remove(fault)
            self.fired.remove(fault.for_journal)
        return undone


async def _one_chunk(body: bytes) -> AsyncGenerator[bytes, None]:
    yield body
