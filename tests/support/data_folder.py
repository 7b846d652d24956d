"""What lies in a data folder."""

from __future__ import annotations

from pathlib import Path

from tests.support.wait import wait_until


def stored(data: Path) -> set[Path]:
    """The blobs that are stored, and whatever was not written whole."""
    return {
        path
        for path in data.glob("store/**/*")
        if path.is_file() and ("blobs" in path.parts or "#" in path.name)
    }


def wait_for_blobs(number: int, data: Path) -> None:
    """Return once there are so many of them, and nothing that was not written whole."""
    wait_until(
        lambda: len(stored(data)) == number,
        f"{number} blobs and no more; there were {len(stored(data))}",
    )
