"""The metadata of a distribution that resolvers read."""

import io
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

import msgspec
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from cloudrepo_server.cli.snapshots.client import IndexClient, RemoteDistribution
from cloudrepo_server.cli.snapshots.partial_file import MissingPartError, PartialFile
from cloudrepo_server.errors import InvalidError
from cloudrepo_server.pools import ARCHIVES
from cloudrepo_server.specs.archives import read_archive
from cloudrepo_server.specs.core_metadata import read_core_metadata, read_dependencies
from cloudrepo_server.specs.filenames import DistributionName, parse_filename, quote

# This many bytes at the end contain the directory of most wheels, and often their metadata.
_TAIL: Final = 16 << 10
_READ_AHEAD: Final = 16 << 10
_MAX_PARTS: Final = 16
_MAX_SDIST: Final = 64 << 20
# An index may ignore ranges and send the whole wheel.
_MAX_WHEEL: Final = 64 << 20
_CACHED: Final = 1 << 16
_DEPENDENCIES: Final = frozenset({"requires-dist", "requires-python", "provides-extra"})


class Metadata(msgspec.Struct, frozen=True):
    """The dependencies, extras and supported Python versions of a distribution."""

    requires: tuple[str, ...] = ()
    requires_python: str | None = None
    extras: tuple[str, ...] = ()


# Releases of a project repeat most requirements.
@lru_cache(_CACHED)
def parse_requirement(line: str) -> Requirement:
    """Parse a requirement. The result is cached, so callers must not change it.

    Raises:
        InvalidRequirement: it is invalid.
    """
    return Requirement(line)


async def read_wheel(client: IndexClient, project: str, file: RemoteDistribution) -> Metadata:
    """Return the metadata of a wheel.

    If the index offers the metadata as a separate file (PEP 658), that file is read. Otherwise they
    are read from the wheel with range requests.

    Raises:
        InvalidError: the wheel or its metadata are invalid.
        UpstreamError: the index did not respond.
    """
    metadata = None
    if file.page.metadata_sha256 is not None:
        metadata = await client.core_metadata(project, file)
    if metadata is None:
        metadata = await _read_parts(client, project, file)
    return _parse(metadata)


async def read_sdist(client: IndexClient, project: str, file: RemoteDistribution) -> Metadata:
    """Return the metadata of an sdist, which is downloaded.

    Raises:
        InvalidError: the sdist is invalid, or a build may change its metadata.
        UpstreamError: the index did not respond.
    """
    content = await client.whole(project, file, limit=_MAX_SDIST)
    name = parse_filename(file.page.filename, project=project)
    metadata = await ARCHIVES.run(_read_metadata, name, content)
    if metadata is None:
        raise InvalidError("a build determines its dependencies")
    dynamic = {field.lower() for field in read_core_metadata(metadata).get("dynamic", ())}
    if dynamic & _DEPENDENCIES:
        raise InvalidError("a build determines its dependencies")
    return _parse(metadata)


def _read_metadata(name: DistributionName, content: bytes) -> bytes | None:
    return read_archive(name, io.BytesIO(content)).metadata


async def _read_parts(client: IndexClient, project: str, file: RemoteDistribution) -> bytes:
    name = parse_filename(file.page.filename, project=project)
    part = await client.part(project, file, -_TAIL, 0, limit=_MAX_WHEEL)
    partial = PartialFile(part.size)
    partial.add(part.start, part.content)
    for _ in range(_MAX_PARTS):
        partial.seek(0)
        try:
            archive = await ARCHIVES.run(read_archive, name, partial)  # type: ignore[arg-type] # it reads and seeks only
        except MissingPartError as missing:
            end = min(max(missing.end, missing.start + _READ_AHEAD), part.size)
            more = await client.part(project, file, missing.start, end, limit=_MAX_WHEEL)
            partial.add(more.start, more.content)
        else:
            return archive.metadata or b""
    raise InvalidError("its core metadata are in too many parts of the wheel")


def _parse(metadata: bytes) -> Metadata:
    found = read_dependencies(metadata)
    requires_python = found.requires_python
    return Metadata(
        requires=tuple(map(_checked_requirement, found.requires_dist)),
        requires_python=None if requires_python is None else _checked_specifier(requires_python),
        extras=_normalized(found.provides_extra),
    )


def _normalized(extras: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(map(canonicalize_name, extras)))


def _checked_requirement(text: str) -> str:
    line = " ".join(text.split())
    try:
        parse_requirement(line)
    except InvalidRequirement:
        raise InvalidError(f"it has the invalid requirement {quote(line)}") from None
    return line


def _checked_specifier(text: str) -> str:
    line = "".join(text.split())
    try:
        SpecifierSet(line)
    except InvalidSpecifier:
        raise InvalidError(f"it has the invalid Requires-Python {quote(line)}") from None
    return line
