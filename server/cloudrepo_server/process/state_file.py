"""The state file: the URL and admin credentials, for the process that started the server."""

import json
import os
from pathlib import Path
from typing import Any

from cloudrepo_server.process.replaced_file import replace_file
from cloudrepo_server.process.settings import ServerSettings


def server_state(settings: ServerSettings, url: str) -> dict[str, Any]:
    """Return the content of the state file of this process."""
    return {
        "url": url,
        "pid": os.getpid(),
        "organization": settings.organization,
        "admin": {"username": settings.admin_username, "password": settings.admin_password},
    }


def write_state_file(path: Path, state: dict[str, Any]) -> None:
    """Write the state file atomically, readable by its owner only.

    Raises:
        OSError: the file cannot be written.
    """
    replace_file(path, json.dumps(state), mode=0o600)
