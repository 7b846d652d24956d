"""The build backend (PEP 517) of generated projects, which builds without network access.

Generated projects and their sdists contain a copy of this file. Any Python from 3.7 on can build
the sdists, so this module uses only what the standard library of Python 3.7 has.
"""

from __future__ import annotations

import base64
import csv
import gzip
import hashlib
import io
import locale
import os
import re
import sys
import tarfile
import time
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

METADATA_VERSION = "2.4"

# The earliest time that a zip file can store: 1 January 1980.
EARLIEST = 315532800

# Files and folders that are not sources if they are in the root folder.
NOT_SOURCES = re.compile(r"dist|build|\..*")
# Files and folders that are not sources in any folder.
LEFTOVERS = re.compile(r"__pycache__|.*\.egg-info|.*\.pyc")

# Modules and packages in the root folder that are not installed.
NOT_MODULES = re.compile(
    r"_.*backend|setup\.py|conftest\.py|noxfile\.py|tests?|docs?|examples?|benchmarks?|scripts?"
)

# A file next to this one, in sdists that `cloudrepo_package` writes.
ENTRY_POINTS = "entry_points.txt"


def build_sdist(
    sdist_directory: str,
    config_settings: Mapping[str, Any] | None = None,  # noqa: ARG001 - PEP 517's signature
) -> str:
    """Write the sdist, and return its file name."""
    metadata = _metadata()
    stem = _stem(metadata)
    contents = {path.as_posix(): path.read_bytes() for path in _sources(Path())}
    filename = f"{stem}.tar.gz"
    packed = pack_sdist(stem, {**contents, "PKG-INFO": metadata.encode()}, epoch=_epoch())
    Path(sdist_directory, filename).write_bytes(packed)
    return filename


def build_wheel(
    wheel_directory: str,
    config_settings: Mapping[str, Any] | None = None,  # noqa: ARG001 - PEP 517's signature
    metadata_directory: str | None = None,  # noqa: ARG001 - as above
) -> str:
    """Write the wheel, and return its file name."""
    return _write_wheel(wheel_directory, dict(_installed()))


def build_editable(
    wheel_directory: str,
    config_settings: Mapping[str, Any] | None = None,  # noqa: ARG001 - PEP 660's signature
    metadata_directory: str | None = None,  # noqa: ARG001 - as above
) -> str:
    """Write the wheel of an editable installation, and return its file name."""
    # Before Python 3.13 the site module reads .pth files in the encoding of the locale.
    encoding = (
        "utf-8" if sys.version_info >= (3, 13) else locale.getpreferredencoding(do_setlocale=False)
    )
    root = f"{_root().resolve()}\n".encode(encoding)
    return _write_wheel(wheel_directory, {f"_{_stem(_metadata())}.pth": root})


def pack_sdist(stem: str, contents: Mapping[str, bytes], *, epoch: int = EARLIEST) -> bytes:
    """Return the content of an sdist.

    Args:
        stem: the sdist's folder, NAME-VERSION.
        contents: the contents of its files, by path in that folder.
        epoch: the modification time of the files.
    """
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, content in sorted(contents.items()):
            member = tarfile.TarInfo(f"{stem}/{name}")
            member.size = len(content)
            member.mtime = epoch
            member.mode = 0o644
            tar.addfile(member, io.BytesIO(content))
    compressed = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=compressed, mtime=epoch) as file:
        file.write(packed.getvalue())
    return compressed.getvalue()


def pack_wheel(
    stem: str,
    installed: Mapping[str, bytes],
    dist_info: Mapping[str, bytes],
    *,
    tags: Sequence[str] = ("py3-none-any",),
    build_tag: str | None = None,
    epoch: int = EARLIEST,
) -> bytes:
    """Return the content of a wheel.

    Args:
        stem: the beginning of its .dist-info folder, NAME-VERSION.
        installed: the contents of the installed files, by path.
        dist_info: the contents of the files in its .dist-info folder, by name.
        tags: its compatibility tags.
        build_tag: its build tag, if it has one.
        epoch: the modification time of the files.
    """
    info = f"{stem}.dist-info"
    contents = {f"{info}/{name}": content for name, content in dist_info.items()}
    contents[f"{info}/WHEEL"] = _wheel_file(tags, build_tag)
    # A test can replace the files of .dist-info on purpose.
    contents.update(installed)
    contents.setdefault(f"{info}/RECORD", _record(contents, f"{info}/RECORD"))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as wheel:
        # The specification recommends .dist-info as the last folder of the archive.
        for name in sorted(contents, key=lambda name: (name.startswith(f"{info}/"), name)):
            member = zipfile.ZipInfo(name, time.gmtime(epoch)[:6])
            member.compress_type = zipfile.ZIP_DEFLATED
            member.create_system = 3  # the same on all systems, for identical wheels
            member.external_attr = 0o100644 << 16
            wheel.writestr(member, contents[name])
    return packed.getvalue()


def _write_wheel(folder: str, installed: Mapping[str, bytes]) -> str:
    metadata = _metadata()
    stem = _stem(metadata)
    dist_info = {"METADATA": metadata.encode()}
    entry_points = Path(__file__).with_name(ENTRY_POINTS)
    if entry_points.is_file():
        dist_info[ENTRY_POINTS] = entry_points.read_bytes()
    filename = f"{stem}-py3-none-any.whl"
    Path(folder, filename).write_bytes(pack_wheel(stem, installed, dist_info, epoch=_epoch()))
    return filename


def _wheel_file(tags: Sequence[str], build_tag: str | None) -> bytes:
    pure = all(tag.endswith("-none-any") for tag in tags)
    lines = [
        "Wheel-Version: 1.0",
        "Generator: pytest-cloudrepo",
        f"Root-Is-Purelib: {str(pure).lower()}",
        *([f"Build: {build_tag}"] if build_tag else []),
        *(f"Tag: {tag}" for tag in tags),
    ]
    return ("\n".join(lines) + "\n").encode()


def _record(contents: Mapping[str, bytes], record_path: str) -> bytes:
    record = io.StringIO()
    writer = csv.writer(record, lineterminator="\n")
    for name, content in sorted(contents.items()):
        writer.writerow((name, _digest(content), len(content)))
    writer.writerow((record_path, "", ""))
    return record.getvalue().encode()


def _metadata() -> str:
    """Return the core metadata: PKG-INFO in an sdist, or else generated from pyproject.toml."""
    if Path("PKG-INFO").is_file():
        return Path("PKG-INFO").read_text(encoding="utf-8")
    # Python has no tomllib before 3.11. Older Pythons build from sdists only, which have PKG-INFO.
    import tomllib

    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = [
        f"Metadata-Version: {METADATA_VERSION}",
        f"Name: {project['name']}",
        f"Version: {project['version']}",
        f"Summary: {project['description']}",
        f"Requires-Python: {project['requires-python']}",
        *(f"Requires-Dist: {requirement}" for requirement in project["dependencies"]),
    ]
    return "\n".join(lines) + "\n"


def _stem(metadata: str) -> str:
    """Return the beginning of the file names, NAME-VERSION."""
    fields = metadata.split("\n\n", 1)[0].splitlines()
    headers = dict(line.split(": ", 1) for line in fields if ": " in line)
    name = re.sub(r"[-_.]+", "_", headers["Name"]).lower()
    return f"{name}-{headers['Version']}"


def _sources(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if LEFTOVERS.fullmatch(path.name):
            continue
        if folder == Path() and NOT_SOURCES.fullmatch(path.name):
            continue
        if path.is_dir():
            yield from _sources(path)
        else:
            yield path


def _installed() -> Iterator[tuple[str, bytes]]:
    """Yield the path and content of each file that the wheel installs.

    These are all files in `src`. Without such a folder they are the modules of the root folder, and
    all files of its packages.
    """
    root = _root()
    paths = list(_sources(Path()))
    if root != Path():
        chosen = {path for path in paths if root in path.parents}
    else:
        tops = {path.parts[0] for path in paths if path.suffix == ".py"}
        chosen = {
            path
            for path in paths
            if path.parts[0] in tops and not NOT_MODULES.fullmatch(path.parts[0])
        }
    for path in sorted(chosen):
        yield path.relative_to(root).as_posix(), path.read_bytes()


def _root() -> Path:
    """Return the folder that contains the modules."""
    return Path("src") if Path("src").is_dir() else Path()


def _digest(content: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    return f"sha256={digest}"


def _epoch() -> int:
    # https://reproducible-builds.org/specs/source-date-epoch/
    return max(EARLIEST, int(os.environ.get("SOURCE_DATE_EPOCH", EARLIEST)))
