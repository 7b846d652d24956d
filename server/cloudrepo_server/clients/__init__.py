"""The configuration of pip, twine, uv and other tools for a repository.

`tools.py` lists the tools and says how to add one.
"""

from cloudrepo_server.clients.connection import SECTION, Connection
from cloudrepo_server.clients.environment import index_variables, publish_credentials
from cloudrepo_server.clients.files import ConfigFile
from cloudrepo_server.clients.tools import TOOLS, config_file, pyproject_table, variables

__all__ = [
    "SECTION",
    "TOOLS",
    "ConfigFile",
    "Connection",
    "config_file",
    "index_variables",
    "publish_credentials",
    "pyproject_table",
    "variables",
]
