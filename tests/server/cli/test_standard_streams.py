"""Commands whose standard streams are closed, or are not a terminal."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from tests.support.index import Server
from tests.support.platforms import needs_posix
from tests.support.terminal import TerminalProgram, run_in_terminal
from tests.support.wait import wait_until

COMMAND = (sys.executable, "-m", "cloudrepo_server")
ENVIRON = {name: value for name, value in os.environ.items() if "CLOUDREPO" not in name}
CLOSED = ("<&-", ">&-", "2>&-", "<&- >&- 2>&-")
PASSWORD_IS_MISSING = "the admin password is missing: set CLOUDREPO_ADMIN_PASSWORD"
CTRL_D = "\x04"

closing = needs_posix("POSIX shell")
terminals = needs_posix("pseudo-terminals")


def with_closed(streams: str, *command: str) -> list[str]:
    """Return a command that a shell starts with closed streams."""
    return ["sh", "-c", f'exec "$@" {streams}', "sh", *command]


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        env=ENVIRON,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@closing
@pytest.mark.parametrize("streams", CLOSED)
def test_a_server_with_closed_streams_serves_and_stops(streams: str, tmp_path: Path) -> None:
    state_file = tmp_path / "state.json"
    serve = with_closed(streams, *COMMAND, "serve", "--state-file", str(state_file))
    with subprocess.Popen(serve, env=ENVIRON, stderr=subprocess.PIPE, text=True) as process:
        try:
            wait_until(state_file.exists, "the state file")
            url = json.loads(state_file.read_text("utf-8"))["url"]
            assert requests.get(f"{url}/healthz", timeout=30).status_code == 200
            process.terminate()
            _, log = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 0, log
    assert "Traceback" not in log


@closing
@pytest.mark.parametrize("streams", CLOSED)
def test_a_program_of_run_gets_usable_streams(streams: str, tmp_path: Path) -> None:
    path = tmp_path / "streams"
    code = (
        "import pathlib, sys; print('out'); print('err', file=sys.stderr); "
        f"pathlib.Path({str(path)!r}).write_text(repr(sys.stdin.read()))"
    )

    result = run(with_closed(streams, *COMMAND, "run", "--", sys.executable, "-c", code))

    assert (result.returncode, path.read_text()) == (0, "''"), result


@closing
@pytest.mark.parametrize("streams", CLOSED)
def test_the_status_of_a_command_with_closed_streams_is_right(streams: str) -> None:
    command = [*COMMAND, "repo", "list", "--url", "http://127.0.0.1:1"]

    result = run(with_closed(streams, *command))

    assert result.returncode == 1
    error = "" if "2>" in streams else f"cloudrepo-server: {PASSWORD_IS_MISSING}"
    assert result.stderr.startswith(error)
    assert len(result.stderr.splitlines()) == bool(error)


@pytest.mark.parametrize(
    ("action", "error"),
    [
        ("repo list --url http://127.0.0.1:1", PASSWORD_IS_MISSING),
        ("sweep --url http://127.0.0.1:1 --runs-older-than 1d", PASSWORD_IS_MISSING),
        ("repo delete demo --state-file {}", "as standard input is not a terminal: add --yes"),
        ("user set me@example.com --passphrase-stdin --state-file {}", "passphrase"),
    ],
)
def test_no_command_asks_the_null_device(server: Server, action: str, error: str) -> None:
    """On Windows, this device looks like a terminal."""
    result = run([*COMMAND, *action.format(server.process.state_file).split()])

    assert (result.returncode, result.stdout) == (1, "")
    assert error in result.stderr
    assert "Traceback" not in result.stderr


@contextmanager
def asked(server: Server, action: str) -> Iterator[TerminalProgram]:
    """Run a command that asks a question on its terminal."""
    command = [*COMMAND, *action.format(server.process.state_file, url=server.url).split()]
    with run_in_terminal(command, ENVIRON, is_input=True) as program:
        yield program


@terminals
@pytest.mark.parametrize(
    ("action", "question", "result"),
    [
        ("repo delete demo --state-file {}", "[y/N]", "cancelled: did not delete"),
        ("repo list --url {url}", "Password of the admin user", PASSWORD_IS_MISSING),
        ("user set me@example.com --passphrase-stdin --state-file {}", "Passphrase", "rejected"),
    ],
)
def test_an_end_of_input_is_no_answer(
    server: Server, action: str, question: str, result: str
) -> None:
    with asked(server, action) as program:
        program.wait_for(re.escape(question))
        program.type(CTRL_D)
        program.wait_for(result)
        assert program.process.wait(60) == 1
        assert "Traceback" not in program.shown


@terminals
def test_an_answer_that_is_typed_counts(server: Server) -> None:
    name = server.repository().name
    with asked(server, f"repo delete {name} --state-file {{}}") as program:
        program.wait_for(r"\[y/N\]")
        program.type("y\n")
        assert program.process.wait(60) == 0
    assert server.api("GET", f"/repositories/{name}").status_code == 404
    username, password = server.admin
    with asked(server, f"repo list --url {{url}} --username {username}") as program:
        program.wait_for("Password of the admin user")
        program.type(f"{password}\n")
        program.wait_for("OVERWRITE PROTECTION")
        assert program.process.wait(60) == 0
        assert password not in program.shown
