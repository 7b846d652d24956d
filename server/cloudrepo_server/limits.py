"""How much of each a client may send, or may take its time for."""

import msgspec


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What is beyond them is refused, before memory or disk is spent on it."""

    requests: int = 1000
    """Requests in flight."""
    file_bytes: int | None = None
    """A file, in whatever repository; one may have a lower limit of its own."""
    metadata_bytes: int = 8 << 20
    """The core metadata in an archive."""
    form_fields: int = 4096
    form_bytes: int = 16 << 20
    """All fields of an upload form together, the file left aside."""
    header_bytes: int = 8190
    """A request's first line, and each of its headers."""
    stall_seconds: float = 75.0
    """How long a connection stays on which nothing moves; proxies keep theirs for 60 s or less."""
