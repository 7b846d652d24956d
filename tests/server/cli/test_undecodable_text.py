"""Arguments, variables and input that are not text in the encoding of the system."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.support.index import Server
from tests.support.platforms import needs_posix

COMMAND = (sys.executable, "-m", "cloudrepo_server")
BYTE = "\udcff"  # the byte 0xff in an argument or a variable (PEP 383)
UNUSED = "http://127.0.0.1:1"
NOT_TEXT = "not text in the encoding utf-8"

pytestmark = needs_posix("bytes as arguments")


def run(
    *arguments: str, environ: dict[str, str] | None = None, stdin: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    environ = {**os.environ, "PYTHONUTF8": "1", **(environ or {})}
    return subprocess.run(
        [*COMMAND, *arguments],
        env=environ,
        input=stdin,
        capture_output=True,
        timeout=60,
        check=False,
    )


def assert_rejected(result: subprocess.CompletedProcess[bytes], words: str = NOT_TEXT) -> None:
    error = result.stderr.decode()
    assert result.returncode in {1, 2}
    assert words in error
    assert "Traceback" not in error


@pytest.mark.parametrize(
    "arguments",
    [
        ("repo", "show", BYTE, "--state-file", "{}"),
        ("repo", "create", f"demo{BYTE}", "--state-file", "{}"),
        ("user", "create", f"{BYTE}@example.com", "--state-file", "{}"),
        ("token", "create", "demo", "--name", BYTE, "--state-file", "{}"),
        ("user", "list", "--url", UNUSED, "--username", BYTE),
        ("run", "--repository", BYTE, "--", "true"),
        ("serve", "--host", BYTE),
    ],
)
def test_an_argument_that_is_not_text_is_named(server: Server, arguments: tuple[str, ...]) -> None:
    state_file = str(server.process.state_file)
    assert_rejected(run(*(state_file if each == "{}" else each for each in arguments)))


@pytest.mark.parametrize("name", ["USERNAME", "PASSWORD"])
@pytest.mark.parametrize(
    "arguments",
    [
        ("repo", "list", "--url", UNUSED),
        ("sweep", "--url", UNUSED, "--runs-older-than", "1d"),
        ("serve",),
    ],
)
def test_a_login_that_is_not_text_is_rejected(name: str, arguments: tuple[str, ...]) -> None:
    login = {"CLOUDREPO_ADMIN_USERNAME": "me", "CLOUDREPO_ADMIN_PASSWORD": "secret"}
    variable = f"CLOUDREPO_ADMIN_{name}"
    login[variable] += BYTE

    result = run(*arguments, environ=login)

    assert_rejected(result, f"the value of {variable} is {NOT_TEXT}")
    assert b"secret" not in result.stderr


@pytest.mark.parametrize("environ", [{}, {"PYTHONIOENCODING": "utf-8:strict"}])
def test_a_passphrase_that_is_not_text_is_rejected(server: Server, environ: dict[str, str]) -> None:
    arguments = ("user", "create", "not-text@example.com", "--passphrase-stdin")
    state_file = ("--state-file", str(server.process.state_file))

    result = run(*arguments, *state_file, environ=environ, stdin=b"passphrase\xff\n")

    assert_rejected(result, f"the passphrase is {NOT_TEXT}")


def test_a_command_may_have_arguments_that_are_not_text() -> None:
    code = "import os, sys; print(os.fsencode(sys.argv[1]))"

    result = run("run", "--", sys.executable, "-c", code, BYTE)

    assert result.stdout == b"b'\\xff'\n"
