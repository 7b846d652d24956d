"""A program's environment: the user's own scrubbed out, the repository's put in."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from cloudrepo_server import clients

if TYPE_CHECKING:
    from pathlib import Path

    from cloudrepo_server.clients import Connection

NO_REPOSITORY: Final = "no-repository-was-given"
"""What the tools name in their messages when they would have gone to their public default."""

# Of the user's variables, these do not reach a program. Those that say whom the machine trusts
# (SSL_CERT_FILE, REQUESTS_CA_BUNDLE and such) do: they point nowhere.
_DROPPED_PREFIXES: Final = (
    *("PIP_", "UV_", "TWINE_", "POETRY_", "PDM_", "HATCH_", "FLIT_", "TOX_", "PIPX_", "PIPENV_"),
    *("PYTHON", "VIRTUAL_ENV", "VIRTUALENV_", "CONDA_", "SETUPTOOLS_", "DISTUTILS_"),
    *("PYTEST_", "COVERAGE_", "COV_CORE_"),
    *("CLOUDREPO_", "XDG_", "GIT_CONFIG"),
    # With these a CI job gets tokens for trusted publishing.
    "ACTIONS_ID_TOKEN_",
)
_DROPPED_SUFFIXES: Final = ("_PROXY",)
_DROPPED: Final = frozenset(
    {
        *("NETRC", "KEYRING_PROPERTY_FILE", "DBUS_SESSION_BUS_ADDRESS", "HOMEDRIVE", "HOMEPATH"),
        *("DIST_EXTRA_CONFIG", "SOURCE_DATE_EPOCH", "__PYVENV_LAUNCHER__"),
        # A run inside a git hook is told where its repository is.
        *("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_OBJECT_DIRECTORY"),
        *("FORCE_COLOR", "CLICOLOR_FORCE", "PY_COLORS", "LINES", "TERM"),
    }
)

LOOPBACK: Final = "127.0.0.1,localhost,::1"


class Environment:
    """What the programs of one test see: a home and settings of their own, below a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._home = folder / "home"

    def __repr__(self) -> str:
        return f"<Environment {self._folder}>"

    def scrubbed(self) -> dict[str, str]:
        """Give a complete environment that points at no index and holds nothing of the user's."""
        return self._private() | self._closed()

    def open(self, connection: Connection) -> dict[str, str]:
        """Give a complete environment in which every tool has its public default and a login."""
        return self._private() | clients.publish_credentials(connection)

    @property
    def folder(self) -> Path:
        """Where what belongs to it is kept."""
        return self._folder

    def for_tool(
        self, tool: str, connection: Connection, *, retries: int | None = None
    ) -> dict[str, str]:
        """Give a complete environment in which this tool, and no other, uses the repository.

        Raises:
            ValueError: The tool is not known, or has no setting for retries.
        """
        return self._pointed(clients.variables(tool, connection, retries=retries))

    def everything(self, connection: Connection) -> dict[str, str]:
        """Give a complete environment in which every tool uses the repository."""
        told: dict[str, str] = {}
        for tool in clients.TOOLS:
            told |= clients.variables(tool, connection)
        return self._pointed(told)

    def _pointed(self, told: dict[str, str]) -> dict[str, str]:
        environ = self.scrubbed() | told
        if "UV_DEFAULT_INDEX" in told:
            # Beside it, uv has a warning for everybody, and writes neither into a project.
            del environ["UV_INDEX_URL"]
        return environ

    def write_config(self, tool: str, connection: Connection, directory: Path) -> Path:
        """Write the file that points a tool at the repository, and give its path.

        It has the name that the tool looks for, and only its owner may read it. Besides the tools
        there is `netrc`.

        Raises:
            ValueError: The tool is not known, or its file cannot express the credentials.
        """
        directory.mkdir(parents=True, exist_ok=True)
        file = clients.config_file(tool, connection)
        return write_private(directory / file.name, file.text)

    def _private(self) -> dict[str, str]:
        self._lay_out()
        # Where uv and pipx put the programs that they install.
        path = [str(self._home / ".local" / "bin"), os.environ.get("PATH", os.defpath)]
        return {
            **{name: value for name, value in os.environ.items() if not _is_dropped(name)},
            **self._places(),
            **_quiet(),
            "PATH": os.pathsep.join(path),
        }

    def _lay_out(self) -> None:
        for name, place in self._places().items():
            if name.startswith("XDG_") or name in {"HOME", "APPDATA", "LOCALAPPDATA"}:
                (self._folder / place).mkdir(parents=True, exist_ok=True)
        # Where it finds one here, uv does not read the machine's own /etc/uv/uv.toml.
        (self._folder / "etc" / "uv").mkdir(exist_ok=True)
        (self._folder / "etc" / "uv" / "uv.toml").touch()
        # hatch refuses to start when the file that HATCH_CONFIG names is not there.
        (self._home / ".config" / "hatch.toml").touch()

    def _places(self) -> dict[str, str]:
        """Where programs keep what is theirs.

        HOME and XDG_* say so on Linux and macOS. On Windows the tools ask the system instead, so
        each is told in its own variable too.
        """
        config, cache = self._home / ".config", self._home / ".cache"
        data, state = self._home / ".local" / "share", self._home / ".local" / "state"
        places = {
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
        return {name: str(place) for name, place in places.items()}

    def _closed(self) -> dict[str, str]:
        """What keeps the tools from the public index, which is their default.

        An index given on the command line counts more than each of these, as `--no-index` would
        not allow. Nothing of the kind exists for Poetry, nor for uploads with uv, flit and hatch,
        but none of them uploads without credentials.
        """
        nowhere = (self._folder / NO_REPOSITORY).as_uri()
        return {
            "PIP_INDEX_URL": nowhere,
            # uv calls the name old. Its new one, UV_DEFAULT_INDEX, would count more than
            # --index-url.
            "UV_INDEX_URL": nowhere,
            "PDM_PYPI_URL": nowhere,
            "PDM_PUBLISH_REPO": NO_REPOSITORY,
            "TWINE_REPOSITORY": NO_REPOSITORY,
        }


def write_private(path: Path, text: str) -> Path:
    """Write a file that only its owner may read, in another's place if there is one."""
    path.unlink(missing_ok=True)
    path.touch(mode=0o600, exist_ok=False)
    path.write_text(text, encoding="utf-8")
    return path


def _quiet() -> dict[str, str]:
    """What keeps programs from prompting, from caches, keyrings, proxies and updates."""
    return {
        "NO_PROXY": LOOPBACK,
        "no_proxy": LOOPBACK,
        "NO_COLOR": "1",
        # Lest a message be broken where a test looks for its words.
        "COLUMNS": "300",
        "PYTHONIOENCODING": "utf-8",
        "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        # pip reads none of its files then, not even the machine's own.
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_NO_INPUT": "1",
        "PIP_KEYRING_PROVIDER": "disabled",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_ROOT_USER_ACTION": "ignore",
        # Without protection another file can take a name, and a cache would give the first one.
        # To pip before 19 the name means its opposite; later ones take a no for a yes:
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


def _is_dropped(name: str) -> bool:
    name = name.upper()
    return (
        name in _DROPPED or name.startswith(_DROPPED_PREFIXES) or name.endswith(_DROPPED_SUFFIXES)
    )
