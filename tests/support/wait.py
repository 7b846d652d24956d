"""Functions that wait for a condition with a deadline, and timeouts for tests of timeouts."""

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
    """Yield increasing timeouts, for a test of a program that does something and then times out.

    On a busy machine, the program may time out before it has started. The caller runs the program
    with each timeout, and leaves the loop once the program did something before its timeout.

    Args:
        first: the first timeout in seconds, which is long enough on an idle machine.
        what: what the program has to do before its timeout, for the error message.

    Raises:
        TimeoutError: the program did not do this within the longest timeout.
    """
    timeout = first
    yield timeout
    while timeout * 4 <= SECONDS:
        timeout *= 4
        yield timeout
    raise TimeoutError(f"the program did not {what} within {timeout:g} s")
