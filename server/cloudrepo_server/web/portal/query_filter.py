"""Filters of a list, which the query strings of its pages contain."""

from collections.abc import Collection, Mapping
from typing import ClassVar, Self

import msgspec


class QueryFilter(msgspec.Struct, frozen=True, kw_only=True):
    """The conditions that an entry must meet to be listed. Empty conditions have no effect."""

    choices: ClassVar[Mapping[str, Collection[str]]] = {}
    """The valid values of the conditions that have a fixed set of values."""

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Self:
        """Return the filter in a query string. Unknown choices are ignored."""
        given = {name: query.get(name, "").strip() for name in cls.__struct_fields__}
        for name, values in cls.choices.items():
            if given[name] not in values:
                given[name] = ""
        return cls(**given)

    @property
    def query(self) -> dict[str, str]:
        """The parameters of the query string for this filter."""
        return {name: value for name in self.__struct_fields__ if (value := getattr(self, name))}
