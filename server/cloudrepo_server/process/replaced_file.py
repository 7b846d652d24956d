"""Files that other processes read while the server replaces them."""

import contextlib
import os
import secrets
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

_T = TypeVar("_T")

_SECONDS_TO_WAIT = 2.0
_POLL_SECONDS = 0.01


def replace_file(path: Path, text: str, *, mode: int) -> None:
    """Replace a file atomically by a new one with this content and these permissions.

    A symbolic link is replaced too: the file to which it points does not change.

    Raises:
        OSError: the file cannot be written.
    """
    try:
        _replace(path, text, mode)
    except OSError as error:
        # The original error names the temporary file, which means nothing to users.
        reason = f"cannot be written: {error.strerror or error}"
        raise OSError(error.errno, reason, str(path)) from error


def read_replaced_file(path: Path) -> bytes:
    """Return the content of a file that another process may be replacing.

    Raises:
        OSError: the file cannot be read.
    """
    return _wait_for_other_processes(path.read_bytes)


def _replace(path: Path, text: str, mode: int) -> None:
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        # Other users may have to read the file, so the umask must not apply.
        temporary.chmod(mode)
        _wait_for_other_processes(lambda: temporary.replace(path))
    except OSError:
        temporary.unlink()
        raise


def _wait_for_other_processes(operation: Callable[[], _T]) -> _T:
    """Return the result of an operation on a file that other processes have open for a moment."""
    if sys.platform == "win32":
        # Windows cannot replace a file that is open, and cannot open a file that is being replaced.
        deadline = time.monotonic() + _SECONDS_TO_WAIT
        while time.monotonic() < deadline:
            with contextlib.suppress(PermissionError):
                return operation()
            time.sleep(_POLL_SECONDS)
    return operation()
