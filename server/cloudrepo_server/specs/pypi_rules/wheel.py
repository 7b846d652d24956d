"""The files in a wheel that PyPI reads: WHEEL, RECORD, METADATA, entry points and licenses."""

import csv
import re
from collections.abc import Iterator, Sequence
from typing import Final

from cloudrepo_server.limits import Limits
from cloudrepo_server.specs.archives import dist_info, read_member
from cloudrepo_server.specs.bounded_zip import BoundedZip
from cloudrepo_server.specs.entry_points import read_entry_points
from cloudrepo_server.specs.pypi_rules import archive_rules as rules
from cloudrepo_server.specs.pypi_rules.rule import Finding

_SCRIPTS: Final = ("console_scripts", "gui_scripts")
_MIN_HYPHENS: Final = 2
# https://packaging.python.org/specifications/entry-points/#data-model
_ENTRY_POINT_NAME = re.compile(r"[\w.-]+")


def check_wheel_file(archive: BoundedZip, filename: str) -> Iterator[Finding]:
    """Check that a wheel has the file WHEEL."""
    if filename.count("-") < _MIN_HYPHENS:
        yield rules.WHEEL_PARTS.broken()
        return
    path = dist_info(filename) + "/WHEEL"
    if path not in archive.NameToInfo:
        yield rules.WHEEL_FILE.broken(path=path)


def check_content(
    archive: BoundedZip, filename: str, license_files: Sequence[str], limits: Limits
) -> Iterator[Finding]:
    """Check the files that a wheel has besides WHEEL.

    Raises:
        InvalidError: one of them is larger than a limit.
    """
    folder = dist_info(filename)
    for license_file in license_files:
        path = f"{folder}/licenses/{license_file}"
        if path not in archive.NameToInfo:
            yield rules.LICENSE_FILE.broken(license_file=license_file, filename=filename, path=path)
    limit = limits.metadata_bytes
    record = _read(archive, filename, f"{folder}/RECORD", limit)
    if record is None or not _is_csv(record):
        yield rules.RECORD.broken(filename=filename, path=f"{folder}/RECORD")
    entry_points = _read(archive, filename, f"{folder}/entry_points.txt", limit)
    error = None if entry_points is None else _entry_points_error(entry_points)
    if error is not None:
        yield rules.ENTRY_POINTS.broken(filename=filename, error=error)
    if f"{folder}/METADATA" not in archive.NameToInfo:
        yield rules.METADATA_FILE.broken(filename=filename, path=f"{folder}/METADATA")


def _read(archive: BoundedZip, filename: str, path: str, limit: int) -> bytes | None:
    info = archive.NameToInfo.get(path)
    return None if info is None else read_member(filename, archive, info, limit)


def _is_csv(record: bytes) -> bool:
    try:
        for _ in csv.reader(record.decode().splitlines()):
            pass
    except (UnicodeDecodeError, csv.Error):
        return False
    return True


def _entry_points_error(data: bytes) -> str | None:
    try:
        groups = read_entry_points(data)
    except ValueError as error:
        return str(error)
    for group in _SCRIPTS:
        for name in groups.get(group, ()):
            if _ENTRY_POINT_NAME.fullmatch(name) is None:
                return f"{name!r} in {group} is not a valid name"
    return None
