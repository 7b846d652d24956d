"""The index server of one pytest session: start it once, wait until it is ready, stop it.

A run is one pytest session: a controller process and, with pytest-xdist, its workers. The
controller gives the run a name. The first process whose test needs the server starts it through
pytest-xprocess. Every process waits for the state file, which the server writes when it is ready.

The controller stops the server at the end of the session. The server also monitors the controller's
process and exits when that process ends, so no server outlives a killed session. Each run has
a name of its own, because pytest-xprocess would otherwise reuse the process of another session.
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

from pytest_cloudrepo._server.run_folder import (
    RunFolder,
    ServerState,
    is_running,
    new_run_name,
    remove_abandoned_folders,
)
from pytest_cloudrepo.errors import CloudRepoError, ServerError

if TYPE_CHECKING:
    import psutil
    import pytest

_POLL_INTERVAL = 0.005
_STOP_TIMEOUT = 5.0


class RunServer:
    """The index server of one pytest session, as one process of that session sees it."""

    def __init__(self, config: pytest.Config, *, name: str, owner_pid: int, keep: bool) -> None:
        """Describe the server, without starting it.

        Args:
            config: pytest's configuration in this process.
            name: the name of the run, which is the same in all processes of the session.
            owner_pid: the process id of the controller.
            keep: whether the server keeps running after the session.
        """
        self.name = name
        self.folder: RunFolder | None = None
        self._config = config
        self._owner_pid = owner_pid
        self._keep = keep
        self._prestart_error: CloudRepoError | None = None

    @classmethod
    def for_process(cls, config: pytest.Config, *, keep: bool) -> RunServer:
        """Return the server of the session that this process, controller or worker, belongs to."""
        from_controller = getattr(config, "workerinput", {}).get("cloudrepo")
        if from_controller is None:
            return cls(config, name=new_run_name(), owner_pid=os.getpid(), keep=keep)
        return cls(config, **from_controller, keep=keep)

    def worker_input(self) -> dict[str, str | int]:
        """Return what the controller sends to each pytest-xdist worker."""
        return {"name": self.name, "owner_pid": self._owner_pid}

    def __repr__(self) -> str:
        return f"<RunServer {self.name!r} of process {self._owner_pid}>"

    def attach(self) -> RunFolder:
        """Return the run's folder, without creating it.

        From then on, `stop` and `kept` look for a server that any process of the session started.
        """
        if self.folder is None:
            self.folder = RunFolder(_parent_folder(self._config) / self.name)
        return self.folder

    def prestart(self) -> None:
        """Start the server before a test requests it.

        An error is kept, and raised by `start` when a test requests the server.
        """
        if self.folder is None and self._prestart_error is None:
            try:
                self.start()
            except CloudRepoError as error:
                self._prestart_error = error

    def start(self) -> None:
        """Start the server unless a process of the session already did; do not wait for it.

        Raises:
            CloudRepoError: the server cannot be started, now or earlier by `prestart`.
        """
        if self._prestart_error is not None:
            raise self._prestart_error
        folder = self.attach()
        try:
            if folder.claim(self._owner_pid):
                self._launch(folder)
                remove_abandoned_folders(folder.path.parent)
        except OSError as error:
            raise CloudRepoError(f"cannot start the index server: {error}") from None

    def wait_until_ready(self, timeout: float) -> ServerState:
        """Wait for the server's state file, and return its content.

        Raises:
            ServerError: the server exited, or was not ready after `timeout` seconds.
        """
        folder = self.attach()
        deadline = time.monotonic() + timeout
        while True:
            # Check the process before the state file. In the other order, a server that becomes
            # ready and exits between the checks would seem to have exited during startup.
            pid, process = folder.pid(), folder.server_process()
            state = folder.state()
            if state is not None:
                return state
            if pid is not None and process is None:
                output = folder.log().strip() or "(none)"
                raise ServerError(f"the index server exited during startup. Its output: {output}")
            if not folder.path.is_dir():
                raise ServerError(
                    f"the folder {folder.path} was removed while the index server started, for "
                    "example by `pytest --cache-clear` in another session; run the tests again"
                )
            if time.monotonic() > deadline:
                output = folder.log().strip() or "(none)"
                raise ServerError(
                    f"the index server was not ready within {timeout:g} s; increase the ini key "
                    f"cloudrepo_startup_timeout if this machine is slow. Its output: {output}"
                )
            time.sleep(_POLL_INTERVAL)

    def kept(self) -> ServerState | None:
        """Return the state of the server that keeps running after the session, if there is one."""
        if not self._keep or self.folder is None or self.folder.server_process() is None:
            return None
        return self.folder.state()

    def stop(self) -> None:
        """Stop the server and remove the run's folder, if this process is the controller.

        A worker does nothing, and neither does a process that a test forked from the controller.
        """
        if self._owner_pid != os.getpid():
            return
        if self.folder is None or not self.folder.path.is_dir():
            return
        process = self.folder.server_process()
        if process is not None:
            if self._keep:
                return
            _terminate(process)
        self.folder.remove()

    def _launch(self, folder: RunFolder) -> None:
        import py  # only sessions that use the server need these two
        from xprocess import ProcessStarter, XProcess

        command: list[str | int | Path] = [sys.executable, "-m", "cloudrepo_server", "serve"]
        command += ["--state-file", folder.state_file]
        # At the end of the session nobody waits for the responses to open requests.
        command += ["--grace", 0]
        if not self._keep:
            command += ["--owner-pid", self._owner_pid]
            for owned in (folder.path, folder.scratch):
                command += ["--owner-folder", owned]

        class Starter(ProcessStarter):  # type: ignore[misc] # pytest-xprocess has no types
            args = command
            env = _server_environment(folder)
            popen_kwargs = _popen_options()

            def wait(self, log_file: object) -> bool:  # noqa: ARG002 - the base class's signature
                # `wait_until_ready` waits instead. pytest-xprocess would poll every 0.1 s, and
                # would not notice that the server exited.
                return True

        # pytest-xprocess requires a py.path object; pytest installs `py`.
        root = py.path.local(folder.path.parent)  # noqa: PTH124 - required by pytest-xprocess
        xprocess = XProcess(self._config, root, log=logging.getLogger(__name__))
        xprocess.ensure(self.name, Starter, persist_logs=False)
        resources = xprocess.resources[-1]
        # pytest-xprocess would keep the log file open and read it after each test, for a section
        # of the test report that it never adds.
        self._config.__dict__.get("_extlogfiles", {}).pop(self.name, None)
        for handle in resources.fhandles:
            handle.close()
        # The server outlives this Popen object: `stop` finds the server by its process id, in
        # whichever process of the session started it. A return code keeps Popen from warning.
        resources.popen.returncode = 0


def wait_for_exit(process: psutil.Process, timeout: float) -> bool:
    """Return whether the process exited within `timeout` seconds."""
    # psutil's own wait treats a zombie as running. If the init process does not reap children, as
    # in some containers, it would wait until the timeout.
    deadline = time.monotonic() + timeout
    while is_running(process):
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_INTERVAL)
    return True


def stop_command(pid: int) -> str:
    """Return the shell command that stops the server with this process id."""
    return f"taskkill /F /PID {pid}" if sys.platform == "win32" else f"kill {pid}"


def _parent_folder(config: pytest.Config) -> Path:
    """Return the folder that contains the run folders: in pytest's cache if it is writable."""
    # The cache is absent with `-p no:cacheprovider`, and read-only in a read-only checkout.
    if config.pluginmanager.hasplugin("cacheprovider"):
        with contextlib.suppress(OSError):
            cache = Path(config.cache.mkdir(".xprocess"))
            if os.access(cache, os.W_OK):
                return cache
    return Path(tempfile.gettempdir())


def _server_environment(folder: RunFolder) -> dict[str, str]:
    """Return this process's environment without the variables that are not for this server."""
    excluded = {
        "CLOUDREPO_ADMIN_USERNAME",  # the login of another server, for `--cloudrepo-url`
        "CLOUDREPO_ADMIN_PASSWORD",
        "PYTHONINSPECT",  # would start a prompt instead of exiting
        "PYTHONWARNINGS",  # applies to the user's own code
    }
    environ = {name: value for name, value in os.environ.items() if name not in excluded}
    from pytest_cloudrepo._programs import own_tools  # imports psutil

    return own_tools.environ({**environ, "TMPDIR": str(folder.scratch)})


def _popen_options() -> dict[str, Any]:
    options: dict[str, Any] = {"stdin": subprocess.DEVNULL}
    if sys.platform == "win32":
        # Ctrl-C in the terminal must reach pytest only, which then stops the server. On other
        # systems pytest-xprocess starts a new process group itself.
        options["creationflags"] = subprocess.CREATE_NEW_PROCESS_GROUP
    return options


def _terminate(process: psutil.Process) -> None:
    """Stop the server, gracefully if possible."""
    import psutil  # only sessions that use the server need it

    with contextlib.suppress(psutil.NoSuchProcess):
        if not (_request_stop(process) and wait_for_exit(process, _STOP_TIMEOUT)):
            _kill(process)
        # A child of this process stays a zombie until its parent waits for it.
        with contextlib.suppress(psutil.TimeoutExpired):
            process.wait(0)


def _kill(process: psutil.Process) -> None:
    """Kill the server and the processes that it started."""
    import psutil  # only sessions that use the server need it

    # On Windows the Python of a virtual environment runs the server in a child process.
    for each in (process, *process.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            each.kill()
            wait_for_exit(each, _STOP_TIMEOUT)


def _request_stop(process: psutil.Process) -> bool:
    """Request a graceful shutdown, and return whether that is possible."""
    if sys.platform == "win32":
        # On Windows, terminate() would kill the process at once.
        try:
            process.send_signal(signal.CTRL_BREAK_EVENT)
        except OSError:
            # Only processes of a console receive events. Services and some CI jobs have no console.
            return False
    else:
        process.terminate()
    return True
