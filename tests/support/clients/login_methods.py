"""The ways in which clients are told a user name and a passphrase."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias
from urllib.parse import quote, urlsplit

from cloudrepo_server.clients import SECTION
from pytest_cloudrepo._programs.environment import NO_REPOSITORY

if TYPE_CHECKING:
    from pytest_cloudrepo.repository import Repository
    from tests.support.clients.client import Installed

BACKEND: Final = Path(__file__).with_name("keyring_backend.py")
# What a tool's variables for credentials end with.
CREDENTIALS: Final = ("_USERNAME", "_PASSWORD", "_USER", "_AUTH")


@dataclass(frozen=True, slots=True)
class Told:
    """What a client is told: the words that follow its own, and its complete environment."""

    words: tuple[str | Path, ...]
    environ: dict[str, str]


@dataclass(frozen=True, slots=True)
class Ask:
    """Whom a client is to be told, and where there is room for files."""

    repository: Repository
    tool: str
    folder: Path
    keyring: Installed

    @property
    def environ(self) -> dict[str, str]:
        """The tool's environment with the credentials in it."""
        return self.repository.environ_for(self.tool)

    @property
    def stripped(self) -> dict[str, str]:
        """The tool's environment with the repository's address in it, and no credentials."""
        environ, url = self.environ, self.repository.url
        for name, value in list(environ.items()):
            if value == self.repository.index_url:
                environ[name] = url
            elif name.startswith(f"{self.tool.upper()}_") and name.endswith(CREDENTIALS):
                del environ[name]
        return environ

    def config(self, tool: str, folder: Path | None = None) -> Path:
        """The configuration file of a tool, written."""
        return self.repository.write_config(tool, folder or self.folder)

    def keyring_variables(self) -> dict[str, str]:
        """What gives a client a keyring with the credentials in it."""
        module = self.folder / "cloudrepo_keyring.py"
        shutil.copyfile(BACKEND, module)
        held = self.folder / "keyring.json"
        held.touch(mode=0o600)
        url = self.repository.url
        services = [
            *(url, f"{url}/", urlsplit(url).netloc, urlsplit(url).hostname),
            *(f"poetry-repository-{SECTION}", f"pdm-repository-{SECTION}"),
        ]
        login = {"username": self.repository.username, "password": self.repository.password}
        held.write_text(json.dumps({"services": services, **login}), "utf-8")
        programs = os.pathsep.join(
            [str(self.keyring.python.parent), self.environ.get("PATH", os.defpath)]
        )
        return {
            "PYTHONPATH": str(self.folder),
            "PYTHON_KEYRING_BACKEND": "cloudrepo_keyring.Keyring",
            "KEYRING_FILE": str(held),
            "PATH": programs,
        }


Way: TypeAlias = Callable[[Ask], Told]


def environment(ask: Ask) -> Told:
    """By the environment."""
    return Told((), ask.environ)


def flags(user: str, password: str) -> Way:
    """By flags of these names."""

    def way(ask: Ask) -> Told:
        login = ask.repository.username, ask.repository.password
        return Told((user, login[0], password, login[1]), ask.stripped)

    return way


def url(flag: str) -> Way:
    """By a URL with the credentials in it, percent-encoded, as the value of a flag."""

    def way(ask: Ask) -> Told:
        return Told((flag, ask.repository.index_url), ask.stripped)

    return way


def named_index(ask: Ask) -> Told:
    """By the variables of an index that has a name."""
    name = f"UV_INDEX_{SECTION.upper()}"
    login = {
        f"{name}_USERNAME": ask.repository.username,
        f"{name}_PASSWORD": ask.repository.password,
    }
    words = ("--default-index", f"{SECTION}={ask.repository.url}")
    return Told(words, {**ask.stripped, **login})


def user_in_url(variable: str, **variables: str) -> Way:
    """By a keyring, the user's name standing in the URL that this variable holds."""

    def way(ask: Ask) -> Told:
        scheme, _, rest = ask.repository.url.partition("://")
        address = f"{scheme}://{quote(ask.repository.username, safe='')}@{rest}"
        told = {**ask.stripped, **ask.keyring_variables(), **variables}
        return Told((), {**told, variable: address})

    return way


def netrc(ask: Ask) -> Told:
    """By a netrc."""
    environ = ask.stripped
    return Told((), {**environ, "NETRC": str(ask.config("netrc"))})


def keyring(*words: str, user: str, **variables: str) -> Way:
    """By a keyring; what knows the user's name is a flag, or a variable if it has no hyphens."""

    def way(ask: Ask) -> Told:
        named = (user, ask.repository.username)
        told = {**ask.stripped, **ask.keyring_variables(), **variables}
        if not user.startswith("-"):
            return Told(words, {**told, user: ask.repository.username})
        return Told((*words, *named), told)

    return way


def pdm_keyring(ask: Ask) -> Told:
    """By a keyring, in which pdm finds what it has a name for."""
    path = ask.folder / "config.toml"
    path.write_text(f'[repository.{SECTION}]\nurl = "{ask.repository.url}"\n', "utf-8")
    environ = {**_without_address(ask), **ask.keyring_variables(), "PDM_CONFIG_FILE": str(path)}
    return Told(("--repository", SECTION, "--username", ask.repository.username), environ)


def poetry_url(ask: Ask) -> Told:
    """By the URL of a repository of Poetry's, with the credentials in it."""
    name = f"POETRY_REPOSITORIES_{SECTION.upper()}_URL"
    return Told((), {**ask.stripped, name: ask.repository.index_url})


def config(variable: str, *words: str) -> Way:
    """By the tool's configuration file, which this variable names."""

    def way(ask: Ask) -> Told:
        environ = _without_address(ask)
        return Told(words, {**environ, variable: str(ask.config(ask.tool))})

    return way


def config_beside(variable: str) -> Way:
    """By the tool's configuration file, in the folder that this variable names."""

    def way(ask: Ask) -> Told:
        environ = _without_address(ask)
        ask.config(ask.tool, Path(environ[variable]))
        return Told((), environ)

    return way


def pypirc(*words: str) -> Way:
    """By a .pypirc at home, of which a section is named with these words, or else its address."""

    def way(ask: Ask) -> Told:
        environ = _without_address(ask) if words else ask.stripped
        ask.config("twine", Path(environ["HOME"]))
        return Told(words, environ)

    return way


def _without_address(ask: Ask) -> dict[str, str]:
    """What a tool is told that has to find all in a file."""
    return {
        name: value
        for name, value in ask.stripped.items()
        if value != ask.repository.url and not value.endswith(NO_REPOSITORY)
    }
