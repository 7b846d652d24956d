"""The content of an sdist that contains its own build backend."""

from __future__ import annotations

from typing import Final

from pytest_cloudrepo._distributions import build_backend, build_system
from pytest_cloudrepo._distributions.release import Release

# Files that belong in the root folder of an sdist, and are not installed.
_ROOT_FILES: Final = frozenset({"PKG-INFO", "pyproject.toml", "setup.py", "setup.cfg"})


def sdist_content(release: Release, metadata: bytes) -> bytes:
    """Return the content of an sdist.

    Args:
        release: the release. Its files that belong in the root folder replace the generated
            files there. A wheel that is built from the sdist installs its other files.
        metadata: the core metadata.
    """
    contents = {
        "PKG-INFO": metadata,
        "pyproject.toml": build_system.TABLE.encode(),
        build_system.BACKEND: build_system.backend(),
    }
    if entry_points := release.entry_points_file():
        contents[f"{build_system.FOLDER}/{build_backend.ENTRY_POINTS}"] = entry_points
    for path, content in release.installed_files().items():
        contents[path if path in _ROOT_FILES else f"src/{path}"] = content
    return build_backend.pack_sdist(release.stem, contents)
