"""Long lists, a page at a time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar
from urllib.parse import urlencode

SIZE = 50

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Paging(Generic[T]):
    """One page of a list; `query` is what leads to its other pages besides their number."""

    items: Sequence[T]
    number: int
    pages: int
    total: int
    query: Mapping[str, str]

    def link(self, number: int) -> str:
        """The query that leads to another page."""
        return "?" + urlencode({**self.query, "page": str(number)})


def paginate(
    items: Sequence[T], query: Mapping[str, str], *, keep: Sequence[str] = (), size: int = SIZE
) -> Paging[T]:
    """The page that the query's `page` asks for; one beyond the ends is the first or last."""
    pages = max(1, -(-len(items) // size))
    asked = query.get("page", "1")
    number = (
        int(asked) if asked.isascii() and asked.isdigit() and len(asked) < len("1000000") else 1
    )
    number = min(max(number, 1), pages)
    shown = items[(number - 1) * size : number * size]
    kept = {name: query[name] for name in keep if query.get(name)}
    return Paging(shown, number, pages, len(items), kept)


def matching(names: Sequence[str], wanted: str) -> list[str]:
    """The names that have what is looked for in them, whatever its case."""
    folded = wanted.strip().casefold()
    return [name for name in names if folded in name.casefold()]
