"""Measures how much memory a process needs while a test uses it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

import psutil

_POLL_INTERVAL = 0.005


class MemoryGrowth:
    """The growth of a process's resident memory, at its peak."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self._before = self._peak = self._resident()

    @property
    def bytes(self) -> int:
        """The difference between the peak and the start."""
        return self._peak - self._before

    def sample(self) -> None:
        """Compare the memory of this moment with the peak."""
        self._peak = max(self._peak, self._resident())

    def _resident(self) -> int:
        return int(self._process.memory_info().rss)


@contextlib.contextmanager
def memory_growth(pid: int) -> Iterator[MemoryGrowth]:
    """Measure the memory of a process again and again, until the block ends."""
    growth, ended = MemoryGrowth(pid), threading.Event()

    def sample() -> None:
        while not ended.wait(_POLL_INTERVAL):
            growth.sample()

    sampler = threading.Thread(target=sample)
    sampler.start()
    try:
        yield growth
        growth.sample()
    finally:
        ended.set()
        sampler.join()
