"""Runs twine and build in forks of a process that has imported them once.

Importing twine takes ten times as long as an upload. On Linux, one process for each pytest process
imports the tools at their first call, and forks itself for each call. A fork has the arguments,
environment, folder, streams, session and exit status of a separate process. A call whose
environment could change how Python starts or what it imports runs as a separate process.
"""

from __future__ import annotations

import json
import os
import platform
import signal
import site
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

# macOS has fork, but its system libraries do not work in a fork.
SUPPORTED: Final = sys.platform == "linux" and platform.python_implementation() == "CPython"

_SCRIPT: Final = Path(__file__).with_name("fork_server.py")
_START_TIMEOUT: Final = 60.0
_STOP_TIMEOUT: Final = 5.0
_MESSAGE_BYTES: Final = 64

# Variables that differ between tests, and that no module reads when it is imported.
_VARYING_PREFIXES: Final = (
    *("XDG_", "PIP_", "UV_", "TWINE_", "POETRY_", "PDM_", "HATCH_", "FLIT_", "VIRTUALENV_"),
    "TOX_",
)
_VARYING_SUFFIXES: Final = ("_PROXY", "_proxy")
_VARYING: Final = frozenset(
    {
        *("HOME", "USERPROFILE", "APPDATA", "LOCALAPPDATA", "PATH", "SOURCE_DATE_EPOCH"),
        *("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"),
        "GIT_SSL_CAINFO",
    }
)
# What a program inherits from the pytest process, besides its environment.
_INHERITED: Final = (
    *("Umask", "Uid", "Gid", "Groups", "NoNewPrivs", "Seccomp", "SigBlk", "SigIgn"),
    *("CapInh", "CapEff", "CapBnd", "Cpus_allowed"),
)


class Fork:
    """A fork that runs a tool, with the methods of `subprocess.Popen` that are needed here."""

    def __init__(self, pid: int, responses: socket.socket) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._responses = responses

    def wait(self) -> int:
        """Wait until the tool exits, and return its exit status; a signal's number is negative."""
        if self.returncode is None:
            with self._responses:
                status = self._responses.recv(_MESSAGE_BYTES)
                if not status:  # the process that forked was killed
                    with suppress(ProcessLookupError, PermissionError):
                        os.killpg(self.pid, signal.SIGKILL)
                self.returncode = int(status) if status else -signal.SIGKILL
        return self.returncode

    def kill(self) -> None:
        """Kill the tool, if it has not exited."""
        if self.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)


class _Server(NamedTuple):
    """The process that forks, and the state that its forks inherit."""

    process: subprocess.Popen[bytes]
    control: socket.socket
    inherited_state: object

    def stop(self) -> None:
        self.control.close()  # the process then exits
        try:
            self.process.wait(_STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class PreloadedTools:
    """Runs twine and build in forks of one process."""

    def __init__(self) -> None:
        self.enabled = SUPPORTED
        self._server: _Server | None = None
        self._lock = threading.Lock()

    def start(
        self,
        words: Sequence[str],
        *,
        environ: Mapping[str, str],
        cwd: Path | None,
        stdout: IO[bytes],
        stderr: IO[bytes],
    ) -> Fork | None:
        """Start a tool in a fork; return None if it has to run as a separate process."""
        if not self.enabled or tuple(words[:4]) not in _COMMANDS:
            return None
        # A separate process then has the same error, and shows it.
        with suppress(OSError, ValueError):
            folder = Path.cwd() / (cwd or "")
            inherited_state = _inherited_state(environ)
            server = self._server_for(environ, inherited_state)
            if folder.is_dir() and server.inherited_state == inherited_state:
                call = [words[3], words[4:], words, dict(environ), str(folder)]
                return _fork(server, json.dumps(call), stdout, stderr)
        return None

    def _server_for(self, environ: Mapping[str, str], inherited_state: object) -> _Server:
        with self._lock:
            if self._server is not None and self._server.process.poll() is not None:
                self._server.stop()  # it was killed
                self._server = None
            if self._server is None:
                self._server = _start_server(environ, inherited_state)
            return self._server

    def disable(self) -> Callable[[], None]:
        """Run each tool as a separate process, until the returned function is called."""
        before, self.enabled = self.enabled, False

        def restore() -> None:
            self.enabled = before

        return restore

    def stop(self) -> None:
        """Stop the process that forks, if there is one."""
        with self._lock:
            server, self._server = self._server, None
        if server is not None:
            server.stop()


PRELOADED: Final = PreloadedTools()
"""The tools of this pytest process."""


def module_command(module: str, *options: str) -> tuple[str, ...]:
    """Return the command that runs a module with this Python."""
    # With -P, nothing is imported from the current folder.
    return (sys.executable, "-P", "-m", module, *options)


_COMMANDS: Final = frozenset(module_command(tool) for tool in ("build", "twine"))


def _start_server(environ: Mapping[str, str], inherited_state: object) -> _Server:
    control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        process = subprocess.Popen(  # noqa: S603 - only Python with a file of this package
            [sys.executable, "-P", _SCRIPT, str(theirs.fileno())],
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(theirs.fileno(),),
            start_new_session=True,
        )
    return _Server(process, control, inherited_state)


def _fork(server: _Server, call: str, stdout: IO[bytes], stderr: IO[bytes]) -> Fork | None:
    """Send a call, and return the fork; None if the server cannot run it.

    Raises:
        OSError: the server was stopped, or did not respond in time.
        ValueError: the call is not valid UTF-8.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    content = os.memfd_create("call")
    try:
        with theirs, open(content, "w", encoding="utf-8") as file:  # noqa: PTH123 - a descriptor
            file.write(call)
            file.flush()
            os.lseek(content, 0, os.SEEK_SET)
            descriptors = [content, stdout.fileno(), stderr.fileno(), theirs.fileno()]
            socket.send_fds(server.control, [b"call"], descriptors)
        ours.settimeout(_START_TIMEOUT)
        response = ours.recv(_MESSAGE_BYTES)
        ours.settimeout(None)
        if response.isdigit():
            return Fork(int(response), ours)
    except BaseException:
        ours.close()
        raise
    ours.close()
    return None


def _inherited_state(environ: Mapping[str, str]) -> object:
    """Return what a fork has from the start of its server, and a separate process gets now."""
    variables = {name: value for name, value in environ.items() if not varies(name)}
    status = Path("/proc/thread-self/status").read_text(encoding="utf-8", errors="replace")
    inherited = [line for line in status.splitlines() if line.partition(":")[0] in _INHERITED]
    limits = Path("/proc/self/limits").read_text(encoding="utf-8", errors="replace")
    packages = [_modified(Path(folder)) for folder in site.getsitepackages()]
    nice = os.getpriority(os.PRIO_PROCESS, 0)
    # Python finds packages in the home folder too, when it starts.
    user_site = Path(environ.get("HOME", "/"), ".local", "lib").exists()
    return variables, inherited, limits, packages, nice, user_site, sys.executable


def _modified(folder: Path) -> int | None:
    """Return when the content of a folder last changed, or None if the folder does not exist.

    Debian's Python lists several folders for packages that most machines lack.
    """
    try:
        return folder.stat().st_mtime_ns
    except FileNotFoundError:
        return None


def varies(name: str) -> bool:
    """Return whether a variable may differ between the calls that forks of one process run."""
    return (
        name in _VARYING or name.startswith(_VARYING_PREFIXES) or name.endswith(_VARYING_SUFFIXES)
    )
