"""Conversion of obstore's exceptions to storage errors."""

import contextlib
import errno
import re
import sys
from collections.abc import Iterator

from obstore.exceptions import BaseError, InvalidPathError

from cloudrepo_server.errors import StorageError, StorageFullError

# obstore ends its messages about the local disk with this text.
_OS_ERROR = re.compile(r"\(os error (\d+)\)")
# The disk is full, a quota is exceeded, or the file is too large. Windows has numbers of its own:
# https://learn.microsoft.com/windows/win32/debug/system-error-codes
_FULL_ERRNOS = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}
_FULL_OS_ERRORS = {39, 112, 1295} if sys.platform == "win32" else _FULL_ERRNOS


@contextlib.contextmanager
def storage_errors() -> Iterator[None]:
    """Convert the exceptions of obstore, except FileNotFoundError, to StorageError.

    Raises:
        StorageError: the store failed.
    """
    # The new messages leave out obstore's own, which contain private paths and URLs.
    try:
        yield
    except FileNotFoundError:
        raise
    except InvalidPathError as error:
        raise StorageError(
            "the store has an object with an invalid key, for example with two slashes in a row: "
            "delete the object that the server's log names"
        ) from error
    except (BaseError, OSError) as error:
        if _is_full(error):
            raise StorageFullError(
                "The server's disk is full, or its quota is exceeded; nothing was changed."
            ) from error
        raise StorageError("the store failed; nothing was changed") from error


def no_store(location: str) -> StorageError:
    """Return the error for a location that no server has used as its store."""
    return StorageError(f"no store of a server found at {location}: check the value of --data")


def _is_full(error: BaseError | OSError) -> bool:
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno in _FULL_ERRNOS
    number = _OS_ERROR.search(str(error))
    return number is not None and int(number[1]) in _FULL_OS_ERRORS
