"""The short name of a program and its command, such as `twine upload`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_PYTHON = re.compile(r"(?:python|pypy)[\d.]*")
_OPTIONS_WITH_VALUE = ("-W", "-X")
# The programs whose first argument is a command.
_WITH_COMMANDS = ("twine", "pip", "uv", "poetry", "pdm", "hatch", "flit", "tox")
_COMMAND = re.compile(r"[a-z][a-z-]*")


def program_name(arguments: Sequence[str]) -> str:
    """Return the name of a program without its folder, and its command if it has commands.

    If Python runs a module, the module is the program. So the name of
    `python -P -m twine --no-color upload x.whl` is `twine upload`.
    """
    program, *rest = arguments
    name = _file_name(program)
    if _PYTHON.fullmatch(name):
        name, rest = _run_by_python(name, rest)
    if name not in _WITH_COMMANDS:
        return name
    words = [word for word in rest if not word.startswith("-")]
    commands = words[: 2 if words[:1] == ["pip"] else 1]
    return " ".join([name, *filter(_COMMAND.fullmatch, commands)])


def _run_by_python(python: str, arguments: Sequence[str]) -> tuple[str, list[str]]:
    """Return the name and the arguments of the program that an interpreter runs."""
    rest = list(arguments)
    while rest:
        option = rest.pop(0)
        if option == "-m" and rest:
            return rest[0], rest[1:]
        if option.startswith("-c"):
            return f"{python} -c", []
        if option in _OPTIONS_WITH_VALUE:
            del rest[:1]
        elif not option.startswith("-"):
            return _file_name(option), rest
    return python, []


def _file_name(path: str) -> str:
    return re.split(r"[/\\]", path)[-1].removesuffix(".exe")
