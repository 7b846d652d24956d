"""Sorted lists: the columns of a list, the chosen one, and the links in the head of its table."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar
from urllib.parse import urlencode

from cloudrepo_server.web.portal.paging import PAGE_SIZE, Pagination, paginate

T = TypeVar("T")

Order = Literal["ascending", "descending"]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a list: its name in the query string, and its title."""

    name: str
    title: str
    largest_first: bool = False
    """Whether the first click on the title lists the largest or newest values first."""
    is_number: bool = False
    sorts: bool = True
    """Whether the list can be sorted by this column."""


@dataclass(frozen=True, slots=True)
class Sorting:
    """The columns of a list, and the column and order by which it is sorted.

    The parameter `sort` of the query is the name of a column, after a hyphen for descending order.
    """

    columns: Sequence[Column]
    column: Column
    order: Order
    kept: Mapping[str, str]
    """The other parameters that links repeat."""

    @property
    def query(self) -> dict[str, str]:
        """The parameters that links to other pages of the list repeat."""
        if (self.column, self.order) == (self.columns[0], _first_order(self.columns[0])):
            return dict(self.kept)
        return {**self.kept, "sort": _parameter(self.column, self.order)}

    def order_of(self, column: Column) -> Order | None:
        """Return the order in which the list is sorted by a column, or None if it is not."""
        return self.order if column == self.column else None

    def link(self, column: Column) -> str:
        """Return the query string that sorts by a column; if the list is, in the opposite order."""
        order = _first_order(column)
        if column == self.column:
            order = "ascending" if self.order == "descending" else "descending"
        return "?" + urlencode({**self.kept, "sort": _parameter(column, order)})

    def sort(self, items: Iterable[T], keys: Mapping[str, Callable[[T], Any]]) -> list[T]:
        """Return the items in the chosen order; equal ones are in the order of the first column.

        Args:
            items: the items.
            keys: returns what the items are sorted by, for each column that sorts.
        """
        first = self.columns[0]
        by_first = sorted(items, key=keys[first.name])
        if self.column == first:
            return by_first[::-1] if self.order == "descending" else by_first
        return sorted(by_first, key=keys[self.column.name], reverse=self.order == "descending")

    def paginate(
        self, items: Sequence[T], query: Mapping[str, str], *, page_size: int = PAGE_SIZE
    ) -> Pagination[T]:
        """Return the page of a sorted list that a query names; its links keep the sorting."""
        kept = self.query
        page = {**kept, "page": query.get("page", "")}
        return paginate(items, page, keep=list(kept), page_size=page_size)


def read_sorting(
    columns: Sequence[Column], query: Mapping[str, str], *, keep: Sequence[str] = ()
) -> Sorting:
    """Return the sorting that a query requests; an unknown column becomes the default.

    Args:
        columns: the columns; by default, the list is sorted by the first one.
        query: the parameters.
        keep: the parameters that links repeat.
    """
    given = query.get("sort", "")
    name, order = given.removeprefix("-"), given[:1] == "-"
    kept = {each: query[each] for each in keep if query.get(each)}
    for column in columns:
        if column.sorts and column.name == name:
            return Sorting(columns, column, "descending" if order else "ascending", kept)
    return Sorting(columns, columns[0], _first_order(columns[0]), kept)


def _first_order(column: Column) -> Order:
    return "descending" if column.largest_first else "ascending"


def _parameter(column: Column, order: Order) -> str:
    return f"-{column.name}" if order == "descending" else column.name
