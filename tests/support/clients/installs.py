"""The installation of `base` 1.0 by each installer, with the index and the login of a test."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from cloudrepo_server.clients import pyproject_table
from cloudrepo_server.clients import variables as tool_variables
from tests.support.clients.client import program

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from cloudrepo_server.clients import Connection
    from pytest_cloudrepo._programs.result import CommandResult
    from pytest_cloudrepo.client import Server
    from tests.support.clients.installer import Installer

REQUIREMENT: Final = "base==1.0"
PROJECT: Final = f"""\
[project]
name = "project"
version = "1.0"
requires-python = ">=3.10"
dependencies = ["{REQUIREMENT}"]

"""
# The variable of each installer that contains the URL of the index, with or without a login.
INDEX: Final = {"pip": "PIP_INDEX_URL", "uv": "UV_DEFAULT_INDEX", "pdm": "PDM_PYPI_URL"}

CA: Final = (
    *("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "TWINE_CERT"),
    "POETRY_CERTIFICATES_CLOUDREPO_CERT",
)
CLIENT_CERTIFICATE: Final = (
    *("PIP_CLIENT_CERT", "SSL_CLIENT_CERT"),
    "POETRY_CERTIFICATES_CLOUDREPO_CLIENT_CERT",
)
NO_CACHE: Final = frozenset({"PIP_NO_CACHE_DIR", "UV_NO_CACHE", "PDM_NO_CACHE"})


def install(
    installer: Installer,
    connection: Connection | None = None,
    *,
    anonymous: bool = False,
    environ: Mapping[str, str] | None = None,
    has_cache: bool = False,
) -> CommandResult:
    """Install `base` 1.0 with an installer; it may fail.

    Args:
        installer: the installer.
        connection: the URL and the login. By default those of the installer's repository.
        anonymous: whether the installer sends no login.
        environ: environment variables to add.
        has_cache: whether the installer uses its cache, which the fixtures disable.
    """
    tool = installer.installed.name
    chosen = installer.repository.connection if connection is None else connection
    variables = installer.repository.environ_for(tool) | tool_variables(tool, chosen)
    if tool in INDEX:
        variables[INDEX[tool]] = chosen.url if anonymous else chosen.index_url
    elif anonymous:
        login = "POETRY_HTTP_BASIC_"
        variables = {name: value for name, value in variables.items() if not name.startswith(login)}
    if has_cache:
        variables = {name: value for name, value in variables.items() if name not in NO_CACHE}
    variables |= environ or {}
    if tool == "pip":
        python = program(installer.copy_environment(), "python")
        return installer.run(
            *(python, "-m", "pip", "install", REQUIREMENT),
            environ=variables,
            complete=True,
            check=False,
        )
    if tool == "uv":
        target = ("--python", sys.executable, "--target", installer.folder / "target")
        return installer.run(
            *("uv", "pip", "install", *target, REQUIREMENT),
            environ=variables,
            complete=True,
            check=False,
        )
    table = pyproject_table(tool, chosen) if tool == "poetry" else ""
    installer.write("pyproject.toml", PROJECT + table)
    if tool == "poetry":
        return installer.run(
            *("poetry", "install", "--no-root"),
            environ={**variables, "POETRY_VIRTUALENVS_IN_PROJECT": "true"},
            complete=True,
            check=False,
        )
    return installer.run(
        "pdm", "install", "--no-self", environ=variables, complete=True, check=False
    )


def tls_variables(server: Server, folder: Path, *, has_certificate: bool = False) -> dict[str, str]:
    """Return the environment variables that make each client trust the CA of a server.

    Args:
        server: the server.
        folder: a folder for the configuration file of PDM, which has no such variables.
        has_certificate: whether to add a client certificate of the CA.
    """
    ca = str(server.ca)
    variables = dict.fromkeys(CA, ca)
    if has_certificate:
        own = server.client_certificate
        variables |= dict.fromkeys(CLIENT_CERTIFICATE, str(own.path))
        config = folder / "pdm.toml"
        lines = (f"ca_certs = '{ca}'", f"client_cert = '{own.certificate}'")
        config.write_text("\n".join(["[pypi]", *lines, f"client_key = '{own.key}'", ""]), "utf-8")
        variables["PDM_CONFIG_FILE"] = str(config)
    return variables
