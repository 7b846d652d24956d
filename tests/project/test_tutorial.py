"""A reader who follows docs/tutorial.md step by step sees what it shows."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.markdown import blocks
from tests.support.shown_output import assert_printed

if TYPE_CHECKING:
    import pytest

PAGE = Path(__file__).parents[2] / "docs" / "tutorial.md"
INSTALL = "python -m pip install pytest-cloudrepo\n"
# The first line of a block that is a file.
FILE_NAME = re.compile(r"# (?P<name>[\w.]+)(?P<added>, added)?\n")


@dataclass
class Reader:
    """A reader of the tutorial, who works in a folder."""

    folder: Path
    output: str = ""
    status: int = 0

    def write_file(self, text: str) -> None:
        """Write or extend the file that the first line of a block names."""
        named = FILE_NAME.match(text)
        assert named is not None, f"the first line of this block names no file:\n{text}"
        mode = "a" if named["added"] else "w"
        with (self.folder / named["name"]).open(mode, encoding="utf-8") as file:
            file.write(text[named.end() :])

    def run(self, command: str) -> None:
        """Run a command, after checking that the one before it succeeded."""
        self.expect_success()
        program, *arguments = shlex.split(command)
        assert program == "python"
        completed = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=300,
            check=False,
        )
        self.output, self.status = completed.stdout, completed.returncode

    def compare(self, shown: str) -> None:
        """Compare the shown output with that of the last command."""
        assert_printed(shown, self.output)
        if "FAILED" in shown:
            assert self.status == 1
            self.status = 0

    def expect_success(self) -> None:
        """Check that the last command succeeded, unless the page shows its failure."""
        assert self.status == 0, self.output


def test_each_step_of_the_tutorial_prints_what_it_shows(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Turn colours off, whatever the machine's own settings are.
    monkeypatch.setenv("PY_COLORS", "0")
    install, *steps = blocks(PAGE)
    assert install.text == INSTALL
    reader = Reader(pytester.path)
    for step in steps:
        match step.language:
            case "console":
                reader.run(step.text)
            case "text":
                reader.compare(step.text)
            case _:
                reader.write_file(step.text)
    reader.expect_success()
