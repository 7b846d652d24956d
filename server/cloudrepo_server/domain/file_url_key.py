"""The secret key of the URLs of files on another host, which all servers of a store share."""

import secrets

from cloudrepo_server.keys import FILE_URL_KEY
from cloudrepo_server.models import Document
from cloudrepo_server.storage import Documents

_KEY_BYTES = 32


class FileUrlKeyDocument(Document, frozen=True, kw_only=True):
    """The stored key, as hexadecimal digits."""

    secret: str


class FileUrlKey:
    """The secret key, which the first server that needs it creates."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._key: bytes | None = None

    async def read(self) -> bytes:
        """Return the key.

        Raises:
            StorageError: the store did not respond.
        """
        if self._key is None:
            new = FileUrlKeyDocument(secret=secrets.token_hex(_KEY_BYTES))
            # A damaged key would prevent every download. A new key only invalidates existing URLs.
            await self._documents.delete_damaged(FILE_URL_KEY, FileUrlKeyDocument)
            stored = new

            def create(existing: FileUrlKeyDocument | None) -> FileUrlKeyDocument:
                nonlocal stored
                stored = existing or new
                return stored

            await self._documents.change(FILE_URL_KEY, FileUrlKeyDocument, create)
            self._key = bytes.fromhex(stored.secret)
        return self._key
