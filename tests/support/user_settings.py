"""Settings of users for their tools. No test may depend on them."""

from __future__ import annotations

from pathlib import Path

USER_VARIABLES = [
    *("PIP_INDEX_URL", "PIP_FIND_LINKS", "PIP_CERT", "UV_INDEX", "UV_PUBLISH_TOKEN"),
    *("TWINE_REPOSITORY_URL", "TWINE_PASSWORD", "POETRY_PYPI_TOKEN_PYPI", "PDM_PUBLISH_USERNAME"),
    *("HATCH_INDEX_AUTH", "FLIT_PASSWORD", "TOX_SKIP_ENV", "VIRTUALENV_PYTHON", "VIRTUAL_ENV"),
    *("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "PYTHONWARNINGS", "PYTHONDONTWRITEBYTECODE"),
    *(
        "HTTP_PROXY",
        "https_proxy",
        "ALL_PROXY",
        "NETRC",
        "CONDA_PREFIX",
        "CLOUDREPO_ADMIN_PASSWORD",
    ),
    *("PYTEST_ADDOPTS", "COVERAGE_PROCESS_START", "GIT_DIR", "FORCE_COLOR", "SOURCE_DATE_EPOCH"),
    *("SETUPTOOLS_SCM_PRETEND_VERSION", "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "XDG_RUNTIME_DIR"),
    *("GIT_ASKPASS", "SSH_ASKPASS", "SSH_AUTH_SOCK", "MATURIN_PYPI_TOKEN", "PYPI_ID_TOKEN"),
    *("BASH_ENV", "ENV", "ZDOTDIR", "CURL_HOME", "WGETRC", "HTTPIE_CONFIG_DIR"),
    *("GIT_SSH_COMMAND", "GIT_PROXY_COMMAND"),
]


def write_invalid_configuration(home: Path) -> dict[str, str]:
    """Write an invalid configuration file to every path that a tool reads.

    Returns:
        The variables with which `home` is the home folder.
    """
    etc = home / "etc"
    roaming = home / "AppData/Roaming"
    for path in (
        *(home / ".config/pip/pip.conf", home / ".pip/pip.conf", etc / "pip/pip.conf"),
        *(home / ".config/uv/uv.toml", etc / "uv/uv.toml", home / ".netrc"),
        # On Windows
        *(home / "pip/pip.ini", roaming / "pip/pip.ini", roaming / "uv/uv.toml"),
        *(home / ".pypirc", home / ".config/virtualenv/virtualenv.ini", home / ".gitconfig"),
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("[this is not valid", encoding="utf-8")
    return {
        "HOME": str(home),
        "USERPROFILE": str(home),
        "APPDATA": str(roaming),
        # If the variable names a file, pip reads no file in the home folder.
        "PIP_CONFIG_FILE": "",
        "XDG_CONFIG_HOME": str(home / ".config"),
        "XDG_CONFIG_DIRS": str(etc),
    }
