"""Reading the wheels and sdists that tests build."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import tarfile
import zipfile
from pathlib import Path

from packaging.metadata import Metadata


def members(path: Path) -> dict[str, bytes]:
    """Return the files of a wheel or an sdist. The top folder of an sdist is omitted."""
    if path.suffix == ".whl":
        with zipfile.ZipFile(path) as wheel:
            assert wheel.testzip() is None
            return {name: wheel.read(name) for name in wheel.namelist()}
    with tarfile.open(path) as sdist:
        files = {}
        for member in sdist.getmembers():
            folder, _, name = member.name.partition("/")
            assert folder == path.name.removesuffix(".tar.gz")
            if file := sdist.extractfile(member):
                files[name] = file.read()
        return files


def installed(wheel: Path) -> set[str]:
    """Return the names of the files that the wheel installs, without its metadata."""
    return {name for name in members(wheel) if ".dist-info/" not in name}


def metadata(path: Path) -> Metadata:
    """Return the core metadata of a wheel or an sdist."""
    return Metadata.from_email(metadata_file(path), validate=True)


def metadata_file(path: Path) -> bytes:
    """Return the content of the METADATA or PKG-INFO file."""
    name = "PKG-INFO" if path.suffix == ".gz" else f"{stem(path)}.dist-info/METADATA"
    return members(path)[name]


def stem(wheel: Path) -> str:
    """Return the name and the version, as they appear in the file name."""
    return "-".join(wheel.name.split("-")[:2])


def check_record(wheel: Path) -> None:
    """Check that RECORD lists every file with its digest and size, and nothing else."""
    contents = members(wheel)
    record = f"{stem(wheel)}.dist-info/RECORD"
    expected = {(record, "", "")}
    for name, content in contents.items():
        if name != record:
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode()
            expected.add((name, f"sha256={digest.rstrip('=')}", str(len(content))))
    rows = [tuple(row) for row in csv.reader(io.StringIO(contents[record].decode()))]
    assert len(rows) == len(expected)
    assert set(rows) == expected
