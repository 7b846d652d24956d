"""What each client must be told to use an index: variables, files and snippets."""

from cloudrepo_server.clients.config import (
    SECTION,
    TOOLS,
    Connection,
    configuration,
    credentials,
    indexes,
    pyproject,
    variables,
)

__all__ = [
    "SECTION",
    "TOOLS",
    "Connection",
    "configuration",
    "credentials",
    "indexes",
    "pyproject",
    "variables",
]
