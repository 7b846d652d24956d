"""The methods to configure a client with a user name and a passphrase.

A method is a function that takes a `LoginTarget` and returns `ClientSettings`.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias
from urllib.parse import quote, urlsplit

from cloudrepo_server.clients import NO_REPOSITORY, SECTION

if TYPE_CHECKING:
    from pytest_cloudrepo.repository import Repository
    from tests.support.clients.client import InstalledClient

BACKEND: Final = Path(__file__).with_name("keyring_backend.py")
# The endings of the variables in which a tool expects credentials.
CREDENTIALS: Final = ("_USERNAME", "_PASSWORD", "_USER", "_AUTH")


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """The additional arguments of a client, and its complete environment."""

    arguments: tuple[str | Path, ...]
    environ: dict[str, str]


@dataclass(frozen=True, slots=True)
class LoginTarget:
    """The repository and the user to log in with, and a folder for configuration files."""

    repository: Repository
    tool: str
    folder: Path
    keyring: InstalledClient

    @property
    def environ(self) -> dict[str, str]:
        """Return the tool's environment with the credentials."""
        return self.repository.environ_for(self.tool)

    @property
    def environ_without_credentials(self) -> dict[str, str]:
        """Return the tool's environment with the repository's URL, but without credentials."""
        environ, url = self.environ, self.repository.url
        for name, value in list(environ.items()):
            if value == self.repository.index_url:
                environ[name] = url
            elif name.startswith(f"{self.tool.upper()}_") and name.endswith(CREDENTIALS):
                del environ[name]
        return environ

    @property
    def environ_without_repository(self) -> dict[str, str]:
        """Return the tool's environment without URL and credentials, so that it needs a file."""
        return {
            name: value
            for name, value in self.environ_without_credentials.items()
            if value != self.repository.url and not value.endswith(NO_REPOSITORY)
        }

    def write_config(self, tool: str, folder: Path | None = None) -> Path:
        """Write the configuration file of a tool and return its path."""
        return self.repository.write_config(tool, folder or self.folder)

    def keyring_variables(self) -> dict[str, str]:
        """Return the variables that give the client a keyring with the credentials."""
        module = self.folder / "cloudrepo_keyring.py"
        shutil.copyfile(BACKEND, module)
        login_file = self.folder / "keyring.json"
        login_file.touch(mode=0o600)
        url = self.repository.url
        services = [
            *(url, f"{url}/", urlsplit(url).netloc, urlsplit(url).hostname),
            *(f"poetry-repository-{SECTION}", f"pdm-repository-{SECTION}"),
        ]
        login = {"username": self.repository.username, "password": self.repository.password}
        login_file.write_text(json.dumps({"services": services, **login}), "utf-8")
        search_path = os.pathsep.join(
            [str(self.keyring.python.parent), self.environ.get("PATH", os.defpath)]
        )
        return {
            "PYTHONPATH": str(self.folder),
            "PYTHON_KEYRING_BACKEND": "cloudrepo_keyring.Keyring",
            "KEYRING_FILE": str(login_file),
            "PATH": search_path,
        }


LoginMethod: TypeAlias = Callable[[LoginTarget], ClientSettings]


def environment(target: LoginTarget) -> ClientSettings:
    """Pass the credentials in the tool's environment variables."""
    return ClientSettings((), target.environ)


def options(user: str, password: str) -> LoginMethod:
    """Pass the credentials in command-line options with these names."""

    def method(target: LoginTarget) -> ClientSettings:
        repository = target.repository
        return ClientSettings(
            (user, repository.username, password, repository.password),
            target.environ_without_credentials,
        )

    return method


def url_option(option: str) -> LoginMethod:
    """Pass a URL with percent-encoded credentials in a command-line option."""

    def method(target: LoginTarget) -> ClientSettings:
        return ClientSettings(
            (option, target.repository.index_url), target.environ_without_credentials
        )

    return method


def uv_named_index(target: LoginTarget) -> ClientSettings:
    """Pass the credentials in the variables of a named index of uv."""
    name = f"UV_INDEX_{SECTION.upper()}"
    login = {
        f"{name}_USERNAME": target.repository.username,
        f"{name}_PASSWORD": target.repository.password,
    }
    arguments = ("--default-index", f"{SECTION}={target.repository.url}")
    return ClientSettings(arguments, {**target.environ_without_credentials, **login})


def keyring_with_user_in_url(variable: str, **variables: str) -> LoginMethod:
    """Pass the passphrase in a keyring; the variable holds a URL with the user name."""

    def method(target: LoginTarget) -> ClientSettings:
        scheme, _, rest = target.repository.url.partition("://")
        url = f"{scheme}://{quote(target.repository.username, safe='')}@{rest}"
        environ = {
            **target.environ_without_credentials,
            **target.keyring_variables(),
            **variables,
            variable: url,
        }
        return ClientSettings((), environ)

    return method


def netrc(target: LoginTarget) -> ClientSettings:
    """Pass the credentials in a netrc."""
    environ = target.environ_without_credentials
    return ClientSettings((), {**environ, "NETRC": str(target.write_config("netrc"))})


def keyring(*arguments: str, user: str, **variables: str) -> LoginMethod:
    """Pass the passphrase in a keyring.

    Args:
        arguments: Additional arguments of the client.
        user: The option (with hyphens) or the variable that holds the user name.
        variables: Additional environment variables.
    """

    def method(target: LoginTarget) -> ClientSettings:
        username = target.repository.username
        environ = {
            **target.environ_without_credentials,
            **target.keyring_variables(),
            **variables,
        }
        if user.startswith("-"):
            return ClientSettings((*arguments, user, username), environ)
        return ClientSettings(arguments, {**environ, user: username})

    return method


def pdm_keyring(target: LoginTarget) -> ClientSettings:
    """Pass the passphrase in a keyring, which pdm searches by the name of the repository."""
    path = target.folder / "config.toml"
    path.write_text(f'[repository.{SECTION}]\nurl = "{target.repository.url}"\n', "utf-8")
    environ = {
        **target.environ_without_repository,
        **target.keyring_variables(),
        "PDM_CONFIG_FILE": str(path),
    }
    return ClientSettings(
        ("--repository", SECTION, "--username", target.repository.username), environ
    )


def poetry_url(target: LoginTarget) -> ClientSettings:
    """Pass a URL with percent-encoded credentials as the URL of a repository of Poetry."""
    name = f"POETRY_REPOSITORIES_{SECTION.upper()}_URL"
    return ClientSettings(
        (), {**target.environ_without_credentials, name: target.repository.index_url}
    )


def config_file(variable: str, *arguments: str) -> LoginMethod:
    """Pass the credentials in a configuration file, whose path is in this variable."""

    def method(target: LoginTarget) -> ClientSettings:
        path = target.write_config(target.tool)
        return ClientSettings(arguments, {**target.environ_without_repository, variable: str(path)})

    return method


def config_folder(variable: str) -> LoginMethod:
    """Pass the credentials in a configuration file in the folder that this variable names."""

    def method(target: LoginTarget) -> ClientSettings:
        environ = target.environ_without_repository
        target.write_config(target.tool, Path(environ[variable]))
        return ClientSettings((), environ)

    return method


def pypirc(*arguments: str) -> LoginMethod:
    """Pass the credentials in a `.pypirc` in the home folder.

    The arguments select a section by its name. Without arguments the client finds the
    section by the repository's URL.
    """

    def method(target: LoginTarget) -> ClientSettings:
        environ = (
            target.environ_without_repository if arguments else target.environ_without_credentials
        )
        target.write_config("twine", Path(environ["HOME"]))
        return ClientSettings(arguments, environ)

    return method
