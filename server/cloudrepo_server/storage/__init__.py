"""Documents and blobs in one object store.

`local` is a store that one process owns: a local folder, or memory. `shared` is a store that
several servers write to, such as an S3 bucket. The rest of the server uses only the interface
`Storage`, or the part of it that is needed: `Documents`, `Blobs` or `Maintenance`.
"""

from cloudrepo_server.storage.base import Storage
from cloudrepo_server.storage.blob_io import SMALL_BLOB
from cloudrepo_server.storage.blobs import Blobs
from cloudrepo_server.storage.documents import Documents, Listing
from cloudrepo_server.storage.maintenance import Maintenance
from cloudrepo_server.storage.objects import StoredObject

__all__ = [
    "SHARED_SCHEMES",
    "SMALL_BLOB",
    "Blobs",
    "Documents",
    "Listing",
    "Maintenance",
    "Storage",
    "StoredObject",
]

SHARED_SCHEMES = ("s3", "gs", "az")
"""The URL schemes of stores that several servers can share."""
