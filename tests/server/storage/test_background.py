"""Background tasks end when their owner is closed."""

from __future__ import annotations

import asyncio

from cloudrepo_server.errors import StorageError
from cloudrepo_server.storage.background import BackgroundTasks


def test_close_cancels_running_tasks_and_waits_for_their_end() -> None:
    ended = False

    async def work() -> None:
        nonlocal ended
        try:
            await asyncio.Event().wait()
        finally:
            # A cleanup that needs the event loop once more.
            await asyncio.sleep(0)
            ended = True

    async def start_and_close() -> None:
        tasks = BackgroundTasks()
        tasks.start(work())
        await asyncio.sleep(0)
        await tasks.close()

    asyncio.run(start_and_close())
    assert ended


def test_close_lets_tasks_finish_during_the_grace_period() -> None:
    finished = False

    async def work() -> None:
        nonlocal finished
        await asyncio.sleep(0)
        finished = True

    async def start_and_close() -> None:
        tasks = BackgroundTasks()
        tasks.start(work())
        await tasks.close(grace=60.0)

    asyncio.run(start_and_close())
    assert finished


def test_a_storage_failure_of_a_task_is_ignored() -> None:
    reported: list[object] = []

    async def work() -> None:
        raise StorageError("the store did not respond")

    async def start_and_close() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _loop, context: reported.append(context))
        tasks = BackgroundTasks()
        tasks.start(work())
        await tasks.close(grace=60.0)

    asyncio.run(start_and_close())
    assert reported == []
