"""Versions in their order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.version import InvalidVersion, Version

if TYPE_CHECKING:
    from collections.abc import Iterable


def in_order(versions: Iterable[str]) -> list[str]:
    """Sort versions; those that are none, as a dialect may take files of any name, come first."""
    return sorted(versions, key=_key)


def _key(version: str) -> tuple[bool, Version, str]:
    try:
        return True, Version(version), version
    except InvalidVersion:
        return False, Version("0"), version
