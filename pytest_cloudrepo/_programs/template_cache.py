"""The cache of templates of virtual environments, which pytest sessions share."""

from __future__ import annotations

import os
import shutil
import stat
import time
import zipfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Final

from pytest_cloudrepo._own_files import is_private_folder, open_own

_MAX_TEMPLATES: Final = 10
_MAX_TEMPLATE_BYTES: Final = 100_000_000
_MAX_AGE: Final = 30 * 24 * 3600.0
"""The seconds after which an unused template is deleted."""


@dataclass(frozen=True, slots=True)
class TemplateCache:
    """A folder of templates, each of them an archive; it can be deleted at any time.

    An archive is a ZIP file: it appears at once, and its checksums show whether it is damaged.
    Pytest sessions get real copies of the files, so a test cannot change the cache. After an error
    of the cache, the session creates the template itself.
    """

    folder: Path

    def restore(self, key: str, template: Path) -> bool:
        """Create the template's folder from the cache; return False if it has no such template."""
        if not is_private_folder(self.folder):
            return False
        archive = self._archive(key)
        try:
            with open_own(archive) as file, zipfile.ZipFile(file) as content:
                for entry in content.infolist():
                    _extract(content, entry, template)
            os.utime(archive)
        except FileNotFoundError:
            shutil.rmtree(template, ignore_errors=True)
            return False
        except Exception:  # noqa: BLE001 - zipfile raises many exceptions for damaged files
            shutil.rmtree(template, ignore_errors=True)
            with suppress(OSError):
                archive.unlink()
            return False
        return True

    def store(self, key: str, template: Path) -> None:
        """Add a template to the cache, and delete old templates."""
        with suppress(OSError):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not is_private_folder(self.folder):
                return
            with NamedTemporaryFile(dir=self.folder, suffix=".unfinished", delete=False) as file:
                try:
                    _write(template, file.name)
                    Path(file.name).replace(self._archive(key))
                except BaseException:
                    Path(file.name).unlink()
                    raise
            self._delete_old()

    def _archive(self, key: str) -> Path:
        return self.folder / f"{key}.zip"

    def _delete_old(self) -> None:
        ages = {path: time.time() - path.stat().st_mtime for path in self.folder.iterdir()}
        archives = sorted((path for path in ages if path.suffix == ".zip"), key=ages.__getitem__)
        too_many = archives[_MAX_TEMPLATES:]
        for path, age in ages.items():
            if age > _MAX_AGE or path in too_many:
                path.unlink(missing_ok=True)


def _write(template: Path, archive: str) -> None:
    """Write a folder's files and links to a ZIP file, with their modes and times.

    Raises:
        OSError: they are larger than the limit, or cannot be read or written.
    """
    size = 0
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as content:
        for path in sorted(template.rglob("*")):
            status = path.lstat()
            if stat.S_ISDIR(status.st_mode):
                continue
            size += status.st_size
            if size > _MAX_TEMPLATE_BYTES:
                raise OSError(f"the template {template} is too large for the cache")
            entry = zipfile.ZipInfo(path.relative_to(template).as_posix())
            entry.external_attr = status.st_mode << 16
            # The time of a ZIP entry is in steps of 2 seconds. That is not exact enough: a compiled
            # module contains the time of its source file, and Python compares them.
            entry.comment = str(status.st_mtime_ns).encode()
            is_link = stat.S_ISLNK(status.st_mode)
            data = os.fsencode(path.readlink()) if is_link else path.read_bytes()
            content.writestr(entry, data)


def _extract(content: zipfile.ZipFile, entry: zipfile.ZipInfo, template: Path) -> None:
    path = os.path.join(template, entry.filename)  # noqa: PTH118 - twice as fast as Path
    os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120 - as above
    mode = entry.external_attr >> 16
    data = content.read(entry)
    if stat.S_ISLNK(mode):
        os.symlink(os.fsdecode(data), path)  # noqa: PTH211 - as above
        return
    with open(path, "xb") as file:  # noqa: PTH123 - as above
        file.write(data)
    os.chmod(path, stat.S_IMODE(mode))  # noqa: PTH101 - as above
    os.utime(path, ns=(int(entry.comment), int(entry.comment)))
