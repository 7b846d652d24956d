"""The interruption of a rehearsal by a signal."""

import asyncio
import signal
import sys
from functools import partial
from signal import Signals

from cloudrepo_server.process.signals import handle_signal
from cloudrepo_server.process.watchdog import STOP_SIGNALS

_TERMINAL_SIGNALS: list[Signals] = []
if sys.platform != "win32":
    # A terminal sends SIGHUP when it is closed, and SIGQUIT when the user types Ctrl-\.
    _TERMINAL_SIGNALS += [signal.SIGHUP, signal.SIGQUIT]


class Interruption:
    """The stop signals that a rehearsal has received.

    Attributes:
        requested: set by the first stop signal.
        immediate: set by the second stop signal, which kills the programs at once.
    """

    def __init__(self) -> None:
        self.requested = asyncio.Event()
        self.immediate = asyncio.Event()
        self._signal: Signals | None = None

    @property
    def signal(self) -> Signals | None:
        """The first stop signal that arrived, or None."""
        return self._signal

    def listen(self) -> None:
        """Handle the stop signals that this process receives from now on."""
        for number in (*STOP_SIGNALS, *_TERMINAL_SIGNALS):
            # `nohup` makes processes ignore SIGHUP.
            if signal.getsignal(number) is not signal.SIG_IGN:
                handle_signal(number, partial(self._note, number))

    def _note(self, number: Signals) -> None:
        if self._signal is None:
            self._signal = number
            self.requested.set()
        else:
            self.immediate.set()
