"""Downloads of the request log, as JSON or CSV, which are encoded while they are sent."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from typing import Any

import msgspec

from cloudrepo_server.testkit.journal import Entry
from cloudrepo_server.web.portal.csv_cells import csv_lines, safe_cell
from cloudrepo_server.web.portal.log.rows import Row

_ENTRIES_AT_ONCE = 200
_COLUMNS = (
    *("arrived", "repository", "kind", "method", "path", "query", "status", "reason", "user"),
    *("project", "filename", "client", "user_agent", "seconds", "bytes_received", "bytes_sent"),
    *("faults", "upstreams"),
)
Write = Callable[[Sequence[Entry]], AsyncGenerator[bytes, None]]


async def write_json(entries: Sequence[Entry]) -> AsyncGenerator[bytes, None]:
    """Yield the requests as a JSON object with one list."""
    yield b'{"requests":['
    separator = b""
    for part in _parts(entries):
        encoded = b",".join(msgspec.json.encode(_as_json(entry)) for entry in part)
        yield separator + encoded
        separator = b","
        await asyncio.sleep(0)
    yield b"]}\n"


async def write_csv(entries: Sequence[Entry]) -> AsyncGenerator[bytes, None]:
    """Yield the requests as CSV with a header line."""
    yield csv_lines([_COLUMNS])
    for part in _parts(entries):
        yield csv_lines(_cells(entry) for entry in part)
        await asyncio.sleep(0)


def _parts(entries: Sequence[Entry]) -> Iterator[Sequence[Entry]]:
    for start in range(0, len(entries), _ENTRIES_AT_ONCE):
        yield entries[start : start + _ENTRIES_AT_ONCE]


def _as_json(entry: Entry) -> dict[str, Any]:
    row = Row(entry)
    return {
        **entry.as_json(),
        "arrived": row.arrived,
        "repository": entry.repository,
        "query": entry.query,
        "headers": entry.headers,
        "client": {"name": row.client.name, "version": row.client.version},
    }


def _cells(entry: Entry) -> list[str]:
    row = Row(entry)
    values = {
        **entry.as_json(),
        "arrived": row.arrived.isoformat(),
        "repository": entry.repository,
        "query": entry.query,
        "client": str(row.client),
        "faults": ", ".join(f"#{fault.number} {fault.kind}" for fault in entry.faults),
        "upstreams": ", ".join(entry.upstreams),
    }
    return [safe_cell("" if values[name] is None else str(values[name])) for name in _COLUMNS]
