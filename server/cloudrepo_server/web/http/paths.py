"""Parses the paths below `/repositories`, `/public/repositories` and `/files`."""

from functools import lru_cache
from urllib.parse import unquote_to_bytes

import msgspec

from cloudrepo_server.errors import NotFoundError

PRIVATE = "/repositories"
PUBLIC = "/public/repositories"
FILES = "/files"
"""The path of files on another host than the index."""
SIGN_IN_LINK = "/portal/sign-in/link"
"""The path of a one-time sign-in link. Its secret is in the query, which logs do not contain."""
_CACHED_PATHS = 1024
_PARTS_OF_FILE = 2


class IndexPath(msgspec.Struct, frozen=True):
    """A parsed path: a repository and the decoded segments after its name."""

    mount: str
    """The path of all repositories: `PRIVATE`, `PUBLIC` or `FILES`."""
    repository: str
    """The name of the repository; empty for the path of all repositories itself."""
    parts: tuple[str, ...]
    slash: bool
    """Whether the path ends in a slash."""
    path: str
    """The whole path, decoded, without the secret in the link to a file."""

    @property
    def names_page(self) -> bool:
        """Whether the path may lead to a page or a project's JSON, but not to a file."""
        parts = self.parts[1:] if self.parts[:1] == ("simple",) else self.parts
        return len(parts) < _PARTS_OF_FILE or self.parts[-1] == "json"

    @property
    def base(self) -> str:
        """The path of the repository, without a trailing slash."""
        return f"{self.mount}/{self.repository}"


@lru_cache(_CACHED_PATHS)
def parse_index_path(raw_path: str) -> IndexPath:
    """Return a parsed path, with each segment decoded exactly once.

    Raises:
        NotFoundError: a segment cannot be a name.
    """
    mount = PUBLIC if raw_path.startswith(PUBLIC) else PRIVATE
    segments = _segments(raw_path, mount)
    slash = raw_path.endswith("/")
    path = f"{mount}/{'/'.join(segments)}{'/' if slash else ''}"
    return IndexPath(mount, segments[0], tuple(segments[1:]), slash, path)


@lru_cache(_CACHED_PATHS)
def parse_file_path(raw_path: str) -> tuple[IndexPath, str | None]:
    """Return the parsed path of a file on another host, and the secret of a permanent link.

    The secret is None if the URL is a signed URL.

    Raises:
        NotFoundError: the path cannot be that of a file.
    """
    secret: str | None
    match _segments(raw_path, FILES):
        case [repository, given, project, filename]:
            secret = given
        case [repository, project, filename]:
            secret = None
        case _:
            raise NotFoundError("There is nothing at this path.")
    # Also if a project is named "simple", this is the path of its file.
    parts = ("simple", project, filename)
    path = f"{FILES}/{repository}/{project}/{filename}"
    return IndexPath(FILES, repository, parts, raw_path.endswith("/"), path), secret


def _segments(raw_path: str, mount: str) -> list[str]:
    below = raw_path[len(mount) :]
    if below and not below.startswith("/"):
        raise NotFoundError("There is nothing at this path.")
    segments = [_decode(segment) for segment in below.strip("/").split("/")]
    if "" in segments and len(segments) > 1:
        raise NotFoundError("There is nothing at this path: a segment is empty.")
    return segments


def _decode(segment: str) -> str:
    try:
        decoded = unquote_to_bytes(segment).decode()
    except UnicodeDecodeError:
        raise NotFoundError("There is nothing at this path: it is not UTF-8.") from None
    wrong = not decoded.isprintable() or "/" in decoded or "\\" in decoded
    if wrong or decoded in (".", ".."):
        raise NotFoundError("There is nothing at this path.")
    return decoded
