"""The event loop that a command runs in."""

import asyncio
from collections.abc import Callable, Coroutine


def run_in_event_loop(work: Coroutine[None, None, int | None]) -> int:
    """Run a coroutine and return its exit status.

    The status is 0 if the coroutine returns None, or if Ctrl-C interrupts it.
    """
    try:
        with asyncio.Runner(loop_factory=_uvloop_factory()) as runner:
            return runner.run(work) or 0
    except KeyboardInterrupt:
        return 0


def _uvloop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        # Not available for Windows and PyPy.
        import uvloop
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory
