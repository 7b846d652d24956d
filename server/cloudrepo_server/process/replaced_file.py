"""Files that other processes read while the server replaces them."""

import contextlib
import os
import secrets
import sys
import time
from pathlib import Path

_SECONDS_TO_READ = 2.0
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


def _replace(path: Path, text: str, mode: int) -> None:
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        # Other users may have to read the file, so the umask must not apply.
        temporary.chmod(mode)
        _rename(temporary, path)
    except OSError:
        temporary.unlink()
        raise


def _rename(source: Path, target: Path) -> None:
    if sys.platform == "win32":
        # Windows cannot replace a file while another process reads it.
        deadline = time.monotonic() + _SECONDS_TO_READ
        while time.monotonic() < deadline:
            with contextlib.suppress(PermissionError):
                source.replace(target)
                return
            time.sleep(_POLL_SECONDS)
    source.replace(target)
