"""The process that renders READMEs, which is killed if it does not finish in time."""

import asyncio
import contextlib
import os
import sys

import msgspec

from cloudrepo_server.errors import BusyError
from cloudrepo_server.pools import IS_CONNECTED

_SECONDS = 10.0
_MAX_WAITING = 32
_MAX_HTML = 4 << 20
_COMMAND = (sys.executable, "-P", "-m", "cloudrepo_server.specs.readme")
# The process needs no credentials of the server, so it gets none.
_ENVIRONMENT = ("PATH", "PYTHONPATH", "SYSTEMROOT", "LD_LIBRARY_PATH", "VIRTUAL_ENV")


class Rendered(msgspec.Struct, frozen=True, array_like=True):
    """The HTML of a README, or None, and whether images were left out of it."""

    html: str | None
    has_images: bool
    is_valid: bool
    """Whether PyPI accepts the README."""


NOT_RENDERED = Rendered(None, has_images=False, is_valid=False)


class ReadmeProcess:
    """A process that renders one README at a time, and is started when it is needed."""

    def __init__(self, *, seconds: float = _SECONDS) -> None:
        self._seconds = seconds
        self._process: asyncio.subprocess.Process | None = None
        self._lock = asyncio.Lock()
        self._waiting = 0

    async def render(self, text: str, content_type: str) -> Rendered:
        """Render a README; the HTML is None if that is not possible in time.

        Raises:
            BusyError: too many other READMEs are being rendered.
            ConnectionResetError: the client disconnected before its turn.
        """
        if self._waiting >= _MAX_WAITING:
            raise BusyError("The server is busy: too many READMEs wait to be rendered. Try again.")
        self._waiting += 1
        try:
            async with asyncio.timeout(self._seconds):
                await self._lock.acquire()
        except TimeoutError:
            raise BusyError("The server is busy: other READMEs are being rendered.") from None
        finally:
            self._waiting -= 1
        try:
            is_connected = IS_CONNECTED.get(None)
            if is_connected is not None and not is_connected():
                raise ConnectionResetError("the client has disconnected")
            return await self._render(text, content_type)
        finally:
            self._lock.release()

    async def close(self) -> None:
        """Kill the process."""
        if self._process is not None:
            process, self._process = self._process, None
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _render(self, text: str, content_type: str) -> Rendered:
        response = None
        try:
            async with asyncio.timeout(self._seconds):
                response = await self._exchange(msgspec.json.encode((text, content_type)) + b"\n")
        except (TimeoutError, OSError, ValueError):
            # The README takes too long, crashes the renderer, or its HTML is too large.
            pass
        finally:
            if response is None:
                await self.close()
        return NOT_RENDERED if response is None else msgspec.json.decode(response, type=Rendered)

    async def _exchange(self, line: bytes) -> bytes | None:
        if self._process is None:
            self._process = await asyncio.create_subprocess_exec(
                *_COMMAND,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
                limit=_MAX_HTML,
            )
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            return None
        stdin.write(line)
        await stdin.drain()
        # A process that ends closes its output, and the line is empty then.
        return await stdout.readline() or None
