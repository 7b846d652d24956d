"""Signals that the tests' own process ignores, and that the programs of the tests do not."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

# A shell ignores these signals in its background jobs, and `nohup` ignores the first.
_NAMES = ("SIGHUP", "SIGINT", "SIGQUIT")


@pytest.fixture(scope="session", autouse=True)
def programs_receive_every_signal() -> Iterator[None]:
    """Makes the programs that tests start receive the signals that the pytest session ignores.

    A program inherits that a signal is ignored, but no handler. So this process gets handlers that
    do nothing.
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
