"""Files and folders of this user, in places where other users can create some too."""

from __future__ import annotations

import os
import stat
import sys
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from pathlib import Path


def is_own(status: os.stat_result) -> bool:
    """Return whether a file or folder belongs to this process's user."""
    # Windows has no user ids. The temporary folder is the user's own there.
    return sys.platform == "win32" or status.st_uid == os.geteuid()


def is_private_folder(path: Path) -> bool:
    """Return whether this is a folder of this user in which nobody else can create files."""
    try:
        status = path.lstat()
    except OSError:
        return False
    # Windows does not use these bits: a folder inherits the permissions of the user's folder.
    others_may_write = sys.platform != "win32" and status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return stat.S_ISDIR(status.st_mode) and is_own(status) and not others_may_write


def open_own(path: Path) -> BinaryIO:
    """Open a regular file of this user for reading.

    Raises:
        OSError: it is a link, a named pipe or another user's file, or cannot be read.
    """
    flags = os.O_RDONLY
    if sys.platform != "win32":
        # Opening a named pipe without O_NONBLOCK would wait for a writer.
        flags |= os.O_NONBLOCK | os.O_NOFOLLOW
    file = open(os.open(path, flags), "rb")  # noqa: PTH123, SIM115 - opens a descriptor, for the caller
    status = os.fstat(file.fileno())
    if not stat.S_ISREG(status.st_mode) or not is_own(status):
        file.close()
        raise PermissionError(f"{path} is not a regular file of this user")
    return file


def write_private(path: Path, text: str) -> Path:
    """Write a file that only its owner can read, replacing an existing file; return its path."""
    path.unlink(missing_ok=True)
    path.touch(mode=0o600, exist_ok=False)
    path.write_text(text, encoding="utf-8")
    return path
