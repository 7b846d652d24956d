"""The environment of a command without the user's own configuration of tools."""

import os
from pathlib import Path

from cloudrepo_server import clients


def create_home(folder: Path) -> clients.IsolatedHome:
    """Return a home folder without any configuration, after creating it in a folder."""
    home = clients.IsolatedHome(folder)
    for path in home.folders:
        path.mkdir(parents=True, exist_ok=True)
    for file in home.empty_files:
        file.touch()
    return home


def clean_environment(home: clients.IsolatedHome, *, captured: bool = False) -> dict[str, str]:
    """Return this process's environment without the user's own configuration of tools.

    Args:
        home: the home folder.
        captured: whether the output of the command is captured.
    """
    return clients.isolated(os.environ, home, captured=captured)
