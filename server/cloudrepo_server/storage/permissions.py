"""The permissions of a data folder, which contains private packages."""

import os
import stat
import sys
from pathlib import Path

from cloudrepo_server.errors import StorageError

_OWNER_ONLY = 0o700
_OTHERS = 0o077


def create_private_folders(folder: Path, store: Path) -> None:
    """Create a data folder, and in it the folder `store` for all data, unless they exist.

    Raises:
        OSError: they cannot be created.
        StorageError: other users of this machine can read, change or replace the data.
    """
    folder.mkdir(mode=_OWNER_ONLY, parents=True, exist_ok=True)
    store.mkdir(mode=_OWNER_ONLY, exist_ok=True)
    # Windows does not use these bits: the folder inherits the permissions of the user's folder.
    if sys.platform != "win32":
        _check_permissions(folder, store, os.geteuid())


def _check_permissions(folder: Path, store: Path, user: int) -> None:
    status = store.stat()
    if status.st_uid != user:
        raise StorageError(
            f"{store} belongs to another user (with the id {status.st_uid}), who can change "
            f"packages: run the server as that user, or run `chown -R {user} {store}`"
        )
    mode = stat.S_IMODE(status.st_mode)
    if mode & _OTHERS:
        raise StorageError(
            f"permission of {store} is too wide: its mode {mode:04o} lets other users of this "
            f"machine read or change packages; run `chmod -R go-rwx {store}`"
        )
    mode = stat.S_IMODE(folder.stat().st_mode)
    if mode & (stat.S_IWGRP | stat.S_IWOTH) and not mode & stat.S_ISVTX:
        raise StorageError(
            f"permission of {folder} is too wide: its mode {mode:04o} lets other users of this "
            f"machine replace the data; run `chmod go-w {folder}`, or use a new folder inside it"
        )
