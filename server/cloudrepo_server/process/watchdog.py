"""Terminates a process that was asked to stop, even if its event loop is blocked."""

import contextlib
import faulthandler
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator

STOP_SIGNALS = [signal.SIGTERM, signal.SIGINT]
if sys.platform == "win32":
    # Windows cannot send SIGTERM to another process; CTRL_BREAK arrives as SIGBREAK.
    STOP_SIGNALS.append(signal.SIGBREAK)
elif signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
    # SIGHUP arrives when the terminal closes; `nohup` makes this process ignore it.
    STOP_SIGNALS.append(signal.SIGHUP)


def exit_at_the_latest(seconds: float) -> None:
    """End this process after this time, even if its threads or its event loop hang.

    A later call replaces an earlier one. The process prints its stacks before it ends.
    """
    # This timer is a thread of C code, which needs neither the event loop nor the interpreter.
    with contextlib.suppress(AttributeError, ValueError, OSError):  # no standard error
        faulthandler.dump_traceback_later(seconds, exit=True, file=sys.stderr)


@contextlib.contextmanager
def exit_after_stop_signals(seconds: float) -> Iterator[None]:
    """End this process at most this long after the first stop signal that arrives in the context.

    The event loop must handle the signals already. Python's C code writes each signal's number to a
    file descriptor. A thread reads these numbers, and passes them on to the event loop.
    """
    if sys.platform == "win32":
        # There, the event loop's descriptor is a socket, to which `os.write` cannot write.
        yield
    else:
        reader, writer = socket.socketpair()
        writer.settimeout(0)
        descriptor_of_loop = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)

        def forward() -> None:
            stopping = False
            with reader:
                while numbers := reader.recv(64):
                    if not stopping and set(numbers) & set(STOP_SIGNALS):
                        stopping = True
                        exit_at_the_latest(seconds)
                    # The event loop may be closed already, or so busy that its buffer is full.
                    with contextlib.suppress(OSError):
                        os.write(descriptor_of_loop, numbers)

        threading.Thread(target=forward, name="signals", daemon=True).start()
        try:
            yield
        finally:
            signal.set_wakeup_fd(descriptor_of_loop)
            writer.close()
