"""The build backend (PEP 517) that a generated project carries, so that it builds without network.

A copy of this file lies in the project and in its sdist, where any Python from 3.7 on builds it: it
imports the standard library only, and no newer part of it than has to be.
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

# The first moment that a zip file can tell.
EARLIEST = 315532800

# What lies in a source tree and is not of it: of the tree's own folder, and of every folder.
NOT_SOURCES = re.compile(r"dist|build|\..*")
LEFTOVERS = re.compile(r"__pycache__|.*\.egg-info|.*\.pyc")

# What lies in a source tree, not below src, and is not to be installed.
NOT_MODULES = re.compile(
    r"_.*backend|setup\.py|conftest\.py|noxfile\.py|tests?|docs?|examples?|benchmarks?|scripts?"
)

# Beside this file, in an sdist that was not built from a pyproject.toml.
ENTRY_POINTS = "entry_points.txt"


def build_sdist(
    sdist_directory: str,
    config_settings: Mapping[str, Any] | None = None,  # noqa: ARG001 - PEP 517's signature
) -> str:
    """Write the sdist, and give its file name."""
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
    metadata_directory: str | None = None,  # noqa: ARG001 - likewise
) -> str:
    """Write the wheel, and give its file name."""
    return _write_wheel(wheel_directory, dict(_installed()))


def build_editable(
    wheel_directory: str,
    config_settings: Mapping[str, Any] | None = None,  # noqa: ARG001 - PEP 660's signature
    metadata_directory: str | None = None,  # noqa: ARG001 - likewise
) -> str:
    """Write the wheel that lets the source tree be imported, and give its file name."""
    # Before Python 3.13, site reads it as the locale says.
    encoding = (
        "utf-8" if sys.version_info >= (3, 13) else locale.getpreferredencoding(do_setlocale=False)
    )
    root = f"{_root().resolve()}\n".encode(encoding)
    return _write_wheel(wheel_directory, {f"_{_stem(_metadata())}.pth": root})


def pack_sdist(stem: str, contents: Mapping[str, bytes], *, epoch: int = EARLIEST) -> bytes:
    """Give an sdist with these contents, by their paths in it."""
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
    about: Mapping[str, bytes],
    *,
    tags: Sequence[str] = ("py3-none-any",),
    build_tag: str | None = None,
    epoch: int = EARLIEST,
) -> bytes:
    """Give a wheel that installs this, with this about it in its .dist-info folder."""
    info = f"{stem}.dist-info"
    contents = {f"{info}/{name}": content for name, content in about.items()}
    contents[f"{info}/WHEEL"] = _wheel_file(tags, build_tag)
    # What is installed may be meant to replace what is said about it.
    contents.update(installed)
    contents.setdefault(f"{info}/RECORD", _record(contents, f"{info}/RECORD"))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as wheel:
        # The .dist-info folder comes last, as the specification recommends.
        for name in sorted(contents, key=lambda name: (name.startswith(f"{info}/"), name)):
            member = zipfile.ZipInfo(name, time.gmtime(epoch)[:6])
            member.compress_type = zipfile.ZIP_DEFLATED
            member.create_system = 3  # so that the wheel is the same whatever the system
            member.external_attr = 0o100644 << 16
            wheel.writestr(member, contents[name])
    return packed.getvalue()


def _write_wheel(folder: str, installed: Mapping[str, bytes]) -> str:
    metadata = _metadata()
    stem = _stem(metadata)
    about = {"METADATA": metadata.encode()}
    entry_points = Path(__file__).with_name(ENTRY_POINTS)
    if entry_points.is_file():
        about[ENTRY_POINTS] = entry_points.read_bytes()
    filename = f"{stem}-py3-none-any.whl"
    Path(folder, filename).write_bytes(pack_wheel(stem, installed, about, epoch=_epoch()))
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


def _record(contents: Mapping[str, bytes], itself: str) -> bytes:
    record = io.StringIO()
    writer = csv.writer(record, lineterminator="\n")
    for name, content in sorted(contents.items()):
        writer.writerow((name, _digest(content), len(content)))
    writer.writerow((itself, "", ""))
    return record.getvalue().encode()


def _metadata() -> str:
    """Give the core metadata: an sdist's own, or a source tree's, from its pyproject.toml."""
    if Path("PKG-INFO").is_file():
        return Path("PKG-INFO").read_text(encoding="utf-8")
    import tomllib  # older Pythons, which lack it, build from sdists

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
    """Give what the wheel installs.

    All that is in src; where there is no such folder, the modules, and the packages with all that
    is in them.
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
    """Give the folder below which the modules lie."""
    return Path("src") if Path("src").is_dir() else Path()


def _digest(content: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    return f"sha256={digest}"


def _epoch() -> int:
    # https://reproducible-builds.org/specs/source-date-epoch/
    return max(EARLIEST, int(os.environ.get("SOURCE_DATE_EPOCH", EARLIEST)))
