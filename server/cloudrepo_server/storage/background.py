"""Background tasks that belong to one object and end with it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any

from cloudrepo_server.errors import StorageError


class BackgroundTasks:
    """Tasks that nothing waits for until `close`."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[Any, Any, object]) -> None:
        """Run a coroutine in the background; ignore a failure of the store.

        Garbage collection later deletes whatever such a failure leaves behind.
        """

        async def run() -> None:
            with contextlib.suppress(StorageError):
                await work

        task = asyncio.ensure_future(run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self, *, grace: float = 0.0) -> None:
        """Wait up to `grace` seconds for the tasks, then cancel those that still run."""
        if self._tasks and grace > 0:
            await asyncio.wait(self._tasks, timeout=grace)
        running = list(self._tasks)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
