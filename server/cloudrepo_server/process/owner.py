"""Waits for the end of the process that owns a server."""

import os
import select
import sys
import time

_POLL_SECONDS = 0.25


def wait_for_end(pid: int) -> None:
    """Wait until a process has ended. A zombie counts as ended.

    Raises:
        PermissionError: this process may not monitor that process.
    """
    if sys.platform == "linux":
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            return
        except OSError:  # an old or restricted kernel
            _wait_with_psutil(pid)
        else:
            poll = select.poll()
            poll.register(descriptor, select.POLLIN)
            poll.poll()
            os.close(descriptor)
    else:
        _wait_with_psutil(pid)


def _wait_with_psutil(pid: int) -> None:
    import psutil  # slow, and not needed on Linux

    try:
        process = psutil.Process(pid)
        # is_running compares start times, so it does not mistake a process that reuses the id.
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            time.sleep(_POLL_SECONDS)
    except psutil.NoSuchProcess:
        return
    except psutil.AccessDenied as error:
        raise PermissionError(f"process {pid} belongs to another user") from error
