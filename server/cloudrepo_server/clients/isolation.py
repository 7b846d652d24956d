"""The environment of a program without the user's own configuration of tools.

The functions are pure: `IsolatedHome` names the folders and files that the caller must create.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

NO_REPOSITORY: Final = "no-repository-was-given"
"""The name of an index that does not exist. Tools name it in their error message."""

LOOPBACK: Final = "127.0.0.1,localhost,::1"
"""The hosts that are never reached through a proxy, as in NO_PROXY."""

# The prefixes, suffixes and names of variables that are removed from a program's environment.
# Variables that name CA bundles (SSL_CERT_FILE, REQUESTS_CA_BUNDLE and the like) are kept, because
# they select no index.
_DROPPED_PREFIXES: Final = (
    *("PIP_", "UV_", "TWINE_", "POETRY_", "PDM_", "HATCH_", "FLIT_", "TOX_", "PIPX_", "PIPENV_"),
    *("PYTHON", "VIRTUAL_ENV", "VIRTUALENV_", "CONDA_", "SETUPTOOLS_", "DISTUTILS_"),
    *("PYTEST_", "COVERAGE_", "COV_CORE_", "MATURIN_"),
    # Programs that have the user's credentials.
    *("SSH_", "VSS_NUGET_", "ARTIFACTS_CREDENTIALPROVIDER_"),
    *("CLOUDREPO_", "XDG_", "GIT_CONFIG", "GIT_SSH", "GIT_PROXY"),
    # A CI job requests tokens for trusted publishing with these.
    "ACTIONS_ID_TOKEN_",
)
# Jobs on GitLab have their identity tokens in variables that end with `_ID_TOKEN`.
_DROPPED_SUFFIXES: Final = ("_PROXY", "_ID_TOKEN")
_DROPPED: Final = frozenset(
    {
        *("NETRC", "KEYRING_PROPERTY_FILE", "DBUS_SESSION_BUS_ADDRESS", "HOMEDRIVE", "HOMEPATH"),
        *("GIT_ASKPASS", "DIST_EXTRA_CONFIG", "SOURCE_DATE_EPOCH", "__PYVENV_LAUNCHER__"),
        # Each names a file that a shell reads when it starts. The file may set the removed
        # variables again, as on CircleCI.
        *("BASH_ENV", "ENV", "ZDOTDIR"),
        # Each names a file or a folder with the user's settings of a download program.
        *("CURL_HOME", "WGETRC", "HTTPIE_CONFIG_DIR"),
        # git sets these for hooks, in which the program may run.
        *("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_OBJECT_DIRECTORY"),
    }
)
_TERMINAL: Final = frozenset(
    {"FORCE_COLOR", "CLICOLOR_FORCE", "PY_COLORS", "COLUMNS", "LINES", "TERM"}
)

# Keeps tools from writing colours, and from breaking long lines, which tests may search for.
_CAPTURED: Final = {"NO_COLOR": "1", "COLUMNS": "300", "PYTHONIOENCODING": "utf-8"}

# Variables that disable prompts, caches, keyrings, proxies and updates.
_QUIET: Final = {
    "NO_PROXY": LOOPBACK,
    "no_proxy": LOOPBACK,
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
    # Without overwrite protection a file can be replaced, and a cache would return the old one. In
    # the dialect `pypi` a cache would keep pages for ten minutes. Poetry has no such variable.
    # 0 disables the cache: pip before 19 inverts the value, and later versions treat 0 like 1:
    # https://github.com/pypa/pip/issues/5385
    "PIP_NO_CACHE_DIR": "0",
    "UV_NO_CACHE": "1",
    "PDM_NO_CACHE": "1",
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


@dataclass(frozen=True, slots=True)
class IsolatedHome:
    """A folder that replaces the user's home folder, caches and configuration."""

    folder: Path

    @property
    def path(self) -> Path:
        """The home folder itself."""
        return self.folder / "home"

    @property
    def folders(self) -> tuple[Path, ...]:
        """The folders to create, with their parents."""
        names = [
            name
            for name in self.variables()
            if name.startswith("XDG_") or name in {"HOME", "APPDATA", "LOCALAPPDATA"}
        ]
        folders = [Path(self.variables()[name]) for name in names]
        return (*folders, *{file.parent for file in self.empty_files})

    @property
    def empty_files(self) -> tuple[Path, ...]:
        """The empty files to create in these folders, after the folders."""
        return (
            # uv reads this file instead of the machine's /etc/uv/uv.toml.
            self.folder / "etc" / "uv" / "uv.toml",
            # hatch does not start if the file that HATCH_CONFIG names is missing.
            self.path / ".config" / "hatch.toml",
        )

    def variables(self) -> dict[str, str]:
        """Return the variables that name the folders and files of programs.

        On Linux and macOS, HOME and XDG_* are enough. On Windows the tools ask the system for these
        folders, so each tool's own variable is set too.
        """
        config, cache = self.path / ".config", self.path / ".cache"
        data, state = self.path / ".local" / "share", self.path / ".local" / "state"
        paths = {
            "HOME": self.path,
            "USERPROFILE": self.path,
            "APPDATA": self.path / "AppData" / "Roaming",
            "LOCALAPPDATA": self.path / "AppData" / "Local",
            "XDG_CONFIG_HOME": config,
            "XDG_CONFIG_DIRS": self.folder / "etc",
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


def isolated(
    environ: Mapping[str, str], home: IsolatedHome, *, captured: bool = True
) -> dict[str, str]:
    """Return a complete environment without the user's own configuration of tools.

    Args:
        environ: the user's environment.
        home: the folder that replaces the user's home folder.
        captured: whether the output is captured; otherwise it appears on the user's terminal, and
            the variables that describe the terminal are kept.
    """
    # uv and pipx install programs into this folder.
    path = [str(home.path / ".local" / "bin"), environ.get("PATH", os.defpath)]
    dropped = _DROPPED | _TERMINAL if captured else _DROPPED
    return {
        **{name: value for name, value in environ.items() if not _is_dropped(name, dropped)},
        **home.variables(),
        **_QUIET,
        **(_CAPTURED if captured else {}),
        "PATH": os.pathsep.join(path),
    }


def without_index(environ: Mapping[str, str], home: IsolatedHome) -> dict[str, str]:
    """Return an environment in which no tool uses its default, the public index.

    An index on the command line overrides these variables. It would not override `--no-index`, so
    that option is not set. Poetry has no such variable. uv, flit and hatch have no such variable
    for uploads. Without credentials, none of these tools uploads anything.
    """
    missing_index = (home.folder / NO_REPOSITORY).as_uri()
    return {
        **environ,
        "PIP_INDEX_URL": missing_index,
        # The variable is deprecated in uv. But its replacement, UV_DEFAULT_INDEX, would take
        # precedence over --index-url.
        "UV_INDEX_URL": missing_index,
        "PDM_PYPI_URL": missing_index,
        "PDM_PUBLISH_REPO": NO_REPOSITORY,
        "TWINE_REPOSITORY": NO_REPOSITORY,
    }


def configured(environ: Mapping[str, str], settings: Mapping[str, str]) -> dict[str, str]:
    """Return an environment that `without_index` made, with the variables of one or more tools."""
    merged = {**environ, **settings}
    if "UV_DEFAULT_INDEX" in settings:
        # With both variables uv prints a warning, and stores neither index in a project.
        merged.pop("UV_INDEX_URL", None)
    return merged


def _is_dropped(name: str, names: frozenset[str]) -> bool:
    name = name.upper()
    return name in names or name.startswith(_DROPPED_PREFIXES) or name.endswith(_DROPPED_SUFFIXES)
