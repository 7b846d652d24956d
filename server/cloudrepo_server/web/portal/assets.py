"""The stylesheet, the script and the icon."""

import hashlib
from functools import cache
from importlib.resources import files

from cloudrepo_server.errors import NotFoundError

ASSET = "/portal/assets/{digest}/{name}"

_TYPES = {
    "portal.css": "text/css",
    "portal.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}


def asset_path(name: str) -> str:
    """Where pages find it; its digest is in the path, so what was fetched once is good for ever."""
    return ASSET.format(digest=_digest(name), name=name)


def read_asset(digest: str, name: str) -> tuple[bytes, str]:
    """The bytes, and their content type.

    Raises:
        NotFoundError: there is no such file, or it is of another version of the portal.
    """
    if name not in _TYPES or digest != _digest(name):
        raise NotFoundError(f"The portal has no {name}.")
    return _read(name), _TYPES[name]


@cache
def _read(name: str) -> bytes:
    return files(__package__).joinpath("assets", name).read_bytes()


@cache
def _digest(name: str) -> str:
    return hashlib.sha256(_read(name)).hexdigest()[:16]
