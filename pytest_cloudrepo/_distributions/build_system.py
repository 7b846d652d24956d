"""The `[build-system]` table and the backend file of a generated project."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

from pytest_cloudrepo._distributions import build_backend

FOLDER: Final = "_cloudrepo_backend"
BACKEND: Final = f"{FOLDER}/backend.py"
TABLE: Final = f"""\
[build-system]
requires = []
build-backend = "backend"
backend-path = ["{FOLDER}"]
"""


@cache
def backend() -> bytes:
    """Return the content of the backend's file."""
    return Path(build_backend.__file__).read_bytes()
