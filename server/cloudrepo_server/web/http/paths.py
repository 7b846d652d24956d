"""What a path below `/repositories` or `/public/repositories` names."""

from functools import lru_cache
from urllib.parse import unquote_to_bytes

import msgspec

from cloudrepo_server.errors import NotFoundError

PRIVATE = "/repositories"
PUBLIC = "/public/repositories"
_REMEMBERED = 1024


class IndexPath(msgspec.Struct, frozen=True):
    """A repository's name, what stands behind it, whether a slash ends it, and the path itself."""

    public: bool
    repository: str
    parts: tuple[str, ...]
    slash: bool
    path: str

    @property
    def base(self) -> str:
        """The path of the repository's index, without a last slash."""
        return f"{PUBLIC if self.public else PRIVATE}/{self.repository}"


@lru_cache(_REMEMBERED)
def parse_index_path(raw_path: str) -> IndexPath:
    """Each segment decoded once; the empty repository name stands for the list of them.

    Raises:
        NotFoundError: a segment holds what no name has.
    """
    public = raw_path.startswith(PUBLIC)
    below = raw_path[len(PUBLIC if public else PRIVATE) :]
    if below and not below.startswith("/"):
        raise NotFoundError("There is nothing at this path.")
    slash = below.endswith("/")
    segments = [_decode(segment) for segment in below.strip("/").split("/")]
    if "" in segments and len(segments) > 1:
        raise NotFoundError("There is nothing at this path: a segment is empty.")
    return IndexPath(public, segments[0], tuple(segments[1:]), slash, raw_path)


def _decode(segment: str) -> str:
    try:
        decoded = unquote_to_bytes(segment).decode()
    except UnicodeDecodeError:
        raise NotFoundError("There is nothing at this path: it is not UTF-8.") from None
    wrong = not decoded.isprintable() or "/" in decoded or "\\" in decoded
    if wrong or decoded in (".", ".."):
        raise NotFoundError("There is nothing at this path.")
    return decoded
