"""`--owner-pid`: a server stops when the process that owns it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.imported_modules import PROFILED, imported_modules
from tests.support.platforms import needs_posix
from tests.support.raw import exchange, request
from tests.support.server_fixtures import StartServer

HEALTHZ = request("GET /healthz HTTP/1.1")

posix = needs_posix("POSIX signals and permissions")

FOREVER = "import sys; sys.stdin.read()"

# A `sitecustomize` module that simulates a Linux kernel without process file descriptors.
WITHOUT_PIDFDS = """
import errno, os

def pidfd_open(pid, flags=0):
    raise OSError(errno.ENOSYS, "Function not implemented")

os.pidfd_open = pidfd_open
"""


@pytest.fixture
def owner() -> Iterator[subprocess.Popen[bytes]]:
    """Return a process that runs until the test kills it."""
    with subprocess.Popen([sys.executable, "-c", FOREVER], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


def test_the_server_stops_when_its_owner_process_ends(
    start_server: StartServer, owner: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    folder = tmp_path / "owner folder"
    (folder / "inner").mkdir(parents=True)
    process = start_server("--owner-pid", str(owner.pid), "--owner-folder", folder)
    assert exchange(process.state()["url"], HEALTHZ).status == 200
    owner.kill()
    owner.wait()
    assert process.wait() == 0
    assert list(process.temporary.iterdir()) == []
    assert not folder.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="needs process file descriptors")
@pytest.mark.parametrize("supported", [True, False], ids=["supported", "unsupported"])
def test_the_server_imports_psutil_only_without_process_file_descriptors(
    start_server: StartServer, owner: subprocess.Popen[bytes], tmp_path: Path, *, supported: bool
) -> None:
    (tmp_path / "sitecustomize.py").write_text("" if supported else WITHOUT_PIDFDS)
    process = start_server(
        *("--owner-pid", str(owner.pid)),
        environ={PROFILED: "1", "PYTHONPATH": str(tmp_path)},
    )
    process.state()
    owner.kill()
    owner.wait()
    assert process.wait() == 0
    assert ("psutil" in imported_modules(process.log)) is not supported


def test_the_owner_folder_is_kept_while_the_owner_process_runs(
    start_server: StartServer, owner: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    folder = tmp_path / "owner folder"
    folder.mkdir()
    process = start_server("--owner-pid", str(owner.pid), "--owner-folder", folder)
    process.state()
    process.stop()
    assert folder.exists()


@posix
def test_a_zombie_counts_as_an_ended_owner_process(
    start_server: StartServer, owner: subprocess.Popen[bytes]
) -> None:
    process = start_server("--owner-pid", str(owner.pid))
    process.state()
    owner.send_signal(signal.SIGKILL)  # without a wait, so that it stays a zombie
    assert process.wait() == 0


def test_the_server_stops_at_once_if_its_owner_process_does_not_exist(
    start_server: StartServer,
) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    process = start_server("--owner-pid", str(ended.pid))
    assert process.wait() == 0
    assert list(process.temporary.iterdir()) == []


def test_the_test_process_can_own_a_server(start_server: StartServer) -> None:
    process = start_server("--owner-pid", str(os.getpid()))
    assert exchange(process.state()["url"], HEALTHZ).status == 200
