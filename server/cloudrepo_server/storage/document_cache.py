"""A cache of the most recently used documents."""

from collections.abc import Callable

from cachetools import LRUCache

from cloudrepo_server.models import Document


class DocumentCache(LRUCache[str, tuple[Document, int]]):
    """The most recently used documents by key, each with the size of its JSON.

    Args:
        max_bytes: the limit on the total size of the JSON.
        on_drop: called with the key of each document that is dropped to make room.
    """

    def __init__(self, max_bytes: int, *, on_drop: Callable[[str], None]) -> None:
        super().__init__(max_bytes, getsizeof=lambda entry: entry[1])
        self._on_drop = on_drop

    def popitem(self) -> tuple[str, tuple[Document, int]]:
        """Drop the least recently used document, and return it with its key."""
        key, entry = super().popitem()
        self._on_drop(key)
        return key, entry
