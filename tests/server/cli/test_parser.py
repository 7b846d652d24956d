"""The parser of the command line: usage, help and errors."""

from __future__ import annotations

import subprocess
import sys

import pytest

from cloudrepo_server.cli import main


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--port", "http"], ["--port", "'http'"]),
        (["--port", "-1"], ["--port"]),
        (["--port", "65536"], ["--port", "65535"]),
        (["--owner-pid", "me"], ["--owner-pid", "'me'"]),
        (["--owner-pid", "0"], ["--owner-pid", "'0'"]),
        (["--owner-pid", "-1"], ["--owner-pid"]),
        (["--owner-pid", "9" * 30], ["--owner-pid"]),
        (["--grace", "soon"], ["--grace", "'soon'"]),
        (["--grace", "-1"], ["--grace"]),
        (["--drain", "nan"], ["--drain", "86400"]),
        (["--organization", ""], ["--organization"]),
        (["--organization", "two\nlines"], ["--organization"]),
        (["--nothing"], ["--nothing"]),
        (["more"], ["more"]),
    ],
)
def test_an_invalid_argument_is_named(
    arguments: list[str], words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["serve", *arguments])
    assert ended.value.code == 2
    shown = capsys.readouterr().err
    assert "usage: cloudrepo-server" in shown
    for word in words:
        assert word in shown


def test_help_and_a_missing_command_print_the_usage() -> None:
    for arguments in ([], ["--help"], ["serve", "--help"], ["run", "--help"], ["run"]):
        shown = subprocess.run(
            [sys.executable, "-m", "cloudrepo_server", *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert shown.returncode == (0 if "--help" in arguments else 2)
        assert "usage: cloudrepo-server" in shown.stdout + shown.stderr
        assert "Traceback" not in shown.stderr
        if "run" in arguments:
            assert "-- COMMAND [ARGUMENT ...]" in shown.stdout + shown.stderr
