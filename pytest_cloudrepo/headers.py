"""The headers of a request, as the journal records them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping


class Headers(Mapping[str, str]):
    """The headers of a request, in the order in which the client sent them.

    Names are not case-sensitive. The values of a header that was sent several times are joined with
    commas. Secrets are replaced by `***`.
    """

    __slots__ = ("_by_name",)

    def __init__(self, headers: Iterable[tuple[str, str]] = ()) -> None:
        self._by_name: dict[str, tuple[str, str]] = {}
        for name, value in headers:
            key = name.lower()
            if key in self._by_name:
                first, earlier = self._by_name[key]
                self._by_name[key] = first, f"{earlier}, {value}"
            else:
                self._by_name[key] = name, value

    def __getitem__(self, name: str) -> str:
        """Return the value of a header."""
        return self._by_name[name.lower()][1]

    def __contains__(self, name: object) -> bool:
        """Return whether the client sent a header."""
        return isinstance(name, str) and name.lower() in self._by_name

    def __iter__(self) -> Iterator[str]:
        """Yield the names as the client wrote them."""
        return (name for name, _ in self._by_name.values())

    def __len__(self) -> int:
        """Return the number of different headers."""
        return len(self._by_name)

    def __eq__(self, other: object) -> bool:
        """Return whether both have the same headers, in any order."""
        if not isinstance(other, Mapping):
            return NotImplemented
        other = other if isinstance(other, Headers) else Headers(other.items())
        return self._values() == other._values()

    __hash__ = None  # type: ignore[assignment]  # as of every mapping

    def __repr__(self) -> str:
        """Return the headers as a dict shows them."""
        return repr(dict(self))

    def _values(self) -> dict[str, str]:
        return {name: value for name, (_, value) in self._by_name.items()}
