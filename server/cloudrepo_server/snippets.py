"""What a person copies to set up each client: commands and files."""

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from cloudrepo_server.clients import SECTION, Connection, configuration, pyproject, variables

PASSPHRASE: Final = "YOUR-PASSPHRASE"  # noqa: S105 (it stands where one is to be filled in)
"""Where the passphrase goes; in a URL it is percent-encoded."""

PACKAGE: Final = "PACKAGE"
"""Where the name of what is to be installed goes."""


@dataclass(frozen=True, slots=True)
class Snippet:
    """Commands for a POSIX shell, or the text of a file where `file` says which."""

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
        Snippet("Install from here always", configuration("pip", to)["pip.conf"], "pip.conf"),
        Snippet(
            "With a requirements file",
            f"--index-url {to.index_url}\n{PACKAGE}\n",
            "requirements.txt",
        ),
    )


def _uv(to: Connection) -> tuple[Snippet, ...]:
    told = variables("uv", to)
    publish = {name: value for name, value in told.items() if "PUBLISH" in name}
    install = {name: value for name, value in told.items() if name not in publish}
    login = {
        f"UV_INDEX_{SECTION.upper()}_USERNAME": to.username,
        f"UV_INDEX_{SECTION.upper()}_PASSWORD": to.password,
    }
    return (
        Snippet("Install", _exports(install) + f"uv pip install {PACKAGE}\n"),
        Snippet("Publish", _exports(publish) + "uv publish\n"),
        Snippet("Install from here always", configuration("uv", to)["uv.toml"], "uv.toml"),
        Snippet("For one project", pyproject("uv", to), "pyproject.toml"),
        Snippet("Its login", _exports(login) + f"uv add {PACKAGE}\n"),
    )


def _poetry(to: Connection) -> tuple[Snippet, ...]:
    return (
        Snippet("Install from here", pyproject("poetry", to), "pyproject.toml"),
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
    return (
        Snippet("Install and publish", configuration("pdm", to)["config.toml"], "config.toml"),
        Snippet("Install", f"pdm add {PACKAGE}\n"),
        Snippet("Publish", f"pdm publish --repository {SECTION}\n"),
    )


def _hatch(to: Connection) -> tuple[Snippet, ...]:
    return (
        Snippet("Publish", configuration("hatch", to)["config.toml"], "config.toml"),
        Snippet("With that file", f"hatch build && hatch publish --repo {SECTION}\n"),
        Snippet(
            "With variables",
            _exports(variables("hatch", to)) + "hatch build && hatch publish\n",
        ),
    )


def _flit(to: Connection) -> tuple[Snippet, ...]:
    return (
        Snippet("Publish, with the .pypirc above", f"flit publish --repository {SECTION}\n"),
        Snippet("Publish, with variables", _exports(variables("flit", to)) + "flit publish\n"),
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
