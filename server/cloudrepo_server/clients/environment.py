"""The environment variables that configure each tool: one function per tool.

`tools.py` lists the tools.
"""

from collections.abc import Sequence

from cloudrepo_server.clients.connection import SECTION, TOKEN_USER, Connection
from cloudrepo_server.clients.public_indexes import DEFAULT_INDEX


def pip(connection: Connection) -> dict[str, str]:
    """Return the variables for pip."""
    return {"PIP_INDEX_URL": connection.index_url}


def uv(connection: Connection) -> dict[str, str]:
    """Return the variables for uv."""
    # uv decodes credentials in an index URL, but not in a publish URL.
    return {
        "UV_DEFAULT_INDEX": connection.index_url,
        "UV_PUBLISH_URL": connection.url,
        "UV_PUBLISH_USERNAME": connection.username,
        "UV_PUBLISH_PASSWORD": connection.password,
    }


def twine(connection: Connection) -> dict[str, str]:
    """Return the variables for twine."""
    return {
        "TWINE_REPOSITORY_URL": connection.url,
        "TWINE_USERNAME": connection.username,
        "TWINE_PASSWORD": connection.password,
    }


def poetry(connection: Connection) -> dict[str, str]:
    """Return the variables for Poetry."""
    section = SECTION.upper()
    return {
        f"POETRY_REPOSITORIES_{section}_URL": connection.url,
        f"POETRY_HTTP_BASIC_{section}_USERNAME": connection.username,
        f"POETRY_HTTP_BASIC_{section}_PASSWORD": connection.password,
    }


def pdm(connection: Connection) -> dict[str, str]:
    """Return the variables for PDM."""
    return {
        "PDM_PYPI_URL": connection.index_url,
        "PDM_PUBLISH_REPO": connection.url,
        "PDM_PUBLISH_USERNAME": connection.username,
        "PDM_PUBLISH_PASSWORD": connection.password,
    }


def hatch(connection: Connection) -> dict[str, str]:
    """Return the variables for hatch."""
    return {
        "HATCH_INDEX_REPO": connection.url,
        "HATCH_INDEX_USER": connection.username,
        "HATCH_INDEX_AUTH": connection.password,
        # hatch installs into its environments with pip or uv.
        **index_variables([connection.index_url]),
    }


def flit(connection: Connection) -> dict[str, str]:
    """Return the variables for flit."""
    return {
        "FLIT_INDEX_URL": connection.url,
        "FLIT_USERNAME": connection.username,
        "FLIT_PASSWORD": connection.password,
        # `flit install` runs pip.
        **pip(connection),
    }


def tox(connection: Connection) -> dict[str, str]:
    """Return the variables for tox."""
    # tox has no variable for the index: it runs pip, or uv with the plugin tox-uv.
    return index_variables([connection.index_url])


def index_variables(urls: Sequence[str]) -> dict[str, str]:
    """Return the variables that make pip and uv install from these indexes and no other.

    uv takes a project from the first index that has it. pip takes the best version of all indexes.
    """
    variables = {"PIP_INDEX_URL": urls[0], "UV_DEFAULT_INDEX": urls[-1]}
    if len(urls) > 1:
        # uv searches its default index last.
        variables |= {"PIP_EXTRA_INDEX_URL": " ".join(urls[1:]), "UV_INDEX": " ".join(urls[:-1])}
    return variables


def publish_credentials(connection: Connection) -> dict[str, str]:
    """Return the variables with the credentials of every publishing tool, without an upload URL.

    Poetry's variables apply only to uploads to its default repository, PyPI.
    """
    variables = {
        "HATCH_INDEX_USER": connection.username,
        "HATCH_INDEX_AUTH": connection.password,
    }
    for prefix in ("TWINE", "UV_PUBLISH", "FLIT", "PDM_PUBLISH", "POETRY_HTTP_BASIC_PYPI"):
        variables |= {
            f"{prefix}_USERNAME": connection.username,
            f"{prefix}_PASSWORD": connection.password,
        }
    return variables


def token_variables(token: str, *, index: str, upload_url: str) -> dict[str, str]:
    """Return the variables with the token of a public index, as each publishing tool reads it.

    Args:
        token: the token.
        index: the name of the public index.
        upload_url: its URL for uploads.
    """
    name = index.upper()
    variables = {
        "HATCH_INDEX_USER": TOKEN_USER,
        "HATCH_INDEX_AUTH": token,
        "UV_PUBLISH_TOKEN": token,
        "MATURIN_PYPI_TOKEN": token,
        f"POETRY_PYPI_TOKEN_{name}": token,
        # flit would download the list of classifiers, and keep it in its cache.
        "FLIT_NO_NETWORK": "1",
    }
    if index != DEFAULT_INDEX:
        # Poetry knows no other index by name.
        variables[f"POETRY_REPOSITORIES_{name}_URL"] = upload_url
    for prefix in ("TWINE", "FLIT", "PDM_PUBLISH"):
        variables |= {f"{prefix}_USERNAME": TOKEN_USER, f"{prefix}_PASSWORD": token}
    return variables
