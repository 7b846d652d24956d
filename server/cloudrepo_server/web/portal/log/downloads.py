"""Downloads of the request log, as JSON or CSV."""

from typing import Any

from cloudrepo_server.testkit.journal import Entry
from cloudrepo_server.web.portal.list_downloads import ListDownload
from cloudrepo_server.web.portal.log.rows import Row

_COLUMNS = (
    *("arrived", "repository", "kind", "method", "path", "query", "status", "reason", "user"),
    *("project", "filename", "client", "user_agent", "seconds", "bytes_received", "bytes_sent"),
    *("faults", "upstreams"),
)


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


def _as_row(entry: Entry) -> dict[str, object]:
    row = Row(entry)
    return {
        **entry.as_json(),
        "arrived": row.arrived.isoformat(),
        "repository": entry.repository,
        "query": entry.query,
        "client": str(row.client),
        "faults": ", ".join(f"#{fault.number} {fault.kind}" for fault in entry.faults),
        "upstreams": ", ".join(entry.upstreams),
    }


REQUEST_DOWNLOAD = ListDownload(name="requests", columns=_COLUMNS, as_json=_as_json, as_row=_as_row)
"""How the request log is encoded."""
