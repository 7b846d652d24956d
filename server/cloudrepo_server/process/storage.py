"""Opens the storage at a data location: a folder, an object store, or a temporary folder."""

from pathlib import Path

from cloudrepo_server.storage import Storage
from cloudrepo_server.storage.local import LocalStorage


async def open_storage(
    data: Path | str | None, *, presigned: bool = False, create: bool = True
) -> Storage:
    """Open a folder, an object store or, for None, a temporary folder.

    Args:
        data: the path of a folder, or the URL of an object store.
        presigned: whether downloads of large files are redirected to the object store.
        create: whether a store that does not exist is created; otherwise it is an error.

    Raises:
        CloudRepoServerError: the storage cannot be used.
    """
    if data is None:
        return LocalStorage.in_temporary_folder()
    if isinstance(data, Path):
        return LocalStorage.in_folder(data, create=create)
    # Imported here because most servers have no object store.
    from cloudrepo_server.storage.connect import open_shared

    return await open_shared(data, presigned=presigned, create=create)
