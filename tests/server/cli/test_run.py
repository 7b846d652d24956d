"""`cloudrepo-server run`: runs a command with every tool configured to use a new index."""

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
PRINT_ENVIRONMENT = "import json, os; print(json.dumps(dict(os.environ)))"
# This environment has no variables of the user or of another server.
ENVIRON = {name: value for name, value in os.environ.items() if "CLOUDREPO" not in name}


def run(*arguments: str, code: str | None = None) -> subprocess.CompletedProcess[str]:
    command = [*RUN, *arguments, *((*PYTHON, code) if code is not None else ())]
    return subprocess.run(
        command, env=ENVIRON, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("status", [0, 7])
def test_exits_with_the_status_of_the_command(status: int) -> None:
    assert run(code=f"raise SystemExit({status})").returncode == status


def test_prints_only_the_output_of_the_command() -> None:
    result = run(code="import sys; print('out'); print('err', file=sys.stderr)")

    assert (result.stdout, result.stderr) == ("out\n", "err\n")


def test_the_environment_of_the_command_has_the_url_and_the_credentials() -> None:
    environ = json.loads(run("--repository", "mine", code=PRINT_ENVIRONMENT).stdout)

    assert environ["CLOUDREPO_URL"].endswith("/repositories/mine")
    assert environ["CLOUDREPO_USERNAME"].endswith("@example.com")
    assert environ["TWINE_REPOSITORY_URL"] == environ["CLOUDREPO_URL"]
    assert environ["CLOUDREPO_PASSWORD"] in environ["PIP_INDEX_URL"]
    assert environ["UV_PUBLISH_URL"] == environ["CLOUDREPO_URL"]


def test_the_server_stops_when_the_command_ends() -> None:
    environ = json.loads(run(code=PRINT_ENVIRONMENT).stdout)

    with pytest.raises(requests.ConnectionError):
        requests.get(environ["CLOUDREPO_URL"], timeout=10)


@pytest.mark.parametrize("protected", [False, True])
def test_overwrite_protection_is_off_unless_the_option_enables_it(
    tmp_path: Path, *, protected: bool
) -> None:
    first, second = wheel("demo", "1.0"), wheel("demo", "1.0", module="x = 2\n")
    upload = [sys.executable, "-m", "twine", "upload", "--disable-progress-bar"]
    commands = []
    for number, archive in enumerate((first, second)):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / archive.filename).write_bytes(archive.data)
        commands.append([*upload, str(folder / archive.filename)])
    code = f"import subprocess; print([subprocess.call(c) for c in {commands!r}])"

    result = run(*(["--overwrite-protection"] if protected else []), code=code)

    assert result.stdout.splitlines()[-1] == f"[0, {int(protected)}]", result.stdout
    assert ("already exists" in result.stdout) is protected


def test_a_command_that_cannot_start_is_reported_in_one_line() -> None:
    result = run("--", "no-such-program")

    assert result.returncode == 127
    assert result.stderr.startswith("cloudrepo-server: cannot start no-such-program: ")


def test_an_invalid_repository_name_is_reported_in_one_line() -> None:
    result = run("--repository", "No Name", code="")

    assert result.returncode == 1
    assert "'No Name' is not a valid repository name" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_command_decides_what_a_signal_does(number: signal.Signals) -> None:
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

        # A terminal sends Ctrl-C to the whole process group, a supervisor SIGTERM to one process.
        if number == signal.SIGINT:
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)

        assert process.wait(timeout=30) == 5
