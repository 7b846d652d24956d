"""A process for work that may need hours, or all memory. It is killed if it takes too long.

The program is a module of `specs` that calls `serve_lines`. Each request to it is one line of JSON,
and each response too.
"""

import asyncio
import contextlib
import os
import sys

import msgspec

from cloudrepo_server.errors import BusyError
from cloudrepo_server.pools import IS_CONNECTED

REQUEST_SECONDS = 10.0
"""The time for one request, and the time that it may wait for its turn."""
_MAX_WAITING = 32
_MAX_RESPONSE = 4 << 20
# The process needs no credentials of the server, so it gets none.
_ENVIRONMENT = ("PATH", "PYTHONPATH", "SYSTEMROOT", "LD_LIBRARY_PATH", "VIRTUAL_ENV")


class LineProcess:
    """A process that handles one request at a time, and is started when it is needed."""

    def __init__(self, module: str, work: str, *, seconds: float = REQUEST_SECONDS) -> None:
        self._command = (sys.executable, "-P", "-m", module)
        self._work = work
        self._seconds = seconds
        self._process: asyncio.subprocess.Process | None = None
        self._lock = asyncio.Lock()
        self._waiting = 0

    async def request(self, request: object, *, seconds: float | None = None) -> bytes | None:
        """Return the response to a request, as JSON; None if the process fails or takes too long.

        Args:
            request: what the program reads, as JSON.
            seconds: the time limit of this request. By default that of the process.

        Raises:
            BusyError: too many other requests wait.
            ConnectionResetError: the client disconnected before its turn.
        """
        if self._waiting >= _MAX_WAITING:
            raise BusyError(
                f"The server is busy: too many requests wait for {self._work}. Try again."
            )
        self._waiting += 1
        try:
            async with asyncio.timeout(self._seconds):
                await self._lock.acquire()
        except TimeoutError:
            raise BusyError(
                f"The server is busy: the request waited too long for {self._work}. Try again."
            ) from None
        finally:
            self._waiting -= 1
        try:
            is_connected = IS_CONNECTED.get(None)
            if is_connected is not None and not is_connected():
                raise ConnectionResetError("the client has disconnected")
            return await self._respond(request, self._seconds if seconds is None else seconds)
        finally:
            self._lock.release()

    async def close(self) -> None:
        """Kill the process."""
        if self._process is not None:
            process, self._process = self._process, None
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _respond(self, request: object, seconds: float) -> bytes | None:
        response = None
        try:
            async with asyncio.timeout(seconds):
                response = await self._exchange(msgspec.json.encode(request) + b"\n")
        except (TimeoutError, OSError, ValueError):
            # The work takes too long, crashes the program, or its result is too large.
            pass
        finally:
            if response is None:
                await self.close()
        return response

    async def _exchange(self, line: bytes) -> bytes | None:
        if self._process is None:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
                limit=_MAX_RESPONSE,
            )
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            return None
        stdin.write(line)
        await stdin.drain()
        # A process that ends closes its output, and the line is empty then.
        return await stdout.readline() or None
