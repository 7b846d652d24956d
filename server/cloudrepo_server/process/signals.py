"""Signals that are handled in the event loop."""

import asyncio
import signal
from collections.abc import Callable


def handle_signal(number: int, handle: Callable[[], None]) -> None:
    """Call a function in the running event loop whenever this process receives a signal."""
    loop = asyncio.get_running_loop()
    try:
        loop.add_signal_handler(number, handle)
    except NotImplementedError:  # Windows
        signal.signal(number, lambda *_: loop.call_soon_threadsafe(handle))
