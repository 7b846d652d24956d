"""Symbolic links in a data folder, which obstore follows when it lists objects."""

from pathlib import Path


class LinkFilter:
    """A filter for one listing, which remembers the folders that it has examined."""

    def __init__(self, folder: Path | None) -> None:
        """Create a filter for a store's folder; None for a store in memory."""
        self._folder = None if folder is None else folder.resolve()
        self._examined: dict[str, bool] = {}

    def is_inside(self, key: str) -> bool:
        """Return whether an object is in the folder itself, and not behind a link to elsewhere."""
        if self._folder is None:
            return True
        parent, _, _ = key.rpartition("/")
        if parent not in self._examined:
            path = self._folder / parent
            self._examined[parent] = path.resolve() == path
        return self._examined[parent]
