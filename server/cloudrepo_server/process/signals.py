"""Signals that are handled in the event loop."""

import asyncio
import signal
import sys
from collections.abc import Callable


def handle_signal(number: int, handle: Callable[[], None]) -> None:
    """Call a function in the running event loop whenever this process receives a signal."""
    loop = asyncio.get_running_loop()
    if sys.platform == "win32":
        # The event loop of Windows handles no signals.
        signal.signal(number, lambda *_: loop.call_soon_threadsafe(handle))
    else:
        loop.add_signal_handler(number, handle)
