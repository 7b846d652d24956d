"""A process ends after a stop signal, even if its event loop is blocked."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.platforms import needs_posix

LONGEST = 0.5


def start(code: str, *, temporary: Path | None = None) -> subprocess.Popen[str]:
    """Start a Python process, and wait until it prints a line.

    Args:
        code: what the process runs.
        temporary: the folder for its temporary files, for a process that does not delete them.
    """
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=None if temporary is None else os.environ | {"TMPDIR": str(temporary)},
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    while line.startswith(("Serving ", "cloudrepo-server: ")):
        line = process.stdout.readline()
    assert line == "blocked\n"
    return process


def test_a_process_that_does_not_end_in_time_is_terminated() -> None:
    process = start("""
from cloudrepo_server.process.watchdog import exit_at_the_latest
exit_at_the_latest(60)
exit_at_the_latest(0.1)
print("blocked", flush=True)
while True:
    pass
""")
    _, error = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "Timeout" in error


BLOCKED = f"""
import os, threading, time
from cloudrepo_server.cli.event_loop import run_in_event_loop
from cloudrepo_server.process.shutdown import Shutdown
from cloudrepo_server.process.watchdog import exit_after_stop_signals

async def block():
    shutdown = Shutdown()
    shutdown.request_on_signals()
    with exit_after_stop_signals({LONGEST}):
        print("blocked", flush=True)
        WORK
        await shutdown.requested.wait()
        print("stopped", flush=True)

run_in_event_loop(block())
"""


@needs_posix("SIGTERM")
@pytest.mark.parametrize(
    "work",
    [
        "while True: pass",
        "threading.Event().wait()",
        "time.sleep(3600)",
        "os.read(os.pipe()[0], 1)",
    ],
    ids=["busy", "waiting", "sleeping", "reading"],
)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_process_with_a_blocked_event_loop_ends_after_a_stop_signal(
    work: str, number: signal.Signals
) -> None:
    process = start(BLOCKED.replace("WORK", work))
    process.send_signal(number)
    output, error = process.communicate(timeout=60)
    assert process.returncode == 1
    assert output == ""
    assert "Timeout" in error


BLOCKED_SERVER = f"""
import asyncio
from pathlib import Path
from cloudrepo_server.cli.event_loop import run_in_event_loop
from cloudrepo_server.process import server
from cloudrepo_server.process.settings import ServerSettings

server.CLEANUP_SECONDS = {LONGEST}
state_file = Path("STATE_FILE")

async def block():
    serving = asyncio.ensure_future(server.serve(ServerSettings(state_file=state_file)))
    while not state_file.exists():
        await asyncio.sleep(0.01)
    print("blocked", flush=True)
    while True:
        pass

run_in_event_loop(block())
"""


@needs_posix("SIGTERM")
def test_a_blocked_server_ends_after_sigterm(tmp_path: Path) -> None:
    code = BLOCKED_SERVER.replace("STATE_FILE", str(tmp_path / "state.json"))
    process = start(code, temporary=tmp_path)
    process.send_signal(signal.SIGTERM)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "Timeout" in error


@needs_posix("SIGTERM")
def test_an_event_loop_that_is_not_blocked_receives_the_signal() -> None:
    process = start(BLOCKED.replace("WORK", "pass").replace(f"({LONGEST})", "(3600)"))
    process.send_signal(signal.SIGTERM)
    output, error = process.communicate(timeout=60)
    assert (process.returncode, output, error) == (0, "stopped\n", "")
