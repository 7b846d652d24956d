"""The environment variables of a subprocess: without the user's own configuration of tools."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from cloudrepo_server import clients

if TYPE_CHECKING:
    from pathlib import Path

    from cloudrepo_server.clients import Connection

NO_REPOSITORY: Final = "no-repository-was-given"
"""The name of an index that does not exist. Tools name it in their error message."""

# The user's variables that a subprocess does not get. Variables that name CA bundles
# (SSL_CERT_FILE, REQUESTS_CA_BUNDLE and the like) are kept, because they select no index.
_DROPPED_PREFIXES: Final = (
    *("PIP_", "UV_", "TWINE_", "POETRY_", "PDM_", "HATCH_", "FLIT_", "TOX_", "PIPX_", "PIPENV_"),
    *("PYTHON", "VIRTUAL_ENV", "VIRTUALENV_", "CONDA_", "SETUPTOOLS_", "DISTUTILS_"),
    *("PYTEST_", "COVERAGE_", "COV_CORE_"),
    *("CLOUDREPO_", "XDG_", "GIT_CONFIG"),
    # A CI job requests tokens for trusted publishing with these.
    "ACTIONS_ID_TOKEN_",
)
_DROPPED_SUFFIXES: Final = ("_PROXY",)
_DROPPED: Final = frozenset(
    {
        *("NETRC", "KEYRING_PROPERTY_FILE", "DBUS_SESSION_BUS_ADDRESS", "HOMEDRIVE", "HOMEPATH"),
        *("DIST_EXTRA_CONFIG", "SOURCE_DATE_EPOCH", "__PYVENV_LAUNCHER__"),
        # git sets these for hooks, in which the tests may run.
        *("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_OBJECT_DIRECTORY"),
        *("FORCE_COLOR", "CLICOLOR_FORCE", "PY_COLORS", "LINES", "TERM"),
    }
)

LOOPBACK: Final = "127.0.0.1,localhost,::1"
"""The hosts that are never reached through a proxy, as in NO_PROXY."""


# Variables that disable prompts, caches, keyrings, proxies and updates.
_QUIET: Final = {
    "NO_PROXY": LOOPBACK,
    "no_proxy": LOOPBACK,
    "NO_COLOR": "1",
    # Keeps tools from breaking long lines, which tests may search for.
    "COLUMNS": "300",
    "PYTHONIOENCODING": "utf-8",
    "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    # With this value pip reads no configuration file, not even the machine's.
    "PIP_CONFIG_FILE": os.devnull,
    "PIP_NO_INPUT": "1",
    "PIP_KEYRING_PROVIDER": "disabled",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "PIP_ROOT_USER_ACTION": "ignore",
    # Without overwrite protection a file can be replaced, and a cache would return the old one.
    # 0 disables the cache: pip before 19 inverts the value, and later versions treat 0 like 1:
    # https://github.com/pypa/pip/issues/5385
    "PIP_NO_CACHE_DIR": "0",
    "UV_NO_CACHE": "1",
    "UV_LINK_MODE": "copy",
    "UV_KEYRING_PROVIDER": "disabled",
    "UV_NO_PROGRESS": "1",
    "UV_PYTHON_DOWNLOADS": "never",
    "TWINE_NON_INTERACTIVE": "1",
    "POETRY_KEYRING_ENABLED": "false",
    "POETRY_NO_INTERACTION": "1",
    "PDM_CHECK_UPDATE": "0",
    "PDM_NON_INTERACTIVE": "1",
    "HATCH_INTERACTIVE": "0",
    "VIRTUALENV_NO_PERIODIC_UPDATE": "1",
}


class Environment:
    """The environment of one test's subprocesses, with a home folder and caches of their own."""

    def __init__(self, folder: Path) -> None:
        """Describe the environment.

        Args:
            folder: the folder for the home folder, the caches and the configuration files.
        """
        self._folder = folder
        self._home = folder / "home"

    def __repr__(self) -> str:
        return f"<Environment {self._folder}>"

    def scrubbed(self) -> dict[str, str]:
        """Return a complete environment in which no tool has an index or credentials."""
        return self._isolated() | self._no_index()

    def with_credentials(self, connection: Connection) -> dict[str, str]:
        """Return a complete environment with credentials, in which tools use their default index.

        Requests to the default index have to be sent elsewhere: see `Repository.impersonate`.
        """
        return self._isolated() | clients.publish_credentials(connection)

    @property
    def folder(self) -> Path:
        """The folder for all files of the environment."""
        return self._folder

    def for_tool(
        self, tool: str, connection: Connection, *, retries: int | None = None
    ) -> dict[str, str]:
        """Return a complete environment in which only this tool uses the repository.

        Raises:
            ValueError: the tool is unknown, or has no setting for retries.
        """
        return self._configured(clients.variables(tool, connection, retries=retries))

    def for_all_tools(self, connection: Connection) -> dict[str, str]:
        """Return a complete environment in which every tool uses the repository."""
        variables: dict[str, str] = {}
        for tool in clients.TOOLS:
            variables |= clients.variables(tool, connection)
        return self._configured(variables)

    def _configured(self, variables: dict[str, str]) -> dict[str, str]:
        environ = self.scrubbed() | variables
        if "UV_DEFAULT_INDEX" in variables:
            # With both variables uv prints a warning, and stores neither index in a project.
            del environ["UV_INDEX_URL"]
        return environ

    def write_config(self, tool: str, connection: Connection, directory: Path) -> Path:
        """Write a tool's configuration file for the repository, and return its path.

        The file has the name that the tool expects, and only its owner can read it. `netrc` can be
        given instead of a tool.

        Raises:
            ValueError: the tool is unknown, or its file cannot contain these credentials.
        """
        directory.mkdir(parents=True, exist_ok=True)
        file = clients.config_file(tool, connection)
        return write_private(directory / file.name, file.text)

    def _isolated(self) -> dict[str, str]:
        self._create_files()
        # uv and pipx install programs into this folder.
        path = [str(self._home / ".local" / "bin"), os.environ.get("PATH", os.defpath)]
        return {
            **{name: value for name, value in os.environ.items() if not _is_dropped(name)},
            **self._paths(),
            **_QUIET,
            "PATH": os.pathsep.join(path),
        }

    def _create_files(self) -> None:
        for name, path in self._paths().items():
            if name.startswith("XDG_") or name in {"HOME", "APPDATA", "LOCALAPPDATA"}:
                (self._folder / path).mkdir(parents=True, exist_ok=True)
        # uv reads this file instead of the machine's /etc/uv/uv.toml.
        (self._folder / "etc" / "uv").mkdir(exist_ok=True)
        (self._folder / "etc" / "uv" / "uv.toml").touch()
        # hatch does not start if the file that HATCH_CONFIG names is missing.
        (self._home / ".config" / "hatch.toml").touch()

    def _paths(self) -> dict[str, str]:
        """Return the variables that name the folders and files of the programs.

        On Linux and macOS, HOME and XDG_* are enough. On Windows the tools ask the system for these
        folders, so each tool's own variable is set too.
        """
        config, cache = self._home / ".config", self._home / ".cache"
        data, state = self._home / ".local" / "share", self._home / ".local" / "state"
        paths = {
            "HOME": self._home,
            "USERPROFILE": self._home,
            "APPDATA": self._home / "AppData" / "Roaming",
            "LOCALAPPDATA": self._home / "AppData" / "Local",
            "XDG_CONFIG_HOME": config,
            "XDG_CONFIG_DIRS": self._folder / "etc",
            "XDG_CACHE_HOME": cache,
            "XDG_DATA_HOME": data,
            "XDG_STATE_HOME": state,
            "POETRY_CONFIG_DIR": config / "pypoetry",
            "POETRY_CACHE_DIR": cache / "pypoetry",
            "POETRY_DATA_DIR": data / "pypoetry",
            "PDM_CONFIG_FILE": config / "pdm" / "config.toml",
            "PDM_CACHE_DIR": cache / "pdm",
            "PDM_LOG_DIR": state / "pdm",
            "HATCH_CONFIG": config / "hatch.toml",
            "HATCH_CACHE_DIR": cache / "hatch",
            "HATCH_DATA_DIR": data / "hatch",
            "TOX_USER_CONFIG_FILE": config / "tox.ini",
            "VIRTUALENV_CONFIG_FILE": config / "virtualenv.ini",
            "VIRTUALENV_OVERRIDE_APP_DATA": data / "virtualenv",
        }
        return {name: str(path) for name, path in paths.items()}

    def _no_index(self) -> dict[str, str]:
        """Return the variables that keep tools from their default, the public index.

        An index on the command line still takes precedence over these variables; over `--no-index`
        it would not. Poetry has no such variable, and uv, flit and hatch have none for uploads, but
        none of them uploads without credentials.
        """
        missing_index = (self._folder / NO_REPOSITORY).as_uri()
        return {
            "PIP_INDEX_URL": missing_index,
            # The variable is deprecated in uv. But its replacement, UV_DEFAULT_INDEX, would take
            # precedence over --index-url.
            "UV_INDEX_URL": missing_index,
            "PDM_PYPI_URL": missing_index,
            "PDM_PUBLISH_REPO": NO_REPOSITORY,
            "TWINE_REPOSITORY": NO_REPOSITORY,
        }


def write_private(path: Path, text: str) -> Path:
    """Write a file that only its owner can read, replacing an existing file; return its path."""
    path.unlink(missing_ok=True)
    path.touch(mode=0o600, exist_ok=False)
    path.write_text(text, encoding="utf-8")
    return path


def _is_dropped(name: str) -> bool:
    name = name.upper()
    return (
        name in _DROPPED or name.startswith(_DROPPED_PREFIXES) or name.endswith(_DROPPED_SUFFIXES)
    )
