"""The format version of a store, which keeps older servers from misreading newer data."""

import msgspec

from cloudrepo_server.errors import StorageError

FORMAT_KEY = "format.json"
"""The key of the object that states the format version."""

FORMAT = 1
"""The format version that this server writes.

Increase it when earlier versions of the server would misread or damage the new data.
"""


class _Format(msgspec.Struct, frozen=True):
    version: int


CURRENT_FORMAT = msgspec.json.encode(_Format(FORMAT))
"""The content of the object `FORMAT_KEY` in a new store."""


def check_format(encoded: bytes, location: str) -> None:
    """Check that this version of the server can use a store.

    Args:
        encoded: the content of the object with the key `FORMAT_KEY`.
        location: the folder or URL of the store, for the message.

    Raises:
        StorageError: a later version wrote the store, or its format version is unreadable.
    """
    try:
        version = msgspec.json.decode(encoded, type=_Format).version
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise StorageError(
            f"the file {FORMAT_KEY} in {location} is damaged: restore it from a backup, or delete "
            "it if no later version of cloudrepo-server has used the data"
        ) from None
    if version > FORMAT:
        raise StorageError(
            f"{location} was written by a later version of cloudrepo-server (format {version}; "
            f"this version reads formats up to {FORMAT}): upgrade cloudrepo-server"
        )
