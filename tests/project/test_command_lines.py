"""The commands, options and variables in the README and the documentation exist."""

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
COMMAND = re.compile(
    r"(?:^|[\s;&|])cloudrepo-server "
    r"((?:serve|run|check|rehearse|snapshot|sweep|repo|user|token)\b[^\n]*)"
)
VARIABLE = re.compile(r"\bCLOUDREPO_[A-Z_]+")
OPTION = re.compile(r"(?<![\w-])--cloudrepo-[a-z-]+")


def code_blocks() -> list[tuple[str, str]]:
    """Return the page name and the text of each block; continued lines are joined."""
    return [
        (page.name, re.sub(r"\\\n\s*", " ", block.text))
        for page in PAGES
        for language in LANGUAGES
        for block in blocks(page, language)
    ]


COMMANDS = [
    pytest.param(command, id=f"{name}:{command[:40]}")
    for name, text in code_blocks()
    for command in COMMAND.findall(text)
]


@pytest.mark.parametrize("command", COMMANDS)
def test_the_server_accepts_each_command_line(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = shlex.split(command, comments=True)
    # An unknown option keeps the command from starting; argparse reports it last.
    end = arguments.index("--") if "--" in arguments else len(arguments)
    with pytest.raises(SystemExit):
        main([*arguments[:end], "--unknown", *arguments[end:]])
    assert capsys.readouterr().err.endswith("error: unrecognized arguments: --unknown\n")


def test_the_pages_show_commands() -> None:
    assert len(COMMANDS) >= 5


def test_the_code_reads_every_variable_that_the_pages_name() -> None:
    source = "".join(
        path.read_text("utf-8")
        for folder in ("pytest_cloudrepo", "server", "tests", "deploy")
        for path in (PROJECT / folder).rglob("*.py")
    )
    read = set(VARIABLE.findall(source)) | {"CLOUDREPO_ADMIN_USERNAME", "CLOUDREPO_ADMIN_PASSWORD"}
    # This page shows the output of other programs.
    own_pages = [page for page in PAGES if page.name != "clients.md"]
    pages = [*own_pages, *(path for path in (PROJECT / "deploy").iterdir() if path.is_file())]
    shown = {name for page in pages for name in VARIABLE.findall(page.read_text("utf-8"))}
    assert shown <= read


def test_pytest_knows_every_option_that_the_pages_name(pytestconfig: pytest.Config) -> None:
    shown = {option for page in PAGES for option in OPTION.findall(page.read_text("utf-8"))}
    assert shown
    for option in shown:
        # An option that no plugin registered raises ValueError.
        pytestconfig.getoption(option.removeprefix("--").replace("-", "_"))
