"""The loop of a program to which the server passes expensive work, and which the server can kill.

Each request is one line of JSON on the standard input, with the arguments of a function. Each
response is one line of JSON on the standard output.
"""

import contextlib
import faulthandler
import json
import os
import signal
import sys
from collections.abc import Callable

_MAX_SECONDS = 60.0
_MAX_MEMORY = 2 << 30


def serve_lines(function: Callable[..., object], failed: object) -> None:
    """Respond to requests until the standard input ends.

    `failed` is the response to a request for which the function raises an error.
    """
    # Ctrl-C reaches the whole process group; the server decides when this process ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _limit_memory()
    for line in sys.stdin.buffer:
        # The server kills this process sooner, unless it was killed itself.
        faulthandler.dump_traceback_later(_MAX_SECONDS, exit=True, file=sys.stderr)
        try:
            response = function(*json.loads(line))
        except Exception:  # noqa: BLE001 (the server gets a response to every request)
            response = failed
        faulthandler.cancel_dump_traceback_later()
        sys.stdout.buffer.write(json.dumps(response).encode() + b"\n")
        sys.stdout.buffer.flush()
    os._exit(0)


def _limit_memory() -> None:
    # Windows has neither the module nor the limit.
    if sys.platform != "win32":
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        limit = _MAX_MEMORY if hard == resource.RLIM_INFINITY else min(_MAX_MEMORY, hard)
        # macOS rejects such a limit: https://github.com/python/cpython/issues/78783
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
