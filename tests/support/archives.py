"""Wheels and sdists, created without a build."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Archive:
    """A distribution file; `metadata` are the core metadata in it."""

    filename: str
    data: bytes
    metadata: bytes = b""

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    @property
    def md5(self) -> str:
        return hashlib.md5(self.data, usedforsecurity=False).hexdigest()

    @property
    def blake2_256(self) -> str:
        return hashlib.blake2b(self.data, digest_size=32).hexdigest()

    @property
    def filetype(self) -> str:
        return "bdist_wheel" if self.filename.endswith(".whl") else "sdist"

    def named(self, filename: str) -> Archive:
        return Archive(filename, self.data, self.metadata)


def core_metadata(
    name: str,
    version: str,
    *,
    metadata_version: str = "2.1",
    requires_python: str | None = None,
    more: str = "",
) -> bytes:
    lines = f"Metadata-Version: {metadata_version}\nName: {name}\nVersion: {version}\n"
    if requires_python is not None:
        lines += f"Requires-Python: {requires_python}\n"
    return (lines + more).encode()


def wheel(
    name: str = "demo",
    version: str = "1.0",
    *,
    module: str = "x = 1\n",
    metadata: bytes | None = None,
    metadata_version: str = "2.1",
    requires_python: str | None = None,
    more: str = "",
    filename: str | None = None,
    padding: int = 0,
    wheel_version: str = "1.0",
) -> Archive:
    """Return a wheel that pip and uv can install; `padding` adds incompressible bytes."""
    stem = name.replace("-", "_")
    info = f"{stem}-{version}.dist-info"
    if metadata is None:
        metadata = core_metadata(
            name,
            version,
            metadata_version=metadata_version,
            requires_python=requires_python,
            more=more,
        )
    files = {
        f"{stem.lower().replace('.', '_')}.py": module.encode(),
        f"{info}/METADATA": metadata,
        f"{info}/WHEEL": (
            f"Wheel-Version: {wheel_version}\nRoot-Is-Purelib: true\nTag: py3-none-any\n".encode()
        ),
    }
    if padding:
        files["padding.bin"] = incompressible(padding)
    files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"]).encode()
    return Archive(
        filename or f"{stem}-{version}-py3-none-any.whl", zipped(files), metadata=metadata
    )


def sdist(
    name: str = "demo",
    version: str = "1.0",
    *,
    metadata_version: str = "2.1",
    requires_python: str | None = None,
    ending: str = ".tar.gz",
    filename: str | None = None,
    metadata: bytes | None = None,
) -> Archive:
    stem = f"{name.replace('-', '_')}-{version}"
    if metadata is None:
        metadata = core_metadata(
            name, version, metadata_version=metadata_version, requires_python=requires_python
        )
    files = {f"{stem}/PKG-INFO": metadata, f"{stem}/setup.py": b"raise SystemExit\n"}
    data = zipped(files) if ending == ".zip" else tarred(files)
    return Archive(filename or stem + ending, data, metadata=metadata)


def zipped(files: Mapping[str, bytes], *, compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        for path, data in files.items():
            archive.writestr(zipfile.ZipInfo(path), data, compress_type=compression)
    return out.getvalue()


def tarred(files: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for path, data in files.items():
            info = tarfile.TarInfo(path)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return gzip.compress(out.getvalue(), mtime=0)


def incompressible(size: int) -> bytes:
    return hashlib.shake_128(b"padding").digest(size)
