"""Documents and blobs in one object store.

`exclusive` is the store that one process owns: a local folder, or memory. `shared` is the one that
several servers write to. All other modules know `Storage` alone.
"""

from cloudrepo_server.storage.base import Listing, Storage, StoredObject
from cloudrepo_server.storage.blobs import SMALL_BLOB

__all__ = ["SHARED_SCHEMES", "SMALL_BLOB", "Listing", "Storage", "StoredObject"]

SHARED_SCHEMES = ("s3", "gs", "az")
"""What the URL of a store that several servers share begins with."""
