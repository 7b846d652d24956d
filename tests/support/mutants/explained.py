"""The mutants that no test can or should kill, with the reasons."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).with_name("survivors.toml")


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """An explanation of why mutants survive.

    Attributes:
        module: the path of the module, relative to the project's folder.
        before: the lines of the code that the mutants change, without indentation.
        after: the lines of the mutant; if empty, every change of these lines is meant.
        reason: why no test kills it.
    """

    module: str
    before: str
    after: str
    reason: str

    def explains(self, module: Path, before: str, after: str) -> bool:
        """Return whether this is about the mutant that changes these lines of a module."""
        return (
            module.as_posix() == self.module
            and without_indentation(before) == self.before
            and self.after in ("", without_indentation(after))
        )


def without_indentation(text: str) -> str:
    """Return the lines without the white space around each."""
    return "\n".join(line.strip() for line in text.strip().splitlines())


def explanations() -> list[Explanation]:
    """Return the content of the file."""
    return [
        Explanation(
            module=entry["module"],
            before=without_indentation(entry["before"]),
            after=without_indentation(entry.get("after", "")),
            reason=" ".join(entry["reason"].split()),
        )
        for entry in tomllib.loads(FILE.read_text("utf-8"))["survivor"]
    ]
