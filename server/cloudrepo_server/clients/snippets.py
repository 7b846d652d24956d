"""What a person copies to set up each client: commands and files."""

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from cloudrepo_server.clients.config import SECTION, Connection, configuration, pyproject, variables

PASSPHRASE: Final = "YOUR-PASSPHRASE"  # noqa: S105 (it stands where one is to be filled in)
"""Where the passphrase goes; in a URL it is percent-encoded."""

PACKAGE: Final = "PACKAGE"
"""Where the name of what is to be installed goes."""


@dataclass(frozen=True, slots=True)
class Snippet:
    """Commands for a POSIX shell, or the text of a file where `file` says which.

    A file of the user's is where it is on Linux; others are the project's.
    """

    title: str
    text: str
    file: str | None = None


def snippets(to: Connection) -> dict[str, tuple[Snippet, ...]]:
    """What each client can be told, by its name."""
    return {tool: make(to) for tool, make in _SNIPPETS.items()}


def _pypirc(to: Connection) -> tuple[Snippet, ...]:
    text = configuration("twine", to)[".pypirc"]
    return (Snippet("For twine, flit and setuptools", text, "~/.pypirc"),)


def _twine(to: Connection) -> tuple[Snippet, ...]:
    return (
        Snippet("Upload, with the .pypirc above", f"twine upload --repository {SECTION} dist/*\n"),
        Snippet(
            "Upload, with variables", _exports(variables("twine", to)) + "twine upload dist/*\n"
        ),
    )


def _pip(to: Connection) -> tuple[Snippet, ...]:
    return (
        Snippet("Install", f"pip install --index-url {shlex.quote(to.index_url)} {PACKAGE}\n"),
        Snippet(
            "For every install", configuration("pip", to)["pip.conf"], "~/.config/pip/pip.conf"
        ),
        Snippet(
            "With a requirements file",
            f"--index-url {to.index_url}\n{PACKAGE}\n",
            "requirements.txt",
        ),
    )


def _uv(to: Connection) -> tuple[Snippet, ...]:
    publish, install = _parted(variables("uv", to), "UV_PUBLISH_")
    login = {
        f"UV_INDEX_{SECTION.upper()}_USERNAME": to.username,
        f"UV_INDEX_{SECTION.upper()}_PASSWORD": to.password,
    }
    return (
        Snippet("Install", _exports(install) + f"uv pip install {PACKAGE}\n"),
        Snippet("Publish", _exports(publish) + "uv publish\n"),
        Snippet("For every install", configuration("uv", to)["uv.toml"], "~/.config/uv/uv.toml"),
        Snippet("For one project", pyproject("uv", to), "pyproject.toml"),
        Snippet("Install, with that file", _exports(login) + f"uv add {PACKAGE}\n"),
    )


def _poetry(to: Connection) -> tuple[Snippet, ...]:
    return (
        Snippet("For one project", pyproject("poetry", to), "pyproject.toml"),
        Snippet(
            "Install",
            f"poetry config http-basic.{SECTION} {_words(to.username, to.password)}\n"
            f"poetry add --source {SECTION} {PACKAGE}\n",
        ),
        Snippet(
            "Publish",
            f"poetry config repositories.{SECTION} {_words(to.url)}\n"
            f"poetry config http-basic.{SECTION} {_words(to.username, to.password)}\n"
            f"poetry publish --build --repository {SECTION}\n",
        ),
    )


def _pdm(to: Connection) -> tuple[Snippet, ...]:
    publish, install = _parted(variables("pdm", to), "PDM_PUBLISH_")
    return (
        Snippet("Install", _exports(install) + f"pdm add {PACKAGE}\n"),
        Snippet("Publish", _exports(publish) + "pdm publish\n"),
        Snippet(
            "For every install and upload",
            configuration("pdm", to)["config.toml"],
            "~/.config/pdm/config.toml",
        ),
        Snippet("Publish, with that file", f"pdm publish --no-build --repository {SECTION}\n"),
    )


def _hatch(to: Connection) -> tuple[Snippet, ...]:
    publish, install = _parted(variables("hatch", to), "HATCH_INDEX_")
    return (
        Snippet("Publish", _exports(publish) + "hatch build && hatch publish\n"),
        Snippet("Fill environments from here", _exports(install) + "hatch env create\n"),
        Snippet(
            "For every upload",
            configuration("hatch", to)["config.toml"],
            "~/.config/hatch/config.toml",
        ),
        Snippet("Publish, with that file", f"hatch build && hatch publish --repo {SECTION}\n"),
    )


def _flit(to: Connection) -> tuple[Snippet, ...]:
    # It is pip that installs for flit.
    publish, _ = _parted(variables("flit", to), "FLIT_")
    return (
        Snippet("Publish, with the .pypirc above", f"flit publish --repository {SECTION}\n"),
        Snippet("Publish, with variables", _exports(publish) + "flit publish\n"),
    )


def _tox(to: Connection) -> tuple[Snippet, ...]:
    return (Snippet("Fill environments from here", _exports(variables("tox", to)) + "tox\n"),)


def _github_actions(to: Connection) -> tuple[Snippet, ...]:
    login = variables("twine", to) | {
        "TWINE_PASSWORD": "${{ secrets.CLOUDREPO_PASSPHRASE }}",
    }
    lines = [
        "name: Publish",
        "on:",
        "  release:",
        "    types: [published]",
        "jobs:",
        "  publish:",
        "    # A runner that reaches the address below.",
        "    runs-on: self-hosted",
        "    steps:",
        "      - uses: actions/checkout@v4",
        "      - run: python -m pip install build twine",
        "      - run: python -m build",
        "      - run: python -m twine upload dist/*",
        "        env:",
        *(f"          {name}: {_yaml(value)}" for name, value in login.items()),
    ]
    return (
        Snippet(
            "With the passphrase in the secret CLOUDREPO_PASSPHRASE",
            "\n".join(lines) + "\n",
            ".github/workflows/publish.yml",
        ),
    )


def _parted(told: Mapping[str, str], prefix: str) -> tuple[dict[str, str], dict[str, str]]:
    # Who publishes builds first, with backends that a private index may not have.
    publish = {name: value for name, value in told.items() if name.startswith(prefix)}
    return publish, {name: value for name, value in told.items() if name not in publish}


def _exports(told: Mapping[str, str]) -> str:
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in told.items())


def _words(*words: str) -> str:
    return shlex.join(words)


def _yaml(text: str) -> str:
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
