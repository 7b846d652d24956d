"""The configuration of pip, twine, uv and other tools for a repository.

`tools.py` lists the tools and says how to add one.
"""

from cloudrepo_server.clients.ci_jobs import WITHOUT_JOBS, CiJob, without_ci
from cloudrepo_server.clients.connection import SECTION, Connection
from cloudrepo_server.clients.environment import (
    index_variables,
    publish_credentials,
    token_variables,
)
from cloudrepo_server.clients.files import ConfigFile
from cloudrepo_server.clients.isolation import (
    LOOPBACK,
    NO_REPOSITORY,
    IsolatedHome,
    configured,
    isolated,
    without_index,
)
from cloudrepo_server.clients.proxy import ca_bundle_variables, proxy_variables
from cloudrepo_server.clients.public_indexes import (
    DEFAULT_INDEX,
    PUBLIC_INDEXES,
    PublicIndex,
    PublicIndexError,
    public_index,
)
from cloudrepo_server.clients.tools import (
    TOOLS,
    all_variables,
    config_file,
    pyproject_table,
    variables,
)
from cloudrepo_server.clients.web_urls import is_web_url

__all__ = [
    "DEFAULT_INDEX",
    "LOOPBACK",
    "NO_REPOSITORY",
    "PUBLIC_INDEXES",
    "SECTION",
    "TOOLS",
    "WITHOUT_JOBS",
    "CiJob",
    "ConfigFile",
    "Connection",
    "IsolatedHome",
    "PublicIndex",
    "PublicIndexError",
    "all_variables",
    "ca_bundle_variables",
    "config_file",
    "configured",
    "index_variables",
    "is_web_url",
    "isolated",
    "proxy_variables",
    "public_index",
    "publish_credentials",
    "pyproject_table",
    "token_variables",
    "variables",
    "without_ci",
    "without_index",
]
