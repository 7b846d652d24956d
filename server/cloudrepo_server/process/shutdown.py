"""Graceful shutdown: what triggers it, and how the requests in flight are finished."""

import asyncio
import contextlib
import logging
import sys
import threading
from collections.abc import Awaitable

from cloudrepo_server.process.listeners import Listeners
from cloudrepo_server.process.owner import wait_for_end
from cloudrepo_server.process.signals import handle_signal
from cloudrepo_server.process.watchdog import STOP_SIGNALS, exit_at_the_latest
from cloudrepo_server.web.http.in_flight import InFlightRequests

log = logging.getLogger("cloudrepo_server")

# Time for requests that clients have sent already, on connections that look idle.
_ARRIVAL_SECONDS = 0.1
# Time for the first request of a new connection: clients connect when they have a request to send.
_FIRST_REQUEST_SECONDS = 1.0
_POLL_SECONDS = 0.05
# What a server needs for its end, beyond the grace period: closing connections and the store.
CLEANUP_SECONDS = 10.0


class Shutdown:
    """Whether this process was asked to shut down, and whether to do so immediately.

    Attributes:
        requested: set when the server shall stop.
        immediate: set when the server shall not wait for requests in flight.
    """

    def __init__(self) -> None:
        self.requested = asyncio.Event()
        self.immediate = asyncio.Event()

    def request(self) -> None:
        """Request a graceful shutdown; the second call requests an immediate one."""
        (self.immediate if self.requested.is_set() else self.requested).set()

    def request_immediate(self) -> None:
        """Request an immediate shutdown."""
        self.immediate.set()
        self.requested.set()

    def request_on_signals(self) -> None:
        """Request a shutdown whenever this process receives a stop signal."""
        for number in STOP_SIGNALS:
            handle_signal(number, self.request)

    def request_when_process_ends(self, owner_pid: int, ended: threading.Event) -> None:
        """Request an immediate shutdown when a process ends, and set `ended` then."""
        loop = asyncio.get_running_loop()

        def wait() -> None:
            try:
                wait_for_end(owner_pid)
                ended.set()
            except PermissionError:
                print(
                    f"cloudrepo-server: cannot monitor the owner process {owner_pid}: "
                    "permission denied; stopping",
                    file=sys.stderr,
                )
            exit_at_the_latest(CLEANUP_SECONDS)
            loop.call_soon_threadsafe(self.request_immediate)

        threading.Thread(target=wait, name="owner", daemon=True).start()


async def finish_requests(
    listeners: Listeners,
    in_flight: InFlightRequests,
    shutdown: Shutdown,
    *,
    drain: float,
    grace: float,
) -> None:
    """Accept requests for `drain` seconds, then give those in flight `grace` seconds to finish.

    An immediate shutdown ends both periods. aiohttp has a graceful shutdown too, but it stops
    reading, so that an upload in flight would fail.
    """
    in_flight.stopping = True
    await _wait_at_most(drain, shutdown.immediate.wait())
    await listeners.close()
    # Give the handlers of requests that have arrived time to start. Otherwise their connections
    # look idle and are closed.
    await _wait_at_most(min(grace, _ARRIVAL_SECONDS), shutdown.immediate.wait())
    await _close_idle(listeners, in_flight, shutdown, seconds=min(grace, _FIRST_REQUEST_SECONDS))
    finished = asyncio.ensure_future(_wait_until_sent(listeners, in_flight, shutdown))
    immediate = asyncio.ensure_future(shutdown.immediate.wait())
    try:
        await asyncio.wait(
            {finished, immediate}, timeout=grace, return_when=asyncio.FIRST_COMPLETED
        )
    finally:
        finished.cancel()
        immediate.cancel()
    if in_flight:
        log.warning("requests in flight that were aborted: %d", len(in_flight))


async def _close_idle(
    listeners: Listeners, in_flight: InFlightRequests, shutdown: Shutdown, *, seconds: float
) -> None:
    """Close idle connections, and wait for the first requests of new connections.

    Args:
        listeners: the listeners, which accept no more connections.
        in_flight: the requests in flight.
        shutdown: an immediate shutdown ends the wait.
        seconds: how long to wait.
    """
    end = asyncio.get_running_loop().time() + seconds
    while (idle := listeners.idle) or listeners.is_connecting:
        last = shutdown.immediate.is_set() or asyncio.get_running_loop().time() >= end
        for connection in idle:
            if last or in_flight.has_seen(connection):
                connection.force_close()
        are_all_closed = last or all(in_flight.has_seen(connection) for connection in idle)
        if last or (are_all_closed and not listeners.is_connecting):
            return
        await _wait_at_most(_POLL_SECONDS, shutdown.immediate.wait())


async def _wait_until_sent(
    listeners: Listeners, in_flight: InFlightRequests, shutdown: Shutdown
) -> None:
    """Wait until no request is in flight, and clients have taken their responses."""
    await in_flight.wait_until_none()
    # A response that began before the shutdown is sent after its request has left `in_flight`.
    while (in_flight or listeners.is_sending) and not shutdown.immediate.is_set():
        await _wait_at_most(_POLL_SECONDS, shutdown.immediate.wait())


async def _wait_at_most(seconds: float, condition: Awaitable[object]) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await condition
