"""The modules that are mutated."""

from __future__ import annotations

from pathlib import Path

SERVER = Path("server", "cloudrepo_server")
SCOPE = tuple(SERVER / folder for folder in ("domain", "specs", "web/impersonation", "web/index"))


def modules(project: Path) -> list[Path]:
    """Return the modules in the folders of the scope and below them, in a fixed order."""
    return [path for folder in SCOPE for path in sorted((project / folder).rglob("*.py"))]
