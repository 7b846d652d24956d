"""The build backend (PEP 517) that a generated project carries, so that it builds without network.

A copy of this file lies in the project and in its sdist, where any Python builds it: it imports the
standard library only, and no newer part of it than has to be.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import os
import re
import tarfile
import time
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# The first moment that a zip file can tell.
EARLIEST = 315532800

# What lies in a source tree and is not of it.
NOT_SOURCES = re.compile(r"__pycache__|dist|build|\..*|.*\.egg-info|.*\.pyc")

# What lies in a source tree and is not to be installed.
NOT_MODULES = re.compile(
    r"_.*backend|setup\.py|conftest\.py|noxfile\.py|tests?|docs?|examples?|benchmarks?|scripts?"
)


def build_sdist(
    sdist_directory: str,
    config_settings: Mapping[str, Any] | None = None,  # noqa: ARG001 - PEP 517's signature
) -> str:
    """Write the sdist, and give its file name."""
    metadata = _metadata()
    stem = _stem(metadata)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar:
        _add(tar, f"{stem}/PKG-INFO", metadata.encode())
        for path in _sources(Path()):
            if path.as_posix() != "PKG-INFO":
                _add(tar, f"{stem}/{path.as_posix()}", path.read_bytes())
    filename = f"{stem}.tar.gz"
    with (
        Path(sdist_directory, filename).open("wb") as file,
        gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=_epoch()) as compressed,
    ):
        compressed.write(packed.getvalue())
    return filename


def build_wheel(
    wheel_directory: str,
    config_settings: Mapping[str, Any] | None = None,  # noqa: ARG001 - PEP 517's signature
    metadata_directory: str | None = None,  # noqa: ARG001 - likewise
) -> str:
    """Write the wheel, and give its file name."""
    metadata = _metadata()
    stem = _stem(metadata)
    info = f"{stem}.dist-info"
    contents = dict(_installed())
    contents[f"{info}/METADATA"] = metadata.encode()
    contents[f"{info}/WHEEL"] = (
        b"Wheel-Version: 1.0\n"
        b"Generator: pytest-cloudrepo\n"
        b"Root-Is-Purelib: true\n"
        b"Tag: py3-none-any\n"
    )
    record = [f"{name},{_digest(content)},{len(content)}\n" for name, content in contents.items()]
    contents[f"{info}/RECORD"] = "".join([*record, f"{info}/RECORD,,\n"]).encode()
    filename = f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(Path(wheel_directory, filename), "w", zipfile.ZIP_DEFLATED) as wheel:
        for name, content in contents.items():
            member = zipfile.ZipInfo(name, time.gmtime(_epoch())[:6])
            member.compress_type = zipfile.ZIP_DEFLATED
            member.create_system = 3  # so that the wheel is the same whatever the system
            member.external_attr = 0o100644 << 16
            wheel.writestr(member, content)
    return filename


def _metadata() -> str:
    """Give the core metadata: an sdist's own, or a source tree's, from its pyproject.toml."""
    if Path("PKG-INFO").is_file():
        return Path("PKG-INFO").read_text(encoding="utf-8")
    import tomllib  # noqa: PLC0415 - older Pythons, which lack it, build from sdists

    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = [
        "Metadata-Version: 2.4",
        f"Name: {project['name']}",
        f"Version: {project['version']}",
        f"Summary: {project['description']}",
        f"Requires-Python: {project['requires-python']}",
        *(f"Requires-Dist: {requirement}" for requirement in project["dependencies"]),
    ]
    return "\n".join(lines) + "\n"


def _stem(metadata: str) -> str:
    """Give what the file names begin with."""
    headers = dict(line.split(": ", 1) for line in metadata.splitlines() if ": " in line)
    name = re.sub(r"[-_.]+", "_", headers["Name"]).lower()
    return f"{name}-{headers['Version']}"


def _sources(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if NOT_SOURCES.fullmatch(path.name):
            continue
        if path.is_dir():
            yield from _sources(path)
        else:
            yield path


def _installed() -> Iterator[tuple[str, bytes]]:
    """Give what the wheel installs: the modules, and the packages with all that is in them."""
    root = Path("src") if Path("src").is_dir() else Path()
    for top in sorted(root.iterdir()):
        if NOT_SOURCES.fullmatch(top.name) or NOT_MODULES.fullmatch(top.name):
            continue
        paths = list(_sources(top)) if top.is_dir() else [top]
        if any(path.suffix == ".py" for path in paths):
            for path in paths:
                yield path.relative_to(root).as_posix(), path.read_bytes()


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    member.mtime = _epoch()
    member.mode = 0o644
    tar.addfile(member, io.BytesIO(content))


def _digest(content: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    return f"sha256={digest}"


def _epoch() -> int:
    # https://reproducible-builds.org/specs/source-date-epoch/
    return max(EARLIEST, int(os.environ.get("SOURCE_DATE_EPOCH", EARLIEST)))
