"""Lists to download as JSON or CSV. They are encoded while they are sent."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar

import msgspec
from aiohttp import web

from cloudrepo_server.web.http.streamed_response import StreamedResponse
from cloudrepo_server.web.portal.csv_cells import csv_lines, safe_cell

T = TypeVar("T")

CONTENT_TYPES: Mapping[str, str] = {
    "json": "application/json",
    "csv": "text/csv; charset=utf-8; header=present",
}
"""The content type of each format, by the extension of its files."""

_ENTRIES_AT_ONCE = 200


class ListDownload(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """How a list is encoded.

    Attributes:
        name: the name of the list in JSON.
        columns: the columns in CSV.
        as_json: returns an entry for JSON.
        as_row: returns the values of an entry for CSV, by column.
    """

    name: str
    columns: tuple[str, ...]
    as_json: Callable[[T], Mapping[str, Any]]
    as_row: Callable[[T], Mapping[str, object]]

    async def response(
        self, entries: Sequence[T], headers: Mapping[str, str], extension: str
    ) -> web.StreamResponse:
        """Return the response with the entries."""
        write = self._write_json if extension == "json" else self._write_csv
        return await StreamedResponse.open(200, headers, write(entries))

    async def _write_json(self, entries: Sequence[T]) -> AsyncGenerator[bytes, None]:
        """Yield the entries as a JSON object with one list."""
        yield b'{"%s":[' % self.name.encode()
        separator = b""
        for part in _parts(entries):
            yield separator + b",".join(msgspec.json.encode(self.as_json(entry)) for entry in part)
            separator = b","
            await asyncio.sleep(0)
        yield b"]}\n"

    async def _write_csv(self, entries: Sequence[T]) -> AsyncGenerator[bytes, None]:
        """Yield the entries as CSV with a header line."""
        yield csv_lines([self.columns])
        for part in _parts(entries):
            yield csv_lines(self._cells(entry) for entry in part)
            await asyncio.sleep(0)

    def _cells(self, entry: T) -> list[str]:
        row = self.as_row(entry)
        return [safe_cell("" if row[each] is None else str(row[each])) for each in self.columns]


def download_headers(filename: str, extension: str) -> dict[str, str]:
    """Return the headers of a file to download."""
    return {
        "Content-Type": CONTENT_TYPES[extension],
        "Content-Disposition": f'attachment; filename="{filename}.{extension}"',
        "Cache-Control": "no-store",
    }


def _parts(entries: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(entries), _ENTRIES_AT_ONCE):
        yield entries[start : start + _ENTRIES_AT_ONCE]
