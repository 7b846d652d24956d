"""Hides installed modules from another Python, as if they were not installed."""

from __future__ import annotations

from pathlib import Path

# Python imports this module at its start.
_SITECUSTOMIZE = """
from importlib.machinery import PathFinder

find_spec = PathFinder.find_spec
PathFinder.find_spec = lambda name, *more: None if name in {names!r} else find_spec(name, *more)
"""


def hide_modules(folder: Path, *names: str) -> dict[str, str]:
    """Return the environment variables that hide these modules.

    Args:
        folder: a folder for a module that Python imports at its start.
        *names: the names of the modules.
    """
    folder.mkdir(parents=True, exist_ok=True)
    text = _SITECUSTOMIZE.format(names=names)
    (folder / "sitecustomize.py").write_text(text, encoding="utf-8")
    return {"PYTHONPATH": str(folder)}
