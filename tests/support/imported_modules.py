"""The modules that a server has imported, according to its log."""

from __future__ import annotations

PROFILED = "PYTHONPROFILEIMPORTTIME"
"""The environment variable that makes Python log each import."""


def imported_modules(log: str) -> set[str]:
    """Return the modules that a server has imported."""
    return {
        line.rpartition("|")[2].strip()
        for line in log.splitlines()
        if line.startswith("import time")
    }
