"""Thread pools: bounded, separate for each kind of work, and unable to keep a process alive."""

from __future__ import annotations

import ast
import asyncio
import functools
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

import cloudrepo_server
from cloudrepo_server.errors import BusyError
from cloudrepo_server.pools import IS_CONNECTED, Pool

SERVER = Path(cloudrepo_server.__file__).parent


class Blocked:
    """A pool with one thread, which is busy until `release` is set."""

    def __init__(self, *, queue: int) -> None:
        self.pool = Pool("testing", threads=1, queue=queue)
        self.release = threading.Event()

    def _work(self, begin: Callable[[], object]) -> None:
        begin()
        self.release.wait()

    async def start(self) -> asyncio.Task[None]:
        loop, begun = asyncio.get_running_loop(), asyncio.Event()
        begin = functools.partial(loop.call_soon_threadsafe, begun.set)
        task = asyncio.ensure_future(self.pool.run(self._work, begin))
        await asyncio.wait_for(begun.wait(), 20)
        return task


def test_results_and_errors_are_those_of_the_function() -> None:
    async def run() -> None:
        pool = Pool("testing", threads=2, queue=100)
        assert await asyncio.gather(*(pool.run(pow, 2, n) for n in range(100))) == [
            2**n for n in range(100)
        ]
        with pytest.raises(ZeroDivisionError):
            await pool.run(divmod, 1, 0)

    asyncio.run(run())


def test_work_beyond_the_queue_is_rejected_and_other_pools_go_on() -> None:
    async def run() -> None:
        blocked = Blocked(queue=3)
        tasks = [await blocked.start()]
        waiting = [asyncio.ensure_future(blocked.pool.run(int)) for _ in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(BusyError, match="testing"):
            await blocked.pool.run(int)
        assert await Pool("other", threads=1, queue=1).run(int) == 0
        blocked.release.set()
        await asyncio.gather(*tasks, *waiting)

    asyncio.run(run())


@pytest.mark.parametrize("how", ["cancelled", "disconnected"])
def test_queued_work_of_a_cancelled_or_disconnected_request_is_dropped(how: str) -> None:
    async def run() -> None:
        blocked = Blocked(queue=3)
        first = await blocked.start()
        connected, done = True, threading.Event()
        IS_CONNECTED.set(lambda: connected)
        dropped = asyncio.ensure_future(blocked.pool.run(done.set))
        await asyncio.sleep(0)
        if how == "cancelled":
            dropped.cancel()
        connected = False
        IS_CONNECTED.set(lambda: True)
        blocked.release.set()
        await first
        await blocked.pool.run(int)
        with pytest.raises((asyncio.CancelledError, ConnectionResetError)):
            await dropped
        assert not done.is_set()

    asyncio.run(run())


def test_work_that_never_ends_does_not_prevent_the_process_from_ending() -> None:
    code = """
import asyncio, threading
from cloudrepo_server.pools import Pool

async def run():
    try:
        async with asyncio.timeout(0.1):
            await Pool("testing", threads=1, queue=1).run(threading.Event().wait)
    except TimeoutError:
        print("ended")

asyncio.run(run())
"""
    ended = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60
    )
    assert (ended.stdout, ended.stderr) == ("ended\n", "")


@pytest.mark.parametrize("path", sorted(SERVER.rglob("*.py")), ids=lambda path: path.stem)
def test_no_module_uses_the_default_executor(path: Path) -> None:
    # Work in the default executor cannot be cancelled, and a process waits for it before it exits.
    names = {
        node.attr
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
    }
    assert not names & {"to_thread", "run_in_executor"}
