"""`cloudrepo-server run`: a command with every tool pointed at an index of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from tests.support.archives import wheel

RUN = (sys.executable, "-m", "cloudrepo_server", "run")
PYTHON = ("--", sys.executable, "-c")
SHOW = "import json, os; print(json.dumps(dict(os.environ)))"
# What a server of an earlier test, or a user, may have left in this process's environment.
ENVIRON = {name: value for name, value in os.environ.items() if "CLOUDREPO" not in name}


def run(*arguments: str, code: str | None = None) -> subprocess.CompletedProcess[str]:
    command = [*RUN, *arguments, *((*PYTHON, code) if code is not None else ())]
    return subprocess.run(
        command, env=ENVIRON, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("status", [0, 7])
def test_it_ends_with_the_commands_status(status: int) -> None:
    assert run(code=f"raise SystemExit({status})").returncode == status


def test_what_the_command_prints_is_all_that_is_printed() -> None:
    ended = run(code="import sys; print('out'); print('err', file=sys.stderr)")

    assert (ended.stdout, ended.stderr) == ("out\n", "err\n")


def test_the_command_is_told_where_and_as_whom() -> None:
    environ = json.loads(run("--repository", "mine", code=SHOW).stdout)

    assert environ["CLOUDREPO_URL"].endswith("/repositories/mine")
    assert environ["CLOUDREPO_USERNAME"].endswith("@example.com")
    assert environ["TWINE_REPOSITORY_URL"] == environ["CLOUDREPO_URL"]
    assert environ["CLOUDREPO_PASSWORD"] in environ["PIP_INDEX_URL"]
    assert environ["UV_PUBLISH_URL"] == environ["CLOUDREPO_URL"]


def test_the_server_is_gone_when_the_command_has_ended() -> None:
    environ = json.loads(run(code=SHOW).stdout)

    with pytest.raises(requests.ConnectionError):
        requests.get(environ["CLOUDREPO_URL"], timeout=10)


@pytest.mark.parametrize("protected", [False, True])
def test_overwrite_protection_is_as_asked_for(tmp_path: Path, *, protected: bool) -> None:
    first, second = wheel("demo", "1.0"), wheel("demo", "1.0", module="x = 2\n")
    upload = [sys.executable, "-m", "twine", "upload", "--disable-progress-bar"]
    commands = []
    for number, archive in enumerate((first, second)):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / archive.filename).write_bytes(archive.data)
        commands.append([*upload, str(folder / archive.filename)])
    code = f"import subprocess; print([subprocess.call(c) for c in {commands!r}])"

    ended = run(*(["--overwrite-protection"] if protected else []), code=code)

    assert ended.stdout.splitlines()[-1] == f"[0, {int(protected)}]", ended.stdout
    assert ("already exists" in ended.stdout) is protected


def test_a_program_that_is_not_there_is_one_clear_line() -> None:
    ended = run("--", "no-such-program")

    assert ended.returncode == 127
    assert ended.stderr.startswith("cloudrepo-server: cannot start no-such-program: ")


def test_a_wrong_name_is_one_clear_line() -> None:
    ended = run("--repository", "No Name", code="")

    assert ended.returncode == 1
    assert "'No Name' is not a valid repository name" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends a program without asking it")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_the_commands_to_answer(number: signal.Signals) -> None:
    code = (
        "import signal, sys, time\n"
        f"signal.signal({int(number)}, lambda *_: sys.exit(5))\n"
        "print('ready', flush=True)\n"
        "while True: time.sleep(0.1)"
    )
    with subprocess.Popen(
        [*RUN, *PYTHON, code], env=ENVIRON, stdout=subprocess.PIPE, start_new_session=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"

        # A terminal sends Ctrl-C to all of the group; a supervisor's SIGTERM goes to one process.
        if number == signal.SIGINT:
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)

        assert process.wait(timeout=30) == 5
