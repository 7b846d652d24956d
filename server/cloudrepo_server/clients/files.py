"""The configuration files of each tool: one function per file format.

`tools.py` lists the tools.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from cloudrepo_server.clients.connection import SECTION, Connection


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """A configuration file: its usual name and its text."""

    name: str
    text: str = field(repr=False)


def pip_conf(connection: Connection) -> ConfigFile:
    """Return the configuration file of pip."""
    lines = [f"# {connection.name}", "[global]", f"index-url = {connection.index_url}"]
    return ConfigFile("pip.conf", _join(lines))


def uv_toml(connection: Connection) -> ConfigFile:
    """Return the configuration file of uv.

    The file has no place for the credentials of the publish URL. uv reads those from its
    `UV_PUBLISH_*` variables, its command line or a netrc.
    """
    lines = [
        f"# {connection.name}",
        f"publish-url = {_toml(connection.url)}",
        "",
        "[[index]]",
        f"name = {_toml(SECTION)}",
        f"url = {_toml(connection.index_url)}",
        "default = true",
    ]
    return ConfigFile("uv.toml", _join(lines))


def pypirc(connection: Connection) -> ConfigFile:
    """Return a `.pypirc`, which twine, flit and setuptools read.

    Raises:
        ValueError: the credentials contain line breaks, or spaces at the start or end.
    """
    lines = [
        f"# {connection.name}",
        "[distutils]",
        f"index-servers = {SECTION}",
        "",
        f"[{SECTION}]",
        f"repository = {connection.url}",
        f"username = {_ini('user name', connection.username)}",
        f"password = {_ini('password', connection.password)}",
    ]
    return ConfigFile(".pypirc", _join(lines))


def poetry_auth_toml(connection: Connection) -> ConfigFile:
    """Return the configuration file of Poetry, with the repository and the credentials.

    Poetry merges auth.toml into the settings of config.toml, so one file is enough.
    """
    lines = [
        f"# {connection.name}",
        f"[repositories.{SECTION}]",
        f"url = {_toml(connection.url)}",
        "",
        f"[http-basic.{SECTION}]",
        f"username = {_toml(connection.username)}",
        f"password = {_toml(connection.password)}",
    ]
    return ConfigFile("auth.toml", _join(lines))


def pdm_config_toml(connection: Connection) -> ConfigFile:
    """Return the configuration file of PDM."""
    lines = [
        f"# {connection.name}",
        "[pypi]",
        f"url = {_toml(connection.index_url)}",
        "",
        f"[repository.{SECTION}]",
        f"url = {_toml(connection.url)}",
        f"username = {_toml(connection.username)}",
        f"password = {_toml(connection.password)}",
    ]
    return ConfigFile("config.toml", _join(lines))


def hatch_config_toml(connection: Connection) -> ConfigFile:
    """Return the configuration file of hatch."""
    lines = [
        f"# {connection.name}",
        "[publish.index]",
        f"repo = {_toml(SECTION)}",
        "",
        f"[publish.index.repos.{SECTION}]",
        f"url = {_toml(connection.url)}",
        f"user = {_toml(connection.username)}",
        f"auth = {_toml(connection.password)}",
    ]
    return ConfigFile("config.toml", _join(lines))


def netrc(connection: Connection) -> ConfigFile:
    """Return a `.netrc`, which pip, uv and other HTTP clients read.

    The format has a host name only, without port or path.
    """
    host = urlsplit(connection.url).hostname or ""
    login = f"login {_netrc_token(connection.username)}"
    password = f"password {_netrc_token(connection.password)}"
    return ConfigFile(
        ".netrc", _join([f"# {connection.name}", f"machine {host} {login} {password}"])
    )


def poetry_source(connection: Connection) -> str:
    """Return the `pyproject.toml` table that names the index from which Poetry installs."""
    lines = [
        "[[tool.poetry.source]]",
        f"name = {_toml(SECTION)}",
        f"url = {_toml(connection.url)}",
        'priority = "primary"',
    ]
    return _join(lines)


def pdm_source(connection: Connection) -> str:
    """Return the `pyproject.toml` table that names the index from which PDM installs."""
    lines = ["[[tool.pdm.source]]", f"name = {_toml(SECTION)}", f"url = {_toml(connection.url)}"]
    return _join(lines)


def uv_index(connection: Connection) -> str:
    """Return the `pyproject.toml` table with the index that uv installs from and publishes to."""
    lines = [
        "[[tool.uv.index]]",
        f"name = {_toml(SECTION)}",
        f"url = {_toml(connection.url)}",
        f"publish-url = {_toml(connection.url)}",
        "default = true",
    ]
    return _join(lines)


def _join(lines: Sequence[str]) -> str:
    return "\n".join(lines) + "\n"


def _toml(text: str) -> str:
    # A JSON string is also a TOML string, except that only TOML requires DEL to be escaped.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _ini(setting: str, text: str) -> str:
    if text != text.strip() or len(text.splitlines()) > 1:
        raise ValueError(
            f"a .pypirc cannot hold a {setting} with line breaks, or with spaces at its start or"
            " end; use environment variables instead"
        )
    return text


def _netrc_token(text: str) -> str:
    # Quoted only if necessary, because Python before 3.11 reads the quotes as part of the token.
    if text and not text.startswith("#") and re.search(r'[\s"\\]', text) is None:
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
