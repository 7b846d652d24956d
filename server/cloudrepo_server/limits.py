"""Limits on the size, number and duration of requests, and on the size of stored data."""

from typing import Final

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
    """The idle timeout of a connection.

    Most proxies close idle connections after at most 60 s. This timeout is longer, so that the
    proxy closes the connection, not the server.
    """


MAX_HEADERS: Final = 64
"""The headers of a request. A connection keeps them in memory until the last one has arrived."""

MAX_PROJECT_NAME: Final = 240
"""The characters of a project's name; with `--data` it is a part of a file's name."""
MAX_VERSION: Final = 255
"""The characters of a version."""
MAX_ATTESTATIONS: Final = 64 << 10
"""The size of the attestations of a file, which are stored in the project's document."""
MAX_DOCUMENT: Final = 16 << 20
"""The size of a stored document, such as a project with the list of its files.

The event loop decodes and encodes documents. A thread would not help: msgspec does not release
Python's global lock.
"""
MAX_READ_DOCUMENT: Final = 32 << 20
"""The size of a stored document that can be read. Earlier versions wrote documents of this size."""
MAX_PROJECT_FILES: Final = 20_000
"""The files of a project. Decoding a document of this many files takes 30 ms."""
MAX_STATED_REASON: Final = 1024
"""The characters of the reason of a yank or of a project's status."""
MAX_REQUIRES_PYTHON: Final = 1024
"""The characters of `Requires-Python`, which every page of the project repeats."""

METADATA_HEADERS: Final = 4096
"""The headers of core metadata that are read; further ones are ignored."""
METADATA_HEADER_BYTES: Final = 1 << 20
"""The size of the headers that are read; headers that exceed it are ignored."""
METADATA_HEADER_LINES: Final = 16_384
"""The lines of the headers that are read; headers that exceed them are ignored."""
METADATA_HEADER_BLOCK: Final = 2 << 20
"""The size of the part at the beginning of core metadata in which headers are searched."""
METADATA_CACHE_BYTES: Final = 8 << 20
"""The memory of the cache of core metadata that pages have shown."""

REPEATED_BYTES: Final = 8 << 20
"""The memory of the responses that are repeated until a document or a fault changes."""

MAX_PRIVATE_PROJECTS: Final = 100
"""The names and prefixes of a repository's private projects."""

MAX_TOKEN_NAME: Final = 100
"""The characters of the name of a token."""
MIN_TOKEN_VALUE: Final = 8
"""The characters of a token whose value is chosen. Logs do not mask shorter secrets."""
MAX_TOKEN_VALUE: Final = 2048
"""The characters of a token whose value is chosen. A request header must be able to hold it."""
MAX_TOKEN_SECONDS: Final = 315_360_000.0
"""The longest lifetime of a token: ten years."""
TOKEN_USE_SECONDS: Final = 3600.0
"""The seconds by which the recorded last use of a token can be older than its last use."""

MAX_PUBLISHERS: Final = 100
"""The trusted publishers of a repository, which are stored in the repository's document."""
MAX_IDENTITY_TOKEN: Final = 16 << 10
"""The size of an identity token, and of the body of a request to exchange one."""
MAX_CLAIMS: Final = 4 << 10
"""The size of an identity token's claims as JSON. A request header must be able to hold them."""
MAX_MINTED_TOKENS: Final = 1000
"""The valid minted tokens of a repository; also the records of its used identity tokens."""
MAX_MINTED_SECONDS: Final = 21_600.0
"""The longest lifetime of a minted token: PEP 807 allows six hours."""

REMOTE_PAGE_BYTES: Final = 16 << 20
"""The size of an upstream's page of a project, as it is received and as it is decompressed."""
REMOTE_PAGE_FILES: Final = 50_000
"""The number of files on an upstream's page."""
REMOTE_PAGE_SECONDS: Final = 60.0
"""The time in which an upstream must send the whole page of a project."""
REMOTE_REDIRECTS: Final = 5
"""The number of redirects of an upstream that are followed for one request."""
REMOTE_FIELD: Final = 4096
"""The characters of a URL or another text on an upstream's page."""

MAX_UPSTREAMS: Final = 32
"""The upstreams of a repository, and the further origins of their files."""
MAX_LINK: Final = 64 << 10
"""The characters of a link on an upstream's HTML page, with all of its attributes."""
MAX_UPSTREAM_URL: Final = 2048
"""The characters of the URL of an upstream."""
UPSTREAM_STATES: Final = 1000
"""The upstreams of all repositories whose state the portal shows."""
MAX_HOPS: Final = 8
"""The number of repositories that one request may pass, from upstream to upstream."""

MAX_FAULTS: Final = 100
"""The faults of a repository, each of which is compared with every request."""
MAX_FAULT_TEXT: Final = 512
"""The characters of each text of a fault, such as its pattern for paths."""
MAX_FAULT_HEADERS: Final = 32
"""The headers of a fault's response."""

JOURNAL_ENTRIES: Final = 10_000
"""The number of completed requests in each of a journal's two queues."""
JOURNAL_BYTES: Final = 32 << 20
"""The size of the completed requests in each of a journal's two queues."""
JOURNALS_BYTES: Final = 512 << 20
"""The size of the completed requests of users in all journals; also of anonymous requests."""
JOURNAL_FORM_BYTES: Final = 64 << 10
"""The size of an upload's form in the journal; further fields are left out."""
JOURNAL_HEADER_BYTES: Final = 16 << 10
"""The size of a request's headers in the journal; further headers are left out."""
JOURNAL_TEXT: Final = 1024
"""The characters of each value in the journal: of a field, a header, a reason or a query."""

FEED_ENTRIES: Final = 500
"""The newest requests that a page of the portal receives after its live connection was lost."""
MAX_LIVE_PAGES: Final = 20
"""The pages of the portal that show requests live at the same time."""

MAX_IMPERSONATIONS: Final = 10_000
"""The impersonations of a repository."""
MAX_PROXY_LISTENERS: Final = 1000
"""The proxies with their own login. Each of them listens on its own port."""
MAX_PROXY_LOGIN: Final = 1024
"""The characters of the user name and of the password of such a proxy."""
MAX_IMPERSONATED_URLS: Final = 100
"""The URLs of an impersonation, and the real hosts that it allows."""
MAX_HTTPS_HOSTS: Final = 100
"""The hosts in the certificate of the listener that `POST /api/https` opens."""
MAX_NODE_ID: Final = 2048
"""The characters of pytest's identifier of a test."""

MAX_SIGN_IN_LINKS: Final = 1000
"""The sign-in links that are valid at a time."""
SIGN_IN_LINK_SECONDS: Final = 900
"""How long a sign-in link is valid."""

AUDIT_ENTRIES: Final = 10_000
"""The number of changes in the list of changes."""
AUDIT_BYTES: Final = 8 << 20
"""The memory that the list of changes takes."""
AUDIT_TEXT: Final = 512
"""The characters of each text of a change in the list of changes."""

CATALOGUE_READS: Final = 100
"""The documents that one request reads for the catalogue; a background task reads the others."""
CATALOGUE_FILES: Final = 500_000
"""The files in the catalogue. The names of further files cannot be searched or sorted."""
MAX_SEARCH_TEXT: Final = 200
"""The characters of a search text that are searched for."""
MAX_SEARCH_TERMS: Final = 8
"""The words of a search text that are searched for."""
MAX_SUGGESTIONS: Final = 100
"""The names that a field with suggestions offers at a time."""
MAX_FOUND: Final = 1000
"""The results of a search that are listed, of each kind."""

MAX_COUNTED_PROJECTS: Final = 50_000
"""The projects whose uploads and downloads a server counts in memory."""

CONTENTS_MEMBERS: Final = 20_000
"""The files of an archive that the portal lists."""
CONTENTS_BYTES: Final = 256 << 20
"""The unpacked bytes of an archive that the portal reads for one page."""
CONTENTS_SECONDS: Final = 10.0
"""The time in which the portal reads an archive for one page."""
CONTENTS_PATH: Final = 1024
"""The bytes of a path in an archive. A file with a longer path is listed, but cannot be shown."""
CONTENTS_CACHE_BYTES: Final = 16 << 20
"""The memory of the cache of archives' lists of files."""
MAX_SHOWN_TEXT: Final = 256 << 10
"""The bytes of a file in an archive that the portal shows or compares."""
MAX_ENTRY_POINTS: Final = 64 << 10
"""The size of a wheel's entry points that the portal shows."""
MAX_DIFFERENCE_LINES: Final = 1000
"""The lines of the difference of two files that the portal shows."""
DIFFERENCE_SECONDS: Final = 8.0
"""The time in which the portal compares the files of one page."""
