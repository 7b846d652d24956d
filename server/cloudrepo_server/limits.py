"""Limits on the size, number and duration of requests."""

import msgspec


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Limits that are checked before a request takes memory or disk space."""

    requests: int = 1000
    """The number of in-flight requests."""
    file_bytes: int | None = None
    """The size of a file in any repository; a repository may set a lower limit of its own."""
    metadata_bytes: int = 8 << 20
    """The size of the core metadata in an archive."""
    form_fields: int = 4096
    """The number of fields in an upload form."""
    form_bytes: int = 16 << 20
    """The total size of an upload form's fields, without the file."""
    header_bytes: int = 8190
    """The size of a request's first line, and of each header."""
    stall_seconds: float = 75.0
    """The idle timeout of a connection; most proxies use 60 s or less for theirs."""
