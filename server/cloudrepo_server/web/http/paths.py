"""Parses the paths below `/repositories` and `/public/repositories`."""

from functools import lru_cache
from urllib.parse import unquote_to_bytes

import msgspec

from cloudrepo_server.errors import NotFoundError

PRIVATE = "/repositories"
PUBLIC = "/public/repositories"
SIGN_IN_LINK = "/portal/sign-in/link"
"""The path of a one-time sign-in link. Its secret is in the query, which logs do not contain."""
_CACHED_PATHS = 1024
_PARTS_OF_FILE = 2


class IndexPath(msgspec.Struct, frozen=True):
    """A parsed path: a repository and the decoded segments after its name.

    The repository is empty for `/repositories` itself. `slash` is whether the path ends in a slash.
    `path` is the whole path, decoded.
    """

    public: bool
    repository: str
    parts: tuple[str, ...]
    slash: bool
    path: str

    @property
    def names_page(self) -> bool:
        """Whether the path may lead to a page or a project's JSON, but not to a file."""
        parts = self.parts[1:] if self.parts[:1] == ("simple",) else self.parts
        return len(parts) < _PARTS_OF_FILE or self.parts[-1] == "json"

    @property
    def base(self) -> str:
        """The path of the repository, without a trailing slash."""
        return f"{PUBLIC if self.public else PRIVATE}/{self.repository}"


@lru_cache(_CACHED_PATHS)
def parse_index_path(raw_path: str) -> IndexPath:
    """Return a parsed path, with each segment decoded exactly once.

    Raises:
        NotFoundError: a segment cannot be a name.
    """
    public = raw_path.startswith(PUBLIC)
    below = raw_path[len(PUBLIC if public else PRIVATE) :]
    if below and not below.startswith("/"):
        raise NotFoundError("There is nothing at this path.")
    slash = below.endswith("/")
    segments = [_decode(segment) for segment in below.strip("/").split("/")]
    if "" in segments and len(segments) > 1:
        raise NotFoundError("There is nothing at this path: a segment is empty.")
    path = f"{PUBLIC if public else PRIVATE}/{'/'.join(segments)}{'/' if slash else ''}"
    return IndexPath(public, segments[0], tuple(segments[1:]), slash, path)


def _decode(segment: str) -> str:
    try:
        decoded = unquote_to_bytes(segment).decode()
    except UnicodeDecodeError:
        raise NotFoundError("There is nothing at this path: it is not UTF-8.") from None
    wrong = not decoded.isprintable() or "/" in decoded or "\\" in decoded
    if wrong or decoded in (".", ".."):
        raise NotFoundError("There is nothing at this path.")
    return decoded
