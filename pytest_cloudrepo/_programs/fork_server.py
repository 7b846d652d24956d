"""A process that imports twine and build once, and forks itself for each call of them.

`preloaded_tools.py` runs this file as a script. Each call arrives as one message with four file
descriptors: a file with the call as JSON (see `Call`), the program's standard output and standard
error, and a socket for the responses. The responses are the process id and, when the program has
exited, its exit status. The only response is `unavailable` if the call must run as a separate
process.

A fork that runs a tool leaves `main` and ends like any Python program.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import runpy
import selectors
import site
import socket
import sys
import sysconfig
import threading
import time
import types
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

if TYPE_CHECKING:
    from collections.abc import Callable

# Python 3.14 deletes `__file__` before it shows the exception that ended a script.
_FILE: Final = __file__
_MESSAGE_BYTES: Final = 64
# The number of this file's stack frames below those of the tool.
_FRAMES: Final = 3
_PRELOADED: Final = {
    "build": ("build.__main__", "build.env"),
    "twine": ("twine.cli", "twine.commands.upload"),
}


class Call(NamedTuple):
    """One call of a tool."""

    module: str
    arguments: list[str]
    command: list[str]
    """The command line of a separate process, with Python, its options and the arguments."""
    environ: dict[str, str]
    folder: str


def main() -> None:
    """Serve calls until the other end of the socket is closed; run the call in each fork."""
    control = socket.socket(fileno=int(sys.argv[1]))
    call = _Server(control).serve()
    if call is not None:
        _run(call)


class _Server:
    def __init__(self, control: socket.socket) -> None:
        self._selector = selectors.DefaultSelector()
        self._selector.register(control, selectors.EVENT_READ, self._fork)
        self._imported: dict[str, bool] = {}

    def serve(self) -> Call | None:
        """Return the call that this process has to run, or None at the end."""
        while True:
            for key, _events in self._selector.select():
                handle: Callable[[Any], Call | bool | None] = key.data
                outcome = handle(key.fileobj)
                if outcome is False:
                    return None
                if isinstance(outcome, Call):
                    return outcome

    def _fork(self, control: socket.socket) -> Call | bool | None:
        message, descriptors, _flags, _address = socket.recv_fds(control, _MESSAGE_BYTES, 4)
        if not message:
            return False
        content, *streams, responses_descriptor = descriptors
        with open(content, encoding="utf-8") as file:  # noqa: PTH123 - a descriptor
            call = Call(*json.load(file))
        responses = socket.socket(fileno=responses_descriptor)
        if not self._is_available(call.module):
            responses.send(b"unavailable")
            responses.close()
            for stream in streams:
                os.close(stream)
            return None
        child = os.fork()
        if child == 0:
            responses.close()
            self._close()
            _become(call, *streams)
            return call
        for stream in streams:
            os.close(stream)
        responses.send(str(child).encode())
        descriptor = os.pidfd_open(child)
        handler = _ExitHandler(self._selector, child, responses)
        self._selector.register(descriptor, selectors.EVENT_READ, handler.report)
        return None

    def _is_available(self, module: str) -> bool:
        """Import a tool at its first call; return False if it must run as a separate process."""
        if module not in self._imported:
            try:
                for name in _PRELOADED[module]:
                    importlib.import_module(name)
                # Python executes this module once more in the fork, as the program itself.
                if sys.modules.pop(f"{module}.__main__", None) is not None:
                    del sys.modules[module].__main__
            except Exception:  # noqa: BLE001 - the program itself shows the error
                self._imported[module] = False
            else:
                self._imported[module] = True
            gc.freeze()  # forks then share these objects' memory
        return self._imported[module] and threading.active_count() == 1

    def _close(self) -> None:
        for key in list(self._selector.get_map().values()):
            if isinstance(key.fileobj, int):
                os.close(key.fileobj)
            else:
                key.fileobj.close()  # type: ignore[attr-defined]
            if isinstance(owner := getattr(key.data, "__self__", None), _ExitHandler):
                owner.responses.close()
        self._selector.close()


class _ExitHandler(NamedTuple):
    """Reports the exit status of a fork, and reaps the fork afterwards."""

    selector: selectors.BaseSelector
    process: int
    responses: socket.socket

    def report(self, descriptor: int) -> None:
        self.selector.unregister(descriptor)
        os.close(descriptor)
        # The process id stays reserved until the caller has the status, since it may kill by id.
        ended = cast("os.waitid_result", os.waitid(os.P_PID, self.process, os.WEXITED | os.WNOWAIT))
        killed = ended.si_code in {os.CLD_KILLED, os.CLD_DUMPED}
        with suppress(OSError):  # the caller has exited
            self.responses.send(str(-ended.si_status if killed else ended.si_status).encode())
        self.selector.register(self.responses, selectors.EVENT_READ, self.reap)

    def reap(self, responses: socket.socket) -> None:
        self.selector.unregister(responses)
        responses.close()
        os.waitpid(self.process, 0)


def _become(call: Call, stdout: int, stderr: int) -> None:
    """Give this fork the session, streams, environment and folder of a separate process."""
    os.setsid()
    for stream, target in ((stdout, 1), (stderr, 2)):
        os.dup2(stream, target)
        os.close(stream)
    os.environ.clear()
    os.environ.update(call.environ)
    time.tzset()
    os.chdir(call.folder)
    sys.argv = ["-m", *call.arguments]
    sys.orig_argv[:] = call.command
    # Python determines these at its start, from HOME.
    site.USER_BASE = site.USER_SITE = None
    site.getusersitepackages()
    sysconfig.get_config_vars()["userbase"] = site.getuserbase()
    importlib.invalidate_caches()


def _run(call: Call) -> None:
    """Run the module as `python -m` does, which uses the same function of `runpy`."""
    main_module = types.ModuleType("__main__")
    if sys.version_info < (3, 14):
        main_module.__annotations__ = {}
    sys.modules["__main__"] = main_module
    sys.setrecursionlimit(sys.getrecursionlimit() + _FRAMES)
    try:
        runpy._run_module_as_main(call.module)  # type: ignore[attr-defined] # noqa: SLF001
    except SystemExit:
        raise
    except BaseException:
        show = sys.excepthook

        def show_without_this_file(
            kind: type[BaseException], error: BaseException, frames: types.TracebackType | None
        ) -> None:
            while frames is not None and frames.tb_frame.f_code.co_filename == _FILE:
                frames = frames.tb_next
            show(kind, error.with_traceback(frames), frames)

        sys.excepthook = show_without_this_file
        raise


if __name__ == "__main__":
    main()
