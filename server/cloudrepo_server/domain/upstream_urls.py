"""The URLs of upstreams, and of the hosts of their files."""

import re
from urllib.parse import urlsplit, urlunsplit

from yarl import URL

from cloudrepo_server.errors import InvalidError
from cloudrepo_server.limits import MAX_UPSTREAM_URL

# A name or an address; yarl encodes other characters, or leaves them as they are.
_HOST = re.compile(r"[a-z0-9._:-]{1,253}", re.IGNORECASE | re.ASCII)
_MAX_LABEL = 63
_MAX_SHOWN = 64


def is_url(upstream: str) -> bool:
    """Return whether an upstream is the URL of another index, not the name of a repository.

    The URL may be invalid. No name of a repository contains a colon or a slash.
    """
    return ":" in upstream or "/" in upstream


def hide_password(upstream: str) -> str:
    """Return an upstream; `***` replaces the user name and password of its URL.

    A user name without a password may be a token. A URL that cannot be parsed is replaced as a
    whole.
    """
    try:
        parts = urlsplit(upstream)
        parts.port  # noqa: B018 (a password that contains a slash looks like an invalid port)
    except ValueError:
        return "***"
    if "@" not in parts.netloc:
        return upstream
    return urlunsplit(parts._replace(netloc="***@" + parts.netloc.rpartition("@")[2]))


def shown_upstream(upstream: str) -> str:
    """Return what an error shows of an upstream that is not valid.

    Everything before an @ sign may be a password, which need not be encoded as URLs require.
    """
    hidden, _, rest = upstream.rpartition("@")
    return f"***@{rest}"[:_MAX_SHOWN] if hidden else upstream[:_MAX_SHOWN]


def check_url(url: str) -> None:
    """Check the URL of an upstream.

    Raises:
        InvalidError: it is not the URL of an index.
    """
    parsed = _parse_url(url)
    if parsed is None or parsed.raw_query_string or parsed.raw_fragment:
        raise InvalidError(
            f"{shown_upstream(url)!r} is not a valid URL of an index: use http:// or https://, "
            "a host and a path."
        )


def origin_error(origin: str) -> str | None:
    """Return why an entry of `upstream_file_origins` is not an origin, or None."""
    parsed = _parse_url(origin)
    if parsed is not None and origin == str(parsed.origin()):
        return None
    return (
        f"{shown_upstream(origin)!r} in upstream_file_origins is not an origin: use "
        "http:// or https:// and a host, such as 'https://files.example.com'."
    )


def _parse_url(url: str) -> URL | None:
    # With yarl, as the HTTP client aiohttp parses it.
    try:
        parsed = URL(url)
        # `host` decodes internationalized names, and raises an error for an invalid one.
        valid = bool(parsed.host) and _is_host(parsed.raw_host or "") and parsed.port != 0
    except ValueError:
        return None
    valid = valid and parsed.scheme in ("http", "https")
    return parsed if valid and url.isprintable() and len(url) <= MAX_UPSTREAM_URL else None


def _is_host(host: str) -> bool:
    # The resolver rejects longer names and labels.
    labels = host.rstrip(".").split(".")
    return _HOST.fullmatch(host) is not None and all(0 < len(each) <= _MAX_LABEL for each in labels)
