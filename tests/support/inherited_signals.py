"""Makes the programs that tests start receive the signals that the pytest session ignores."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

# A shell ignores these signals in its background jobs, and `nohup` ignores the first.
_NAMES = ("SIGHUP", "SIGINT", "SIGQUIT")


@pytest.fixture(scope="session", autouse=True)
def programs_receive_every_signal() -> Iterator[None]:
    """Replaces ignored signals by handlers that do nothing, until the session ends.

    A program inherits which signals its parent process ignores, but not the parent's handlers.
    """
    ignored = [
        number
        for number in (getattr(signal, name, None) for name in _NAMES)
        if number is not None and signal.getsignal(number) is signal.SIG_IGN
    ]
    for number in ignored:
        signal.signal(number, lambda *_: None)
    yield
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)
