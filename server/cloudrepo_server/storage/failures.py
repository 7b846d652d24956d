"""What a store's failures become."""

import contextlib
from collections.abc import Iterator

from obstore.exceptions import BaseError

from cloudrepo_server.errors import StorageError


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
        raise StorageError("the storage did not answer; nothing was changed") from error
