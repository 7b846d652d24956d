"""The order of versions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.version import InvalidVersion, Version

if TYPE_CHECKING:
    from collections.abc import Iterable


def sort_versions(versions: Iterable[str]) -> list[str]:
    """Return the versions in ascending order; invalid ones, which some dialects allow, first."""
    return sorted(versions, key=_sort_key)


def _sort_key(version: str) -> tuple[bool, Version, str]:
    try:
        return True, Version(version), version
    except InvalidVersion:
        return False, Version("0"), version
