"""The one place that starts a program."""

from __future__ import annotations

import html
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

import psutil
import pytest

from pytest_cloudrepo._programs import command
from pytest_cloudrepo._programs.result import CommandError, CommandResult, CommandTimeout
from pytest_cloudrepo._programs.secret import Secret
from pytest_cloudrepo.errors import CloudRepoError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

LONG = 300.0
PASSWORD = """p@s: /%#?é+$"'=\\&<>{}"""

# Starts a program of its own that sleeps, and writes down its process id.
PARENT = f"""
import pathlib, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep({LONG})"])
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


def wait_for(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"waited 30 s for {what}", pytrace=False)
        time.sleep(0.01)  # between two looks at the condition


def is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_result_tells_how_the_program_ended_and_what_it_printed() -> None:
    result = python("-c", "import sys; print('out'); print('error', file=sys.stderr)")
    assert result == CommandResult(result.args, 0, "out\n", "error\n")
    assert result.args[0] == sys.executable
    assert result.output == "out\nerror\n"
    assert result.ok


def test_a_failure_shows_command_status_and_output() -> None:
    with pytest.raises(CommandError) as caught:
        python("-c", "import sys; print('out'); sys.exit('what was wrong')")
    shown = str(caught.value)
    assert sys.executable in shown
    assert "exited with status 1" in shown
    assert "out\nwhat was wrong" in shown
    assert caught.value.result.returncode == 1


def test_a_failure_shows_what_the_rejected_requests() -> None:
    result = CommandResult(("twine",), 1, "HTTPError", "")
    shown = str(CommandError(result, rejected_requests="409 File already exists"))
    assert "HTTPError" in shown
    assert "409 File already exists" in shown


def test_a_failure_can_be_a_result() -> None:
    result = python("-c", "import sys; sys.exit(3)", check=False)
    assert result.returncode == 3
    assert not result.ok


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals")
def test_a_killed_program_is_said_to_be_one() -> None:
    with pytest.raises(CommandError, match="killed by signal 9"):
        python("-c", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")


def test_a_program_has_nothing_to_read() -> None:
    # In a process of its own, since pytest has closed its standard input already.
    runner = """
import os, sys
from pytest_cloudrepo._programs import command
script = "import sys; print(repr(sys.stdin.read()))"
print(command.run([sys.executable, "-c", script], environ=dict(os.environ), timeout=60).stdout)
"""
    done = subprocess.run(
        [sys.executable, "-c", runner], input="typed", capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "''"


def test_the_environment_is_all_that_is_given() -> None:
    script = "import os; print('HOME' in os.environ, os.environ['GIVEN'])"
    kept = {name: os.environ[name] for name in ("SYSTEMROOT",) if name in os.environ}
    result = command.run([sys.executable, "-c", script], environ={**kept, "GIVEN": "1"}, timeout=60)
    assert result.stdout == "False 1\n"


def test_a_program_without_folder_is_sought_on_the_path_that_it_is_given() -> None:
    folder = str(Path(sys.executable).parent)
    environ = {**os.environ, "PATH": folder}
    name = Path(sys.executable).name
    assert command.run([name, "-c", "print(1)"], environ=environ, timeout=60).stdout == "1\n"


def test_bytes_that_are_no_text_are_replaced() -> None:
    result = python("-c", r"import sys; sys.stdout.buffer.write(b'caf\xe9 caf\xc3\xa9')")
    assert result.stdout == "caf\N{REPLACEMENT CHARACTER} café"


def test_a_program_that_is_not_there_is_named() -> None:
    with pytest.raises(CloudRepoError, match="no program called 'no-such-program' on the PATH"):
        command.run(["no-such-program"], environ=dict(os.environ), timeout=60)


def test_a_path_with_no_program_is_named(tmp_path: Path) -> None:
    with pytest.raises(CloudRepoError, match=r"cannot start .*nothing: No such file"):
        command.run([tmp_path / "nothing"], environ={}, timeout=60)


def test_a_file_that_is_no_program_is_named(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("text")
    with pytest.raises(CloudRepoError, match=r"cannot start .*text: "):
        command.run([tmp_path / "text"], environ={}, timeout=60)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CloudRepoError, match="gone: no such folder"):
        python("-c", "", cwd=tmp_path / "gone")


@pytest.mark.parametrize("own_session", [False, True])
def test_a_time_out_ends_all_that_the_program_started(tmp_path: Path, *, own_session: bool) -> None:
    parent = PARENT.replace("])", f"], start_new_session={own_session})")
    assert parent != PARENT
    script = f"{parent}\nprint('so far', flush=True)\ntime.sleep({LONG})"
    with pytest.raises(CommandTimeout, match=r"(?s)timed out after 2 seconds.*so far"):
        python("-c", script, tmp_path / "pid", timeout=2)
    child = int((tmp_path / "pid").read_text())
    wait_for(lambda: not is_running(child), "the child to be ended")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no process groups to find it by")
def test_a_time_out_ends_what_was_left_by_its_parent(tmp_path: Path) -> None:
    script = f"""
import subprocess, sys, time
subprocess.run([sys.executable, "-c", {PARENT!r}, sys.argv[1]], check=True)
time.sleep({LONG})
"""
    with pytest.raises(CommandTimeout):
        python("-c", script, tmp_path / "pid", timeout=2)
    child = int((tmp_path / "pid").read_text())
    wait_for(lambda: not is_running(child), "the orphan to be ended")


def test_what_a_program_leaves_running_is_not_waited_for(tmp_path: Path) -> None:
    result = python("-c", f"{PARENT}\nprint('done')", tmp_path / "pid")
    child = psutil.Process(int((tmp_path / "pid").read_text()))
    assert result.stdout == "done\n"
    assert child.is_running()
    child.kill()


@pytest.mark.skipif(sys.platform == "win32", reason="there Ctrl-C reaches the program by itself")
def test_an_interrupt_ends_the_program(tmp_path: Path) -> None:
    runner = f"""
import os, signal, sys
from pytest_cloudrepo._programs import command
script = {PARENT!r} + "time.sleep({LONG})"
# A shell that runs the tests in the background has told them to ignore it.
signal.signal(signal.SIGINT, signal.default_int_handler)
command.run([sys.executable, "-c", script, sys.argv[1]], environ=dict(os.environ), timeout={LONG})
"""
    pid = tmp_path / "pid"
    with subprocess.Popen(
        [sys.executable, "-c", runner, str(pid)], stderr=subprocess.PIPE, text=True
    ) as process:
        wait_for(lambda: pid.exists() and pid.read_text(), "the program's child")
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=60)
    assert "KeyboardInterrupt" in error
    wait_for(lambda: not is_running(int(pid.read_text())), "the child to be ended")


SPELLINGS = {
    "as it is": PASSWORD,
    "in a URL": quote(PASSWORD, safe=""),
    "in a URL, small letters": re.sub(
        "%..", lambda code: code[0].lower(), quote(PASSWORD, safe="")
    ),
    "in a URL, in part": quote(PASSWORD),
    "in a form": quote_plus(PASSWORD),
    "in JSON": json.dumps(PASSWORD),
    "in Python": repr(PASSWORD),
    "in HTML": html.escape(PASSWORD),
}


@pytest.mark.parametrize("spelled", SPELLINGS.values(), ids=SPELLINGS)
def test_a_secret_is_masked_however_it_is_spelled(spelled: str) -> None:
    masked = command.mask(f"before {spelled} after", [PASSWORD])
    assert masked.replace('"', "").replace("'", "") == "before *** after"


def test_of_two_secrets_the_longer_one_is_masked_whole() -> None:
    assert command.mask("secret-longer secret", ["secret", "secret-longer"]) == "*** ***"


def test_text_without_secrets_stays() -> None:
    assert command.mask("some text", []) == "some text"
    assert command.mask("some text", [""]) == "some text"


@pytest.mark.parametrize("shown", ["result", "error"])
def test_secrets_are_masked_in_all_that_is_shown(shown: str) -> None:
    script = "import sys; print(sys.argv[1]); print(sys.argv[1], file=sys.stderr); sys.exit(1)"
    try:
        result = python("-c", script, PASSWORD, check=shown == "error", secrets=[PASSWORD])
        text = repr(result)
    except CommandError as error:
        text = f"{error} {error!r} {error.result!r}"
    assert "***" in text
    assert command.mask(text, [PASSWORD]) == text


def test_secrets_are_masked_when_the_time_is_up() -> None:
    script = f"import sys, time; print(sys.argv[1], flush=True); time.sleep({LONG})"
    with pytest.raises(CommandTimeout) as caught:
        python("-c", script, PASSWORD, timeout=2, secrets=[PASSWORD])
    assert "***" in str(caught.value)
    assert command.mask(str(caught.value), [PASSWORD]) == str(caught.value)


def test_an_argument_that_hides_itself_is_a_secret() -> None:
    url = Secret(f"http://someone%40example.com:{quote(PASSWORD, safe='')}@127.0.0.1/")
    result = python("-c", "import sys; print(*sys.argv[1:])", url, Secret(PASSWORD), PASSWORD)
    assert result.stdout == "http://someone%40example.com:***@127.0.0.1/ *** ***\n"
    assert command.mask(repr(result), [PASSWORD]) == repr(result)


def test_a_password_in_a_url_is_not_shown_among_the_arguments() -> None:
    result = python("-c", "", "--index-url=http://someone@example.com:word@127.0.0.1:80/demo")
    assert result.args[-1] == "--index-url=http://someone@example.com:***@127.0.0.1:80/demo"


def test_no_secret_is_seen_among_the_locals_of_a_traceback(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import os, sys
        from pytest_cloudrepo._programs import command
        from pytest_cloudrepo._programs.secret import Secret

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
