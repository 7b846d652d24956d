"""Threads for work that would block the event loop: a pool of its own for each kind of work.

Slow work of one kind does not delay another kind. A queue has a bound, and drops the work of
clients that have disconnected. The threads are daemons: none of them delays the end of the process,
as the threads of asyncio's default executor would.
"""

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import ContextVar
from typing import ParamSpec, TypeVar

from cloudrepo_server.errors import BusyError

P = ParamSpec("P")
T = TypeVar("T")

IS_CONNECTED: ContextVar[Callable[[], bool]] = ContextVar("is_connected")
"""Returns whether the client whose request the current task handles is still connected."""


class Pool:
    """Daemon threads with a bounded queue; the threads start when they are needed."""

    def __init__(self, kind: str, *, threads: int, queue: int) -> None:
        self._kind = kind
        self._max_threads = threads
        self._max_queue = queue
        self._queue: deque[Callable[[], None]] = deque()
        self._changed = threading.Condition()
        self._threads = 0
        self._idle = 0

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function in a thread, and return what it returns.

        Work that is waiting is dropped if its task is cancelled or its client disconnects.

        Raises:
            BusyError: the queue is full.
            ConnectionResetError: the client disconnected before the work began.
        """
        future: Future[T] = Future()
        is_connected = IS_CONNECTED.get(None)

        def job() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                if is_connected is not None and not is_connected():
                    raise ConnectionResetError("the client has disconnected")  # noqa: TRY301
                result = work(*args, **kwargs)
            except BaseException as error:  # noqa: BLE001 (raised again in the task that waits)
                future.set_exception(error)
            else:
                future.set_result(result)

        self._submit(job)
        return await asyncio.wrap_future(future)

    def _submit(self, job: Callable[[], None]) -> None:
        with self._changed:
            if len(self._queue) >= self._max_queue:
                raise BusyError(
                    f"The server is busy: {self._max_queue} requests wait for {self._kind} "
                    "already. Try again."
                )
            self._queue.append(job)
            if self._idle >= len(self._queue):
                self._changed.notify()
                return
            if self._threads == self._max_threads:
                return
            self._threads += 1
        threading.Thread(target=self._work, name=self._kind, daemon=True).start()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._idle += 1
                while not self._queue:
                    self._changed.wait()
                self._idle -= 1
                job = self._queue.popleft()
            # The event loop may be closed before the work ends.
            with contextlib.suppress(RuntimeError):
                job()
            del job


FILES = Pool("reading files", threads=4, queue=4096)
"""Reads of stored files, each of which is short."""

ARCHIVES = Pool("reading archives", threads=2, queue=1024)
"""Archives and their metadata."""

CONTENTS = Pool("reading the contents of archives", threads=2, queue=64)
"""Archives for the portal's pages. Uploads do not wait for them."""

PAGES = Pool("reading and writing large pages", threads=2, queue=256)
"""The pages of upstreams, and the own pages of projects with many files."""

HASHES = Pool("hashing passphrases", threads=2, queue=1024)
"""Slow hashes of passphrases."""

IMPORTS = Pool("importing modules", threads=1, queue=1024)
"""Rare work of a process: imports, and the creation of keys and certificates."""
