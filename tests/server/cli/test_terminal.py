"""What the command line shows on a terminal: colours, help, completion and progress."""

from __future__ import annotations

import io
import os
import re
import shlex
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from cloudrepo_server.cli import COMMANDS, create_parser, terminal
from tests.support.platforms import needs_posix
from tests.support.terminal import run_in_terminal
from tests.support.wait import SECONDS, wait_until

PROGRAM = (sys.executable, "-m", "cloudrepo_server")


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True


def use_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Make the standard error a terminal. pytest replaces what a fixture assigns."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    return stream


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        create_parser().parse_args(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"cloudrepo-server {version('pytest-cloudrepo')}\n"


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_the_help_of_each_command_has_examples_that_are_valid(
    command: object, capsys: pytest.CaptureFixture[str]
) -> None:
    name = command.name  # type: ignore[attr-defined] # pytest's parameters have no types
    with pytest.raises(SystemExit):
        create_parser().parse_args([name, "--help"])
    shown = capsys.readouterr().out.partition("\nexamples:\n")[2].splitlines()
    assert shown
    for line in shown:
        program, *arguments = shlex.split(re.sub(r" >>? \S+$", "", line))
        assert program == "cloudrepo-server"
        assert create_parser().parse_args(arguments).run is command.module.run  # type: ignore[attr-defined]


def test_errors_have_colours_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    standard_error = use_terminal(monkeypatch)
    terminal.print_error("the disk is full")
    assert standard_error.getvalue() == "\x1b[31mcloudrepo-server:\x1b[0m the disk is full\n"
    assert terminal.coloured("x", "green", io.StringIO()) == "x"
    monkeypatch.setenv("NO_COLOR", "1")
    assert terminal.coloured("x", "green", standard_error) == "x"


def test_progress_is_shown_on_a_terminal_until_the_work_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    standard_error = use_terminal(monkeypatch)
    with terminal.progress("Checking 3 files", after=0):
        wait_until(lambda: "Checking 3 files … 0 s" in standard_error.getvalue(), "the progress")
    assert standard_error.getvalue().endswith("\r\x1b[K")
    before = standard_error.getvalue()
    with terminal.progress("Checking 3 files", after=60):
        pass
    assert standard_error.getvalue() == before


def test_progress_is_not_shown_in_files(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    with terminal.progress("Checking 3 files", after=0):
        pass
    assert stream.getvalue() == ""


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_code_for_each_shell_names_the_program(
    shell: str, capsys: pytest.CaptureFixture[str]
) -> None:
    parsed = create_parser().parse_args(["completion", shell])
    assert parsed.run(parsed) == 0
    assert "cloudrepo-server" in capsys.readouterr().out


@needs_posix("bash")
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("cloudrepo-server to", ["token "]),
        ("cloudrepo-server check --for", ["--format "]),
        ("cloudrepo-server check --format j", ["json", "junit"]),
        ("cloudrepo-server repo create demo --state", ["--state-file "]),
    ],
)
def test_bash_completes_commands_options_and_choices(
    tmp_path: Path, line: str, expected: list[str]
) -> None:
    program = tmp_path / "cloudrepo-server"
    program.write_text(f'#!/bin/sh\nexec {shlex.join(PROGRAM)} "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    code = subprocess.run([*PROGRAM, "completion", "bash"], capture_output=True, check=True)
    words = line.split(" ")
    script = "\n".join(
        [
            code.stdout.decode(),
            f"COMP_LINE={shlex.quote(line)} COMP_POINT={len(line)} COMP_TYPE=9",
            f"COMP_WORDS=({shlex.join(words)}) COMP_CWORD={len(words) - 1}",
            "_python_argcomplete cloudrepo-server",
            r"""printf '%s\n' "${COMPREPLY[@]}" """,
        ]
    )
    completed = subprocess.run(
        ["bash", "-c", script],  # noqa: S607 - wherever it is installed
        env=os.environ | {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert completed.stdout.splitlines() == expected, completed.stderr


@needs_posix("pseudo-terminals")
def test_serve_says_on_a_terminal_where_the_portal_and_the_data_are_and_how_to_stop(
    tmp_path: Path,
) -> None:
    data = tmp_path / "data"
    command = [*PROGRAM, "serve", "--data", str(data)]
    with run_in_terminal(command, os.environ) as server:
        server.wait_for("Admin user and password")
        server.process.terminate()
        server.process.wait(SECONDS)
    shown = server.shown
    (url,) = re.findall(r"Serving the organization example at (\S+)", shown)
    assert f"Admin Portal: open {url}/portal in a browser." in shown
    assert f"The data are in {data}." in shown
    assert "To stop the server, press Ctrl-C." in shown
