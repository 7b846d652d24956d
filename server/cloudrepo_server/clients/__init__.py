"""The configuration of pip, twine, uv and other tools for a repository.

`tools.py` lists the tools and says how to add one.
"""

from cloudrepo_server.clients.ci_jobs import CiJob, agent_script, without_ci
from cloudrepo_server.clients.connection import SECTION, Connection
from cloudrepo_server.clients.environment import index_variables, publish_credentials
from cloudrepo_server.clients.files import ConfigFile
from cloudrepo_server.clients.isolation import (
    LOOPBACK,
    NO_REPOSITORY,
    IsolatedHome,
    all_variables,
    configured,
    isolated,
    without_index,
)
from cloudrepo_server.clients.public_indexes import PUBLIC_INDEXES, PublicIndex, public_index
from cloudrepo_server.clients.tools import TOOLS, config_file, pyproject_table, variables

__all__ = [
    "LOOPBACK",
    "NO_REPOSITORY",
    "PUBLIC_INDEXES",
    "SECTION",
    "TOOLS",
    "CiJob",
    "ConfigFile",
    "Connection",
    "IsolatedHome",
    "PublicIndex",
    "agent_script",
    "all_variables",
    "config_file",
    "configured",
    "index_variables",
    "isolated",
    "public_index",
    "publish_credentials",
    "pyproject_table",
    "variables",
    "without_ci",
    "without_index",
]
