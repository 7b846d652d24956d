"""The commands and files that configure each tool, for the user to copy from the Admin Portal."""

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from cloudrepo_server.clients.connection import SECTION, Connection
from cloudrepo_server.clients.systems import LINUX, SYSTEMS, System
from cloudrepo_server.clients.tools import config_file, pyproject_table, variables

PASSPHRASE: Final = "YOUR-PASSPHRASE"  # noqa: S105 (a placeholder)
"""A placeholder for the user's passphrase, which must be percent-encoded inside a URL."""

PACKAGE: Final = "PACKAGE"
"""A placeholder for the name of the package to install."""


@dataclass(frozen=True, slots=True)
class Snippet:
    """Commands for a shell or, if `file` is set, the text of that file.

    `file` is a path on the system, or relative to the project's folder.
    """

    title: str
    text: str
    file: str | None = None
    quoting: str = ""
    """How the passphrase must be quoted outside of URLs; an empty string if it is in URLs only.

    It is `sh`, `powershell`, `cmd`, `ini`, `toml` or `netrc`.
    """


def snippets(connection: Connection, system: str = LINUX) -> dict[str, tuple[Snippet, ...]]:
    """Return the snippets of each tool, by the tool's name, for one of `SYSTEMS`."""
    shown = SYSTEMS[system]
    return {tool: create(connection, shown) for tool, create in _SNIPPETS.items()}


def _pypirc(connection: Connection, system: System) -> tuple[Snippet, ...]:
    text = config_file("twine", connection).text
    file = system.files["pypirc"]
    return (Snippet("For twine, flit and setuptools", text, file, quoting="ini"),)


def _netrc(connection: Connection, system: System) -> tuple[Snippet, ...]:
    text = config_file("netrc", connection).text
    url = system.quote(connection.url)
    return (
        Snippet("For pip, uv and other HTTP clients", text, system.files["netrc"], quoting="netrc"),
        Snippet("Install, with the file above", f"pip install --index-url {url} {PACKAGE}\n"),
    )


def _twine(connection: Connection, system: System) -> tuple[Snippet, ...]:
    settings = system.assignments(variables("twine", connection))
    return (
        Snippet("Upload, with the .pypirc above", f"twine upload --repository {SECTION} dist/*\n"),
        _commands("Upload, with environment variables", system, f"{settings}twine upload dist/*\n"),
    )


def _pip(connection: Connection, system: System) -> tuple[Snippet, ...]:
    return (
        Snippet(
            "Install", f"pip install --index-url {system.quote(connection.index_url)} {PACKAGE}\n"
        ),
        Snippet(
            "Configure every install", config_file("pip", connection).text, system.files["pip"]
        ),
        Snippet(
            "With a requirements file",
            f"--index-url {connection.index_url}\n{PACKAGE}\n",
            "requirements.txt",
        ),
    )


def _uv(connection: Connection, system: System) -> tuple[Snippet, ...]:
    publish, install = _split(variables("uv", connection), "UV_PUBLISH_")
    login = {
        f"UV_INDEX_{SECTION.upper()}_USERNAME": connection.username,
        f"UV_INDEX_{SECTION.upper()}_PASSWORD": connection.password,
    }
    return (
        Snippet("Install", system.assignments(install) + f"uv pip install {PACKAGE}\n"),
        _commands("Publish", system, system.assignments(publish) + "uv publish\n"),
        Snippet("Configure every install", config_file("uv", connection).text, system.files["uv"]),
        Snippet("Configure one project", pyproject_table("uv", connection), "pyproject.toml"),
        _commands(
            "Install, with the file above",
            system,
            system.assignments(login) + f"uv add {PACKAGE}\n",
        ),
    )


def _poetry(connection: Connection, system: System) -> tuple[Snippet, ...]:
    if system.quoting == "sh":
        credentials = shlex.join([connection.username, connection.password])
        login = f"poetry config http-basic.{SECTION} {credentials}\n"
    else:
        # On Windows, quotation marks in arguments do not reach programs reliably.
        login = system.assignments(_login(variables("poetry", connection)))
    return (
        Snippet("Configure one project", pyproject_table("poetry", connection), "pyproject.toml"),
        _commands("Install", system, f"{login}poetry add --source {SECTION} {PACKAGE}\n"),
        _commands(
            "Publish",
            system,
            f"poetry config repositories.{SECTION} {system.quote(connection.url)}\n"
            f"{login}"
            f"poetry publish --build --repository {SECTION}\n",
        ),
    )


def _pdm(connection: Connection, system: System) -> tuple[Snippet, ...]:
    publish, install = _split(variables("pdm", connection), "PDM_PUBLISH_")
    return (
        Snippet("Install", system.assignments(install) + f"pdm add {PACKAGE}\n"),
        _commands("Publish", system, system.assignments(publish) + "pdm publish\n"),
        Snippet(
            "Configure every install and upload",
            config_file("pdm", connection).text,
            system.files["pdm"],
            quoting="toml",
        ),
        Snippet("Publish, with the file above", f"pdm publish --no-build --repository {SECTION}\n"),
    )


def _hatch(connection: Connection, system: System) -> tuple[Snippet, ...]:
    publish, install = _split(variables("hatch", connection), "HATCH_INDEX_")
    return (
        _commands(
            "Publish",
            system,
            system.assignments(publish) + system.sequence("hatch build", "hatch publish"),
        ),
        Snippet("Install into environments", system.assignments(install) + "hatch env create\n"),
        Snippet(
            "Configure every upload",
            config_file("hatch", connection).text,
            system.files["hatch"],
            quoting="toml",
        ),
        Snippet(
            "Publish, with the file above",
            system.sequence("hatch build", f"hatch publish --repo {SECTION}"),
        ),
    )


def _flit(connection: Connection, system: System) -> tuple[Snippet, ...]:
    # flit installs with pip.
    publish, _ = _split(variables("flit", connection), "FLIT_")
    return (
        Snippet("Publish, with the .pypirc above", f"flit publish --repository {SECTION}\n"),
        _commands(
            "Publish, with environment variables",
            system,
            system.assignments(publish) + "flit publish\n",
        ),
    )


def _tox(connection: Connection, system: System) -> tuple[Snippet, ...]:
    settings = system.assignments(variables("tox", connection))
    return (Snippet("Install into environments", f"{settings}tox\n"),)


def _github_actions(connection: Connection, _: System) -> tuple[Snippet, ...]:
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


def _commands(title: str, system: System, text: str) -> Snippet:
    """Return commands that contain the passphrase."""
    return Snippet(title, text, quoting=system.quoting)


def _login(settings: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in settings.items() if not name.endswith("_URL")}


def _split(settings: Mapping[str, str], prefix: str) -> tuple[dict[str, str], dict[str, str]]:
    # Publishing must not set the index to install from: the tool builds first, and the private
    # index may not have the build backend.
    publish = {name: value for name, value in settings.items() if name.startswith(prefix)}
    return publish, {name: value for name, value in settings.items() if name not in publish}


def _yaml_string(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


_SNIPPETS: Final[Mapping[str, Callable[[Connection, System], tuple[Snippet, ...]]]] = {
    "pypirc": _pypirc,
    "netrc": _netrc,
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
