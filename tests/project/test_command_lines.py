"""The command lines and variables that the documents show are those that there are."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from cloudrepo_server.cli import main
from tests.support.markdown import blocks

PROJECT = Path(__file__).parents[2]
PAGES = [PROJECT / "README.md", *sorted((PROJECT / "docs").rglob("*.md"))]
LANGUAGES = ("console", "sh", "yaml", "ini", "text", "dockerfile")
COMMAND = re.compile(r"(?:^|[\s;&|])cloudrepo-server ((?:serve|run|sweep)\b[^\n]*)")
VARIABLE = re.compile(r"\bCLOUDREPO_[A-Z_]+")
OPTION = re.compile(r"(?<![\w-])--cloudrepo-[a-z-]+")


def texts() -> list[tuple[str, str]]:
    """What is shown as code, its continued lines joined, and whose page it is."""
    return [
        (page.name, re.sub(r"\\\n\s*", " ", block.text))
        for page in PAGES
        for language in LANGUAGES
        for block in blocks(page, language)
    ]


COMMANDS = [
    pytest.param(command, id=f"{name}:{command[:40]}")
    for name, text in texts()
    for command in COMMAND.findall(text)
]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_line_is_understood(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = shlex.split(command, comments=True)
    # Read whole, and not begun: what is wrong after all else is told last.
    at = arguments.index("--") if "--" in arguments else len(arguments)
    with pytest.raises(SystemExit):
        main([*arguments[:at], "--nothing", *arguments[at:]])
    assert capsys.readouterr().err.endswith("error: unrecognized arguments: --nothing\n")


def test_there_are_some() -> None:
    assert len(COMMANDS) >= 5


def test_every_variable_is_one_that_is_read() -> None:
    source = "".join(
        path.read_text("utf-8")
        for folder in ("pytest_cloudrepo", "server", "tests", "deploy")
        for path in (PROJECT / folder).rglob("*.py")
    )
    read = set(VARIABLE.findall(source)) | {"CLOUDREPO_ADMIN_USERNAME", "CLOUDREPO_ADMIN_PASSWORD"}
    # What programs printed is theirs.
    told = [page for page in PAGES if page.name != "clients.md"]
    pages = [*told, *(path for path in (PROJECT / "deploy").iterdir() if path.is_file())]
    shown = {name for page in pages for name in VARIABLE.findall(page.read_text("utf-8"))}
    assert shown <= read


def test_every_option_of_pytest_is_registered(pytestconfig: pytest.Config) -> None:
    shown = {option for page in PAGES for option in OPTION.findall(page.read_text("utf-8"))}
    assert shown
    for option in shown:
        # It is ours, so that its value is known by its name.
        pytestconfig.getoption(option.removeprefix("--").replace("-", "_"))
