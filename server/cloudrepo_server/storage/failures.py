"""What a store's failures become."""

import contextlib
import errno
import re
import sys
from collections.abc import Iterator

from obstore.exceptions import BaseError

from cloudrepo_server.errors import StorageError, StorageFullError

# As obstore ends what it says of the local disk.
_OS_ERROR = re.compile(r"\(os error (\d+)\)")
# The disk is full, a quota is used up, or files may not be that large; Windows has its own numbers:
# https://learn.microsoft.com/windows/win32/debug/system-error-codes
_NO_ROOM = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}
_NO_ROOM_OF_OBSTORE = {39, 112, 1295} if sys.platform == "win32" else _NO_ROOM


@contextlib.contextmanager
def storage_errors() -> Iterator[None]:
    """Let what obstore raises be told to anybody; that something is not there stays as it is.

    Raises:
        StorageError: the store failed.
    """
    # obstore's messages hold paths and URLs, which are nobody's business outside.
    try:
        yield
    except FileNotFoundError:
        raise
    except (BaseError, OSError) as error:
        if _is_full(error):
            raise StorageFullError(
                "The server's disk is full, or its quota is used up; nothing was changed."
            ) from error
        raise StorageError("the storage did not answer; nothing was changed") from error


def _is_full(error: BaseError | OSError) -> bool:
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno in _NO_ROOM
    number = _OS_ERROR.search(str(error))
    return number is not None and int(number[1]) in _NO_ROOM_OF_OBSTORE
