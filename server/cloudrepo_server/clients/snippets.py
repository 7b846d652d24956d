"""The commands and files that configure each tool, for the user to copy from the Admin Portal."""

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from cloudrepo_server.clients.connection import SECTION, Connection
from cloudrepo_server.clients.tools import config_file, pyproject_table, variables

PASSPHRASE: Final = "YOUR-PASSPHRASE"  # noqa: S105 (a placeholder)
"""A placeholder for the user's passphrase, which must be percent-encoded inside a URL."""

PACKAGE: Final = "PACKAGE"
"""A placeholder for the name of the package to install."""


@dataclass(frozen=True, slots=True)
class Snippet:
    """Commands for a POSIX shell or, if `file` is set, the text of that file.

    `file` is a path below `~` on Linux, or relative to the project's folder.
    """

    title: str
    text: str
    file: str | None = None


def snippets(connection: Connection) -> dict[str, tuple[Snippet, ...]]:
    """Return the snippets of each tool, by the tool's name."""
    return {tool: create(connection) for tool, create in _SNIPPETS.items()}


def _pypirc(connection: Connection) -> tuple[Snippet, ...]:
    text = config_file("twine", connection).text
    return (Snippet("For twine, flit and setuptools", text, "~/.pypirc"),)


def _twine(connection: Connection) -> tuple[Snippet, ...]:
    return (
        Snippet("Upload, with the .pypirc above", f"twine upload --repository {SECTION} dist/*\n"),
        Snippet(
            "Upload, with environment variables",
            _exports(variables("twine", connection)) + "twine upload dist/*\n",
        ),
    )


def _pip(connection: Connection) -> tuple[Snippet, ...]:
    return (
        Snippet(
            "Install", f"pip install --index-url {shlex.quote(connection.index_url)} {PACKAGE}\n"
        ),
        Snippet(
            "Configure every install", config_file("pip", connection).text, "~/.config/pip/pip.conf"
        ),
        Snippet(
            "With a requirements file",
            f"--index-url {connection.index_url}\n{PACKAGE}\n",
            "requirements.txt",
        ),
    )


def _uv(connection: Connection) -> tuple[Snippet, ...]:
    publish, install = _split(variables("uv", connection), "UV_PUBLISH_")
    login = {
        f"UV_INDEX_{SECTION.upper()}_USERNAME": connection.username,
        f"UV_INDEX_{SECTION.upper()}_PASSWORD": connection.password,
    }
    return (
        Snippet("Install", _exports(install) + f"uv pip install {PACKAGE}\n"),
        Snippet("Publish", _exports(publish) + "uv publish\n"),
        Snippet(
            "Configure every install", config_file("uv", connection).text, "~/.config/uv/uv.toml"
        ),
        Snippet("Configure one project", pyproject_table("uv", connection), "pyproject.toml"),
        Snippet("Install, with the file above", _exports(login) + f"uv add {PACKAGE}\n"),
    )


def _poetry(connection: Connection) -> tuple[Snippet, ...]:
    credentials = shlex.join([connection.username, connection.password])
    login = f"poetry config http-basic.{SECTION} {credentials}\n"
    return (
        Snippet("Configure one project", pyproject_table("poetry", connection), "pyproject.toml"),
        Snippet(
            "Install",
            f"{login}poetry add --source {SECTION} {PACKAGE}\n",
        ),
        Snippet(
            "Publish",
            f"poetry config repositories.{SECTION} {shlex.quote(connection.url)}\n"
            f"{login}"
            f"poetry publish --build --repository {SECTION}\n",
        ),
    )


def _pdm(connection: Connection) -> tuple[Snippet, ...]:
    publish, install = _split(variables("pdm", connection), "PDM_PUBLISH_")
    return (
        Snippet("Install", _exports(install) + f"pdm add {PACKAGE}\n"),
        Snippet("Publish", _exports(publish) + "pdm publish\n"),
        Snippet(
            "Configure every install and upload",
            config_file("pdm", connection).text,
            "~/.config/pdm/config.toml",
        ),
        Snippet("Publish, with the file above", f"pdm publish --no-build --repository {SECTION}\n"),
    )


def _hatch(connection: Connection) -> tuple[Snippet, ...]:
    publish, install = _split(variables("hatch", connection), "HATCH_INDEX_")
    return (
        Snippet("Publish", _exports(publish) + "hatch build && hatch publish\n"),
        Snippet("Install into environments", _exports(install) + "hatch env create\n"),
        Snippet(
            "Configure every upload",
            config_file("hatch", connection).text,
            "~/.config/hatch/config.toml",
        ),
        Snippet("Publish, with the file above", f"hatch build && hatch publish --repo {SECTION}\n"),
    )


def _flit(connection: Connection) -> tuple[Snippet, ...]:
    # flit installs with pip.
    publish, _ = _split(variables("flit", connection), "FLIT_")
    return (
        Snippet("Publish, with the .pypirc above", f"flit publish --repository {SECTION}\n"),
        Snippet("Publish, with environment variables", _exports(publish) + "flit publish\n"),
    )


def _tox(connection: Connection) -> tuple[Snippet, ...]:
    return (Snippet("Install into environments", _exports(variables("tox", connection)) + "tox\n"),)


def _github_actions(connection: Connection) -> tuple[Snippet, ...]:
    login = variables("twine", connection) | {
        "TWINE_PASSWORD": "${{ secrets.CLOUDREPO_PASSPHRASE }}",
    }
    lines = [
        "name: Publish",
        "on:",
        "  release:",
        "    types: [published]",
        "jobs:",
        "  publish:",
        "    # Use a runner that can reach the URL below.",
        "    runs-on: self-hosted",
        "    steps:",
        "      - uses: actions/checkout@v4",
        "      - run: python -m pip install build twine",
        "      - run: python -m build",
        "      - run: python -m twine upload dist/*",
        "        env:",
        *(f"          {name}: {_yaml_string(value)}" for name, value in login.items()),
    ]
    return (
        Snippet(
            "With the passphrase in the secret CLOUDREPO_PASSPHRASE",
            "\n".join(lines) + "\n",
            ".github/workflows/publish.yml",
        ),
    )


def _split(settings: Mapping[str, str], prefix: str) -> tuple[dict[str, str], dict[str, str]]:
    # Publishing must not set the index to install from: the tool builds first, and the private
    # index may not have the build backend.
    publish = {name: value for name, value in settings.items() if name.startswith(prefix)}
    return publish, {name: value for name, value in settings.items() if name not in publish}


def _exports(settings: Mapping[str, str]) -> str:
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in settings.items())


def _yaml_string(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


_SNIPPETS: Final[Mapping[str, Callable[[Connection], tuple[Snippet, ...]]]] = {
    "pypirc": _pypirc,
    "twine": _twine,
    "pip": _pip,
    "uv": _uv,
    "poetry": _poetry,
    "pdm": _pdm,
    "hatch": _hatch,
    "flit": _flit,
    "tox": _tox,
    "github-actions": _github_actions,
}
