"""The operating systems of users: where files of tools live, and how shells quote values."""

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """An operating system with one of its shells."""

    title: str
    quoting: str
    """How the shell quotes values: `sh`, `powershell` or `cmd`."""
    quote: Callable[[str], str]
    """Returns a text as one argument of a command."""
    assignment: Callable[[str, str], str]
    """Returns the command that sets an environment variable for the programs of the shell."""
    joins_commands: bool
    """Whether the shell has `&&`."""
    files: Mapping[str, str]
    """The path of each file of a user, by its name in `snippets.py`."""

    def assignments(self, settings: Mapping[str, str]) -> str:
        """Return the commands that set environment variables, one per line."""
        return "".join(f"{self.assignment(name, value)}\n" for name, value in settings.items())

    def sequence(self, *commands: str) -> str:
        """Return commands that run one after the other, the later ones only after success."""
        return (" && " if self.joins_commands else "\n").join(commands) + "\n"


def _quote_powershell(text: str) -> str:
    # PowerShell treats typographic quotation marks as apostrophes.
    quoted = "".join(each * 2 if each in "'\u2018\u2019\u201a\u201b" else each for each in text)
    return f"'{quoted}'"


def _windows_files(home: str, roaming: str, local: str) -> dict[str, str]:
    return {
        "pypirc": rf"{home}\.pypirc",
        "netrc": rf"{home}\_netrc",
        "pip": rf"{roaming}\pip\pip.ini",
        "uv": rf"{roaming}\uv\uv.toml",
        "pdm": rf"{local}\pdm\pdm\config.toml",
        "hatch": rf"{local}\hatch\config.toml",
    }


_LINUX_FILES: Final = {
    "pypirc": "~/.pypirc",
    "netrc": "~/.netrc",
    "pip": "~/.config/pip/pip.conf",
    "uv": "~/.config/uv/uv.toml",
    "pdm": "~/.config/pdm/config.toml",
    "hatch": "~/.config/hatch/config.toml",
}
_MACOS_FILES: Final = _LINUX_FILES | {
    "pdm": "~/Library/Application Support/pdm/config.toml",
    "hatch": "~/Library/Application Support/hatch/config.toml",
}


def _posix(title: str, files: Mapping[str, str]) -> System:
    return System(
        title=title,
        quoting="sh",
        quote=shlex.quote,
        assignment=lambda name, value: f"export {name}={shlex.quote(value)}",
        joins_commands=True,
        files=files,
    )


LINUX: Final = "linux"
SYSTEMS: Final[Mapping[str, System]] = {
    LINUX: _posix("Linux", _LINUX_FILES),
    "macos": _posix("macOS", _MACOS_FILES),
    "powershell": System(
        title="Windows, PowerShell",
        quoting="powershell",
        quote=_quote_powershell,
        assignment=lambda name, value: f"$env:{name} = {_quote_powershell(value)}",
        # Windows PowerShell 5 has no `&&`.
        joins_commands=False,
        files=_windows_files("$HOME", "$env:APPDATA", "$env:LOCALAPPDATA"),
    ),
    "cmd": System(
        title="Windows, Command Prompt",
        quoting="cmd",
        quote=lambda text: f'"{text}"',
        assignment=lambda name, value: f'set "{name}={value}"',
        joins_commands=True,
        files=_windows_files("%USERPROFILE%", "%APPDATA%", "%LOCALAPPDATA%"),
    ),
}
"""The systems for which snippets can be shown, by name."""
