"""Waiting for a condition, with a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable

SECONDS = 60.0
_PAUSE = 0.01


def wait_until(condition: Callable[[], bool], what: str, *, seconds: float = SECONDS) -> None:
    """Return once the condition holds.

    Raises:
        TimeoutError: it never did; says what was waited for.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds} s for {what}")
        time.sleep(_PAUSE)
