"""The URLs at which a repository is served in place of other hosts."""

from urllib.parse import urlsplit

import msgspec
from yarl import URL

from cloudrepo_server.errors import InvalidError
from cloudrepo_server.limits import MAX_UPSTREAM_URL

_PORTS = {"http": 80, "https": 443}
_CLOUDREPO = "/repositories/"
_MAX_SHOWN = 200


class UrlPrefix(msgspec.Struct, frozen=True):
    """A URL that is impersonated, with all URLs below it."""

    scheme: str
    host: str
    port: int
    path: str
    below: str = ""
    """The path below the repository's URL that is served at this prefix."""

    @property
    def is_https(self) -> bool:
        """Whether clients use TLS."""
        return self.scheme == "https"

    @property
    def is_cloudrepo(self) -> bool:
        """Whether this is the URL of a CloudRepo repository, where every request needs a login."""
        return _CLOUDREPO in self.path + "/"

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == _PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.path}"

    def relative_path(self, path: str) -> str | None:
        """Return the corresponding path below the repository's URL, or None for other paths."""
        if path == self.path or path.startswith(self.path + "/"):
            return self.below + path[len(self.path) :]
        return None


class IndexUrls(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The URLs of an index whose parts have hosts and paths of their own, as PyPI's have.

    Attributes:
        upload: the URL for uploads.
        web: the URL below which are the simple API, the JSON API and the integrity API.
        files: the URL of the host with the files.
    """

    upload: str
    web: str
    files: str

    def prefixes(self) -> tuple[UrlPrefix, ...]:
        """Return the impersonated URLs.

        Raises:
            InvalidError: a URL is not an http or https URL.
        """
        web, files = parse_url_prefix(self.web), parse_url_prefix(self.files)
        return (
            parse_url_prefix(self.upload),
            *(_part(web, "/" + part) for part in ("simple", "pypi", "integrity")),
            _part(files, "/packages"),
        )


def parse_url_prefix(url: str) -> UrlPrefix:
    """Return the parts of a URL that is impersonated.

    Raises:
        InvalidError: it is not an http or https URL.
    """
    try:
        parts = urlsplit(url)
        port = _PORTS.get(parts.scheme) if parts.port is None else parts.port
        host = _encode_host(parts.hostname or "")
    except ValueError:
        port, host = None, ""
    valid = url.isprintable() and " " not in url and len(url) <= MAX_UPSTREAM_URL
    if not port or not host or not valid:
        raise InvalidError(f"{url[:_MAX_SHOWN]!r} is not an http or https URL.")
    return UrlPrefix(parts.scheme, host, port, parts.path.rstrip("/"))


def check_host(host: str) -> str:
    """Return a host as requests contain it.

    Raises:
        InvalidError: it is not a host name or an IP address.
    """
    try:
        return _encode_host(host)
    except ValueError as error:
        raise InvalidError(
            f"{host[:_MAX_SHOWN]!r} is not a host name or an IP address: "
            "give it without a scheme and a port."
        ) from error


def _part(prefix: UrlPrefix, path: str) -> UrlPrefix:
    return msgspec.structs.replace(prefix, path=prefix.path + path, below=path)


def _encode_host(host: str) -> str:
    """Return a host as requests contain it: in lower case, and encoded as IDNA requires.

    Raises:
        ValueError: the host cannot be looked up.
    """
    encoded = URL.build(scheme="http", host=host).raw_host
    if not encoded:
        raise ValueError("a host is empty")
    # A lookup of the host begins with this encoding, and fails if the encoding fails.
    encoded.encode("idna")
    return encoded
