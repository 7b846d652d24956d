"""How a server ends: what asks for it, and what is finished first."""

import asyncio
import contextlib
import logging
import signal
import sys
import threading
from collections.abc import Awaitable
from types import FrameType

from cloudrepo_server.process.listeners import Listeners
from cloudrepo_server.web.http.in_flight import InFlightRequests

log = logging.getLogger("cloudrepo_server")

_WATCH_SECONDS = 0.25
# For what is on the way to a server that stops listening.
_LAST_SECONDS = 0.1
# Windows has no SIGTERM from outside; what stops a server there sends CTRL_BREAK.
_SIGNALS = [
    getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGBREAK") if hasattr(signal, name)
]


class Ending:
    """Whether the server was asked to end, and whether it was asked again, which means at once."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.at_once = asyncio.Event()

    def ask(self) -> None:
        """Ask for the end; whoever asks again will not wait for what is in flight."""
        (self.at_once if self.asked.is_set() else self.asked).set()

    def ask_at_once(self) -> None:
        """Ask for the end on behalf of somebody who is gone."""
        self.at_once.set()
        self.asked.set()

    def ask_on_signals(self) -> None:
        """Ask when this process is told to end."""
        loop = asyncio.get_running_loop()

        def by_handler(_signal: int, _frame: FrameType | None) -> None:
            loop.call_soon_threadsafe(self.ask)

        for number in _SIGNALS:
            try:
                loop.add_signal_handler(number, self.ask)
            except NotImplementedError:  # Windows
                signal.signal(number, by_handler)

    def ask_when_gone(self, owner_pid: int, gone: threading.Event) -> None:
        """Ask when that process is gone, and set `gone`."""
        loop = asyncio.get_running_loop()

        def watch() -> None:
            # Imported when the server is ready, since it takes a while.
            import psutil

            try:
                owner = psutil.Process(owner_pid)
                # is_running compares the start time, so a recycled pid is nobody's owner.
                while owner.is_running() and owner.status() != psutil.STATUS_ZOMBIE:
                    gone.wait(_WATCH_SECONDS)
                gone.set()
            except psutil.NoSuchProcess:
                gone.set()
            except psutil.AccessDenied:
                print(f"cannot watch the process {owner_pid}", file=sys.stderr)
            loop.call_soon_threadsafe(self.ask_at_once)

        threading.Thread(target=watch, name="owner", daemon=True).start()


async def finish(
    listeners: Listeners, in_flight: InFlightRequests, ending: Ending, *, drain: float, grace: float
) -> None:
    """Take requests for `drain` seconds more, then finish those in flight, in `grace` seconds.

    aiohttp's own shutdown waits for handlers, but stops reading: an upload could not end well.
    """
    in_flight.stopping = True
    await _within(drain, ending.at_once.wait())
    await listeners.close()
    # What was accepted by now, or was sent on a kept connection, begins to be answered.
    await _within(min(grace, _LAST_SECONDS), ending.at_once.wait())
    listeners.close_idle()
    quiet = asyncio.ensure_future(in_flight.wait_until_none())
    hurry = asyncio.ensure_future(ending.at_once.wait())
    try:
        await asyncio.wait({quiet, hurry}, timeout=grace, return_when=asyncio.FIRST_COMPLETED)
    finally:
        quiet.cancel()
        hurry.cancel()
    if in_flight:
        log.warning("%d requests in flight were cut", len(in_flight))


async def _within(seconds: float, condition: Awaitable[object]) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await condition
