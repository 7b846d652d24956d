"""What a fault does to a request and its answer."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator
from typing import TypeVar

import msgspec
from aiohttp import web

from cloudrepo_server.models import ListedFile, Project
from cloudrepo_server.testkit import faults as kinds
from cloudrepo_server.testkit.faults import InstalledFault
from cloudrepo_server.testkit.journal import Entry
from cloudrepo_server.web.http.responses import error_response, reason_phrase

_PIECE = 1 << 16
_DRIP_SECONDS = 0.05
_WRONG_DIGEST = "0" * 64

F = TypeVar("F", bound=kinds.Fault)


class ActiveFaults:
    """The faults that strike one request."""

    def __init__(self, faults: list[InstalledFault], entry: Entry) -> None:
        self._faults = faults
        self._entry = entry

    def __bool__(self) -> bool:
        return bool(self._faults)

    async def before(self, request: web.Request) -> web.Response | None:
        """Act before the handler; an answer stands for the handler's.

        Raises:
            ConnectionResetError: the connection was reset.
        """
        if not self._faults:
            return None
        latency = self._one(kinds.Latency)
        if latency is not None:
            await asyncio.sleep(latency.seconds)
        reset = self._one(kinds.Reset)
        if reset is not None and request.method == "POST" and reset.when == "during":
            await request.content.readany()
        if reset is not None and (
            reset.when == "before" or (request.method == "POST" and reset.when == "during")
        ):
            raise self._reset(request)
        status = self._one(kinds.Status)
        return None if status is None else _status_answer(status)

    def page(self, project: Project | None, name: str) -> Project | None:
        """The project as its page shall show it."""
        for fault in self._faults:
            specification = fault.specification
            if isinstance(specification, kinds.StalePage):
                project = fault.snapshot.get(name)
            elif project is not None and isinstance(specification, kinds.WrongHash):
                project = _changed(project, fault, sha256=_WRONG_DIGEST)
            elif project is not None and isinstance(specification, kinds.WrongMetadataHash):
                project = _changed(project, fault, metadata_sha256=_WRONG_DIGEST)
        return project

    def root(self, names: list[str]) -> list[str]:
        """The names as the root page shall show them."""
        for fault in self._faults:
            if isinstance(fault.specification, kinds.StalePage):
                return sorted(fault.snapshot)
        return names

    @property
    def stale(self) -> bool:
        """Whether pages are shown as they were."""
        return self._one(kinds.StalePage) is not None

    @property
    def metadata_missing(self) -> bool:
        """Whether a core metadata file shall not be there."""
        return self._one(kinds.MissingMetadata) is not None

    @property
    def spoils_body(self) -> bool:
        """Whether the answer's body does not go out as it is."""
        spoiling = (kinds.Drip, kinds.Reset, kinds.Truncate, kinds.Corrupt)
        return any(isinstance(fault.specification, spoiling) for fault in self._faults)

    def refused(self) -> None:
        """Take back the strikes that need an upload that was stored."""
        self._missed(kinds.StoredThenError)

    async def after(self, request: web.Request, answer: web.StreamResponse) -> web.StreamResponse:
        """Act on the handler's answer.

        Raises:
            ConnectionResetError: the connection was reset.
        """
        if not self._faults:
            return answer
        stored = self._one(kinds.StoredThenError)
        if stored is not None:
            if answer.status == web.HTTPOk.status_code:
                return error_response(stored.status, "The upload failed.")
            self._missed(kinds.StoredThenError)
        if self._one(kinds.Reset) is not None and request.method == "POST":
            raise self._reset(request)
        if isinstance(answer, web.Response) and self.spoils_body and isinstance(answer.body, bytes):
            if answer.body and request.method != "HEAD":
                return await self.send(request, answer, answer.body)
            self._missed(kinds.Truncate, kinds.Corrupt, kinds.Drip)
        return answer

    async def send(
        self, request: web.Request, answer: web.Response, body: bytes
    ) -> web.StreamResponse:
        """Send the answer with this body, spoiled.

        Raises:
            ConnectionResetError: the connection was reset or cut.
        """
        truncate, reset, drip = (
            self._one(kinds.Truncate),
            self._one(kinds.Reset),
            self._one(kinds.Drip),
        )
        end = len(body)
        if self._one(kinds.Corrupt) is not None:
            at = end // 2
            body = body[:at] + bytes([body[at] ^ 0xFF]) + body[at + 1 :]
        if truncate is not None:
            end = min(truncate.keep, end)
        if reset is not None and reset.when == "during":
            end //= 2
        streamed = web.StreamResponse(
            status=answer.status, reason=answer.reason, headers=answer.headers
        )
        streamed.content_length = len(body)
        self._entry.status, self._entry.reason = answer.status, answer.reason or ""
        await streamed.prepare(request)
        async for piece in _pieces(body[:end], drip):
            self._entry.bytes_sent += len(piece)
            await streamed.write(piece)
        if reset is not None:
            raise self._reset(request)
        if end < len(body):
            if request.transport is not None:
                request.transport.close()
            raise ConnectionResetError("the answer was truncated by a fault")
        await streamed.write_eof()
        return streamed

    def _reset(self, request: web.Request) -> ConnectionResetError:
        transport = request.transport
        if transport is not None:
            connection = transport.get_extra_info("socket")
            if connection is not None:
                with contextlib.suppress(OSError):
                    # Without lingering, closing sends RST rather than FIN.
                    connection.setsockopt(
                        socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
                    )
            transport.abort()
        self._entry.status = self._entry.status or 0
        self._entry.reason = "the connection was reset by a fault"
        return ConnectionResetError(self._entry.reason)

    def _one(self, kind: type[F]) -> F | None:
        for fault in self._faults:
            if isinstance(fault.specification, kind):
                return fault.specification
        return None

    def _missed(self, *kind: type[kinds.Fault]) -> None:
        for fault in self._faults:
            if isinstance(fault.specification, kind):
                fault.undo()


def _status_answer(fault: kinds.Status) -> web.Response:
    answer = error_response(fault.status, fault.reason or f"Fault: status {fault.status}")
    if fault.reason is None:
        answer.set_status(fault.status)
    else:
        answer.set_status(fault.status, reason_phrase(fault.reason))
    answer.headers.update(fault.headers)
    return answer


def _changed(project: Project, fault: InstalledFault, **digests: str) -> Project:
    def change(file: ListedFile) -> ListedFile:
        if "metadata_sha256" in digests and file.metadata_sha256 is None:
            return file
        return msgspec.structs.replace(file, **digests)

    # Pages are kept by revision, and this one is no revision that ever was.
    return msgspec.structs.replace(
        project,
        files={name: change(file) for name, file in project.files.items()},
        revision=f"{project.revision} {fault.id}",
    )


async def _pieces(body: bytes, drip: kinds.Drip | None) -> AsyncIterator[bytes]:
    size = _PIECE if drip is None else max(1, int(drip.bytes_per_second * _DRIP_SECONDS))
    for start in range(0, len(body), size):
        piece = body[start : start + size]
        yield piece
        if drip is not None:
            await asyncio.sleep(len(piece) / drip.bytes_per_second)
