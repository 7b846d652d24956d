"""Running subprocesses: results, failures, timeouts, and masked secrets."""

from __future__ import annotations

import html
import json
import locale
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

import psutil
import pytest

from pytest_cloudrepo._programs import command
from pytest_cloudrepo._programs.masking import mask
from pytest_cloudrepo._programs.result import (
    MAX_REASON,
    CommandError,
    CommandResult,
    CommandTimeout,
)
from pytest_cloudrepo._programs.secret import Secret, issue
from pytest_cloudrepo.errors import CloudRepoError
from tests.support.platforms import WINDOWS, needs_posix
from tests.support.wait import growing_timeouts, wait_until

if TYPE_CHECKING:
    from collections.abc import Sequence

SLEEP = 300.0
PASSWORD = """p@s: /%#?é+$"'=\\&<>{}"""

# Starts a child process that sleeps, and writes the child's process id to a file.
PARENT = f"""
import pathlib, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep({SLEEP})"])
pathlib.Path(sys.argv[1]).write_text(str(child.pid))
"""


def python(
    *arguments: str | Path,
    timeout: float = 60.0,
    check: bool = True,
    cwd: Path | None = None,
    secrets: Sequence[str] = (),
) -> CommandResult:
    return command.run(
        [sys.executable, *arguments],
        environ=dict(os.environ),
        cwd=cwd,
        timeout=timeout,
        check=check,
        secrets=secrets,
    )


def is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_result_has_the_exit_status_and_the_output() -> None:
    result = python("-c", "import sys; print('out'); print('error', file=sys.stderr)")
    assert result == CommandResult(result.args, 0, "out\n", "error\n")
    assert result.args[0] == sys.executable
    assert result.output == "out\nerror\n"
    assert result.ok


def test_an_error_shows_the_command_the_status_and_the_output() -> None:
    with pytest.raises(CommandError) as caught:
        python("-c", "import sys; print('out'); sys.exit('the reason')")
    message = str(caught.value)
    assert sys.executable in message
    assert "exited with status 1" in message
    assert "out\nthe reason" in message
    assert caught.value.result.returncode == 1


def test_an_error_shows_the_rejected_requests() -> None:
    result = CommandResult(("twine",), 1, "HTTPError", "")
    message = str(CommandError(result, rejected_requests="409 File already exists"))
    assert "HTTPError" in message
    assert "409 File already exists" in message


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (
            ["/venv/bin/python3.12", "-P", "-X", "dev", "-m", "twine", "-q", "upload"],
            "twine upload",
        ),
        ([r"C:\venv\Scripts\python.exe", "-m", "pip", "install", "demo"], "pip install"),
        (["uv", "--quiet", "pip", "install", "demo"], "uv pip install"),
        (["uv", "publish", "dist/*"], "uv publish"),
        (["twine", "--version"], "twine"),
        (["python", "-c", "import this"], "python -c"),
        (["python", "tools/release.py", "upload"], "release.py"),
        (["python"], "python"),
        (["make", "release"], "make"),
    ],
)
def test_an_error_begins_with_the_short_name_of_the_program(
    arguments: list[str], name: str
) -> None:
    result = CommandResult(tuple(arguments), 2, "", "")
    assert str(CommandError(result)).startswith(f"{name}: exited with status 2\n")
    assert repr(result) == f"<CommandResult {name} exited with status 2>"


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        ("Traceback\n  File x\nValueError: not a number\n", "ValueError: not a number"),
        ("ERROR    InvalidDistribution: no file\n         More.\n", "InvalidDistribution: no file"),
        ("ERROR: Could not find it\nERROR: No matching distribution\n", "No matching distribution"),
        (
            "  \u00d7 No solution found:\n  \u2570\u2500\u25b6 Because a is b, no.\n",
            "Because a is b, no.",
        ),
        ("error: no solution\n  cause: Because a is b\n", "Because a is b"),
        ("\x1b[31mwhat a pity\x1b[0m\n\n", "what a pity"),
        ("Error: " + "x" * 1000, "x" * MAX_REASON),
    ],
)
def test_the_reason_of_a_failure_is_the_last_error_that_the_program_printed(
    output: str, reason: str
) -> None:
    assert CommandResult(("tool",), 1, "no\n", output).reason == reason
    assert CommandResult(("tool",), 1, output, "").reason == reason
    assert CommandResult(("tool",), 0, "", output).reason == ""


def test_a_failure_is_returned_if_check_is_false() -> None:
    result = python("-c", "import sys; sys.exit(3)", check=False)
    assert result.returncode == 3
    assert not result.ok


@needs_posix("POSIX signals")
def test_an_error_names_the_signal_that_killed_the_program() -> None:
    with pytest.raises(CommandError, match="killed by signal 9"):
        python("-c", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")


def test_standard_input_of_a_program_is_empty() -> None:
    # In a separate process, because pytest has closed its own standard input.
    runner = """
import os, sys
from pytest_cloudrepo._programs import command
script = "import sys; print(repr(sys.stdin.read()))"
print(command.run([sys.executable, "-c", script], environ=dict(os.environ), timeout=60).stdout)
"""
    completed = subprocess.run(
        [sys.executable, "-c", runner], input="typed", capture_output=True, text=True, check=True
    )
    assert completed.stdout.strip() == "''"


def test_a_program_gets_only_the_given_environment() -> None:
    script = "import os; print('HOME' in os.environ, os.environ['GIVEN'])"
    required = {name: os.environ[name] for name in ("SYSTEMROOT",) if name in os.environ}
    result = command.run(
        [sys.executable, "-c", script], environ={**required, "GIVEN": "1"}, timeout=60
    )
    assert result.stdout == "False 1\n"


def test_a_program_is_looked_up_on_the_path_of_the_given_environment() -> None:
    folder = str(Path(sys.executable).parent)
    environ = {**os.environ, "PATH": folder}
    name = Path(sys.executable).name
    assert command.run([name, "-c", "print(1)"], environ=environ, timeout=60).stdout == "1\n"


def test_output_that_is_not_utf_8_is_decoded_with_replacements() -> None:
    result = python("-c", r"import sys; sys.stdout.buffer.write(b'caf\xe9 caf\xc3\xa9')")
    encoding = locale.getencoding() if WINDOWS else "utf-8"
    assert result.stdout == b"caf\xe9 caf\xc3\xa9".decode(encoding, "replace")


def test_a_missing_program_is_reported() -> None:
    with pytest.raises(CloudRepoError, match="program 'no-such-program' not found on the PATH"):
        command.run(["no-such-program"], environ=dict(os.environ), timeout=60)


def test_a_path_without_a_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(CloudRepoError, match=r"cannot start .*nothing: ."):
        command.run([tmp_path / "nothing"], environ={}, timeout=60)


def test_a_file_that_is_not_executable_is_reported(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("text")
    with pytest.raises(CloudRepoError, match=r"cannot start .*text: "):
        command.run([tmp_path / "text"], environ={}, timeout=60)


def test_a_missing_working_folder_is_reported(tmp_path: Path) -> None:
    with pytest.raises(CloudRepoError, match="missing: no such folder"):
        python("-c", "", cwd=tmp_path / "missing")


def timed_out(script: str, *arguments: str | Path, secrets: Sequence[str] = ()) -> CommandTimeout:
    """Run a script that prints `so far` and then sleeps until its timeout; return the error."""
    for timeout in growing_timeouts(2, "print `so far`"):
        with pytest.raises(CommandTimeout, match=f"timed out after {timeout:g} seconds") as caught:
            python("-c", script, *arguments, timeout=timeout, secrets=secrets)
        if "\nso far" in str(caught.value):
            break
    return caught.value


@pytest.mark.parametrize("own_session", [False, True])
def test_a_timeout_stops_the_child_processes_too(tmp_path: Path, *, own_session: bool) -> None:
    parent = PARENT.replace("])", f"], start_new_session={own_session})", 1)
    assert parent != PARENT
    script = f"{parent}\nprint('so far', flush=True)\ntime.sleep({SLEEP})"
    timed_out(script, tmp_path / "pid")
    child = int((tmp_path / "pid").read_text())
    wait_until(lambda: not is_running(child), "the child process to stop")


@needs_posix("process groups")
def test_a_timeout_stops_orphaned_processes_too(tmp_path: Path) -> None:
    script = f"""
import subprocess, sys, time
subprocess.run([sys.executable, "-c", {PARENT!r}, sys.argv[1]], check=True)
print("so far", flush=True)
time.sleep({SLEEP})
"""
    timed_out(script, tmp_path / "pid")
    child = int((tmp_path / "pid").read_text())
    wait_until(lambda: not is_running(child), "the orphaned process to stop")


def test_processes_that_the_program_leaves_running_are_not_awaited(tmp_path: Path) -> None:
    result = python("-c", f"{PARENT}\nprint('done')", tmp_path / "pid")
    child = psutil.Process(int((tmp_path / "pid").read_text()))
    assert result.stdout == "done\n"
    assert child.is_running()
    child.kill()


@needs_posix("process groups")
def test_an_interrupt_stops_the_program(tmp_path: Path) -> None:
    runner = f"""
import os, sys
from pytest_cloudrepo._programs import command
script = {PARENT!r} + "time.sleep({SLEEP})"
command.run([sys.executable, "-c", script, sys.argv[1]], environ=dict(os.environ), timeout={SLEEP})
"""
    pid = tmp_path / "pid"
    with subprocess.Popen(
        [sys.executable, "-c", runner, str(pid)], stderr=subprocess.PIPE, text=True
    ) as process:
        wait_until(lambda: pid.exists() and pid.read_text() != "", "the child process to start")
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=60)
    assert "KeyboardInterrupt" in error
    wait_until(lambda: not is_running(int(pid.read_text())), "the child process to stop")


ENCODINGS = {
    "unchanged": PASSWORD,
    "in a URL": quote(PASSWORD, safe=""),
    "in a URL, lower case": re.sub("%..", lambda code: code[0].lower(), quote(PASSWORD, safe="")),
    "in a URL, slashes unquoted": quote(PASSWORD),
    "in a form": quote_plus(PASSWORD),
    "in JSON": json.dumps(PASSWORD),
    "in Python": repr(PASSWORD),
    "in HTML": html.escape(PASSWORD),
}


@pytest.mark.parametrize("encoded", ENCODINGS.values(), ids=ENCODINGS)
def test_a_secret_is_masked_in_every_encoding(encoded: str) -> None:
    masked = mask(f"before {encoded} after", [PASSWORD])
    assert masked.replace('"', "").replace("'", "") == "before *** after"


def test_a_secret_that_pprint_broke_into_lines_is_masked() -> None:
    secret = "dGVzdDpwYXNz-word1"
    for at in range(1, len(secret)):
        text = f"x = (b'{secret[:at]}'\n     b'{secret[at:]}')"
        assert mask(text, ["other", secret]) == "x = (b'***')"


def test_a_longer_secret_is_masked_before_a_shorter_one() -> None:
    assert mask("secret-longer secret", ["secret", "secret-longer"]) == "*** ***"


def test_text_without_secrets_is_unchanged() -> None:
    assert mask("some text", []) == "some text"
    assert mask("some text", [""]) == "some text"


@pytest.mark.parametrize("kind", ["result", "error"])
def test_secrets_are_masked_in_results_and_errors(kind: str) -> None:
    script = "import sys; print(sys.argv[1]); print(sys.argv[1], file=sys.stderr); sys.exit(1)"
    try:
        result = python("-c", script, PASSWORD, check=kind == "error", secrets=[PASSWORD])
        text = repr(result)
    except CommandError as error:
        text = f"{error} {error!r} {error.result!r}"
    assert "***" in text
    assert mask(text, [PASSWORD]) == text


def test_secrets_are_masked_in_timeouts() -> None:
    script = f"import sys, time; print(f'so far {{sys.argv[1]}}', flush=True); time.sleep({SLEEP})"
    text = str(timed_out(script, PASSWORD, secrets=[PASSWORD]))
    assert text.endswith("so far ***")
    assert mask(text, [PASSWORD]) == text


def test_an_argument_of_type_secret_is_masked() -> None:
    url = Secret(f"http://someone%40example.com:{quote(PASSWORD, safe='')}@127.0.0.1/")
    result = python("-c", "import sys; print(*sys.argv[1:])", url, Secret(PASSWORD), PASSWORD)
    assert result.stdout == "http://someone%40example.com:***@127.0.0.1/ *** ***\n"
    assert mask(repr(result), [PASSWORD]) == repr(result)


def test_a_short_admin_password_does_not_mask_parts_of_words() -> None:
    issue("x", "ann@example.com")
    assert python("-c", "print('example')").stdout == "example\n"


def test_a_password_in_a_url_argument_is_masked() -> None:
    result = python("-c", "", "--index-url=http://someone@example.com:word@127.0.0.1:80/demo")
    assert result.args[-1] == "--index-url=http://someone@example.com:***@127.0.0.1:80/demo"


def test_no_secret_is_in_the_local_variables_of_a_traceback(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import os, sys
        from pytest_cloudrepo._programs import command
        from pytest_cloudrepo._programs.secret import Secret, issue

        def test_it():
            command.run(
                [sys.executable, "-c", "import sys; sys.exit(1)", Secret("open-sesame")],
                environ=dict(os.environ), timeout=60,
            )
        """.replace("open-sesame", "open' 'sesame")
    )
    result = pytester.runpytest_subprocess("--showlocals", "--full-trace")
    result.assert_outcomes(failed=1)
    assert "opensesame" not in result.stdout.str()
