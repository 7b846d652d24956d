"""The list of tools, and the functions that configure one of them for a repository.

To add a tool:

1. Write a function for its variables in `environment.py`.
2. Write a function for its file in `files.py`.
3. Add an entry to `_TOOLS`.
4. For the Admin Portal, add its snippets in `snippets.py`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

from cloudrepo_server.clients import environment, files
from cloudrepo_server.clients.connection import Connection
from cloudrepo_server.clients.files import ConfigFile


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """The ways to configure one tool."""

    variables: Callable[[Connection], dict[str, str]]
    file: Callable[[Connection], ConfigFile]
    pyproject: Callable[[Connection], str] | None = None
    """The table of a project's `pyproject.toml`, if the tool reads one."""
    retries: tuple[str, ...] = ()
    """The variables that limit how often the tool retries a failed request, if it has any."""


_TOOLS: Final[Mapping[str, Tool]] = {
    "pip": Tool(
        variables=environment.pip,
        file=files.pip_conf,
        # pip counts retries of failed requests and of interrupted downloads separately.
        retries=("PIP_RETRIES", "PIP_RESUME_RETRIES"),
    ),
    "uv": Tool(
        variables=environment.uv,
        file=files.uv_toml,
        pyproject=files.uv_index,
        retries=("UV_HTTP_RETRIES",),
    ),
    "twine": Tool(variables=environment.twine, file=files.pypirc),
    "poetry": Tool(
        variables=environment.poetry,
        file=files.poetry_auth_toml,
        pyproject=files.poetry_source,
        # Only for interrupted downloads: Poetry always sends a failed request six times.
        retries=("POETRY_REQUESTS_MAX_RETRIES",),
    ),
    "pdm": Tool(
        variables=environment.pdm,
        file=files.pdm_config_toml,
        pyproject=files.pdm_source,
    ),
    "hatch": Tool(variables=environment.hatch, file=files.hatch_config_toml),
    "flit": Tool(variables=environment.flit, file=files.pypirc),
    "tox": Tool(
        variables=environment.tox,
        file=files.pip_conf,
        retries=("PIP_RETRIES", "PIP_RESUME_RETRIES", "UV_HTTP_RETRIES"),
    ),
}

_FILES: Final = {name: tool.file for name, tool in _TOOLS.items()} | {"netrc": files.netrc}
_PYPROJECT: Final = {name: tool.pyproject for name, tool in _TOOLS.items() if tool.pyproject}

TOOLS: Final = tuple(_TOOLS)
"""The names of the tools."""


def variables(tool: str, connection: Connection, *, retries: int | None = None) -> dict[str, str]:
    """Return the environment variables that point a tool at a repository.

    Args:
        tool: one of `TOOLS`.
        connection: the repository and the credentials.
        retries: how often the tool retries a failed request. By default as often as usual.

    Raises:
        ValueError: the tool is unknown or has no setting for retries, or the number is negative.
    """
    entry = _find(_TOOLS, tool, "unknown tool")
    if retries is None:
        return entry.variables(connection)
    if not entry.retries:
        able = ", ".join(name for name, each in _TOOLS.items() if each.retries)
        raise ValueError(f"{tool} has no setting for its retries; tools that have one: {able}")
    if retries < 0:
        raise ValueError(f"the number of retries must not be negative: {retries}")
    return entry.variables(connection) | dict.fromkeys(entry.retries, str(retries))


def all_variables(connection: Connection) -> dict[str, str]:
    """Return the environment variables that point every tool at a repository."""
    merged: dict[str, str] = {}
    for tool in TOOLS:
        merged |= variables(tool, connection)
    return merged


def config_file(tool: str, connection: Connection) -> ConfigFile:
    """Return the configuration file that points a tool at a repository.

    Args:
        tool: one of `TOOLS`, or `netrc`, which pip, uv and others read.
        connection: the repository and the credentials.

    Raises:
        ValueError: the tool is unknown, or its file cannot express these credentials.
    """
    return _find(_FILES, tool, "unknown tool")(connection)


def pyproject_table(tool: str, connection: Connection) -> str:
    """Return the table of a project's `pyproject.toml` that names the repository as its source.

    The table contains no credentials. Poetry has no other setting for the index it installs from.

    Raises:
        ValueError: the tool reads no such table.
    """
    return _find(_PYPROJECT, tool, "no pyproject.toml table for")(connection)


_Entry = TypeVar("_Entry")


def _find(table: Mapping[str, _Entry], tool: str, problem: str) -> _Entry:
    if tool not in table:
        raise ValueError(f"{problem} {tool!r}; choose from {', '.join(table)}")
    return table[tool]
