"""What each client must be told to use a repository: its variables and its configuration files."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar
from urllib.parse import quote, urlsplit

SECTION: Final = "cloudrepo"
"""What every client's configuration calls the repository, as CloudRepo's own documentation does.

It holds letters only because Poetry reads no other name from its variables.
"""


@dataclass(frozen=True, slots=True)
class Connection:
    """A repository and the credentials that open it."""

    url: str
    name: str
    username: str
    password: str = field(repr=False)

    @property
    def index_url(self) -> str:
        """The repository's URL with the credentials in it, percent-encoded."""
        scheme, _, rest = self.url.partition("://")
        return f"{scheme}://{quote(self.username, safe='')}:{quote(self.password, safe='')}@{rest}"


def variables(tool: str, connection: Connection, *, retries: int | None = None) -> dict[str, str]:
    """Give the environment variables that point a tool at a repository.

    Args:
        tool: One of `TOOLS`.
        connection: Where to, and as whom.
        retries: How often the tool may try a failed request again; its own choice if not given.

    Raises:
        ValueError: The tool is not known, or has no setting for retries.
    """
    told = _of(_VARIABLES, tool)(connection)
    if retries is None:
        return told
    if tool not in _RETRIES:
        raise ValueError(
            f"{tool} has no setting for its retries; those that have one: {', '.join(_RETRIES)}"
        )
    if retries < 0:
        raise ValueError(f"the number of retries cannot be negative: {retries}")
    return told | dict.fromkeys(_RETRIES[tool], str(retries))


def configuration(tool: str, connection: Connection) -> dict[str, str]:
    """Give the configuration files that point a tool at a repository: file names and their text.

    Besides the tools there is `netrc`, which pip, uv and others read.

    Raises:
        ValueError: The tool is not known, or its file cannot express these credentials.
    """
    return _of(_CONFIGURATION, tool)(connection)


def pyproject(tool: str, connection: Connection) -> str:
    """Give the table of a project's `pyproject.toml` that names the repository as its source.

    It holds no credentials. Poetry can be told in no other way where to read from.

    Raises:
        ValueError: The tool reads no such table.
    """
    return _of(_PYPROJECT, tool)(connection)


def credentials(connection: Connection) -> dict[str, str]:
    """Give the variables that let every publisher log in, wherever it publishes to.

    Poetry's are for its default, PyPI.
    """
    names = ("TWINE", "UV_PUBLISH", "FLIT", "PDM_PUBLISH", "POETRY_HTTP_BASIC_PYPI")
    told = {"HATCH_INDEX_USER": connection.username, "HATCH_INDEX_AUTH": connection.password}
    for name in names:
        told |= {
            f"{name}_USERNAME": connection.username,
            f"{name}_PASSWORD": connection.password,
        }
    return told


def indexes(urls: Sequence[str]) -> dict[str, str]:
    """Give the variables that let pip and uv install from these indexes, and from no other.

    uv takes a project from the first index that has it, pip the best version of them all.
    """
    told = {"PIP_INDEX_URL": urls[0], "UV_DEFAULT_INDEX": urls[-1]}
    if len(urls) > 1:
        # uv asks its default index last.
        told |= {"PIP_EXTRA_INDEX_URL": " ".join(urls[1:]), "UV_INDEX": " ".join(urls[:-1])}
    return told


_Entry = TypeVar("_Entry")


def _of(table: Mapping[str, _Entry], tool: str) -> _Entry:
    if tool not in table:
        raise ValueError(f"nothing is known here of {tool!r}; choose from {', '.join(table)}")
    return table[tool]


def _pip_variables(to: Connection) -> dict[str, str]:
    return {"PIP_INDEX_URL": to.index_url}


def _uv_variables(to: Connection) -> dict[str, str]:
    # uv reads credentials from an index's URL, but takes those of a publish URL undecoded.
    return {
        "UV_DEFAULT_INDEX": to.index_url,
        "UV_PUBLISH_URL": to.url,
        "UV_PUBLISH_USERNAME": to.username,
        "UV_PUBLISH_PASSWORD": to.password,
    }


def _twine_variables(to: Connection) -> dict[str, str]:
    return {
        "TWINE_REPOSITORY_URL": to.url,
        "TWINE_USERNAME": to.username,
        "TWINE_PASSWORD": to.password,
    }


def _poetry_variables(to: Connection) -> dict[str, str]:
    section = SECTION.upper()
    return {
        f"POETRY_REPOSITORIES_{section}_URL": to.url,
        f"POETRY_HTTP_BASIC_{section}_USERNAME": to.username,
        f"POETRY_HTTP_BASIC_{section}_PASSWORD": to.password,
    }


def _pdm_variables(to: Connection) -> dict[str, str]:
    return {
        "PDM_PYPI_URL": to.index_url,
        "PDM_PUBLISH_REPO": to.url,
        "PDM_PUBLISH_USERNAME": to.username,
        "PDM_PUBLISH_PASSWORD": to.password,
    }


def _hatch_variables(to: Connection) -> dict[str, str]:
    return {
        "HATCH_INDEX_REPO": to.url,
        "HATCH_INDEX_USER": to.username,
        "HATCH_INDEX_AUTH": to.password,
        # Its environments are filled by pip or uv.
        **indexes([to.index_url]),
    }


def _flit_variables(to: Connection) -> dict[str, str]:
    return {
        "FLIT_INDEX_URL": to.url,
        "FLIT_USERNAME": to.username,
        "FLIT_PASSWORD": to.password,
        # `flit install` runs pip.
        **_pip_variables(to),
    }


def _tox_variables(to: Connection) -> dict[str, str]:
    # tox has no setting of its own for this: it runs pip, or uv with tox-uv.
    return indexes([to.index_url])


def _pip_conf(to: Connection) -> dict[str, str]:
    return {"pip.conf": f"# {to.name}\n[global]\nindex-url = {to.index_url}\n"}


def _uv_toml(to: Connection) -> dict[str, str]:
    # uv has no place in a file for the credentials of a publish URL: they come from UV_PUBLISH_*,
    # the command line or a netrc.
    lines = [
        f"# {to.name}",
        f"publish-url = {_toml(to.url)}",
        "",
        "[[index]]",
        f"name = {_toml(SECTION)}",
        f"url = {_toml(to.index_url)}",
        "default = true",
    ]
    return {"uv.toml": _text(lines)}


def _pypirc(to: Connection) -> dict[str, str]:
    lines = [
        f"# {to.name}",
        "[distutils]",
        f"index-servers = {SECTION}",
        "",
        f"[{SECTION}]",
        f"repository = {to.url}",
        f"username = {_ini('user name', to.username)}",
        f"password = {_ini('password', to.password)}",
    ]
    return {".pypirc": _text(lines)}


def _poetry_toml(to: Connection) -> dict[str, str]:
    # Poetry reads auth.toml after config.toml, into the same settings: one file is enough.
    lines = [
        f"# {to.name}",
        f"[repositories.{SECTION}]",
        f"url = {_toml(to.url)}",
        "",
        f"[http-basic.{SECTION}]",
        f"username = {_toml(to.username)}",
        f"password = {_toml(to.password)}",
    ]
    return {"auth.toml": _text(lines)}


def _pdm_toml(to: Connection) -> dict[str, str]:
    lines = [
        f"# {to.name}",
        "[pypi]",
        f"url = {_toml(to.index_url)}",
        "",
        f"[repository.{SECTION}]",
        f"url = {_toml(to.url)}",
        f"username = {_toml(to.username)}",
        f"password = {_toml(to.password)}",
    ]
    return {"config.toml": _text(lines)}


def _hatch_toml(to: Connection) -> dict[str, str]:
    lines = [
        f"# {to.name}",
        "[publish.index]",
        f"repo = {_toml(SECTION)}",
        "",
        f"[publish.index.repos.{SECTION}]",
        f"url = {_toml(to.url)}",
        f"user = {_toml(to.username)}",
        f"auth = {_toml(to.password)}",
    ]
    return {"config.toml": _text(lines)}


def _netrc(to: Connection) -> dict[str, str]:
    # A netrc knows hosts, not ports or paths.
    host = urlsplit(to.url).hostname or ""
    login = f"login {_netrc_word(to.username)} password {_netrc_word(to.password)}"
    return {".netrc": f"# {to.name}\nmachine {host} {login}\n"}


def _poetry_source(to: Connection) -> str:
    lines = [
        "[[tool.poetry.source]]",
        f"name = {_toml(SECTION)}",
        f"url = {_toml(to.url)}",
        'priority = "primary"',
    ]
    return _text(lines)


def _pdm_source(to: Connection) -> str:
    return _text(["[[tool.pdm.source]]", f"name = {_toml(SECTION)}", f"url = {_toml(to.url)}"])


def _uv_source(to: Connection) -> str:
    lines = [
        "[[tool.uv.index]]",
        f"name = {_toml(SECTION)}",
        f"url = {_toml(to.url)}",
        f"publish-url = {_toml(to.url)}",
        "default = true",
    ]
    return _text(lines)


def _text(lines: list[str]) -> str:
    return "\n".join(lines) + "\n"


def _toml(text: str) -> str:
    # A JSON string is a TOML basic string, but for DEL, which only TOML wants escaped.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _ini(what: str, text: str) -> str:
    if text != text.strip() or len(text.splitlines()) > 1:
        raise ValueError(f"a .pypirc cannot hold a {what} with line breaks or blanks at its ends")
    return text


def _netrc_word(text: str) -> str:
    # In quotes only where it has to be: to Python before 3.11 they are a part of the word.
    if text and not text.startswith("#") and re.search(r'[\s"\\]', text) is None:
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


_VARIABLES: Final[Mapping[str, Callable[[Connection], dict[str, str]]]] = {
    "pip": _pip_variables,
    "uv": _uv_variables,
    "twine": _twine_variables,
    "poetry": _poetry_variables,
    "pdm": _pdm_variables,
    "hatch": _hatch_variables,
    "flit": _flit_variables,
    "tox": _tox_variables,
}

_CONFIGURATION: Final[Mapping[str, Callable[[Connection], dict[str, str]]]] = {
    "pip": _pip_conf,
    "uv": _uv_toml,
    "twine": _pypirc,
    "poetry": _poetry_toml,
    "pdm": _pdm_toml,
    "hatch": _hatch_toml,
    "flit": _pypirc,
    "tox": _pip_conf,
    "netrc": _netrc,
}

_PYPROJECT: Final[Mapping[str, Callable[[Connection], str]]] = {
    "uv": _uv_source,
    "poetry": _poetry_source,
    "pdm": _pdm_source,
}

# pip counts failed requests and interrupted downloads apart. Poetry's setting is for interrupted
# downloads; that it tries a failed request six times is written into it.
_RETRIES: Final[Mapping[str, tuple[str, ...]]] = {
    "pip": ("PIP_RETRIES", "PIP_RESUME_RETRIES"),
    "uv": ("UV_HTTP_RETRIES",),
    "poetry": ("POETRY_REQUESTS_MAX_RETRIES",),
    "tox": ("PIP_RETRIES", "PIP_RESUME_RETRIES", "UV_HTTP_RETRIES"),
}

TOOLS: Final = tuple(_VARIABLES)
"""The clients that `variables` knows."""
