"""One server a run: started by the first process that asks, stopped by the run's controller.

The controller names the run. The first xdist worker (or the controller, where there are none) that
needs the server starts it through pytest-xprocess; all wait for the state file that the server
writes when it can answer. The server watches the controller and leaves when it is gone, so that
no way of ending a run leaves one behind. Each run has a name of its own: pytest-xprocess, made to
reuse processes between runs, never finds one to reuse.

This is the only module that knows pytest-xprocess.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_cloudrepo._server.run_folder import RunFolder, ServerState, is_alive, new_name, sweep
from pytest_cloudrepo.errors import CloudRepoError, ServerError

if TYPE_CHECKING:
    import psutil
    import pytest

POLL = 0.005
STOP_TIMEOUT = 5.0


class Run:
    """A test run, as each of its processes knows it."""

    def __init__(self, name: str, owner: int) -> None:
        self.name = name
        self.owner = owner
        self.folder: RunFolder | None = None
        self.failure: CloudRepoError | None = None
        """Why no server could be started, where that was tried before a test asked for it."""

    @classmethod
    def new(cls) -> Run:
        """A run whose controller is this process."""
        return cls(new_name(), os.getpid())

    @classmethod
    def inherited(cls, shared: dict[str, Any]) -> Run:
        """The run that this xdist worker belongs to, from what its controller shared."""
        return cls(shared["name"], shared["owner"])

    def shared(self) -> dict[str, Any]:
        """What a worker must know; plain values, since they go through a pipe."""
        return {"name": self.name, "owner": self.owner}

    def __repr__(self) -> str:
        return f"<Run {self.name!r} of process {self.owner}>"


def join(run: Run, config: pytest.Config) -> None:
    """Tell RUN its folder, without making it."""
    run.folder = RunFolder(_parent(config) / run.name)


def foresee(run: Run, config: pytest.Config, *, keep: bool) -> None:
    """Start the run's server before a test asks for it; a failure is that test's to hear of."""
    if run.folder is None and run.failure is None:
        try:
            begin(run, config, keep=keep)
        except CloudRepoError as error:
            run.failure = error


def begin(run: Run, config: pytest.Config, *, keep: bool) -> RunFolder:
    """Start the run's server unless another process of the run did; do not wait for it.

    Args:
        run: the run.
        config: pytest's.
        keep: whether the server outlives the run.
    """
    if run.failure is not None:
        raise run.failure
    join(run, config)
    assert run.folder is not None  # noqa: S101 - tells mypy
    try:
        if run.folder.claim(run.owner):
            _launch(run, run.folder, config, keep=keep)
            sweep(run.folder.path.parent)
    except OSError as error:
        raise CloudRepoError(f"no server could be started: {error}") from None
    return run.folder


def _parent(config: pytest.Config) -> Path:
    """Where runs have their folders: pytest's cache, or else the folder of temporary files."""
    # `-p no:cacheprovider`, or a checkout that is mounted for reading alone.
    if config.pluginmanager.hasplugin("cacheprovider"):
        with contextlib.suppress(OSError):
            cache = Path(config.cache.mkdir(".xprocess"))
            if os.access(cache, os.W_OK):
                return cache
    return Path(tempfile.gettempdir())


def _launch(run: Run, folder: RunFolder, config: pytest.Config, *, keep: bool) -> None:
    import py  # only runs that use it pay
    from xprocess import ProcessStarter, XProcess

    command = [sys.executable, "-m", "cloudrepo_server", "serve", "--state-file", folder.state_file]
    # What a test left in flight is of no use to anybody when the run ends.
    command += ["--grace", 0]
    if not keep:
        command += ["--owner-pid", run.owner]
        for own in (folder.path, folder.scratch):
            command += ["--owner-folder", own]

    class Starter(ProcessStarter):  # type: ignore[misc] # pytest-xprocess publishes no types
        args = command
        env = _environment(folder)
        popen_kwargs = _popen_options()

        def wait(self, log_file: object) -> bool:  # noqa: ARG002 - the base class's signature
            # `wait_until_ready` waits, in this process as in all others; pytest-xprocess would
            # look every 0.1 s, and would not notice a server that dies.
            return True

    # pytest brings the kind of path that pytest-xprocess wants.
    root = py.path.local(folder.path.parent)  # noqa: PTH124 - what it wants
    xprocess = XProcess(config, root, log=logging.getLogger(__name__))
    xprocess.ensure(run.name, Starter, persist_logs=False)
    resources = xprocess.resources[-1]
    # pytest-xprocess keeps the log open, and reads it after each test, for a report that it then
    # does not make (it takes pluggy's result for the report).
    config.__dict__.get("_extlogfiles", {}).pop(run.name, None)
    for handle in resources.fhandles:
        handle.close()
    # The server outlives this object on purpose: `stop` finds it by its process id, whichever
    # process of the run started it. Without this, Popen warns of a leak.
    resources.popen.returncode = 0


def _environment(folder: RunFolder) -> dict[str, str]:
    """The server's: this process's, but for what is meant for other programs."""
    meant_for_others = {
        "CLOUDREPO_ADMIN_USERNAME",  # the login of a real server (`--cloudrepo-url`)
        "CLOUDREPO_ADMIN_PASSWORD",
        "PYTHONINSPECT",  # would keep the server from ending
        "PYTHONWARNINGS",  # strictness that the user's own code asked for
    }
    environ = {name: value for name, value in os.environ.items() if name not in meant_for_others}
    return {**environ, "TMPDIR": str(folder.scratch)}


def _popen_options() -> dict[str, Any]:
    options: dict[str, Any] = {"stdin": subprocess.DEVNULL}
    if sys.platform == "win32":
        # Elsewhere pytest-xprocess does this: a Ctrl-C in the terminal ends the run, which then
        # ends the server.
        options["creationflags"] = subprocess.CREATE_NEW_PROCESS_GROUP
    return options


def wait_until_ready(folder: RunFolder, timeout: float) -> ServerState:
    """What the server says of itself, as soon as it can answer.

    Raises:
        ServerError: it ended, with its own words, or took longer than TIMEOUT seconds.
    """
    deadline = time.monotonic() + timeout
    while True:
        # In this order: a server that says something and ends between two looks is not missed.
        pid, server = folder.pid(), folder.server()
        state = folder.state()
        if state is not None:
            return state
        if pid is not None and server is None:
            words = folder.log().strip() or "It printed nothing."
            raise ServerError(f"the index server ended while it started. {words}")
        if not folder.path.is_dir():
            raise ServerError(
                f"the run's folder {folder.path} was removed while the index server started "
                "(by `pytest --cache-clear` in another run?)"
            )
        if time.monotonic() > deadline:
            words = folder.log().strip() or "nothing"
            raise ServerError(
                f"the index server did not answer within {timeout:g} s (ini key "
                f"cloudrepo_startup_timeout). It printed: {words}"
            )
        time.sleep(POLL)


def end(run: Run, *, keep: bool) -> None:
    """Stop the run's server and remove the run's folder, in the controller, where there are any."""
    if run.folder is None or not run.folder.path.is_dir():
        return
    server = run.folder.server()
    if keep and server is not None:
        return
    if server is not None:
        _stop(server)
    run.folder.remove()


def _stop(server: psutil.Process) -> None:
    import psutil  # only runs that use the server pay for it

    with contextlib.suppress(psutil.NoSuchProcess):
        if sys.platform == "win32":
            # terminate() there gives a program no chance to tidy up.
            server.send_signal(signal.CTRL_BREAK_EVENT)
        else:
            server.terminate()
        if not wait_for_end(server, STOP_TIMEOUT):
            server.kill()
            wait_for_end(server, STOP_TIMEOUT)
        # A child of this process stays a zombie until it is waited for.
        with contextlib.suppress(psutil.TimeoutExpired):
            server.wait(0)


def wait_for_end(server: psutil.Process, timeout: float) -> bool:
    """Return whether the server ended within `timeout` seconds."""
    # psutil's own wait counts a zombie as running: under an init process that reaps nothing (a
    # container without one) it would wait for ever.
    deadline = time.monotonic() + timeout
    while is_alive(server):
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL)
    return True


def stop_command(pid: int) -> str:
    """What a person types to stop the server with this process id."""
    return f"taskkill /F /PID {pid}" if sys.platform == "win32" else f"kill {pid}"
