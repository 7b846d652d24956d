"""The content of a server's data folder."""

from __future__ import annotations

from pathlib import Path

from tests.support.wait import wait_until


def stored_blobs(data: Path) -> set[Path]:
    """Return the blobs, and the files that were only written in part."""
    return {
        path
        for path in data.glob("store/**/*")
        if path.is_file() and ("blobs" in path.parts or "#" in path.name)
    }


def wait_for_blobs(number: int, data: Path) -> None:
    """Wait until there are exactly `number` blobs, and no partial files."""
    wait_until(
        lambda: len(stored_blobs(data)) == number,
        f"{number} blobs and no more; there were {len(stored_blobs(data))}",
    )
