"""Pagination and search for long lists."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar
from urllib.parse import urlencode

PAGE_SIZE = 50
_MAX_PAGE_DIGITS = 6

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Pagination(Generic[T]):
    """One page of a list; `query` has the parameters that links to other pages repeat."""

    items: Sequence[T]
    number: int
    page_count: int
    total: int
    query: Mapping[str, str]

    def link(self, number: int) -> str:
        """Return the query string of another page."""
        return "?" + urlencode({**self.query, "page": str(number)})


def paginate(
    items: Sequence[T],
    query: Mapping[str, str],
    *,
    keep: Sequence[str] = (),
    page_size: int = PAGE_SIZE,
) -> Pagination[T]:
    """Return the page that the parameter `page` of a query names.

    A number beyond the last page returns the last page. Anything that is not a number returns the
    first page. Links to other pages keep the parameters in `keep`.
    """
    page_count = max(1, -(-len(items) // page_size))
    number = min(max(_page_number(query.get("page", "1")), 1), page_count)
    on_page = items[(number - 1) * page_size : number * page_size]
    kept = {name: query[name] for name in keep if query.get(name)}
    return Pagination(on_page, number, page_count, len(items), kept)


def search_names(names: Sequence[str], search: str) -> list[str]:
    """Return the names that contain a text, ignoring case."""
    folded = search.strip().casefold()
    return [name for name in names if folded in name.casefold()]


def _page_number(text: str) -> int:
    text = text.strip()
    if not (text.isascii() and text.isdigit()):
        return 1
    # Python rejects the conversion of very long numbers.
    return int(text) if len(text) <= _MAX_PAGE_DIGITS else 10**_MAX_PAGE_DIGITS
