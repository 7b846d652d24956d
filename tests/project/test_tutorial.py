"""The tutorial, followed to the letter."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.markdown import blocks

if TYPE_CHECKING:
    import pytest

PAGE = Path(__file__).parents[2] / "docs" / "tutorial.md"
INSTALL = "python -m pip install pytest-cloudrepo\n"
# The first line of a block that is a file.
FILE = re.compile(r"# (?P<name>[\w.]+)(?P<added>, added)?\n")


@dataclass
class Reader:
    """Somebody who does what the tutorial says."""

    folder: Path
    printed: str = ""
    status: int = 0

    def write(self, text: str) -> None:
        named = FILE.match(text)
        assert named is not None, f"this block does not say which file it is:\n{text}"
        with (self.folder / named["name"]).open(
            "a" if named["added"] else "w", encoding="utf-8"
        ) as file:
            file.write(text[named.end() :])

    def type(self, command: str) -> None:
        self.expect_success()
        program, *arguments = shlex.split(command)
        assert program == "python"
        ended = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=300,
            check=False,
        )
        self.printed, self.status = ended.stdout, ended.returncode

    def compare(self, shown: str) -> None:
        rest = [" ".join(line.split()) for line in self.printed.splitlines()]
        for line in shown.splitlines():
            pattern = ".*".join(map(re.escape, " ".join(line.split()).split("…")))
            places = [place for place, had in enumerate(rest) if re.search(pattern, had)]
            assert places, f"the tutorial shows {line!r}, but this was printed:\n{self.printed}"
            rest = rest[places[0] + 1 :]
        if "FAILED" in shown:
            assert self.status == 1
            self.status = 0

    def expect_success(self) -> None:
        assert self.status == 0, self.printed


def test_each_step_does_what_the_tutorial_shows(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Whatever the machine's own settings say of colours.
    monkeypatch.setenv("PY_COLORS", "0")
    install, *steps = blocks(PAGE)
    assert install.text == INSTALL
    reader = Reader(pytester.path)
    for step in steps:
        match step.language:
            case "console":
                reader.type(step.text)
            case "text":
                reader.compare(step.text)
            case _:
                reader.write(step.text)
    reader.expect_success()
