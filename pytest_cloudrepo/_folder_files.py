"""The distributions in a folder, for `Repository.publish_folder`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pytest_cloudrepo._new_files import NewFile
from pytest_cloudrepo._paths import DISTRIBUTION_SUFFIXES
from pytest_cloudrepo.errors import CloudRepoError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

# A larger file is sent alone, and so is never in memory as a whole.
LARGE_FILE: Final = 4 << 20


def distributions(folder: Path) -> list[Path]:
    """Return the wheels and sdists in a folder and its subfolders, sorted by name.

    Files and folders whose name begins with a dot are left out.

    Raises:
        CloudRepoError: the folder does not exist, or contains no distribution.
    """
    if not folder.is_dir():
        raise CloudRepoError(f"cannot publish the folder {folder}: there is no such folder")
    found = [
        path
        for path in folder.rglob("*")
        if path.name.endswith(DISTRIBUTION_SUFFIXES)
        and path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]
    if not found:
        raise CloudRepoError(
            f"cannot publish the folder {folder}: it contains no file that ends with "
            f"{', '.join(DISTRIBUTION_SUFFIXES)}"
        )
    return sorted(found, key=lambda path: (path.name, path))


def new_files(paths: Iterable[Path], upload_time: str | None) -> Iterator[NewFile]:
    """Read files one after the other, with the same upload time."""
    for path in paths:
        yield NewFile(path.name, path.read_bytes(), upload_time=upload_time)
