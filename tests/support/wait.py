"""Functions that wait for a condition, with a deadline; timeouts for a program that must start."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator

SECONDS = 60.0
_POLL_INTERVAL = 0.01


def wait_until(condition: Callable[[], bool], what: str, *, seconds: float = SECONDS) -> None:
    """Wait until the condition is true.

    Args:
        condition: called again and again.
        what: what the test waits for, as the error message says it.
        seconds: the deadline.

    Raises:
        TimeoutError: the condition was still false at the deadline.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds} s for {what}")
        time.sleep(_POLL_INTERVAL)


async def wait_until_async(
    condition: Callable[[], bool], what: str, *, seconds: float = SECONDS
) -> None:
    """Wait until the condition is true, while other tasks run; see `wait_until`.

    Raises:
        TimeoutError: the condition was still false at the deadline.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds} s for {what}")
        await asyncio.sleep(_POLL_INTERVAL)


def growing_timeouts(first: float, what: str) -> Iterator[float]:
    """Yield longer and longer timeouts, for a program that has to do something before it times out.

    On a busy machine, a program may time out before it has started. The caller leaves the loop
    after the attempt in which the program did what the test expects of it.

    Args:
        first: the first timeout, which is long enough on a quiet machine.
        what: what the program has to do, as the error message says it.

    Raises:
        TimeoutError: the program did not do it within the longest timeout.
    """
    timeout = first
    while timeout <= SECONDS:
        yield timeout
        last, timeout = timeout, timeout * 4
    raise TimeoutError(f"within {last:g} s, the program did not {what}")
