"""The portal's stylesheet, script and icon."""

import hashlib
from functools import cache
from importlib.resources import files

from cloudrepo_server.errors import NotFoundError

ASSET = "/portal/assets/{digest}/{name}"

_CONTENT_TYPES = {
    "portal.css": "text/css",
    "portal.js": "text/javascript",
    "requests.js": "text/javascript",
    "connection.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}


def asset_path(name: str) -> str:
    """Return the path of an asset; it contains a digest, so browsers can cache it forever."""
    return ASSET.format(digest=_digest(name), name=name)


def read_asset(digest: str, name: str) -> tuple[bytes, str]:
    """Return an asset's content and content type.

    Raises:
        NotFoundError: the asset does not exist, or belongs to another version of the portal.
    """
    if name not in _CONTENT_TYPES or digest != _digest(name):
        raise NotFoundError(f"The portal has no asset {name}.")
    return _read(name), _CONTENT_TYPES[name]


def load_assets() -> None:
    """Read all assets into the cache, so that the first page does not wait for them."""
    for name in _CONTENT_TYPES:
        _digest(name)


@cache
def _read(name: str) -> bytes:
    return files(__package__).joinpath("assets", name).read_bytes()


@cache
def _digest(name: str) -> str:
    return hashlib.sha256(_read(name)).hexdigest()[:16]
