"""Functions that wait for a condition, with a deadline."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

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
